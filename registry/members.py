"""Members of ranges that are given rows of their own, because somebody is about to change them singly.

From then on they are handles as any other, and what their range says is no longer theirs. Whoever registers, gives a
member its row, or changes the ranges of a prefix takes turns: the lock is shared among the former and excludes the
latter, so no member is registered twice and each is counted once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg

from registry.handle_range import HandleRange, shared
from registry.packing import pack, unpack
from registry.prefix import Prefix
from registry.relations import links_said
from registry.search_keys import search_keys
from registry.store import Store
from registry.value import HandleValue

RANGES: Final = 0x52414E47  # "RANG": the first half of the lock's number, whose second is that of the prefix.

SHARE: Final = """
SELECT pg_advisory_xact_lock_shared($1, prefix_id) FROM (SELECT DISTINCT unnest($2::int[]) AS prefix_id ORDER BY 1) AS p
"""
EXCLUDE: Final = "SELECT pg_advisory_xact_lock($1, $2)"
ANY_RANGED: Final = "SELECT EXISTS (SELECT FROM handle_range WHERE prefix_id = ANY ($1::int[]))"
MEMBERS: Final = """
WITH asked AS MATERIALIZED (SELECT prefix_id, suffix FROM unnest($1::int[], $2::text[]) AS one (prefix_id, suffix)),
own AS MATERIALIZED (
  SELECT h.prefix_id, h.suffix FROM asked JOIN handle AS h ON h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix)
SELECT asked.prefix_id, asked.suffix, r.version, r.packed,
       extract(epoch FROM coalesce(r.updated_at, r.created_at))::bigint AS written_at,
       r.head, r.suffix AS first, r.suffix_to AS last, r.width, r.radix
FROM asked CROSS JOIN LATERAL (
  SELECT * FROM handle_range AS one
  WHERE one.prefix_id = asked.prefix_id AND one.characters = length(asked.suffix) AND one.suffix <= asked.suffix
  ORDER BY one.suffix DESC LIMIT 1) AS r
WHERE r.suffix_to >= asked.suffix AND (asked.prefix_id, asked.suffix) NOT IN (SELECT prefix_id, suffix FROM own)
"""
# Nothing is counted and nothing logged: the handle was there, and says what it said.
OWN: Final = """
INSERT INTO handle (created_at, prefix_id, suffix, spelling, packed, keys, version)
SELECT * FROM unnest($1::timestamptz[], $2::int[], $3::text[], $4::text[], $5::bytea[], $6::jsonb[], $7::int[])
ON CONFLICT (prefix_id, suffix) DO NOTHING
"""

LINK: Final = """
INSERT INTO edge (prefix_id, suffix, relation, target, public)
SELECT * FROM unnest($1::int[], $2::text[], $3::smallint[], $4::text[], $5::boolean[]) ON CONFLICT DO NOTHING
"""

_Row = tuple[datetime, int, str, str | None, bytes, str | None, int]
Connection = asyncpg.pool.PoolConnectionProxy


async def share(connection: Connection, prefix_ids: Sequence[int]) -> None:
    """Keeps the ranges of these prefixes as they are until the end of the transaction."""
    await connection.execute(SHARE, RANGES, prefix_ids)


async def exclude(connection: Connection, prefix_id: int) -> None:
    """Waits for whoever registers under a prefix, and has the others wait until the end of the transaction."""
    await connection.execute(EXCLUDE, RANGES, prefix_id)


async def own_rows(store: Store, connection: Connection, prefix_ids: Sequence[int], suffixes: Sequence[str]) -> int:
    """Gives rows to those handles that are members of ranges and have none, and says to how many.

    The ranges stay as they are until the end of the transaction, whether there are any or not.
    """
    distinct = sorted(set(prefix_ids))
    await share(connection, distinct)
    if not await connection.fetchval(ANY_RANGED, distinct):
        return 0
    found = await connection.fetch(MEMBERS, prefix_ids, suffixes)
    rows = [row for one in found if (row := _row(store, one)) is not None]
    if rows:
        await connection.execute(OWN, *map(list, zip(*rows, strict=True)))
        await _own_links(store, connection, rows)
    return len(rows)


async def _own_links(store: Store, connection: Connection, rows: Sequence[_Row]) -> None:
    """What a member said as one of its range it says itself from here on; it closes no circle that was not there."""
    said: dict[tuple[int, str, int, str], bool] = {}
    for _, prefix_id, suffix, _, packed, _, _ in rows:
        for link in links_said(unpack(packed, 0)):
            place = (prefix_id, suffix, int(link.relation), store.key_of(link.target.encode()).decode())
            said[place] = said.get(place, False) or link.public
    if said:
        await connection.execute(LINK, *map(list, zip(*said, strict=True)), list(said.values()))


def range_keys(prefix: Prefix, values: tuple[HandleValue, ...]) -> str | None:
    """The search keys of what all members of a range say."""
    return search_keys(prefix.key, pack(shared(values), 0), prefix.searchable)


def _row(store: Store, found: asyncpg.Record) -> _Row | None:
    prefix = store.prefixes.by_id(found["prefix_id"])
    assert prefix is not None
    suffix, of_range = found["suffix"], HandleRange.from_row(prefix.spelling, found)
    if of_range.position(suffix) is None:
        return None
    record = of_range.record(suffix)
    spelling = None if record.handle.suffix == suffix else record.handle.suffix
    keys = search_keys(prefix.key, record.packed, prefix.searchable)
    written_at = datetime.fromtimestamp(record.written_at, UTC)
    return written_at, prefix.prefix_id, suffix, spelling, record.packed, keys, record.version
