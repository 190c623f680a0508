"""Links that a range fills in for each member (`MADE_FROM=88.168.99/ROLL-{serial}`), walked from the other handle.

No row names the other handle, but one says with what all of a range begin. Every beginning of a key is looked up that
is as long as one of those; from the range the member is computed, and what it says is compared with the key.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from typing import Final, NamedTuple

from registry.filling import member_of
from registry.handle_range import HandleRange, filled
from registry.range_links import FILLED, RANGES_AT_ONCE, Connection, MemberLink, key_of, keyed, readable
from registry.relations import RELATIONS, MayRead, links_said
from registry.spellings import Place
from registry.store import Store

# A look-up for each length and relation: the limit keeps the planner from reading all rows to group them.
LENGTHS: Final = """
SELECT DISTINCT long FROM generate_series(1, $2::int) AS long CROSS JOIN unnest($1::smallint[]) AS said
CROSS JOIN LATERAL (
  SELECT FROM range_edge AS e
  WHERE length(e.target) = long AND e.relation = said AND right(e.target, 1) = '{' LIMIT 1) AS one
"""
SAYING: Final = """
SELECT e.target, e.relation, r.prefix_id, r.version, r.packed, r.head, r.suffix AS first, r.suffix_to AS last, r.width,
       r.radix, extract(epoch FROM coalesce(r.updated_at, r.created_at))::bigint AS written_at
FROM unnest($1::text[]) AS asked (target) JOIN range_edge AS e ON e.target = asked.target
JOIN handle_range AS r ON r.prefix_id = e.prefix_id AND r.characters = e.characters AND r.suffix = e.suffix
WHERE e.relation = ANY ($2::smallint[]) AND (e.public OR $3::int[] IS NULL OR e.prefix_id = ANY ($3))
ORDER BY e.target, e.relation, r.prefix_id, r.characters, r.suffix
"""
OWN: Final = """
SELECT h.prefix_id, h.suffix FROM unnest($1::int[], $2::text[]) AS asked (prefix_id, suffix)
JOIN handle AS h ON h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix
"""


class _Asked(NamedTuple):
    target: str
    own: bool


async def saying(
    connection: Connection,
    store: Store,
    targets: Sequence[str],
    own: Sequence[bool],
    relations: Sequence[int],
    sight: Sequence[int] | None,
    may_read: MayRead | None = None,
) -> AsyncGenerator[MemberLink, None]:
    """The members for which one of these keys was filled in; `own` and `sight` as in `registry.edges.step`."""
    longest = max(map(len, targets), default=0) + len(FILLED)
    lengths = [row["long"] - len(FILLED) for row in await connection.fetch(LENGTHS, relations, longest)]
    begun: defaultdict[str, list[_Asked]] = defaultdict(list)
    for asked in map(_Asked, targets, own):
        for length in lengths:
            if length <= len(asked.target):
                begun[asked.target[:length] + FILLED].append(asked)
    if not begun:
        return
    cursor = await connection.cursor(SAYING, sorted(begun), relations, sight)
    while rows := await cursor.fetch(RANGES_AT_ONCE):
        if any(store.prefixes.by_id(row["prefix_id"]) is None for row in rows):
            await store.load_prefixes()
        found = []
        for row in rows:
            of = HandleRange.from_row("", row)
            hidden = sight is not None and row["prefix_id"] not in sight
            for target, its_own in begun[row["target"]]:
                for link, public in _links(store, row["prefix_id"], of, row["relation"], target, may_read):
                    if (public and its_own) or not hidden:
                        found.append(link)
        for link in await _without_rows(connection, found):
            yield link


def _links(
    store: Store, prefix_id: int, of: HandleRange, relation: int, target: str, may_read: MayRead | None
) -> list[tuple[MemberLink, bool]]:
    """The links of members of a range to a key, and whether anybody may read them."""
    data = [value.data for value in filled(of.values) if RELATIONS.get(value.type) == relation]
    links = []
    for suffix in sorted({suffix for one in data if (suffix := member_of(of, one, target)) is not None}):
        place = (prefix_id, suffix)
        said = keyed(store, links_said(readable(key_of(store, place), of.values_of(suffix), may_read)))
        if (relation, target) in said:
            links.append((MemberLink(place, relation, target), said[relation, target]))
    return links


async def _without_rows(connection: Connection, links: list[MemberLink]) -> list[MemberLink]:
    """Those of members that have no rows of their own, in which they say themselves what they say."""
    places = [link.place for link in links]
    columns = [prefix_id for prefix_id, _ in places], [suffix for _, suffix in places]
    own: set[Place] = {(row["prefix_id"], row["suffix"]) for row in await connection.fetch(OWN, *columns)}
    return [link for link in links if link.place not in own]
