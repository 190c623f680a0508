"""The first twenty octets of every message, never encrypted: versions, ids, length (RFC 3652, section 2.2.1).

Whoever cuts messages out of a stream or joins datagrams reads this first and believes its length only after `checked`.
"""

from struct import Struct
from typing import Final, NamedTuple

from resolver.wire.codes import MessageFlag

ENVELOPE: Final = 20  # Octets.
MAX_MESSAGE: Final = 262_144  # Octets behind the envelope; the reference server's limit for what it takes in.

Version = tuple[int, int]
NEWEST: Final[Version] = (2, 11)  # What we speak, and suggest in every answer.
OLDEST: Final[Version] = (2, 0)
ALIAS_OF_OLDEST: Final[Version] = (5, 0)  # The first clients wrote 5.0 and meant 2.0; they are answered in kind.

SUGGESTED_MAJOR: Final = 0x03  # The bits of the flag octet that hold the suggested major version.
ENCRYPTED: Final = int(MessageFlag.ENCRYPTED)  # Plain integers: an IntFlag operation costs half of a decoded message.
TRUNCATED: Final = int(MessageFlag.TRUNCATED)

_LAYOUT = Struct(">BBBBiiiI")


class ProtocolError(Exception):
    """Octets that are no message. With an envelope the sender can be told so (code 4), without one it cannot."""

    def __init__(self, reason: str, envelope: "Envelope | None" = None) -> None:
        super().__init__(reason)
        self.envelope = envelope


class Envelope(NamedTuple):
    """`length` counts the octets behind the envelope: of the whole message, in each of its datagrams."""

    major: int
    minor: int
    flags: int  # with the suggested major version in the lower two bits
    suggested_minor: int
    session_id: int
    request_id: int
    sequence: int
    length: int

    @classmethod
    def from_wire(cls, octets: bytes | bytearray, position: int = 0) -> "Envelope":
        if len(octets) - position < ENVELOPE:
            raise ProtocolError(f"{len(octets) - position} octets; an envelope has {ENVELOPE}")
        return cls._make(_LAYOUT.unpack_from(octets, position))

    def to_wire(self) -> bytes:
        return _LAYOUT.pack(*self)

    def checked(self, limit: int = MAX_MESSAGE) -> "Envelope":
        """This envelope, when its length may be believed. Raises ProtocolError: nothing after it can be read."""
        if self.length > limit:
            raise ProtocolError(f"a message of {self.length} octets; at most {limit}", self)
        return self

    @property
    def is_encrypted(self) -> bool:
        return bool(self.flags & ENCRYPTED)

    @property
    def is_truncated(self) -> bool:
        return bool(self.flags & TRUNCATED)

    @property
    def version(self) -> Version:
        """What the octets are written in, with the historical 5.0 read as 2.0."""
        return rules_of(self.major, self.minor)

    @property
    def answer_version(self) -> Version:
        return version_of_answer(self.major, self.minor, self.flags, self.suggested_minor)


def rules_of(major: int, minor: int) -> Version:
    version = (major, minor)
    return OLDEST if version == ALIAS_OF_OLDEST else version


def version_of_answer(major: int, minor: int, flags: int, suggested_minor: int) -> Version:
    """The version that a requester suggests, held between the oldest and our newest; its own when it suggests none."""
    suggested_major = flags & SUGGESTED_MAJOR
    suggested = (suggested_major, suggested_minor) if suggested_major else (major, minor)
    if OLDEST <= suggested <= NEWEST or suggested == ALIAS_OF_OLDEST:
        return suggested
    return OLDEST if suggested < OLDEST else NEWEST
