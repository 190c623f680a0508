"""Log-in of a connection, as both national SDKs do it: from then on the connection is that administrator (op 2001).

It is challenged like any request, but the challenge belongs to the connection: one SDK numbers its sessions itself, and
its numbers may be those of somebody else. By password (op 2000) nobody was ever seen to log in; it is refused.
"""

import secrets
from typing import Final

from registry.errors import (
    AuthenticationFailed,
    AuthenticationNeeded,
    AuthenticationTimeout,
    HandleError,
    LogInExpired,
    LogInNeeded,
    OperationNotSupported,
)
from registry.exchanges import CHALLENGE_LIFE, LOWEST_ID
from resolver.challenges import Challenges, same_identity
from resolver.conversation import Conversation, PendingLogIn
from resolver.replies import Replies, Reply
from resolver.wire.challenge import NONCE, LogIn
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Version
from resolver.wire.message import Message

LIFE: Final = 12 * 3600  # Seconds; a working day. The SDKs log in again when they are told to.

_SDK_VERSION: Final[Version] = (2, 3)
_SDK_SUGGESTS: Final[Version] = (2, 10)
# All that the older SDK ever sets; every other client sets the first two flags of its defaults.
_SDK_FLAGS: Final = int(OpFlag.CERTIFY | OpFlag.RECURSION_AUTHENTICATED | OpFlag.TRUSTED_QUERY | OpFlag.TRUSTED_RESULT)


class LogIns:
    def __init__(self, challenges: Challenges, replies: Replies) -> None:
        self._challenges = challenges
        self._replies = replies

    def ask(self, request: Message, conversation: Conversation) -> Message:
        """Challenges who wants to log in. Raises Truncated, OperationNotSupported."""
        if not conversation.lasts:
            raise OperationNotSupported("log_in.transport")
        LogIn.from_wire(request.body)
        session_id = request.session_id or LOWEST_ID + secrets.randbelow((1 << 31) - LOWEST_ID)
        nonce = secrets.token_bytes(NONCE)
        until = self._replies.clock() + CHALLENGE_LIFE.total_seconds()
        conversation.pending = PendingLogIn(request, nonce, session_id, until)
        conversation.wants_log_in = True
        return self._challenges.ask(request, nonce, session_id)

    async def answer(self, answer: Message, pending: PendingLogIn, conversation: Conversation) -> Message:
        """Logs in whoever answers rightly. Raises Truncated, HandleError, DATABASE_AWAY."""
        conversation.pending = conversation.log_in = None
        now = self._replies.clock()
        if now > pending.until:
            raise AuthenticationTimeout("authentication.late")
        by = await self._challenges.prove(answer, pending.request, pending.nonce)
        if not same_identity(str(LogIn.from_wire(pending.request.body).key), by):
            raise AuthenticationFailed("log_in.other_key")
        conversation.log_in = by
        conversation.logged_in_until = now + LIFE
        return self._replies.answer(answer, Reply())._replace(op_code=OpCode.LOG_IN_BY_KEY)

    def is_logged_in(self, conversation: Conversation) -> bool:
        return conversation.log_in is not None and self._replies.clock() < conversation.logged_in_until

    def refusal_for(self, request: Message, conversation: Conversation) -> HandleError:
        """What a stranger is told: to log in, where that is what his kind does; otherwise he is challenged."""
        if conversation.log_in is not None:
            return LogInExpired("log_in.expired")
        if conversation.wants_log_in or (conversation.lasts and is_of_sdk(request)):
            return LogInNeeded("log_in.needed")
        return AuthenticationNeeded("authentication.needed")


def is_of_sdk(request: Message) -> bool:
    """Whether the older national SDK wrote it, which knows no challenge: it takes one for an error."""
    return (
        request.version == _SDK_VERSION
        and request.answer_version == _SDK_SUGGESTS
        and not request.op_flags & ~_SDK_FLAGS
    )
