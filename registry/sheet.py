"""The rows of a sheet of a workbook, one after the other, in the memory of a few of them."""

import re
from collections.abc import Iterator
from typing import IO, Final

import orjson

from registry.errors import ProtocolFault
from registry.rows import KEPT_OF_LONG_ROW, MAX_ROW, TOO_LONG, Row
from registry.sheet_cells import Cell, Convention
from registry.workbook_xml import parse

MAX_COLUMN: Final = 16_384  # Columns of a sheet: A to XFD.

_PLACE = re.compile("([A-Z]{1,3})([0-9]{1,7})")


def rows_of_sheet(part: IO[bytes], convention: Convention) -> Iterator[Row]:
    """The rows that hold something, as JSON arrays of cells, the first one too. Raises ProtocolFault."""
    gatherer = _Gatherer(convention)
    for _ in parse(part, gatherer.start, gatherer.end, gatherer.text):
        yield from gatherer.rows
        gatherer.rows.clear()


class _Gatherer:
    """Puts rows together from the elements of a sheet."""

    def __init__(self, convention: Convention) -> None:
        self.rows: list[Row] = []
        self._convention = convention
        self._line = 0
        self._cells: list[Cell] = []
        self._octets = 0
        self._attributes: dict[str, str] = {}
        self._formula: str | None = None
        self._value: list[str] = []
        self._reading = ""
        self._in_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            number = attributes.get("r", "")
            self._line = int(number) if number.isdecimal() and len(number) <= 7 else self._line + 1
            self._cells, self._octets = [], 0
        elif name == "c":
            self._attributes, self._formula, self._value = attributes, None, []
        elif name == "f":
            self._formula = ""
        self._in_phonetic |= name == "rPh"
        self._reading = name if name in {"v", "f", "t"} and not self._in_phonetic else ""

    def end(self, name: str) -> None:
        self._reading = ""
        if name == "rPh":
            self._in_phonetic = False
        elif name == "c" and self._octets <= MAX_ROW:
            self._add_cell()
        elif name == "row":
            self._add_row()

    def text(self, text: str) -> None:
        if not self._reading or self._octets > MAX_ROW:
            return
        self._octets += len(text)
        if self._reading == "f":
            self._formula = (self._formula or "") + text
        else:
            self._value.append(text)

    def _add_cell(self) -> None:
        place = self._attributes.get("r", "")
        column = _column(place) if place else len(self._cells)
        if column is None or not len(self._cells) <= column < MAX_COLUMN:
            raise ProtocolFault("load.workbook", reason=f"cell {place[:20]!r} is out of place in row {self._line}")
        kind, style = self._attributes.get("t", "n"), self._attributes.get("s", "")
        cell = self._convention.cell(place, kind, style, self._formula, "".join(self._value))
        if cell != "":
            self._cells.extend([""] * (column - len(self._cells)))
            self._cells.append(cell)
            self._octets += len(cell)

    def _add_row(self) -> None:
        if not self._cells and self._octets <= MAX_ROW:
            return
        octets = orjson.dumps(self._cells)
        if self._octets > MAX_ROW or len(octets) > MAX_ROW:
            self.rows.append(Row(self._line, octets[:KEPT_OF_LONG_ROW], TOO_LONG))
        else:
            self.rows.append(Row(self._line, octets))


def _column(place: str) -> int | None:
    """The column of a place such as B7, from 0; None for what is no place."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - 64
    return number - 1
