"""The chunks of an XLSX workbook, which has to be there as a whole before any of it can be read."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeVar

import orjson

from registry.chunks import VALUES, Chunk, Chunker, Reading
from registry.errors import ProtocolFault
from registry.preparation import Layout
from registry.rows import Row
from registry.tabular import Columns
from registry.workbook import Workbook

MAX_WORKBOOK: Final = 1 << 30  # Octets; a full sheet of a million rows and forty columns is a quarter of it.

Outcome = TypeVar("Outcome")


async def sheet_chunks(
    octets: AsyncIterator[bytes], *, exact_suffixes: bool, reading: Reading = VALUES
) -> AsyncGenerator[Chunk, None]:
    """The chunks of an XLSX workbook, which has to be there as a whole before it can be read. Raises ProtocolFault."""
    with tempfile.TemporaryFile() as file:
        length = 0
        async for piece in octets:
            length += len(piece)
            if length > MAX_WORKBOOK:
                raise ProtocolFault("http.body_too_long", limit=MAX_WORKBOOK)
            file.write(piece)
        with Workbook(file) as workbook, closing(workbook.rows()) as rows:
            header = await _aside(lambda: next(rows, None))
            layout = Layout(exact_suffixes, _sheet_columns(header, reading), what=reading.what)
            source = _Source(rows, Chunker(exact_suffixes))
            while await _aside(source.fill):
                yield source.chunker.take(layout)


@dataclass(slots=True)
class _Source:
    """Rows of a sheet on their way into chunks. Parsing is slow, so `fill` runs beside the event loop."""

    rows: Iterator[Row]
    chunker: Chunker
    _ahead: Row | None = None

    def fill(self) -> bool:
        """Gathers the next chunk; whether there is one."""
        row = self._ahead or next(self.rows, None)
        while row is not None and not self.chunker.full(row):
            self.chunker.add(row)
            row = next(self.rows, None)
        self._ahead = row
        return bool(self.chunker.rows)


async def _aside(work: Callable[[], Outcome]) -> Outcome:
    """Works on another thread, to the end even when nobody waits for it: what it works on is closed after that."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait({task})


def _sheet_columns(header: Row | None, reading: Reading) -> Columns:
    if header is None:
        raise ProtocolFault("load.header", column=1, rule="the sheet is empty")
    names = [] if header.fault else orjson.loads(header.octets)
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise ProtocolFault("load.header", column=place + 1, rule="is no text")
    return reading.columns_of(names)
