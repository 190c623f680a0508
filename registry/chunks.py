"""A bulk file as a stream of chunks, always the same ones whatever pieces its octets arrive in.

That they are the same is what lets a load that was broken off be taken up: a chunk is known by its number and the
digest of its rows.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from operator import attrgetter
from typing import Final, Literal, Protocol

from registry.blocks import BLOCK_LINES, BLOCK_OCTETS, Block, BlockCutter
from registry.errors import ProtocolFault
from registry.preparation import Layout, Prepared, What, prepare, prepare_block
from registry.row_readers import csv_text
from registry.row_wishes import columns_of_wishes
from registry.rows import LineCutter, Row, RowCutter, encoding_of
from registry.tabular import Columns, cells_from_csv, columns_from_names, columns_of_handles

_LINE = attrgetter("line")
_OCTETS = attrgetter("octets")
_FAULT = attrgetter("fault")

Form = Literal["ndjson", "csv", "xlsx"]

CHUNK_ROWS: Final = BLOCK_LINES
CHUNK_OCTETS: Final = BLOCK_OCTETS


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a file beside the handles, and what the header of a table means."""

    what: What = "values"
    columns_of: Callable[[Sequence[str]], Columns] = columns_from_names


VALUES: Final = Reading()
NAMES: Final = Reading("nothing", columns_of_handles)
WISHES: Final = Reading("wishes", columns_of_wishes)


class Chunk(Protocol):
    """Neighbouring rows of a file, as they were read."""

    @property
    def number(self) -> int: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def digest(self) -> bytes: ...

    def work(self) -> tuple[Callable[..., Prepared], tuple[object, ...]]:
        """The function that prepares it, and what that is to be given: all of it can be sent to another process."""

    def row(self, place: int) -> tuple[int, bytes]:
        """The line and the octets of a row."""

    def __len__(self) -> int:
        """How many rows there are."""


@dataclass(frozen=True)
class LineChunk:
    """A chunk of which nobody has looked at the lines yet."""

    number: int
    layout: Layout
    block: Block

    @cached_property
    def digest(self) -> bytes:
        digest = hashlib.sha256(self.block.octets)
        digest.update(repr((self.block.first_line, self.block.faults)).encode())
        return digest.digest()

    def work(self) -> tuple[Callable[..., Prepared], tuple[object, ...]]:
        return prepare_block, (self.layout, self.block)

    def row(self, place: int) -> tuple[int, bytes]:
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def _rows(self) -> list[tuple[int, bytes]]:
        rows, _, lines = self.block.rows()
        return list(zip(lines, rows, strict=True))


@dataclass(frozen=True)
class RowChunk:
    """A chunk of rows that had to be told apart to know where they end."""

    number: int
    layout: Layout
    lines: list[int]
    rows: list[bytes]
    faults: dict[int, str]

    @cached_property
    def digest(self) -> bytes:
        columns = self.layout.columns
        parts = [] if columns is None else [name.encode() for name in columns.names]
        return hashlib.sha256(b"\n".join([*parts, repr((self.lines[:1], self.faults)).encode(), *self.rows])).digest()

    def work(self) -> tuple[Callable[..., Prepared], tuple[object, ...]]:
        return prepare, (self.layout, self.rows, self.faults, self.lines)

    def row(self, place: int) -> tuple[int, bytes]:
        return self.lines[place], self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class Chunker:
    """Gathers rows until a chunk is full."""

    exact_suffixes: bool
    _lines: list[int] = field(default_factory=list)
    _rows: list[bytes] = field(default_factory=list)
    _faults: dict[int, str] = field(default_factory=dict)
    _octets: int = 0
    _number: int = 0

    def full(self, row: Row) -> bool:
        """Whether this row belongs to the next chunk."""
        return len(self._rows) >= CHUNK_ROWS or self._octets + len(row.octets) > CHUNK_OCTETS

    def take_in(self, rows: Sequence[Row]) -> bool:
        """Adds many rows at once, if all of them belong to this chunk and none is faulty; else none of them."""
        octets = list(map(_OCTETS, rows))
        length = sum(map(len, octets))
        if len(self._rows) + len(rows) > CHUNK_ROWS or self._octets + length > CHUNK_OCTETS:
            return False
        if any(map(_FAULT, rows)):
            return False
        self._lines += map(_LINE, rows)
        self._rows += octets
        self._octets += length
        return True

    def add(self, row: Row) -> None:
        if row.fault:
            self._faults[len(self._rows)] = row.fault
        self._lines.append(row.line)
        self._rows.append(row.octets)
        self._octets += len(row.octets)

    @property
    def rows(self) -> Sequence[bytes]:
        return self._rows

    def take(self, layout: Layout) -> RowChunk:
        chunk = RowChunk(self._number, layout, self._lines, self._rows, self._faults)
        self._number += 1
        self._lines, self._rows, self._faults, self._octets = [], [], {}, 0
        return chunk


async def line_chunks(
    octets: AsyncIterator[bytes], *, exact_suffixes: bool, reading: Reading = VALUES
) -> AsyncGenerator[Chunk, None]:
    """The chunks of an NDJSON file. Raises ProtocolFault when it is something else."""
    layout = Layout(exact_suffixes, what=reading.what)
    cutter = BlockCutter()
    number = count()
    async for piece in octets:
        for block in cutter.feed_blocks(piece):
            yield LineChunk(next(number), layout, block)
    for block in cutter.finish_blocks():
        yield LineChunk(next(number), layout, block)


async def csv_chunks(
    octets: AsyncIterator[bytes], *, exact_suffixes: bool, reading: Reading = VALUES
) -> AsyncGenerator[Chunk, None]:
    """The chunks of a CSV file. Raises ProtocolFault for one whose header cannot be read."""
    cutter = RowCutter()
    chunker = Chunker(exact_suffixes)
    tongue = _Tongue(cutter, exact_suffixes, reading)
    async for rows in _cut(octets, cutter):
        if chunker.take_in(rows):
            continue
        for row in rows:
            if chunker.full(row):
                yield chunker.take(tongue.layout(chunker.rows))
            chunker.add(row)
    layout = tongue.layout(chunker.rows)
    if chunker.rows:
        yield chunker.take(layout)


class _Tongue:
    """What encoding a CSV file is in, decided by the first chunk that is more than ASCII; and its header in it."""

    def __init__(self, cutter: RowCutter, exact_suffixes: bool, reading: Reading) -> None:
        self._cutter = cutter
        self._reading = reading
        self._exact_suffixes = exact_suffixes
        self._encoding: str | None = None
        self._layout: Layout | None = None

    def layout(self, rows: Iterable[bytes]) -> Layout:
        if self._layout is not None and self._encoding is not None:
            return self._layout
        header = self._cutter.header
        if header is None:
            raise ProtocolFault("load.header", column=1, rule="the file is empty")
        self._encoding = encoding_of(iter((header.octets, *rows)))
        encoding = self._encoding or "utf-8"
        delimiter = self._cutter.delimiter.decode()
        columns = self._reading.columns_of(cells_from_csv(csv_text(header.octets, encoding), delimiter))
        self._layout = Layout(self._exact_suffixes, columns, encoding, delimiter, self._reading.what)
        return self._layout


async def _cut(octets: AsyncIterator[bytes], cutter: LineCutter) -> AsyncIterator[list[Row]]:
    async for piece in octets:
        yield cutter.feed(piece)
    yield cutter.finish()
