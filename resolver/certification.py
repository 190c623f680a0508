"""Answers made certain and secret: signed or with a MAC when asked for, encrypted in sessions (RFC 3652, 2.2.4).

Outside sessions the node's key signs, which stands in its site record. From version 2.7 on a signature covers the
request id, so none can be kept: each costs more than a millisecond of a core, aside from the event loop, and no more
than a few may wait.
"""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.aside import Aside
from registry.exchanges import Exchanges, NativeSession
from resolver.wire.codes import OpFlag
from resolver.wire.credential import with_mac, with_signature
from resolver.wire.envelope import Version, rules_of
from resolver.wire.message import Message, SealedMessage
from resolver.wire.session_cipher import sealed

Answer = Message | SealedMessage

MAX_WAITING: Final = 256  # Signatures made or waited for at one time: half a second of work.
ENCRYPTED_BY_ITSELF_FROM: Final[Version] = (2, 8)  # Answers in sessions whose values not everybody may read.

_CERTIFY: Final = int(OpFlag.CERTIFY)
_ENCRYPT: Final = int(OpFlag.ENCRYPT)


class Protection:
    """Raises ServerBusy, DATABASE_AWAY."""

    def __init__(self, exchanges: Exchanges, key: RSAPrivateKey) -> None:
        self._exchanges = exchanges
        self._key = key
        self._signatures = Aside(MAX_WAITING)

    async def apply(
        self, messages: Sequence[Message], request: Message, session: NativeSession | None, *, private: bool
    ) -> Sequence[Answer]:
        """Answers certified and encrypted where the request asks for it, or where it goes without saying."""
        if request.op_flags & _CERTIFY:
            messages = await self._certified(messages, session)
        if session is None or not (request.op_flags & _ENCRYPT or (private and _encrypts_by_itself(request))):
            return messages
        return [sealed(message, session.key) for message in messages]

    async def _certified(self, messages: Sequence[Message], session: NativeSession | None) -> Sequence[Message]:
        if session is None:
            return [await self._signed(message) for message in messages]
        first = await self._exchanges.count_answers(session.session_id, len(messages))
        return [with_mac(message, session.key, number) for number, message in enumerate(messages, first)]

    async def _signed(self, message: Message) -> Message:
        return await self._signatures.do(with_signature, message, self._key)


def _encrypts_by_itself(request: Message) -> bool:
    return rules_of(*request.answer_version) >= ENCRYPTED_BY_ITSELF_FROM
