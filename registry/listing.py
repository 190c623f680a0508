"""The handles of a prefix in order of their keys, page by page: rows, and the members of ranges that have none.

Members are looked at first. One that is given a row of its own meanwhile comes twice and is shown once; the other way
round it would be in neither.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final

import asyncpg

from registry.dictionaries import Connection
from registry.handle import MAX_HANDLE
from registry.handle_range import HandleRange
from registry.packing import unpack
from registry.prefix import Prefix
from registry.store import Store
from registry.value import HandleValue

PAGE: Final = 1000  # Handles read at once.
LEAST: Final = 100  # Members looked at for a page, however short: all of the first may have rows of their own.

RANGES: Final = """
SELECT suffix AS first, suffix_to AS last, head, width, radix, version, packed,
       extract(epoch FROM coalesce(updated_at, created_at))::bigint AS written_at
FROM handle_range WHERE prefix_id = $1 AND suffix_to > $2 ORDER BY suffix LIMIT $3
"""
OWN: Final = "SELECT suffix FROM handle WHERE prefix_id = $1 AND suffix = ANY ($2::text[])"
NAMES: Final = """
SELECT suffix, coalesce(spelling, suffix) AS spelling FROM handle
WHERE prefix_id = $1 AND suffix > $2 AND state <> 1 ORDER BY suffix LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A handle: its row, or the range that it is a member of."""

    suffix: str
    spelling: str
    row: asyncpg.Record | None
    of_range: HandleRange | None


@dataclass(frozen=True, slots=True)
class Page:
    """Handles in order of the keys of their suffixes; `end` is the key to go on behind, None when there are no more."""

    handles: Sequence[Listed]
    end: str | None


async def read_page(
    connection: Connection,
    prefix: Prefix,
    after: str,
    limit: int,
    rows_query: str = NAMES,
    ranges_query: str = RANGES,
    *arguments: object,
) -> Page:
    """At most so many handles behind a key. A page may be short, or empty, without being the last.

    The queries take the prefix's number, the key, the limit and these arguments.
    """
    listed: dict[str, Listed] = {}
    ends: list[str] = []
    if prefix.ranged:
        looked_at = max(limit, LEAST)
        ranges = await connection.fetch(ranges_query, prefix.prefix_id, after, looked_at, *arguments)
        if len(ranges) == looked_at and ranges[-1]["first"] <= after:
            # All of them go beyond the key, each with suffixes of another length: there can be no more than lengths.
            looked_at = MAX_HANDLE
            ranges = await connection.fetch(ranges_query, prefix.prefix_id, after, looked_at, *arguments)
        found = [HandleRange.from_row(prefix.spelling, row) for row in ranges]
        if len(found) == looked_at:
            ends.append(found[-1].first)  # Those that were left out begin behind it.
        listed, cut = await _members(connection, prefix, found, after, looked_at)
        ends += cut
    rows = await connection.fetch(rows_query, prefix.prefix_id, after, limit, *arguments)
    if len(rows) == limit:
        ends.append(rows[-1]["suffix"])
    listed |= {row["suffix"]: Listed(row["suffix"], row["spelling"], row, None) for row in rows}
    end = min(ends, default=None)
    suffixes = sorted(suffix for suffix in listed if end is None or suffix <= end)
    if len(suffixes) > limit:
        end = suffixes[limit - 1]
    return Page([listed[suffix] for suffix in suffixes[:limit]], end)


async def list_names(store: Store, prefix: Prefix, limit: int, *, offset: int = 0) -> list[str]:
    """So many names of a prefix, members of ranges among them, behind the first so many."""
    if not prefix.ranged:
        names, _ = await store.list_handles(prefix, limit, offset=offset)
        return names
    names = []
    end: str | None = ""
    async with store.connection() as connection:
        while end is not None and len(names) < limit:
            page = await read_page(connection, prefix, end, PAGE)
            names += [f"{prefix.spelling}/{one.spelling}" for one in page.handles[offset:]]
            # Rows and members have no number in common: what is passed over is looked at.
            offset -= min(offset, len(page.handles))
            end = page.end
    return names[:limit]


async def read_values(
    store: Store, handles: Sequence[Listed], connection: Connection | None = None
) -> list[tuple[HandleValue, ...]]:
    """What each of these handles says. Their rows were asked for with `packed`."""
    rows = iter(await store.plain([one.row["packed"] for one in handles if one.row is not None], connection))
    return [one.of_range.values_of(one.suffix) if one.of_range else unpack(next(rows), 0) for one in handles]


async def _members(
    connection: Connection, prefix: Prefix, ranges: Sequence[HandleRange], after: str, limit: int
) -> tuple[dict[str, Listed], list[str]]:
    """The first members of these ranges that have no rows; and up to which key these are all, if not to the end."""
    first = list(islice(merge(*[_members_of(one, after) for one in ranges], key=_suffix), limit))
    suffixes = [suffix for suffix, _ in first]
    owned = {row["suffix"] for row in await connection.fetch(OWN, prefix.prefix_id, suffixes)} if suffixes else set()
    listed = {suffix: Listed(suffix, one.spelled(suffix), None, one) for suffix, one in first if suffix not in owned}
    return listed, suffixes[-1:] if len(first) == limit else []


def _members_of(one: HandleRange, after: str) -> Iterator[tuple[str, HandleRange]]:
    return ((suffix, one) for suffix in one.suffixes(after))


def _suffix(member: tuple[str, HandleRange]) -> str:
    return member[0]
