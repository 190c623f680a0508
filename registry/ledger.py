"""The ledger of bulk loads: which chunks of which load are in the book, and what they did.

A chunk's row is written in the transaction that writes its handles, so it is there if and only if they are. A load
that was broken off is taken up by its key; a chunk is passed over when the same rows are read again in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import asyncpg

from registry.refusal import Refusal, storable

Connection = asyncpg.pool.PoolConnectionProxy

ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
LOAD_KEYS: Final = 0x4C4F4144  # "LOAD": the first half of the lock's name, which no other lock of ours has.
UNFINISHED: Final = """
SELECT batch_id FROM import_batch
WHERE load_key = $1 AND form = $2 AND finished_at IS NULL ORDER BY batch_id DESC LIMIT 1
"""
FINISHED: Final = """
SELECT batch_id FROM import_batch
WHERE load_key = $1 AND form = $2 AND finished_at > $3 ORDER BY batch_id LIMIT 1
"""
NEW_BATCH: Final = """
INSERT INTO import_batch (load_key, source, form, loaded_by, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING batch_id
"""
CHUNKS: Final = """
SELECT chunk, digest, lines, created, updated, unchanged, refused FROM import_chunk WHERE batch_id = $1 ORDER BY chunk
"""
SET_COLUMNS: Final = "UPDATE import_batch SET columns = $2 WHERE batch_id = $1"
CLAIM: Final = """
INSERT INTO import_chunk (batch_id, chunk, digest, lines, created, updated, unchanged, refused)
VALUES ($1, $2, $3, 0, 0, 0, 0, 0) ON CONFLICT (batch_id, chunk) DO NOTHING RETURNING chunk
"""
SETTLE: Final = """
UPDATE import_chunk SET lines = $3, created = $4, updated = $5, unchanged = $6, refused = $7
WHERE batch_id = $1 AND chunk = $2
"""
FORGET_CHUNKS: Final = "DELETE FROM import_chunk WHERE batch_id = $1 AND chunk >= $2"
FORGET_REFUSALS: Final = "DELETE FROM import_refusal WHERE batch_id = $1 AND chunk >= $2"
FORGET_CHUNK: Final = "DELETE FROM import_chunk WHERE batch_id = $1 AND chunk = $2"
FORGET_REFUSAL: Final = "DELETE FROM import_refusal WHERE batch_id = $1 AND chunk = $2"
STRIKE: Final = """
UPDATE import_chunk SET digest = '', created = 0, updated = 0, unchanged = 0 WHERE batch_id = $1 AND chunk = $2
"""
FINISH: Final = "UPDATE import_batch SET finished_at = $2 WHERE batch_id = $1 AND finished_at IS NULL"
HEADER: Final = """
SELECT b.form, b.source, b.loaded_by, extract(epoch FROM b.finished_at - b.created_at)::float AS seconds,
       coalesce(sum(c.lines), 0)::bigint AS lines, coalesce(sum(c.created), 0)::bigint AS created,
       coalesce(sum(c.updated), 0)::bigint AS updated, coalesce(sum(c.unchanged), 0)::bigint AS unchanged,
       coalesce(sum(c.refused), 0)::bigint AS refused
FROM import_batch AS b LEFT JOIN import_chunk AS c USING (batch_id) WHERE b.batch_id = $1 GROUP BY b.batch_id
"""
REFUSAL_COLUMNS: Final = ("batch_id", "chunk", "line", "field", "rule", "culprit", "line_text")


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of rows."""

    lines: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.lines + other.lines,
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.refused + other.refused,
        )


@dataclass(slots=True)
class Batch:
    """One load, and the chunks of it that are in the book: digest and tally by number."""

    batch_id: int
    chunks: dict[int, tuple[bytes, Tally]] = field(default_factory=dict)

    @property
    def tally(self) -> Tally:
        return sum((tally for _, tally in self.chunks.values()), Tally())


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a load; `seconds` is None until it has ended."""

    form: str
    source: str
    loaded_by: str
    seconds: float | None
    tally: Tally


async def header(connection: Connection, batch_id: int) -> Header | None:
    row = await connection.fetchrow(HEADER, batch_id)
    if row is None:
        return None
    return Header(row["form"], row["source"], row["loaded_by"], row["seconds"], _tally(row))


async def batch(connection: Connection, batch_id: int) -> Batch:
    """A load as it stands."""
    return Batch(batch_id, await _chunks(connection, batch_id))


class LoadedBefore(Exception):  # no error: the load was made already
    """The first load of a key and form that has ended since a time."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


async def open_batch(
    connection: Connection, *, load_key: str, source: str, form: str, loaded_by: str, once_since: datetime | None = None
) -> Batch:
    """The unfinished load of this key and form, or a new one. Raises LoadedBefore for one that has ended since then."""
    async with connection.transaction():
        await connection.execute(ONE_AT_A_TIME, LOAD_KEYS, load_key)
        # In this order: one that ends between the two is found by the second.
        batch_id = await connection.fetchval(UNFINISHED, load_key, form)
        if batch_id is not None:
            return Batch(batch_id, await _chunks(connection, batch_id))
        ended = None
        if once_since is not None:
            ended = await connection.fetchval(FINISHED, load_key, form, once_since)
        if ended is not None:
            raise LoadedBefore(Batch(ended, await _chunks(connection, ended)))
        row = (load_key, storable(source), form, loaded_by, datetime.now(UTC))
        return Batch(await connection.fetchval(NEW_BATCH, *row))


async def set_columns(connection: Connection, batch: Batch, names: Sequence[str]) -> None:
    await connection.execute(SET_COLUMNS, batch.batch_id, [storable(name) for name in names])


async def claim(connection: Connection, batch: Batch, chunk: int, digest: bytes) -> bool:
    """Whether the chunk is ours to write: False when another run of the load has written it meanwhile."""
    return await connection.fetchval(CLAIM, batch.batch_id, chunk, digest) is not None


async def settle(
    connection: Connection, batch: Batch, chunk: int, tally: Tally, refusals: Sequence[tuple[int, str, Refusal]]
) -> None:
    """Writes what became of a claimed chunk. `refusals` are line, the row's text and refusal."""
    if refusals:
        records = [
            (batch.batch_id, chunk, line, storable(one.path), one.rule, one.culprit_json, storable(row_text))
            for line, row_text, one in refusals
        ]
        await connection.copy_records_to_table("import_refusal", records=records, columns=REFUSAL_COLUMNS)
    figures = (tally.lines, tally.created, tally.updated, tally.unchanged, tally.refused)
    await connection.execute(SETTLE, batch.batch_id, chunk, *figures)


async def forget_from(connection: Connection, batch: Batch, chunk: int) -> None:
    """Strikes out the chunks from here on: the file is not the one that they were read from."""
    async with connection.transaction():
        await connection.execute(FORGET_REFUSALS, batch.batch_id, chunk)
        await connection.execute(FORGET_CHUNKS, batch.batch_id, chunk)
    batch.chunks = {number: entry for number, entry in batch.chunks.items() if number < chunk}


async def forget(connection: Connection, batch: Batch, chunk: int) -> None:
    """Strikes out one chunk."""
    await connection.execute(FORGET_REFUSAL, batch.batch_id, chunk)
    await connection.execute(FORGET_CHUNK, batch.batch_id, chunk)


async def strike(connection: Connection, batch: Batch, chunk: int) -> None:
    """Notes that what a chunk wrote was taken back. Its refusals stay, for whoever asks why."""
    await connection.execute(STRIKE, batch.batch_id, chunk)


async def finish(connection: Connection, batch: Batch) -> None:
    """Ends a load: this commit is waited for until it is on disk, and with it every chunk before."""
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = on")
        await connection.execute(FINISH, batch.batch_id, datetime.now(UTC))
    batch.chunks = await _chunks(connection, batch.batch_id)


async def _chunks(connection: Connection, batch_id: int) -> dict[int, tuple[bytes, Tally]]:
    return {row["chunk"]: (row["digest"], _tally(row)) for row in await connection.fetch(CHUNKS, batch_id)}


def _tally(row: asyncpg.Record) -> Tally:
    return Tally(row["lines"], row["created"], row["updated"], row["unchanged"], row["refused"])
