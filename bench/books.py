"""A registry of its own for a measurement: an embedded Postgres with the demo's enterprises and identifiers in it.

The rows are copied straight into the table of handles, because how they got there is not what is measured.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from bench.identifiers import ENTERPRISES, records
from registry.embedded import EmbeddedPostgres
from registry.handle import Handle, fold_whole
from registry.migrate import migrate
from registry.packing import pack
from registry.postgres_programs import find_binaries
from registry.value import HandleValue

PREFIX: Final = """
INSERT INTO prefix (prefix, spelling, created_at) VALUES ($1, $1, statement_timestamp()) RETURNING prefix_id
"""
WRITTEN_AT: Final = 1_750_000_000
COLUMNS: Final = ("created_at", "prefix_id", "suffix", "spelling", "packed")


@asynccontextmanager
async def a_book(count: int, dsn: str = "") -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a database with `count` identifiers, and their names. A `dsn` must be of an empty database."""
    if dsn:
        yield dsn, await _fill(dsn, count)
        return
    directory = Path(tempfile.mkdtemp(prefix="filament-bench-"))
    try:
        async with EmbeddedPostgres(directory, binaries=find_binaries()) as server:
            yield server.dsn, await _fill(server.dsn, count)
    finally:
        await asyncio.to_thread(shutil.rmtree, directory)


async def _fill(dsn: str, count: int) -> list[str]:
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        prefix_ids = {one.prefix: await connection.fetchval(PREFIX, one.prefix) for one in ENTERPRISES}
        await connection.copy_records_to_table("handle", records=_rows(count, prefix_ids), columns=COLUMNS)
        await connection.execute("VACUUM (ANALYZE) handle")
    finally:
        await connection.close()
    return [record.handle for record in records(count)]


def _rows(count: int, prefix_ids: dict[str, int]) -> Iterator[tuple[datetime, int, str, str | None, bytes]]:
    written = datetime.fromtimestamp(WRITTEN_AT, UTC)
    for record in records(count):
        handle = Handle.from_text(record.handle)
        suffix = fold_whole(handle.suffix.encode()).decode()
        values = [HandleValue(index, kind, text.encode(), timestamp=WRITTEN_AT) for index, kind, text in record.values]
        spelling = None if suffix == handle.suffix else handle.suffix
        yield written, prefix_ids[handle.prefix], suffix, spelling, pack(values, WRITTEN_AT)
