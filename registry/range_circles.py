"""Links of a range as it is written: kept, and refused where one leads back to the member that says it.

A doff is looked at member by member, as handles of one transaction are. A wide block is looked at in stretches of keys
where something is filled in: what all its members say, and what others say of any of them, is followed as if each led
to all; so a circle is never overlooked, and where one cannot be ruled out the range is refused.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import asyncpg

from registry import range_links
from registry.edges import (
    BY_INDEX,
    LOCK,
    MAX_CHECKED,
    TAKE_TURN,
    Connection,
    LinksRefused,
    Side,
    check,
    key_of_place,
    place_of,
)
from registry.handle_range import HandleRange, filled
from registry.prefix import Prefix
from registry.relations import Direction, Relation, inward, is_relation, links_said, outward
from registry.store import Store

MAX_SINGLY: Final = 5_000  # Members looked at one by one: a few tenths of a second.
MAX_STRETCHES: Final = 300  # Looked at before a block is refused: about a second.
BEHIND_ALL: Final = "\U0010ffff"

SAID: Final = """
SELECT DISTINCT target FROM edge
WHERE prefix_id = $1 AND suffix >= $2 AND suffix <= $3 AND relation = ANY ($4::smallint[]) LIMIT $5
"""
SAID_BY_RANGES: Final = """
SELECT DISTINCT e.target FROM handle_range AS r
JOIN range_edge AS e ON e.prefix_id = r.prefix_id AND e.characters = r.characters AND e.suffix = r.suffix
WHERE r.prefix_id = $1 AND r.suffix_to >= $2 AND r.suffix <= $3 AND e.relation = ANY ($4::smallint[]) LIMIT $5
"""
NAMING: Final = """
SELECT DISTINCT prefix_id, suffix FROM edge WHERE target >= $1 AND target <= $2 AND relation = ANY ($3::smallint[])
LIMIT $4
"""
RANGES_NAMING: Final = """
SELECT DISTINCT r.prefix_id, r.suffix, r.suffix_to FROM (
  SELECT prefix_id, characters, suffix, relation FROM range_edge WHERE target >= $1 AND target <= $2
  UNION ALL SELECT prefix_id, characters, suffix, relation FROM range_edge WHERE target = ANY ($3::text[])) AS e
JOIN handle_range AS r ON r.prefix_id = e.prefix_id AND r.characters = e.characters AND r.suffix = e.suffix
WHERE e.relation = ANY ($4::smallint[]) LIMIT $5
"""


class Stretch(NamedTuple):
    """The keys from one to another."""

    first: str
    last: str

    @property
    def of_one_prefix(self) -> bool:
        """False of what begins with something filled in: it may lead anywhere."""
        return self.first.partition("/")[:2] == self.last.partition("/")[:2] and "/" in self.first

    def meets(self, other: "Stretch") -> bool:
        return self.first <= other.last and other.first <= self.last


async def write_links_of_range(
    connection: Connection, store: Store, prefix: Prefix, made: HandleRange, before: HandleRange | None = None
) -> None:
    """Makes what the members of a range say their links. Raises LinksRefused."""
    await range_links.write(connection, store, prefix.prefix_id, made)
    if not _links(made) - (set() if before is None else _links(before)):
        return
    await connection.execute(BY_INDEX)
    await connection.execute(TAKE_TURN, LOCK)
    if made.members <= MAX_SINGLY:
        await check(connection, store, frozenset((prefix.prefix_id, suffix) for suffix in made.suffixes()))
    elif not any(is_relation(value.type) for value in filled(made.values)):
        await _check_shared(connection, store, prefix, made)
    elif await _may_lead_back(connection, store, prefix, made):
        raise _refused("link.too_far", prefix, made)


def _links(of: HandleRange) -> set[tuple[Relation, str]]:
    return {(link.relation, link.target) for link in links_said(of.values)}


async def _check_shared(connection: Connection, store: Store, prefix: Prefix, made: HandleRange) -> None:
    """Refuses a block of which all members say what leads back to one. Raises LinksRefused."""
    base = f"{prefix.key.decode()}/"
    for direction in Direction:
        led_to = outward(direction, Relation)
        side = Side(direction, [target for relation, target in range_links.said(store, made) if relation in led_to])
        while side.ahead:
            if any(key.startswith(base) and made.position(key[len(base) :]) for key in side.ahead):
                raise _refused("link.circle", prefix, made)
            await side.take(connection, store)
            if len(side.seen) > MAX_CHECKED:
                raise _refused("link.too_far", prefix, made)


def _refused(rule: str, prefix: Prefix, made: HandleRange) -> LinksRefused:
    return LinksRefused(rule, frozenset({(prefix.prefix_id, made.first)}), str(made.handle(made.first)))


async def _may_lead_back(connection: Connection, store: Store, prefix: Prefix, made: HandleRange) -> bool:
    """Whether neither direction is known not to lead back to a member. Forward first: of new ones came nothing."""
    for direction in (Direction.FORWARD, Direction.BACKWARD):
        if await _ends(connection, store, prefix, made, direction):
            return False
    return True


async def _ends(connection: Connection, store: Store, prefix: Prefix, made: HandleRange, direction: Direction) -> bool:
    """Whether what a block leads to in a direction has an end, and none of its members in it."""
    start = Stretch(
        key_of_place(store, (prefix.prefix_id, made.first)), key_of_place(store, (prefix.prefix_id, made.last))
    )
    seen, ahead = {start}, [start]
    while ahead:
        stretch = ahead.pop()
        if len(seen) > MAX_STRETCHES or not stretch.of_one_prefix:
            return False
        async for led_to in _led_to(connection, store, stretch, direction):
            if led_to.meets(start):
                return False
            if led_to not in seen:
                seen.add(led_to)
                ahead.append(led_to)
    return True


async def _led_to(
    connection: Connection, store: Store, stretch: Stretch, direction: Direction
) -> AsyncIterator[Stretch]:
    """Where one may come from any key of a stretch."""
    said, naming = outward(direction, Relation), inward(direction, Relation)
    for row in await _said(connection, store, stretch, said):
        target = row["target"]
        begun = target.removesuffix(range_links.FILLED)
        yield Stretch(begun, target if begun == target else begun + BEHIND_ALL)
    rows = await connection.fetch(NAMING, *stretch, naming, MAX_STRETCHES + 1)
    begins = {key[:length] + range_links.FILLED for key in stretch for length in range(len(key) + 1)}
    ranges = await connection.fetch(RANGES_NAMING, *stretch, list(begins), naming, MAX_STRETCHES + 1)
    if any(store.prefixes.by_id(row["prefix_id"]) is None for row in (*rows, *ranges)):
        await store.load_prefixes()
    for row in rows:
        key = key_of_place(store, tuple(row))
        yield Stretch(key, key)
    for prefix_id, first, last in ranges:
        yield Stretch(key_of_place(store, (prefix_id, first)), key_of_place(store, (prefix_id, last)))


async def _said(
    connection: Connection, store: Store, stretch: Stretch, relations: Sequence[int]
) -> list[asyncpg.Record]:
    first, last = place_of(store, stretch.first), place_of(store, stretch.last)
    if first is None or last is None:
        return []  # Of a prefix that is not known here.
    bounds = (first[0], first[1], last[1], relations, MAX_STRETCHES + 1)
    return [*await connection.fetch(SAID, *bounds), *await connection.fetch(SAID_BY_RANGES, *bounds)]
