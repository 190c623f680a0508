"""A fast way to the stored form for the usual value: text at an index, of a type that is no record of the protocol.

Nearly every value of a bulk file is of this kind, and what comes before its data is the same in every row of a class of
objects; so that part is made once and remembered. Equal to `check_values` followed by `pack`, which a test proves.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from registry.octets import put_varint
from registry.packing import PACKED, pack
from registry.record import MAX_INDEX, MAX_RECORD, MAX_TYPE, MAX_VALUES
from registry.rest import ValueForm
from registry.value import HandleValue

# Columns of a load seen in the field are some dozens; a file that makes up a type for each row must not fill memory.
MAX_HEADS: Final = 10_000
# Above what a value takes on the wire beside its data: a sum that stays below the limit with it is below it indeed.
MOST_OVERHEAD: Final = 26 + MAX_TYPE

_FORM: Final = bytes((PACKED,))


def _varint(number: int) -> bytes:
    out = bytearray()
    put_varint(out, number)
    return bytes(out)


_LENGTHS: Final = tuple(_varint(number) for number in range(1 << 14))


class UsualValues:
    """Packs usual values, and says None of others."""

    def __init__(self) -> None:
        self._heads: dict[tuple[int, str], bytes | None] = {}

    def packed(self, forms: Sequence[ValueForm]) -> bytes | None:
        """The stored form of values that are usual, in ascending order of index and not too much together."""
        heads = self._heads
        parts = [_FORM]
        last = octets = 0
        for form in forms:
            data = form.data
            index = form.index
            if data.__class__ is not str or form.permissions is not None or form.ttl is not None or form.references:
                return None
            try:
                head = heads[index, form.type]
            except KeyError:
                head = self.head(index, form.type)
            if head is None or index <= last:
                return None
            last = index
            encoded = data.encode()
            octets += len(encoded)
            parts.append(head)
            parts.append(_LENGTHS[len(encoded)] if len(encoded) < 1 << 14 else _varint(len(encoded)))
            parts.append(encoded)
        if octets + MOST_OVERHEAD * len(forms) > MAX_RECORD or len(forms) > MAX_VALUES:
            return None
        return b"".join(parts)

    def packed_cells(self, cells: Sequence[str], heads: Iterable[tuple[int, bytes]]) -> bytes | None:
        """The stored form of the cells that are not empty; `heads` are places and heads in ascending order of index."""
        parts = [_FORM]
        octets = 0
        for place, head in heads:
            cell = cells[place]
            if cell:
                encoded = cell.encode()
                octets += len(encoded) + MOST_OVERHEAD
                parts.append(head)
                parts.append(_LENGTHS[len(encoded)] if len(encoded) < 1 << 14 else _varint(len(encoded)))
                parts.append(encoded)
        return None if octets > MAX_RECORD else b"".join(parts)

    def head(self, index: int, value_type: str) -> bytes | None:
        """What precedes the length and the data of a value; None when it must be looked at more closely."""
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        head = self._heads[index, value_type] = _head(index, value_type)
        return head


def _head(index: int, value_type: str) -> bytes | None:
    if not 0 < index <= MAX_INDEX or value_type.upper().startswith("HS_"):
        return None
    if not value_type or len(value_type.encode()) > MAX_TYPE or not value_type.isprintable():
        return None
    # The form octet stands before it and the length of no data behind it.
    return pack((HandleValue(index, value_type, b""),), 0)[1:-1]
