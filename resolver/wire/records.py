"""The bodies of an operation of our own: records for a node that keeps answers and has no book (an edge).

A resolution tells a client all that it may know, and a cache too little: the spelling that is registered, the version,
the state of the handle, whether values are hidden. What anybody may read is told, many names in one message.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from registry.octets import Reader, Truncated, put_counted, put_string, put_uint8, put_uint32
from registry.value import HandleValue
from resolver.wire.query import SMALLEST_VALUE, put_values

MAX_NAMES: Final = 256  # Of one request: what one read of the database has.


class Found(IntEnum):
    """What came of one name."""

    RECORD = 1
    MISSING = 2
    NOT_HERE = 3  # Its prefix is not homed.
    BUSY = 4


@dataclass(frozen=True, slots=True)
class RecordsQuery:
    """Names, and the position in the change log that the answer must not be older than; '' for any."""

    position: str
    names: tuple[bytes, ...]

    @classmethod
    def from_wire(cls, body: bytes) -> "RecordsQuery":
        """Raises Truncated."""
        reader = Reader(body)
        position = reader.string()
        count = reader.count(smallest=4)
        if count > MAX_NAMES:
            raise Truncated(f"{count} names; at most {MAX_NAMES} are asked for at once")
        return cls(position, tuple([reader.counted() for _ in range(count)]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_string(out, self.position)
        put_uint32(out, len(self.names))
        for name in self.names:
            put_counted(out, name)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """One record as anybody may read it. `standing` is the form that rows hold, with its state, or ''; one that is
    `computed` follows from other handles, whose changes say nothing of it."""

    found: Found
    spelling: bytes = b""
    version: int = 0
    written_at: int = 0
    state: int = 0
    standing: str = ""
    hides: bool = False
    computed: bool = False
    values: tuple[HandleValue, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> "ShownRecord":
        """Raises Truncated."""
        kind, flags = reader.uint8(), reader.uint8()
        if kind not in _KINDS:
            raise Truncated(f"{kind} is no outcome of a name")
        found = Found(kind)
        computed = bool(flags & _COMPUTED)
        if found is not Found.RECORD:
            return cls(found, computed=computed)
        spelling, version, written_at, state = reader.counted(), reader.uint32(), reader.uint32(), reader.uint8()
        standing, count = reader.string(), reader.count(smallest=SMALLEST_VALUE)
        values = tuple([HandleValue.from_wire(reader) for _ in range(count)])
        return cls(
            found, spelling, version, written_at, state, standing, bool(flags & _HIDES), computed, values
        )  # fmt: skip

    def put(self, out: bytearray) -> None:
        put_uint8(out, self.found)
        put_uint8(out, (_HIDES if self.hides else 0) | (_COMPUTED if self.computed else 0))
        if self.found is not Found.RECORD:
            return
        put_counted(out, self.spelling)
        put_uint32(out, self.version)
        put_uint32(out, self.written_at)
        put_uint8(out, self.state)
        put_string(out, self.standing)
        put_values(out, self.values)


_HIDES, _COMPUTED = 1, 2
_KINDS: Final = frozenset(Found)


@dataclass(frozen=True, slots=True)
class Records:
    """Records in the order of their names, in one message of an answer or in several."""

    records: tuple[ShownRecord, ...]

    @classmethod
    def from_wire(cls, content: bytes) -> "Records":
        """Raises Truncated."""
        reader = Reader(content)
        return cls(tuple([ShownRecord.read(reader) for _ in range(reader.count(smallest=2))]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_uint32(out, len(self.records))
        for record in self.records:
            record.put(out)
        return bytes(out)
