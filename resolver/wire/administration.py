"""The bodies of administration: handles named, indexes removed, lists of handles (RFC 3652, sections 3.6 and 3.7).

Create, add and modify carry `query.HandleValues`. Handles are octets, as in a query: that one is not UTF-8 is a
refusal of its own (code 102) and not a fault of the protocol.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.octets import Reader, put_counted, put_uint32
from resolver.wire.codes import OpFlag
from resolver.wire.query import put_indexes

HANDLES_PER_MESSAGE: Final = 50  # The reference server sends a long list in parts of so many.
NOTHING_NAMED: Final = b"/"  # What requests name that concern no handle, as for site information.


@dataclass(frozen=True, slots=True)
class NamedHandle:
    """One handle: to delete, list, home, unhome or ask site information of, and the one that was created."""

    handle: bytes

    @classmethod
    def from_wire(cls, body: bytes) -> "NamedHandle":
        """Raises Truncated."""
        return cls(Reader(body).counted())

    def to_wire(self) -> bytes:
        out = bytearray()
        put_counted(out, self.handle)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class HandleIndexes:
    """The values of a handle that are to be removed."""

    handle: bytes
    indexes: tuple[int, ...]

    @classmethod
    def from_wire(cls, body: bytes) -> "HandleIndexes":
        """Raises Truncated."""
        reader = Reader(body)
        handle = reader.counted()
        return cls(handle, tuple([reader.uint32() for _ in range(reader.count(smallest=4))]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_counted(out, self.handle)
        put_indexes(out, self.indexes)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class HandleList:
    """Handles, or the handles of prefixes; one message of possibly several."""

    handles: tuple[bytes, ...]

    @classmethod
    def from_wire(cls, body: bytes) -> "HandleList":
        """Raises Truncated."""
        reader = Reader(body)
        return cls(tuple([reader.counted() for _ in range(reader.count(smallest=4))]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_uint32(out, len(self.handles))
        for handle in self.handles:
            put_counted(out, handle)
        return bytes(out)


def parts_of(handles: Sequence[bytes]) -> Iterator[tuple[int, HandleList]]:
    """A list cut for its messages, each part with the flags of its answer: CONTINUOUS on all but the last."""
    starts = range(0, max(len(handles), 1), HANDLES_PER_MESSAGE)
    for start in starts:
        more = start != starts[-1]
        part = HandleList(tuple(handles[start : start + HANDLES_PER_MESSAGE]))
        yield int(OpFlag.AUTHORITATIVE | (OpFlag.CONTINUOUS if more else 0)), part


def created_handle(content: bytes) -> bytes | None:
    """The handle that an answer to a creation names, when it names one. Raises Truncated."""
    return NamedHandle.from_wire(content).handle if content else None
