"""Files for bulk loads, and a book to load them into."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from registry.bulk import Report, load
from registry.settings import RegistrySettings
from registry.store import Store

PREFIXES = ("88.168.1", "88.168.10", "88.168.2")
MADE = datetime(2026, 1, 1, tzinfo=UTC)


async def opened(dsn: str, **settings: Any) -> Store:
    """An open store in which PREFIXES are homed."""
    connection = await asyncpg.connect(dsn)
    try:
        statement = "INSERT INTO prefix (prefix, spelling, created_at) VALUES ($1, $1, $2) ON CONFLICT DO NOTHING"
        await connection.executemany(statement, [(prefix, MADE) for prefix in PREFIXES])
    finally:
        await connection.close()
    store = Store(RegistrySettings(dsn=dsn, **settings), "test")
    await store.open()
    return store


async def pieces(octets: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    for start in range(0, len(octets), size):
        yield octets[start : start + size]


async def loaded(store: Store, octets: bytes, form: Any = "ndjson", *, key: str = "test", **more: Any) -> Report:
    return await load(store, pieces(octets), form, source="test", load_key=key, loaded_by="300:0.NA/test", **more)


def line(handle: str, *texts: str) -> bytes:
    values = [{"index": index, "type": "DESC", "data": text} for index, text in enumerate(texts, 1)]
    return orjson.dumps({"handle": handle, "values": values}) + b"\n"


def table(rows: Sequence[Sequence[str]], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


async def refusals(store: Store) -> list[tuple[int, str, str]]:
    """Line, field and rule of every refusal."""
    async with store.connection() as connection:
        rows = await connection.fetch("SELECT line, field, rule FROM import_refusal ORDER BY batch_id, line")
    return [(row["line"], row["field"], row["rule"]) for row in rows]


async def check_book(store: Store) -> int:
    """Active handles, after every figure that says how many there are was found to agree."""
    async with store.connection() as connection:
        rows = await connection.fetchval("SELECT count(*) FROM handle WHERE state = 0")
        counted = await connection.fetchval("SELECT coalesce(sum(registered), 0) FROM handle_count")
        orphans = await connection.fetchval(
            "SELECT count(*) FROM handle AS h WHERE h.version - 1 <> (SELECT count(*) FROM handle_history AS o "
            "WHERE o.prefix_id = h.prefix_id AND o.suffix = h.suffix)"
        )
    assert counted == rows
    assert orphans == 0  # every version but the newest is in the history
    return int(rows)
