"""Octets of a connection cut into messages. Whatever arrives gives a message, nothing yet, or ProtocolError.

After a ProtocolError nothing on the connection can be believed: what follows is not where a message begins.
"""

from typing import Final

from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, Envelope, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire

# Octets that may wait: one message, and a read as large as a message behind it. A reader that takes its messages
# before it feeds again holds less than that; one that does not must not fill the memory.
MAX_WAITING: Final = 2 * (ENVELOPE + MAX_MESSAGE)

_LENGTH: Final = slice(ENVELOPE - 4, ENVELOPE)


class MessageStream:
    """Feed it what a connection gives, take messages until there is none, feed again."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._octets = bytearray()
        self._failure: ProtocolError | None = None

    @property
    def waiting(self) -> int:
        """Octets that no message was made of yet: at the end of a connection, those of a message cut short."""
        return len(self._octets)

    def feed(self, octets: bytes) -> None:
        if len(self._octets) + len(octets) > max(MAX_WAITING, 2 * (ENVELOPE + self._limit)):
            self._fail(ProtocolError(f"more than {MAX_WAITING} octets wait"))
        if self._failure is None:
            self._octets += octets

    def take(self) -> Message | SealedMessage | None:
        """The next message, or None until more was fed. Raises ProtocolError, and from then on always."""
        octets = self.cut()
        if octets is None:
            return None
        try:
            return message_from_wire(octets)
        except ProtocolError as error:
            self._fail(error)
            raise

    def cut(self) -> bytes | None:
        """★ As `take`, the octets of the next message unread: whoever finds in them that they are none ends here."""
        if self._failure is not None:
            raise self._failure
        if len(self._octets) < ENVELOPE:
            return None
        end = ENVELOPE + int.from_bytes(self._octets[_LENGTH], "big")
        if len(self._octets) < end or end > ENVELOPE + self._limit:
            self._check_length()
            return None
        octets = bytes(self._octets[:end])
        del self._octets[:end]
        return octets

    def _check_length(self) -> None:
        """Raises ProtocolError for a length that nobody may announce."""
        try:
            Envelope.from_wire(self._octets).checked(self._limit)
        except ProtocolError as error:
            self._fail(error)
            raise

    def _fail(self, failure: ProtocolError) -> None:
        self._failure = failure
        self._octets.clear()
