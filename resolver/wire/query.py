"""The bodies of a resolution: what is asked, and the values that answer it (RFC 3652, section 3.2).

The handle is octets: it is echoed as it was spelt, folded by the store alone, and one that is not UTF-8 is a handle
that nobody registered. What stands behind the last field is passed over: one national SDK appends an empty field.
"""

from dataclasses import dataclass
from typing import Final

from registry.octets import Reader, put_counted, put_string, put_uint32
from registry.value import HandleValue

_NO_FILTERS: Final = bytes(8)  # An empty list of indexes and one of types.
SMALLEST_VALUE: Final = 26  # Octets of a handle value with no type, no data and no references.


@dataclass(frozen=True, slots=True)
class Query:
    """No index and no type means all values; otherwise the union of both lists (`HandleRecord.select`)."""

    handle: bytes
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, body: bytes) -> "Query":
        """★ Raises Truncated."""
        end = 4 + int.from_bytes(body[:4], "big")
        if body[end:] == _NO_FILTERS and len(body) == end + 8:
            return cls(body[4:end])
        reader = Reader(body)
        handle = reader.counted()
        indexes = tuple([reader.uint32() for _ in range(reader.count(smallest=4))])
        types = tuple([reader.string() for _ in range(reader.count(smallest=4))])
        return cls(handle, indexes, types)

    def to_wire(self) -> bytes:
        out = bytearray()
        put_counted(out, self.handle)
        put_indexes(out, self.indexes)
        put_uint32(out, len(self.types))
        for value_type in self.types:
            put_string(out, value_type)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class HandleValues:
    """A handle with values: the answer to a query, and the body of requests to create, add and modify."""

    handle: bytes
    values: tuple[HandleValue, ...]

    @classmethod
    def from_wire(cls, body: bytes) -> "HandleValues":
        """Raises Truncated."""
        return cls.read(Reader(body))

    @classmethod
    def read(cls, reader: Reader) -> "HandleValues":
        handle = reader.counted()
        count = reader.count(smallest=SMALLEST_VALUE)
        return cls(handle, tuple([HandleValue.from_wire(reader) for _ in range(count)]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_counted(out, self.handle)
        put_values(out, self.values)
        return bytes(out)


def put_indexes(out: bytearray, indexes: tuple[int, ...]) -> None:
    put_uint32(out, len(indexes))
    for index in indexes:
        put_uint32(out, index)


def put_values(out: bytearray, values: tuple[HandleValue, ...]) -> None:
    put_uint32(out, len(values))
    for value in values:
        value.to_wire(out)
