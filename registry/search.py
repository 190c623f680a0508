"""Handles found by a value, page by page in order of their names: all cakes of a batch.

Types of values are declared searchable prefix by prefix; from then on every writer keeps the keys of their values in
the rows. A key is a short sum, so each row that is found is unpacked and asked what it says.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Final

import asyncpg

from registry import acts
from registry.acts import Act
from registry.changes import ChangeKind
from registry.errors import InvalidValue, ProtocolFault
from registry.listing import read_page, read_values
from registry.members import range_keys
from registry.packing import unpack
from registry.prefix import Prefix
from registry.record import MAX_TYPE
from registry.row_locks import fetch_locked
from registry.search_keys import is_found_by, search_key, search_keys
from registry.spellings import Place
from registry.store import Store
from registry.transaction import LOG
from registry.value import HandleValue

MAX_FOUND: Final = 1000  # Handles of one page: unpacking them holds up the loop for some ten milliseconds.
PAGE: Final = 1000  # Rows given their keys in one transaction.
# Seconds after a declaration before rows are given keys: every process that writes has heard of it by then, and what it
# had prepared without keys is in the book.
SETTLING: Final = 5.0
DECLARER: Final = "filament enterprise searchable"  # Who an audit log names, where nobody else declares.

# Fenced: asked for the first rows in order, the planner would walk the whole prefix instead of the index of keys.
FIND: Final = """
WITH found AS MATERIALIZED (
  SELECT suffix, coalesce(spelling, suffix) AS spelling, packed FROM handle
  WHERE keys @> $4::jsonb AND prefix_id = $1 AND suffix > $2 AND state <> 1)
SELECT suffix, spelling, packed FROM found ORDER BY suffix LIMIT $3
"""
FIND_RANGES: Final = """
WITH found AS MATERIALIZED (
  SELECT suffix AS first, suffix_to AS last, head, width, radix, version, packed,
         extract(epoch FROM coalesce(updated_at, created_at))::bigint AS written_at
  FROM handle_range WHERE keys @> $4::jsonb AND prefix_id = $1 AND suffix_to > $2)
SELECT * FROM found ORDER BY first LIMIT $3
"""
DECLARE: Final = """
INSERT INTO searchable (prefix_id, type, created_at) VALUES ($1, $2, $3) ON CONFLICT (prefix_id, type) DO NOTHING
"""
ROWS: Final = """
SELECT suffix, packed FROM handle WHERE prefix_id = $1 AND suffix > $2 AND state <> 1 ORDER BY suffix LIMIT $3
"""
LOCK_ROWS: Final = ROWS + " FOR UPDATE"
SET_KEYS: Final = """
UPDATE handle SET keys = indexed.keys
FROM unnest($2::text[], $3::jsonb[]) AS indexed (suffix, keys)
WHERE handle.prefix_id = $1 AND handle.suffix = indexed.suffix AND handle.keys IS DISTINCT FROM indexed.keys
"""
RANGES: Final = """
SELECT suffix, packed FROM handle_range WHERE prefix_id = $1 AND suffix > $2 ORDER BY suffix LIMIT $3 FOR UPDATE
"""
SET_RANGE_KEYS: Final = """
UPDATE handle_range AS r SET keys = indexed.keys FROM unnest($2::text[], $3::jsonb[]) AS indexed (suffix, keys)
WHERE r.prefix_id = $1 AND r.characters = length(indexed.suffix) AND r.suffix = indexed.suffix
"""


is_public: Final = attrgetter("is_public")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of handles; `cursor` is where the next one begins, or None when there is none."""

    handles: list[str]
    cursor: str | None


async def search(
    store: Store,
    prefix: Prefix,
    value_type: str,
    data: bytes,
    *,
    after: str = "",
    limit: int = MAX_FOUND,
    may_read: Callable[[HandleValue], bool] = is_public,
) -> Found:
    """The handles of a prefix with this value, where whoever asks may read it. Raises ProtocolFault for a type that was
    not declared."""
    if value_type not in prefix.searchable:
        declared = ", ".join(prefix.searchable) or "-"
        raise ProtocolFault("search.not_declared", type=value_type[:MAX_TYPE], prefix=prefix.spelling, types=declared)
    keys = f'["{search_key(prefix.key, value_type, data)}"]'
    handles: list[str] = []
    while True:
        async with store.connection() as connection:
            page = await read_page(connection, prefix, after, limit - len(handles), FIND, FIND_RANGES, keys)
            every = await read_values(store, page.handles, connection)
        handles += [
            f"{prefix.spelling}/{one.spelling}"
            for one, values in zip(page.handles, every, strict=True)
            if _says(values, value_type, data, may_read)
        ]
        if page.end is None:
            return Found(handles, None)
        after = page.end
        if len(handles) == limit:
            return Found(handles, after)


async def declare(
    store: Store, prefix: Prefix, value_type: str, *, by: str = DECLARER, settling: float = SETTLING
) -> int:
    """Makes handles of a prefix be found by values of a type, and says how many rows were given keys."""
    if not 0 < len(value_type.encode()) <= MAX_TYPE or not value_type.isprintable():
        raise InvalidValue("value.type", index=0, type=value_type[:MAX_TYPE], rule=f"must have 1 to {MAX_TYPE} octets")
    async with store.connection() as connection, connection.transaction():
        at = datetime.now(UTC)
        await connection.execute(DECLARE, prefix.prefix_id, value_type, at)
        act = Act("type.declared", prefix.spelling, prefix.prefix_id, {"type": value_type})
        await acts.keep(connection, act, at=at, by=by, program=store.program)
        # Writers learn of it with the prefixes, which they read anew when they hear of this.
        await connection.execute(LOG, ChangeKind.PREFIX, prefix.prefix_id, None, None, None)
    await store.load_prefixes()
    declared = store.prefixes.by_id(prefix.prefix_id)
    assert declared is not None
    given, after = 0, ""
    if await store.count(prefix):
        await asyncio.sleep(settling)
    while True:
        async with store.connection() as connection, connection.transaction():
            columns = (prefix.prefix_id, after, PAGE)
            rows = await fetch_locked(connection, LOCK_ROWS, ROWS, partial(_place, prefix), *columns)
            given += await _give_keys(store, connection, declared, rows)
        if not rows:
            await _give_keys_to_ranges(store, declared)
            return given
        after = rows[-1]["suffix"]


def _place(prefix: Prefix, row: asyncpg.Record) -> Place:
    return prefix.prefix_id, row["suffix"]


async def _give_keys(
    store: Store, connection: asyncpg.pool.PoolConnectionProxy, prefix: Prefix, rows: list[asyncpg.Record]
) -> int:
    every = await store.plain([row["packed"] for row in rows], connection)
    keys = [search_keys(prefix.key, packed, prefix.searchable) for packed in every]
    status = await connection.execute(SET_KEYS, prefix.prefix_id, [row["suffix"] for row in rows], keys)
    return int(status.rpartition(" ")[2])


async def _give_keys_to_ranges(store: Store, prefix: Prefix) -> None:
    after = ""
    while True:
        async with store.connection() as connection, connection.transaction():
            rows = await connection.fetch(RANGES, prefix.prefix_id, after, PAGE)
            keys = [range_keys(prefix, unpack(row["packed"], 0)) for row in rows]
            await connection.execute(SET_RANGE_KEYS, prefix.prefix_id, [row["suffix"] for row in rows], keys)
        if not rows:
            return
        after = rows[-1]["suffix"]


def _says(values: Iterable[HandleValue], value_type: str, data: bytes, may_read: Callable[[HandleValue], bool]) -> bool:
    return any(value.type == value_type and is_found_by(value.data, data) and may_read(value) for value in values)
