"""A handle value: one typed statement about a handle (RFC 3651, section 3.1)."""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import Final

import msgspec

from registry.octets import Reader, put_counted, put_string, put_uint32

DEFAULT_TTL: Final = 86_400  # Seconds; RFC 3651, section 3.1.


class Permission(IntFlag):
    """Who may do what to a value (RFC 3651, section 3.1)."""

    PUBLIC_WRITE = 1
    PUBLIC_READ = 2
    ADMIN_WRITE = 4
    ADMIN_READ = 8


DEFAULT_PERMISSIONS: Final = 14  # All but public write. A plain int: stored and compared a million times.
PUBLIC_READ: Final = 2

_FIXED = Struct(">IIBIBI")  # All in front of the type, and its length: packed at once, as every miss renders values.


@dataclass(frozen=True, slots=True)
class Reference:
    """A handle value named from elsewhere: an index of 0 names all of them."""

    handle: str
    index: int

    def __str__(self) -> str:
        return f"{self.index}:{self.handle}"


# Every miss makes some seven of them; one that is a dataclass takes ten times as long to make.
class HandleValue(msgspec.Struct, frozen=True):
    """One value. `ttl` is in seconds from now or, when `ttl_absolute`, seconds since 1970; `timestamp` since 1970."""

    index: int
    type: str
    data: bytes
    ttl: int = DEFAULT_TTL
    ttl_absolute: bool = False
    timestamp: int = 0
    permissions: int = DEFAULT_PERMISSIONS
    references: tuple[Reference, ...] = ()

    @property
    def is_public(self) -> bool:
        return bool(self.permissions & PUBLIC_READ)

    @property
    def text(self) -> str:
        """The data as text; octets that are not UTF-8 become U+FFFD."""
        return self.data.decode(errors="replace")

    def says_the_same_as(self, other: "HandleValue") -> bool:
        """Equal but for the time of writing."""
        return (
            self.index == other.index
            and self.type == other.type
            and self.data == other.data
            and self.ttl == other.ttl
            and self.ttl_absolute == other.ttl_absolute
            and self.permissions == other.permissions
            and self.references == other.references
        )

    def to_wire(self, out: bytearray) -> None:
        name = self.type.encode()
        out += _FIXED.pack(self.index, self.timestamp, self.ttl_absolute, self.ttl, self.permissions, len(name))
        out += name
        put_counted(out, self.data)
        put_uint32(out, len(self.references))
        for reference in self.references:
            put_string(out, reference.handle)
            put_uint32(out, reference.index)

    @classmethod
    def from_wire(cls, reader: Reader) -> "HandleValue":
        index = reader.uint32()
        timestamp = reader.uint32()
        ttl_absolute = reader.uint8() == 1
        ttl = reader.uint32()
        permissions = reader.uint8()
        value_type = reader.string()
        data = reader.counted()
        references = tuple([Reference(reader.string(), reader.uint32()) for _ in range(reader.count(smallest=8))])
        return cls(index, value_type, data, ttl, ttl_absolute, timestamp, permissions, references)


def type_matches(value_type: str, asked: str) -> bool:
    """Whether a type answers a filter: equal but for ASCII case; a filter ending in '.' also matches what it begins."""
    folded = value_type.upper()
    wanted = asked.upper()
    if wanted.endswith("."):
        return folded == wanted[:-1] or folded.startswith(wanted)
    return folded == wanted
