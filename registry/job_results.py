"""What became of every row of a job, as a file of the form that was sent: its rows with what is to be said of each.

The file is read again beside the ledger. A refused row has its reason, and in a workbook its faulty cell is marked; of
the others it is said whether they are done, were not written, were taken back, or were not reached.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from registry import ledger
from registry.bulk import chunks_of
from registry.chunks import Chunk, Form, Reading
from registry.language import Language
from registry.ledger import Batch, Tally
from registry.refusals import OtherRow, RefusedRow, ReportedRow, RowWriter, Sink, refused_row, row_writer
from registry.store import Store

REFUSALS: Final = """
SELECT line, field, rule, culprit, line_text FROM import_refusal WHERE batch_id = $1 AND chunk = $2 ORDER BY line
"""
ARCHIVED: Final = (-3, -2)  # Chunks of lines that are no handles (`registry.archive_import`): those refused come last.
AT_ONCE: Final = 2000  # Rows written without letting others have the thread.


async def write_results(
    store: Store,
    octets: AsyncIterator[bytes],
    form: Form,
    reading: Reading,
    batch_id: int | None,
    sink: Sink,
    language: Language,
) -> None:
    """Writes the rows of a file with what became of them. Raises ProtocolFault for a file that is not of its form."""
    batch = Batch(0)
    if batch_id is not None:
        async with store.connection() as connection:
            batch = await ledger.batch(connection, batch_id)
    writer: RowWriter | None = None
    try:
        async with aclosing(chunks_of(store, octets, form, reading)) as chunks:
            async for chunk in chunks:
                if writer is None:
                    columns = chunk.layout.columns
                    writer = row_writer(form, sink, () if columns is None else columns.names, language)
                    await asyncio.to_thread(writer.begin)
                await _write(writer, _reported(chunk, batch, await _refused(store, batch, chunk.number)))
        if form == "ndjson":
            writer = writer or row_writer(form, sink, (), language)
            for chunk_number in ARCHIVED:
                await _write(writer, list((await _refused(store, batch, chunk_number)).values()))
        if writer is not None:
            await asyncio.to_thread(writer.finish)
    finally:
        if writer is not None:
            await asyncio.to_thread(writer.close)


async def _write(writer: RowWriter, rows: list[ReportedRow]) -> None:
    for start in range(0, len(rows), AT_ONCE):
        await asyncio.to_thread(writer.add, rows[start : start + AT_ONCE])


async def _refused(store: Store, batch: Batch, chunk: int) -> dict[int, RefusedRow]:
    if chunk not in batch.chunks:
        return {}
    async with store.connection() as connection:
        rows = await connection.fetch(REFUSALS, batch.batch_id, chunk)
    return {row["line"]: refused_row(row) for row in rows}


def _reported(chunk: Chunk, batch: Batch, refused: dict[int, RefusedRow]) -> list[ReportedRow]:
    rule = _rule(chunk, batch)
    return [_row(chunk, place, rule, refused) for place in range(len(chunk))]


def _row(chunk: Chunk, place: int, rule: str, refused: dict[int, RefusedRow]) -> ReportedRow:
    line, octets = chunk.row(place)
    return refused.get(line) or OtherRow(line, rule, chunk.layout.text_of(octets))


def _rule(chunk: Chunk, batch: Batch) -> str:
    """What is to be said of the rows of a chunk that were not refused: of all of them the same."""
    digest, tally = batch.chunks.get(chunk.number, (None, Tally()))
    if digest == b"":
        return "job.taken_back"
    if digest != chunk.digest:
        return "job.not_reached"
    return "job.done" if _written(tally) else "job.not_written"


def _written(tally: Tally) -> int:
    return tally.created + tally.updated + tally.unchanged
