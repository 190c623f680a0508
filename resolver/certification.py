"""Answers signed with the node's key, which stands in its site record (the certify flag; RFC 3652, section 2.2.4).

From version 2.7 on a signature covers the request id, so none can be kept: each costs more than a millisecond of a
core, aside from the event loop, and no more than a few may wait.
"""

import asyncio
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.errors import ServerBusy
from resolver.wire.credential import with_signature
from resolver.wire.message import Message

MAX_WAITING: Final = 256  # Signatures made or waited for at one time: half a second of work.


class Signer:
    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key
        self._waiting = 0

    async def sign(self, message: Message) -> Message:
        """Raises ServerBusy."""
        if self._waiting >= MAX_WAITING:
            raise ServerBusy("server.queue")
        self._waiting += 1
        try:
            return await asyncio.to_thread(with_signature, message, self._key)
        finally:
            self._waiting -= 1
