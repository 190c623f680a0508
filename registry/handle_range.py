"""Ranges: neighbouring handles that end in serial numbers and say nearly the same, registered as one.

The cakes of a doff, or a block of a million serial numbers. A member is not stored anywhere: what it says is computed
from the values of its range, in which `{position}` stands for its place, counted from 1, `{serial}` for its serial
number and `{suffix}` for its whole suffix. Serial numbers have a fixed width, so that members are in the order of
their keys, and whether a name is one of them takes a comparison.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from msgspec.structs import replace

from registry.data_forms import has_form
from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.packing import PackedRecord, pack, unpack
from registry.value import HandleValue

DIGITS: Final[Mapping[int, str]] = {10: "0123456789", 36: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
MAX_WIDTH: Final = 18  # Digits: no code of the field has a longer serial number.
MAX_MEMBERS: Final = 100_000_000  # A year's output of the largest firms; more is a slip of the pen.

PLACE: Final = re.compile(rb"\{(position|serial|suffix)\}")


class Row(Protocol):
    """What is read by names of columns."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class HandleRange:
    """Handles from `first` to `last`, which are keys of suffixes; `head` stands before the serial, as registered.

    `packed` are the values of every member, before anything is filled in, in form 1.
    """

    prefix: str
    head: str
    first: str
    last: str
    width: int
    radix: int
    packed: bytes
    written_at: int
    version: int = 1

    @classmethod
    def from_row(cls, prefix: str, row: Row) -> "HandleRange":
        """Of a row with columns of these names."""
        return cls(
            prefix,
            row["head"],
            row["first"],
            row["last"],
            row["width"],
            row["radix"],
            row["packed"],
            row["written_at"],
            row["version"],
        )

    @property
    def members(self) -> int:
        return self._number(self.last) - self._number(self.first) + 1

    @property
    def values(self) -> tuple[HandleValue, ...]:
        """The values before anything is filled in."""
        return _unpacked(self.packed, self.written_at)

    def position(self, suffix: str) -> int | None:
        """The place of the member with this key of a suffix, from 1; None when it is no member."""
        if len(suffix) != len(self.first) or not self.first <= suffix <= self.last:
            return None
        # Between two keys with one head every key of their length has it; that it ends in digits is not said yet.
        if not is_serial(suffix[-self.width :], self.radix):
            return None
        return self._number(suffix) - self._number(self.first) + 1

    def suffix_at(self, position: int) -> str:
        """The key of the suffix of a member."""
        number = self._number(self.first) + position - 1
        return self.first[: -self.width] + serial_to_text(number, self.width, self.radix)

    def suffixes(self, after: str = "") -> Iterator[str]:
        """The keys of the members behind a key, in order."""
        for position in range(self._begin(after), self.members + 1):
            yield self.suffix_at(position)

    def spelled(self, suffix: str) -> str:
        """The suffix of a member as it was registered."""
        return self.head + suffix[-self.width :]

    def handle(self, suffix: str) -> Handle:
        return Handle(self.prefix, self.spelled(suffix))

    def values_of(self, suffix: str) -> tuple[HandleValue, ...]:
        """What a member says."""
        filling = self.filling(suffix)
        return tuple([_filled(value, filling) for value in self.values])

    def filling(self, suffix: str) -> dict[bytes, bytes]:
        """What is put into the values of a member."""
        return {
            b"position": str(self.position(suffix)).encode(),
            b"serial": suffix[-self.width :].encode(),
            b"suffix": self.spelled(suffix).encode(),
        }

    def record(self, suffix: str) -> PackedRecord:
        """A member as a row of its own would hold it."""
        packed = pack(self.values_of(suffix), self.written_at)
        return PackedRecord(self.handle(suffix), packed, self.written_at, self.version)

    def _begin(self, after: str) -> int:
        """The place of the first member behind a key."""
        if after < self.first:
            return 1
        low, high = 1, self.members  # Everything up to `low` is not behind it, everything beyond `high` is.
        while low < high:
            middle = (low + high + 1) // 2
            if self.suffix_at(middle) <= after:
                low = middle
            else:
                high = middle - 1
        return low + 1

    def _number(self, suffix: str) -> int:
        return int(suffix[-self.width :], self.radix)


def make_range(first: Handle, key: str, members: int, width: int, radix: int, packed: bytes) -> HandleRange:
    """The range of so many handles from `first` on, the key of whose suffix is `key`.

    Raises InvalidHandle for one that does not end in a serial number, or whose serial numbers would become too long.
    """
    if radix not in DIGITS or not 1 <= width <= MAX_WIDTH or not is_serial(key[-width:].rjust(width), radix):
        raise InvalidHandle("range.serial", handle=str(first), width=width, radix=radix)
    last = int(key[-width:], radix) + members - 1
    if not 1 <= members <= min(MAX_MEMBERS, radix**width) or last >= radix**width:
        raise InvalidHandle("range.members", handle=str(first), members=members, limit=MAX_MEMBERS, width=width)
    return HandleRange(
        first.prefix,
        first.suffix[:-width],
        key,
        key[:-width] + serial_to_text(last, width, radix),
        width,
        radix,
        packed,
        0,
    )


def shared(values: tuple[HandleValue, ...]) -> tuple[HandleValue, ...]:
    """The values that say the same of every member."""
    return tuple([value for value in values if has_form(value.type) or not PLACE.search(value.data)])


def filled(values: tuple[HandleValue, ...]) -> tuple[HandleValue, ...]:
    """The others: those in which something is filled in."""
    return tuple([value for value in values if not has_form(value.type) and PLACE.search(value.data)])


def is_serial(text: str, radix: int) -> bool:
    return not text.strip(DIGITS[radix])


def serial_to_text(number: int, width: int, radix: int) -> str:
    """The digits of a number, with zeros in front."""
    if radix == 10:
        return str(number).zfill(width)
    digits = ""
    while number:
        number, digit = divmod(number, radix)
        digits = DIGITS[radix][digit] + digits
    return digits.zfill(width)


def _filled(value: HandleValue, filling: Mapping[bytes, bytes]) -> HandleValue:
    # Records with a form of their own hold lengths; nothing is filled in there.
    if b"{" not in value.data or has_form(value.type):
        return value
    data = PLACE.sub(lambda place: filling[place[1]], value.data)
    return value if data == value.data else replace(value, data=data)


@lru_cache(maxsize=256)  # Members are mostly asked for one after the other.
def _unpacked(packed: bytes, written_at: int) -> tuple[HandleValue, ...]:
    return unpack(packed, written_at)
