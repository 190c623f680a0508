"""A row of each form of bulk file read as a handle's name and its packed values, and where in it a refusal points."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, Protocol

import msgspec
import orjson

from registry import row_wishes
from registry.claims import check_claims
from registry.data_forms import check_data
from registry.errors import HandleError, ProtocolFault
from registry.packing import pack
from registry.record import check_values
from registry.rest import form_from_json, name_from_json, record_forms, values_from_forms
from registry.tabular import Columns, CsvCells
from registry.usual_values import UsualValues
from registry.value import DEFAULT_PERMISSIONS, HandleValue

# What a table cannot say: who may read a secret key. Nobody but administrators.
UNREADABLE: Final = {"HS_SECKEY": 0b1100}


WISHED: Final = {name: f"$.{name}" for name in ("state", "reason", "successor", "expires")}


class WishLine(msgspec.Struct):
    """A line of a state job."""

    handle: str
    state: str = ""
    reason: str = ""
    successor: str = ""
    expires: str = ""


class RowReader(Protocol):
    def read(self, octets: bytes) -> tuple[str, bytes]:
        """The name and the packed values of a row. Raises HandleError."""

    def field_of(self, error: HandleError, octets: bytes) -> str:
        """The path or column that a refusal of this row points at."""


class LineReader:
    """One JSON object a line: `{"handle": …, "values": […]}`."""

    def __init__(self) -> None:
        self._usual = UsualValues()

    def read(self, octets: bytes) -> tuple[str, bytes]:
        usual = self._usual.read(octets)
        if usual is not None:
            return usual
        handle, forms = record_forms(octets)
        return handle, _pack_checked(values_from_forms(forms))

    def name_of(self, octets: bytes) -> str:
        """The handle alone. Raises HandleError."""
        return name_from_json(octets)

    def wish_of(self, octets: bytes) -> tuple[str, bytes]:
        """The handle and what a row of a state job carries. Raises HandleError."""
        line = form_from_json(WishLine, octets)
        texts = {name: getattr(line, name) for name in WISHED}
        return line.handle, row_wishes.said(texts, WISHED)

    def field_of(self, error: HandleError, octets: bytes) -> str:
        if "path" in error.culprit:
            return str(error.culprit["path"])
        if error.rule.startswith(("handle.", "prefix.", "suffix.")) or "handle" in error.culprit:
            return "$.handle"
        if not error.rule.startswith(("value.", "template.")):
            return "$"
        _, forms = record_forms(octets)
        places = [place for place, form in enumerate(forms) if form.index == error.culprit.get("index", form.index)]
        if error.rule == "value.index":
            places = [place for place, form in enumerate(forms) if form.index <= 0]
        return _path_of_value(error.rule, places)


class TableReader:
    """Cells under a header. `cells_of` cuts a row into as many of them as the header has."""

    def __init__(self, columns: Columns, cells_of: Callable[[bytes], Sequence[str]]) -> None:
        self._columns = columns
        self._cells_of = cells_of
        self._usual = UsualValues()
        heads = [(place, self._usual.head(index, value_type)) for place, index, value_type in columns.values]
        self._heads = [head for _, head in heads if head is not None]
        usual = [place for place, head in heads if head is not None]
        self._usual_cells: Callable[[Sequence[str]], Collection[str]] = (
            itemgetter(*usual) if len(usual) > 1 else lambda cells: [cells[place] for place in usual]
        )
        self._unusual = [place for place, head in heads if head is None]

    def read(self, octets: bytes) -> tuple[str, bytes]:
        cells = self._cells(octets)
        packed = None
        if not self._unusual or not any(cells[place] for place in self._unusual):
            packed = self._usual.packed_cells(self._usual_cells(cells), self._heads)
        if packed is None:
            packed = _pack_checked(self._values(cells))
        if len(packed) == 1:
            raise ProtocolFault("load.no_values")
        return cells[self._columns.handle], packed

    def name_of(self, octets: bytes) -> str:
        """The handle alone. Raises HandleError."""
        return self._cells(octets)[self._columns.handle]

    def wish_of(self, octets: bytes) -> tuple[str, bytes]:
        """The handle and what a row of a state job carries. Raises HandleError."""
        cells = self._cells(octets)
        texts = {name: cells[place] for name, place in self._wished.items()}
        names = {name: self._columns.names[place] for name, place in self._wished.items()}
        return cells[self._columns.handle], row_wishes.said(texts, names)

    def field_of(self, error: HandleError, octets: bytes) -> str:
        names = self._columns.names
        if "field" in error.culprit:
            return str(error.culprit["field"])
        if "index" in error.culprit:
            found = (place for place, index, _ in self._columns.values if index == error.culprit["index"])
            place = next(found, len(names))
            return names[place] if place < len(names) else ""  # What all rows have stands in no column.
        if error.rule.startswith(("handle.", "prefix.", "suffix.")) or "handle" in error.culprit:
            return names[self._columns.handle]
        return ""

    @cached_property
    def _wished(self) -> dict[str, int]:
        return row_wishes.places(self._columns)

    def _cells(self, octets: bytes) -> Sequence[str]:
        cells = self._cells_of(octets)
        return cells if self._columns.are_plain else self._columns.mapped(cells)

    def _values(self, cells: Sequence[str]) -> tuple[HandleValue, ...]:
        return tuple(
            HandleValue(
                index,
                value_type,
                cells[place].encode(),
                permissions=UNREADABLE.get(value_type.upper(), DEFAULT_PERMISSIONS),
            )
            for place, index, value_type in self._columns.values
            if cells[place]
        )


class WishReader:
    """Reads the handles of rows and the states that they are to have."""

    def __init__(self, reader: LineReader | TableReader) -> None:
        self._reader = reader

    def read(self, octets: bytes) -> tuple[str, bytes]:
        return self._reader.wish_of(octets)

    def field_of(self, error: HandleError, octets: bytes) -> str:
        return str(error.culprit["field"]) if "field" in error.culprit else self._reader.field_of(error, octets)


class NameReader:
    """Reads the handles of rows and nothing else."""

    def __init__(self, reader: LineReader | TableReader) -> None:
        self._reader = reader

    def read(self, octets: bytes) -> tuple[str, bytes]:
        return self._reader.name_of(octets), row_wishes.NOTHING

    def field_of(self, error: HandleError, octets: bytes) -> str:
        return self._reader.field_of(error, octets)


def csv_reader(columns: Columns, encoding: str, delimiter: str) -> TableReader:
    """Reads rows of a CSV file, each of which has as many cells as the header."""
    width = len(columns.names)
    cells_from_text = CsvCells(delimiter)

    def cells_of(octets: bytes) -> list[str]:
        cells = cells_from_text(csv_text(octets, encoding))
        if len(cells) != width:
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if len(cells) != width:
                raise ProtocolFault("load.cells", cells=len(cells), expected=width)
        return cells

    return TableReader(columns, cells_of)


def sheet_reader(columns: Columns) -> TableReader:
    """Reads rows of a sheet: JSON arrays of texts, or of objects that say why a cell cannot be taken."""
    width = len(columns.names)

    def cells_of(octets: bytes) -> list[str]:
        cells: list[Any] = orjson.loads(octets)
        for name, cell in zip(columns.names, cells, strict=False):
            if isinstance(cell, dict):
                raise ProtocolFault(cell.pop("rule"), **cell, field=name)
        return cells + [""] * (width - len(cells))

    return TableReader(columns, cells_of)


def csv_text(octets: bytes, encoding: str) -> str:
    """Raises ProtocolFault."""
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError as error:
        column = len(octets[: error.start].decode(encoding, errors="replace")) + 1
        raise ProtocolFault("load.encoding", encoding=encoding.upper(), column=column) from None


def _pack_checked(values: tuple[HandleValue, ...]) -> bytes:
    ordered = check_values(values)
    check_claims(ordered)
    for value in ordered:
        check_data(value.index, value.type, value.data)
    return pack(ordered, 0)  # Time 0 is what they carry: each is as old as its row, which says so for all of them.


def _path_of_value(rule: str, places: list[int]) -> str:
    if not places:
        return "$.values"
    if rule in {"value.index", "value.index_range", "value.exists"}:
        return f"$.values[{places[-1]}].index"
    return f"$.values[{places[0]}]." + ("type" if rule == "value.type" else "data")
