"""Tables of a bulk load: what the header of a CSV file or of a sheet says, and the values of a row of cells.

One column holds the handle; every other one holds a type, written `TYPE` or `index:TYPE`, or is passed over when its
name begins with '#'. An empty cell is no value.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from registry.errors import ProtocolFault
from registry.record import MAX_INDEX, MAX_TYPE, MAX_VALUES
from registry.rows import MAX_ROW
from registry.units import converted

HANDLE_COLUMNS: Final = ("HANDLE", "标识", "标识编码", "标识码")
REMARK: Final = "#"  # Begins the name of a column that is for people.
MAX_DIGITS: Final = 11  # Digits of an index that are read: as many are too many for any.
MAX_COLUMNS: Final = MAX_VALUES + 1  # The values that a handle may have, and the handle.


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the numbers of a column are multiplied with."""

    place: int
    factor: Fraction


@dataclass(frozen=True, slots=True)
class Columns:
    """The header: its texts, where the handle stands, and (place, index, type) of the values in order of index.

    A mapping may convert cells, put a prefix before handles without one, and add cells that all rows have.
    """

    names: tuple[str, ...]
    handle: int
    values: tuple[tuple[int, int, str], ...]
    conversions: tuple[Conversion, ...] = ()
    prefix: str = ""
    constants: tuple[str, ...] = ()

    @property
    def are_plain(self) -> bool:
        return not (self.conversions or self.prefix or self.constants)

    def mapped(self, cells: Sequence[str]) -> list[str]:
        """The cells of a row as the mapping means them."""
        row = [*cells, *self.constants]
        for conversion in self.conversions:
            row[conversion.place] = converted(row[conversion.place], conversion.factor)
        if self.prefix and row[self.handle] and "/" not in row[self.handle]:
            row[self.handle] = f"{self.prefix}/{row[self.handle]}"
        return row


def columns_from_names(names: Sequence[str]) -> Columns:
    """Reads a header row. Raises ProtocolFault, which names the column."""
    names, handle = _handle_column(names)
    values = [
        _column(place, name, handle)
        for place, name in enumerate(names)
        if place != handle and not name.startswith(REMARK)
    ]
    if not values:
        raise ProtocolFault("load.header", column=len(names), rule="no column names a type of values")
    values.sort(key=lambda value: value[1])
    for (_, index, _), (place, same, _) in pairwise(values):
        if index == same:
            raise ProtocolFault("load.header", column=place + 1, rule=f"index {index} is there twice")
    return Columns(tuple(names), handle, tuple(values))


def header_names(given: Sequence[str]) -> list[str]:
    """The names of a header without what is empty at its end."""
    names = [name.strip() for name in given]
    while names and not names[-1]:
        names.pop()
    return names


def columns_of_handles(names: Sequence[str]) -> Columns:
    """The same of a table of which only the handles are read. Raises ProtocolFault."""
    names, handle = _handle_column(names)
    return Columns(tuple(names), handle, ())


def _handle_column(given: Sequence[str]) -> tuple[list[str], int]:
    """The names of the columns, and in which of them the handle stands."""
    names = header_names(given)
    if len(names) > MAX_COLUMNS:
        raise ProtocolFault("load.header", column=len(names), rule=f"at most {MAX_COLUMNS} columns are read")
    handles = [place for place, name in enumerate(names) if name.upper() in HANDLE_COLUMNS]
    if len(handles) != 1:
        rule = f"one column must be named handle or 标识; {len(handles)} are"
        raise ProtocolFault("load.header", column=handles[1] + 1 if handles else 1, rule=rule)
    return names, handles[0]


class CsvCells:
    """Cuts rows of CSV into cells, one after the other with one parser."""

    def __init__(self, delimiter: str) -> None:
        csv.field_size_limit(MAX_ROW)
        self._rows: list[str] = []
        # The parser asks for a second line when a row ends inside quotes, and is told that there is none.
        self._reader = csv.reader(iter(self._rows.pop, None), delimiter=delimiter)

    def __call__(self, row: str) -> list[str]:
        """The cells of one row. Raises ProtocolFault."""
        self._rows.append(row.removesuffix("\r"))
        try:
            return next(self._reader)
        except csv.Error as error:
            raise ProtocolFault("load.row", reason=str(error)) from None
        except IndexError:
            raise ProtocolFault("load.quote_open") from None


def cells_from_csv(row: str, delimiter: str) -> list[str]:
    """The cells of one row. Raises ProtocolFault."""
    return CsvCells(delimiter)(row)


def cells_to_csv(cells: Sequence[str], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerow(cells)
    return out.getvalue()


def _column(place: int, name: str, handle_place: int) -> tuple[int, int, str]:
    number, colon, value_type = name.partition(":")
    number = number.strip()
    if colon and number.isascii() and number.isdecimal():
        index, value_type = int(number[:MAX_DIGITS]), value_type.strip()
    else:
        # A column's position among the values: the one with the handle is not counted.
        index, value_type = place + 1 - (handle_place < place), name
    if not 0 < index <= MAX_INDEX:
        raise ProtocolFault("load.header", column=place + 1, rule=f"index {index} is not between 1 and {MAX_INDEX}")
    if not value_type or len(value_type.encode()) > MAX_TYPE or not value_type.isprintable():
        raise ProtocolFault("load.header", column=place + 1, rule=f"{value_type[:200]!r} is no type of a value")
    return place, index, value_type
