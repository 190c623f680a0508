"""Links of the members of ranges that have no rows of their own: walked as those of any handle, without a row for each.

What all members say is one row for the range, so it is found from its target, and every member with it. Of what is
filled in for each (`{serial}`) a row keeps how the targets begin, and `registry.filled_links` goes from there.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

import asyncpg

from registry.filling import beginning
from registry.handle import HandleKey
from registry.handle_range import HandleRange, filled, shared
from registry.members import MEMBERS
from registry.relations import RELATIONS, MayRead, Said, links_said
from registry.spellings import Place
from registry.store import Store
from registry.value import HandleValue

Connection = asyncpg.pool.PoolConnectionProxy
RANGES_AT_ONCE: Final = 100  # Read at once: some kilobytes each at most.
SLICE: Final = 2000  # Members of a range looked at before others have their turn.
FILLED: Final = "{"  # Stands behind the beginning of targets that are filled in.

FORGET: Final = "DELETE FROM range_edge WHERE prefix_id = $1 AND characters = $2 AND suffix = $3"
ADD: Final = """
INSERT INTO range_edge (prefix_id, characters, suffix, relation, target, public)
SELECT $1, $2, $3, relation, target, public
FROM unnest($4::smallint[], $5::text[], $6::boolean[]) AS said (relation, target, public)
"""
SAYING: Final = """
SELECT e.target, e.relation, r.prefix_id, r.version, r.packed, r.head, r.suffix AS first, r.suffix_to AS last, r.width,
       r.radix, extract(epoch FROM coalesce(r.updated_at, r.created_at))::bigint AS written_at
FROM unnest($1::text[], $2::boolean[]) AS asked (target, own) JOIN range_edge AS e ON e.target = asked.target
JOIN handle_range AS r ON r.prefix_id = e.prefix_id AND r.characters = e.characters AND r.suffix = e.suffix
WHERE e.relation = ANY ($3::smallint[])
      AND (e.public AND asked.own OR $4::int[] IS NULL OR e.prefix_id = ANY ($4))
ORDER BY e.target, e.relation, r.prefix_id, r.characters, r.suffix
"""
OWN: Final = "SELECT suffix FROM handle WHERE prefix_id = $1 AND suffix = ANY ($2::text[])"
# What is known of the prefixes in memory may be older than the first range of one.
RANGED: Final = """
SELECT p FROM unnest($1::int[]) AS p WHERE EXISTS (SELECT FROM handle_range AS r WHERE r.prefix_id = p)
"""


class MemberLink(NamedTuple):
    """One link of a member."""

    place: Place
    relation: int
    target: str


async def write(connection: Connection, store: Store, prefix_id: int, of: HandleRange, *, gone: bool = False) -> None:
    """Keeps what all members of a range say now, or nothing more of one that is gone."""
    key = (prefix_id, len(of.first), of.first)
    await connection.execute(FORGET, *key)
    links = {} if gone else said(store, of) | beginnings(store, of)
    if links:
        rows = [(relation, target, public) for (relation, target), public in sorted(links.items())]
        await connection.execute(ADD, *key, *map(list, zip(*rows, strict=True)))


def said(store: Store, of: HandleRange) -> dict[tuple[int, str], bool]:
    """The links that all members say, by relation and key of the target: whether anybody may read them."""
    return keyed(store, links_said(shared(of.values)))


def beginnings(store: Store, of: HandleRange) -> dict[tuple[int, str], bool]:
    """The same of the links that are filled in, with what their targets begin with in place of a target."""
    found: dict[tuple[int, str], bool] = {}
    for value in filled(of.values):
        relation = RELATIONS.get(value.type)
        if relation is not None:
            key = (int(relation), store.key_of(beginning(of, value.data)).decode("utf-8", "replace") + FILLED)
            found[key] = found.get(key, False) or value.is_public
    return found


async def of_members(
    connection: Connection,
    store: Store,
    places: Iterable[Place],
    relations: Collection[int],
    sight: Collection[int] | None,
    may_read: MayRead | None = None,
) -> list[MemberLink]:
    """What those of these handles say that are members of ranges."""
    found = await _members(connection, store, places)
    return [
        MemberLink(place, relation, target)
        for place, one in found.items()
        for (relation, target), public in keyed(
            store, links_said(readable(key_of(store, place), one.values_of(place[1]), may_read))
        ).items()
        if relation in relations and (public or sight is None or place[0] in sight)
    ]


async def saying(
    connection: Connection,
    store: Store,
    targets: Sequence[str],
    own: Sequence[bool],
    relations: Sequence[int],
    sight: Sequence[int] | None,
    may_read: MayRead | None = None,
) -> AsyncGenerator[MemberLink, None]:
    """The members of ranges that say something of these keys; `own` and `sight` as in `registry.edges.step`."""
    cursor = await connection.cursor(SAYING, targets, own, relations, sight)
    while rows := await cursor.fetch(RANGES_AT_ONCE):
        if any(store.prefixes.by_id(row["prefix_id"]) is None for row in rows):
            await store.load_prefixes()
        for row in rows:
            of = HandleRange.from_row("", row)
            seen = readable(key_of(store, (row["prefix_id"], of.first)), shared(of.values), may_read)
            if (row["relation"], row["target"]) not in keyed(store, links_said(seen)):
                continue
            async for place in _without_rows(connection, row["prefix_id"], of):
                yield MemberLink(place, row["relation"], row["target"])


def readable(key: HandleKey, values: Iterable[HandleValue], may_read: MayRead | None) -> Iterable[HandleValue]:
    """Of values of a handle those that somebody may read."""
    return values if may_read is None else [value for value in values if may_read(key, value)]


def key_of(store: Store, place: Place) -> HandleKey:
    prefix = store.prefixes.by_id(place[0])
    assert prefix is not None
    return HandleKey(b"%b/%b" % (prefix.key, place[1].encode()))


async def _without_rows(connection: Connection, prefix_id: int, of: HandleRange) -> AsyncIterator[Place]:
    """Its members but for those that have rows of their own, which say themselves what they say."""
    members = of.suffixes()
    while some := list(islice(members, SLICE)):
        own = {row["suffix"] for row in await connection.fetch(OWN, prefix_id, some)}
        for suffix in some:
            if suffix not in own:
                yield prefix_id, suffix


async def spellings(connection: Connection, store: Store, places: Iterable[Place]) -> dict[Place, str]:
    """Of those that are members of ranges, as they were registered."""
    found = await _members(connection, store, places)
    return {place: one.spelled(place[1]) for place, one in found.items()}


async def _members(connection: Connection, store: Store, places: Iterable[Place]) -> dict[Place, HandleRange]:
    places = list(places)
    ranged = {row["p"] for row in await connection.fetch(RANGED, list({prefix_id for prefix_id, _ in places}))}
    asked = [place for place in places if place[0] in ranged]
    if not asked:
        return {}
    columns = [prefix_id for prefix_id, _ in asked], [suffix for _, suffix in asked]
    rows = await connection.fetch(MEMBERS, *columns)
    ranges = {(row["prefix_id"], row["suffix"]): HandleRange.from_row("", row) for row in rows}
    return {place: one for place, one in ranges.items() if one.position(place[1]) is not None}


def keyed(store: Store, links: Iterable[Said]) -> dict[tuple[int, str], bool]:
    """Two spellings of one target are one link, and one that anybody may read hides one that nobody may."""
    keyed: dict[tuple[int, str], bool] = {}
    for link in links:
        key = (int(link.relation), store.key_of(link.target.encode()).decode())
        keyed[key] = keyed.get(key, False) or link.public
    return keyed
