"""The bodies of answers that are no success: a sentence, or where to ask instead (RFC 3652, sections 3.3 and 3.4)."""

from dataclasses import dataclass

from registry.octets import Reader, put_counted, put_string
from registry.value import HandleValue
from resolver.wire.query import SMALLEST_VALUE, put_indexes, put_values


@dataclass(frozen=True, slots=True)
class Refusal:
    """A sentence for a person, often empty. Peers of the third version name the offending indexes behind it."""

    text: str = ""
    indexes: tuple[int, ...] = ()

    @classmethod
    def from_wire(cls, content: bytes) -> "Refusal":
        """Raises Truncated."""
        reader = Reader(content)
        text = reader.string() if reader.remaining else ""
        count = reader.count(smallest=4) if reader.remaining else 0
        return cls(text, tuple([reader.uint32() for _ in range(count)]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_string(out, self.text)
        if self.indexes:
            put_indexes(out, self.indexes)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class Referral:
    """Where to ask: a service handle (code 302; empty in 303), or the values of the ancestor that says so (303)."""

    handle: bytes = b""
    values: tuple[HandleValue, ...] = ()

    @classmethod
    def from_wire(cls, content: bytes) -> "Referral":
        """Raises Truncated."""
        reader = Reader(content)
        handle = reader.counted()
        count = reader.count(smallest=SMALLEST_VALUE) if reader.remaining else 0
        return cls(handle, tuple([HandleValue.from_wire(reader) for _ in range(count)]))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_counted(out, self.handle)
        if self.values:
            put_values(out, self.values)
        return bytes(out)
