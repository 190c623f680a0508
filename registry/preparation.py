"""Rows of a bulk file made ready for the book: read, checked, packed, and sorted by key.

This is where a load spends its time, so it is a plain function of what can be sent to another process. It knows no
database: whether a prefix is homed here and whose it is, is asked later, once a run of one prefix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from registry.blocks import Block
from registry.conformity import Conformity
from registry.errors import HandleError, InvalidHandle, ProtocolFault
from registry.handle import MAX_HANDLE, Handle, HandleKey, check_new, fold_prefix, fold_whole
from registry.refusal import MAX_ROW_TEXT, Refusal
from registry.relations import Said
from registry.row_readers import (
    LineReader,
    NameReader,
    RowReader,
    TableReader,
    WishReader,
    csv_reader,
    sheet_reader,
)
from registry.rows import MAX_ROW
from registry.schemes.gs1 import check_canonical
from registry.schemes.recognition import recognise
from registry.schemes.systems import HANDLE
from registry.tabular import Columns, cells_from_csv, cells_to_csv

# How codes begin that have a '/' in them as handles do; no prefix that can be homed begins so and is meant.
_GS1: Final = "gs1/"
_CODES: Final = ("VAA0", "25SVAA", "MA.", "did:", "/", "urn:", "http", "(", "]", "hdl:")

What = Literal["values", "nothing", "wishes"]

_Entry = tuple[HandleKey, int, str, bytes]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of one file are read. `columns` is None for NDJSON, `delimiter` empty for a sheet.

    `what` says what of a row is read beside the handle: its values, nothing, or the state that it wishes.
    """

    exact_suffixes: bool
    columns: Columns | None = None
    encoding: str = "utf-8"
    delimiter: str = ""
    what: What = "values"

    def reader(self) -> RowReader:
        reader = self._reader()
        if self.what == "values":
            return reader
        return NameReader(reader) if self.what == "nothing" else WishReader(reader)

    def _reader(self) -> LineReader | TableReader:
        if self.columns is None:
            return LineReader()
        return csv_reader(self.columns, self.encoding, self.delimiter) if self.delimiter else sheet_reader(self.columns)

    def text_of(self, row: bytes) -> str:
        """A row as it is kept when it is refused: cells of CSV divided by commas, whatever divided them."""
        row_text = row[:MAX_ROW_TEXT].decode(self.encoding, errors="replace")
        if self.delimiter in ("", ","):
            return row_text
        try:
            return cells_to_csv(cells_from_csv(row_text, self.delimiter)).rstrip("\r\n")
        except ProtocolFault:
            return row_text


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbours of one prefix among what was prepared."""

    prefix_key: bytes
    start: int
    end: int


@dataclass(slots=True)
class Prepared:
    """The rows of one chunk that can be stored, column by column and in order of key; and those that cannot."""

    runs: list[Run] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    suffixes: list[str] = field(default_factory=list)
    spellings: list[str | None] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)  # This and what follows are `registry.stored_form`'s.
    links: list[frozenset[Said] | None] = field(default_factory=list)
    dictionary: int | None = None  # That `packed` is deflated against.
    proposal: bytes = b""  # A dictionary that would serve much better.
    refusals: list[Refusal] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()  # Names of templates that rows were not held to yet.

    @property
    def lines(self) -> int:
        """How many rows there were."""
        return len(self.places) + len(self.refusals)


def prepare(
    layout: Layout,
    rows: Sequence[bytes],
    faults: Mapping[int, str],
    lines: Sequence[int],
    conformity: Conformity | None = None,
) -> Prepared:
    """Reads the rows of a chunk; `faults` are the rules that rows broke when they were cut, by place.

    `conformity` says what they are held to beside that; the templates that it does not know are noted.
    """
    held_to = conformity or Conformity()
    reader = layout.reader()
    key_of = fold_prefix if layout.exact_suffixes else fold_whole
    prepared = Prepared()
    entries: list[_Entry] = []
    for place, octets in enumerate(rows):
        try:
            if place in faults:
                raise ProtocolFault(faults[place], limit=MAX_ROW)
            name, packed = reader.read(octets)
            name = _checked(name)
            key = key_of(name.encode())
            held_to.check(key, name, packed)
            entries.append((key, place, name, packed))
        except HandleError as error:
            path = "" if place in faults else reader.field_of(error, octets)
            prepared.refusals.append(Refusal.of(place, path, error))
    prepared.unknown = frozenset(held_to.unknown)
    entries.sort()
    _collect(prepared, entries, lines, layout)
    return prepared


def prepare_block(layout: Layout, block: Block, conformity: Conformity | None = None) -> Prepared:
    """The same of a block of lines."""
    rows, faults, lines = block.rows()
    return prepare(layout, rows, faults, lines, conformity)


def _checked(name: str) -> str:
    """The handle of a row, which may name a code of another system."""
    if name.startswith(_CODES):
        name = str(recognise(name).handle)
    if name[:4].lower() == _GS1:
        check_canonical(Handle.from_text(name))
    if len(name) <= MAX_HANDLE and name.isascii() and name.isprintable() and 0 < name.find("/") < len(name) - 1:
        return name  # What check_new would say of nearly every name, at a quarter of its cost.
    if name and "/" not in name:
        recognised = recognise(name)
        if recognised.system == HANDLE:
            # The handle of a prefix; in a file it is far more likely a suffix without its prefix.
            raise InvalidHandle("load.no_prefix", handle=name)
        name = str(recognised.handle)
    check_new(Handle.from_text(name))
    return name


def _collect(prepared: Prepared, entries: list[_Entry], lines: Sequence[int], layout: Layout) -> None:
    """Fills the columns. Of rows with one key the first is taken: which one is right, only their sender knows."""
    field_name = "$.handle" if layout.columns is None else layout.columns.names[layout.columns.handle]
    last_key = prefix_key = base = b""
    start = last_place = 0
    for key, place, name, packed in entries:
        if key == last_key:
            fault = InvalidHandle("load.duplicate", handle=name, line=lines[last_place])
            prepared.refusals.append(Refusal.of(place, field_name, fault))
            continue
        last_key, last_place = key, place
        if not base or not key.startswith(base):
            if prepared.places:
                prepared.runs.append(Run(prefix_key, start, len(prepared.places)))
            start = len(prepared.places)
            prefix_key = key[: key.index(b"/")]
            base = prefix_key + b"/"
        suffix = key[len(base) :].decode()
        # Folding keeps the number of characters, so the suffix as written has as many.
        spelling = name[-len(suffix) :]
        prepared.places.append(place)
        prepared.suffixes.append(suffix)
        prepared.spellings.append(None if spelling == suffix else spelling)
        prepared.packed.append(packed)
    if prepared.places:
        prepared.runs.append(Run(prefix_key, start, len(prepared.places)))
