"""A fast way to the stored form for the usual value: text at an index, of a type that is no record of the protocol.

Nearly every value of a bulk file is of this kind, and what comes before its data is the same in every row of a class of
objects; so that part is made once and remembered. Equal to `check_values` followed by `pack`, which a test proves.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import compress
from typing import Final

import msgspec

from registry.links import is_link
from registry.octets import put_varint
from registry.packing import PACKED, pack
from registry.record import MAX_INDEX, MAX_RECORD, MAX_TYPE, MAX_VALUES
from registry.relations import is_relation
from registry.value import HandleValue

# Columns of a load seen in the field are some dozens; a file that makes up a type for each row must not fill memory.
MAX_HEADS: Final = 10_000
# Above what a value takes on the wire beside its data: a sum that stays below the limit with it is below it indeed.
MOST_OVERHEAD: Final = 26 + MAX_TYPE

LONGEST: Final = (1 << 14) - 1  # Octets of usual data: longer ones are rare enough for the long way.

_FORM: Final = bytes((PACKED,))


def _varint(number: int) -> bytes:
    out = bytearray()
    put_varint(out, number)
    return bytes(out)


_LENGTHS: Final = tuple(_varint(number) for number in range(LONGEST + 1))


class UsualForm(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A value with what every value has, and nothing else."""

    index: int
    type: str
    data: str


class UsualLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of a bulk load in which all values are usual."""

    handle: str
    values: list[UsualForm]


_decoder = msgspec.json.Decoder(UsualLine)


class UsualValues:
    """Packs usual values, and says None of others."""

    def __init__(self) -> None:
        self._heads: dict[str, dict[int, bytes | None]] = {}
        self._count = 0

    def read(self, line: bytes) -> tuple[str, bytes] | None:
        """The name and the packed values of a line."""
        try:
            form = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        packed = self.packed(form.values)
        return None if packed is None else (form.handle, packed)

    def packed(self, forms: Sequence[UsualForm]) -> bytes | None:
        """The stored form of values in ascending order of index, none long and not too much together."""
        heads = self._heads
        parts = [_FORM]
        last = 0
        for form in forms:
            index = form.index
            data = form.data.encode()
            try:
                head = heads[form.type][index]
            except KeyError:
                head = self.head(index, form.type)
            if head is None or index <= last or len(data) > LONGEST:
                return None
            last = index
            parts += (head, _LENGTHS[len(data)], data)
        return _joined(parts, len(forms))

    def packed_cells(self, cells: Collection[str], heads: Iterable[bytes]) -> bytes | None:
        """The same of the cells that are not empty; cells and heads are in ascending order of index."""
        parts = [_FORM]
        for cell, head in compress(zip(cells, heads, strict=True), cells):
            data = cell.encode()
            if len(data) > LONGEST:
                return None
            parts += (head, _LENGTHS[len(data)], data)
        return _joined(parts, len(parts))

    def head(self, index: int, value_type: str) -> bytes | None:
        """What precedes the length and the data of a value; None when it must be looked at more closely."""
        if self._count >= MAX_HEADS:
            self._heads.clear()
            self._count = 0
        self._count += 1
        head = self._heads.setdefault(value_type, {})[index] = _head(index, value_type)
        return head


def _joined(parts: list[bytes], count: int) -> bytes | None:
    packed = b"".join(parts)
    return None if len(packed) + MOST_OVERHEAD * count > MAX_RECORD or count > MAX_VALUES else packed


def _head(index: int, value_type: str) -> bytes | None:
    if not 0 < index <= MAX_INDEX or value_type.upper().startswith("HS_") or is_link(value_type):
        return None
    if is_relation(value_type):
        return None
    if not value_type or len(value_type.encode()) > MAX_TYPE or not value_type.isprintable():
        return None
    # The form octet stands before it and the length of no data behind it.
    return pack((HandleValue(index, value_type, b""),), 0)[1:-1]
