"""HS_ADMIN and HS_VLIST: who may do what to a handle (RFC 3651, sections 3.2.1 and 3.2.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from registry.octets import Reader, Truncated, put_string, put_uint16, put_uint32
from registry.value import HandleValue, Reference, type_matches

MAX_VALUE_LIST: Final = 10_000  # References of one HS_VLIST; a message could not carry many more.


class AdminPermission(IntFlag):
    """The rights that an HS_ADMIN value grants; `from_text` reads its twelve-character form, list handles first."""

    CREATE_HANDLE = 0x001
    DELETE_HANDLE = 0x002
    CREATE_DERIVED_PREFIX = 0x004
    DELETE_DERIVED_PREFIX = 0x008
    MODIFY_VALUE = 0x010
    REMOVE_VALUE = 0x020
    ADD_VALUE = 0x040
    MODIFY_ADMINISTRATOR = 0x080
    REMOVE_ADMINISTRATOR = 0x100
    ADD_ADMINISTRATOR = 0x200
    AUTHORIZED_READ = 0x400
    LIST_HANDLES = 0x800


ALL_PERMISSIONS: Final = 0xFFF
PREFIX_ADMINISTRATOR: Final = 0xFF3  # All but derived prefixes: what an enterprise gets over its own prefix.
# Index of the group of administrators in the handle of a prefix, as the reference server has it.
ADMINISTRATORS: Final = 200


def permissions_to_text(permissions: int) -> str:
    return f"{permissions & ALL_PERMISSIONS:012b}"


def permissions_from_text(text: str) -> int:
    """Reads twelve 0 and 1, most significant first. Raises ValueError."""
    if not 0 < len(text) <= 12 or text.strip("01"):
        raise ValueError(f"{text!r} is not up to twelve 0 and 1")
    return int(text, 2)


@dataclass(frozen=True, slots=True)
class AdminRecord:
    """The data of an HS_ADMIN value: `index` 0 means any key of `handle`."""

    permissions: int
    handle: str
    index: int

    def to_wire(self) -> bytes:
        out = bytearray()
        put_uint16(out, self.permissions)
        put_string(out, self.handle)
        put_uint32(out, self.index)
        return bytes(out)

    @classmethod
    def from_wire(cls, data: bytes) -> "AdminRecord":
        """Raises Truncated. Old encoders leave two zero octets behind: they are passed over."""
        reader = Reader(data)
        record = cls(reader.uint16(), reader.string(), reader.uint32())
        if reader.octets(reader.remaining).strip(b"\0"):
            raise Truncated("octets behind the administrator's index")
        return record


def value_list_to_wire(references: tuple[Reference, ...]) -> bytes:
    out = bytearray()
    put_uint32(out, len(references))
    for reference in references:
        put_string(out, reference.handle)
        put_uint32(out, reference.index)
    return bytes(out)


def value_list_from_wire(data: bytes) -> tuple[Reference, ...]:
    """The members of an HS_VLIST. Raises Truncated."""
    reader = Reader(data)
    count = reader.count(smallest=8)
    if count > MAX_VALUE_LIST:
        raise Truncated(f"{count} references; at most {MAX_VALUE_LIST}")
    return tuple([Reference(reader.string(), reader.uint32()) for _ in range(count)])


def is_admin(value: HandleValue) -> bool:
    """Whether a value says who administers its handle: HS_ADMIN, or a kind of it."""
    return type_matches(value.type, "HS_ADMIN.")


def permissions_to_replace(before: Iterable[HandleValue], after: Iterable[HandleValue]) -> AdminPermission:
    """The rights needed to turn some values into others. What stays the same needs none."""
    old = {value.index: value for value in before}
    needed = AdminPermission(0)
    for value in after:
        replaced = old.pop(value.index, None)
        if replaced is None:
            needed |= _TO_ADD[is_admin(value)]
        elif not replaced.says_the_same_as(value):
            needed |= _to_modify(is_admin(replaced), is_admin(value))
    for removed in old.values():
        needed |= _TO_REMOVE[is_admin(removed)]
    return needed


def _to_modify(was_admin: bool, is_now_admin: bool) -> AdminPermission:
    """Turning an ordinary value into an administrator removes the one and adds the other; so does the reverse."""
    if was_admin == is_now_admin:
        return _TO_MODIFY[was_admin]
    return _TO_REMOVE[was_admin] | _TO_ADD[is_now_admin]


_TO_ADD: Final = (AdminPermission.ADD_VALUE, AdminPermission.ADD_ADMINISTRATOR)
_TO_MODIFY: Final = (AdminPermission.MODIFY_VALUE, AdminPermission.MODIFY_ADMINISTRATOR)
_TO_REMOVE: Final = (AdminPermission.REMOVE_VALUE, AdminPermission.REMOVE_ADMINISTRATOR)
