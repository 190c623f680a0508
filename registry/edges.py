"""Links in the book: a row for each that a handle says, written with the handle, and never in a circle.

Whether a link closes a circle depends on links that others write, so writers who add links take turns, from here to
their commit; that is why links come last in a transaction, when nothing else is waited for. A circle would lead through
a handle that was given a link just now: from those the chains are followed backward and forward at once, the shorter
side first, until one side has ended. A new cake has nothing behind it, and a batch of 100,000 little before it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import asyncpg

from registry import filled_links, range_links
from registry.changes import Operation
from registry.circles import circular_keys
from registry.errors import InvalidValue
from registry.handle import HandleKey
from registry.relations import Direction, MayRead, Relation, Said, inward, links_said, outward
from registry.spellings import Place
from registry.store import Store

Connection = asyncpg.pool.PoolConnectionProxy
LOCK: Final = 0x45444745  # "EDGE": any number does, as long as no other program of the database uses it.
# Handles looked at before a link is refused for leading too far: a second of work. Chains of a mill have some dozens.
MAX_CHECKED: Final = 50_000

PAGE: Final = 2000  # Links read at once: a few milliseconds of the loop.

TAKE_TURN: Final = "SELECT pg_advisory_xact_lock($1)"
# The rows are named by key: an index finds them, whatever the planner believes of a table that has grown.
BY_INDEX: Final = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
OF: Final = """
SELECT e.prefix_id, e.suffix, e.relation, e.target, e.public
FROM unnest($1::int[], $2::text[]) AS asked (prefix_id, suffix)
JOIN edge AS e ON e.prefix_id = asked.prefix_id AND e.suffix = asked.suffix
"""
REMOVE: Final = """
DELETE FROM edge
USING unnest($1::int[], $2::text[], $3::smallint[], $4::text[]) AS gone (prefix_id, suffix, relation, target)
WHERE edge.prefix_id = gone.prefix_id AND edge.suffix = gone.suffix AND edge.relation = gone.relation
      AND edge.target = gone.target
"""
ADD: Final = """
INSERT INTO edge (prefix_id, suffix, relation, target, public)
SELECT * FROM unnest($1::int[], $2::text[], $3::smallint[], $4::text[], $5::boolean[])
"""
LOG_LINKED: Final = """
INSERT INTO change_log (kind, prefix_id, suffix, operation)
SELECT 1, linked.prefix_id, linked.suffix, $3 FROM unnest($1::int[], $2::text[]) AS linked (prefix_id, suffix)
"""
STEP: Final = """
SELECT e.prefix_id, e.suffix, e.relation, e.target, true AS outward, e.public
FROM unnest($1::int[], $2::text[]) AS asked (prefix_id, suffix)
JOIN edge AS e ON e.prefix_id = asked.prefix_id AND e.suffix = asked.suffix
WHERE e.relation = ANY($3::smallint[]) AND (e.public OR $7::int[] IS NULL OR e.prefix_id = ANY($7))
UNION ALL
SELECT e.prefix_id, e.suffix, e.relation, e.target, false, e.public
FROM unnest($4::text[], $5::boolean[]) AS asked (target, own) JOIN edge AS e ON e.target = asked.target
WHERE e.relation = ANY($6::smallint[])
      AND (e.public AND asked.own OR $7::int[] IS NULL OR e.prefix_id = ANY($7))
"""


SAYERS: Final = """
SELECT asked.target, e.relation, e.prefix_id, e.suffix
FROM unnest($1::text[]) AS asked (target) CROSS JOIN LATERAL (
  SELECT * FROM edge WHERE edge.target = asked.target AND edge.public = $3
  ORDER BY edge.relation, edge.prefix_id, edge.suffix LIMIT $2) AS e
"""


class LinksRefused(InvalidValue):
    """Links that close a circle, or may for all we can say; `places` are the handles to which they were just given."""

    def __init__(self, rule: str, places: frozenset[Place], handle: str) -> None:
        super().__init__(rule, handle=handle, limit=MAX_CHECKED)
        self.places = places


@dataclass(frozen=True, slots=True)
class Step:
    """One link, walked from one key to another."""

    origin: str
    to: str
    relation: Relation


class _Row(NamedTuple):
    prefix_id: int
    suffix: str
    relation: int
    target: str
    public: bool

    @property
    def place(self) -> Place:
        return self.prefix_id, self.suffix


async def write_links(connection: Connection, store: Store, said: Mapping[Place, Iterable[Said]]) -> None:
    """Makes these the links of these handles, with the transaction. Raises LinksRefused."""
    await connection.execute(BY_INDEX)
    there = {_Row(*row) for row in await connection.fetch(OF, *_columns(said))}
    wanted = {
        _Row(*place, link.relation, store.key_of(link.target.encode()).decode(), link.public)
        for place, links in said.items()
        for link in links
    }
    # Two spellings of one target are one link, and one that anybody may read hides one that nobody may.
    wanted -= {row._replace(public=False) for row in wanted if row.public}
    gone, new = there - wanted, wanted - there
    if new:
        await connection.execute(TAKE_TURN, LOCK)
    if gone:
        await connection.execute(REMOVE, *_columns(row.place for row in gone), *_ends(gone))
    if new:
        rows = sorted(new)
        await connection.execute(ADD, *_columns(row.place for row in rows), *_ends(rows), [row.public for row in rows])
        await check(connection, store, frozenset(row.place for row in new))
    linked = sorted({place for row in gone | new if (place := place_of(store, row.target)) is not None})
    if linked:
        await connection.execute(LOG_LINKED, *_columns(linked), Operation.LINKED)


async def step(
    connection: Connection,
    store: Store,
    keys: Iterable[str],
    direction: Direction,
    follow: Iterable[Relation] = Relation,
    sight: Collection[int] | None = None,
    may_read: MayRead | None = None,
) -> AsyncIterator[Step]:
    """The links that lead on from these keys, inside a transaction.

    `sight` are the prefixes of whoever asks. He sees what their handles say, what others publicly say of them, and of
    other handles what these say publicly themselves, as he could by resolving them; but not who else speaks of them.
    What is not public he sees where he may read the value that says it.
    """
    keys, follow = list(keys), list(follow)
    places = [place_of(store, key) for key in keys]
    own = [sight is None or (place is not None and place[0] in sight) for place in places]
    parameters = (
        *_columns(place for place in places if place is not None),
        outward(direction, follow),
        *(keys, own, inward(direction, follow)),
        None if sight is None else list(sight),
    )
    # Ranges first: a member that is given a row of its own meanwhile is found in one of both.
    asked = [place for place in places if place is not None]
    for place, relation, target in await range_links.of_members(
        connection, store, asked, parameters[2], sight, may_read
    ):
        yield Step(key_of_place(store, place), target, Relation(relation))
    for saying in (range_links.saying, filled_links.saying):
        async for place, relation, target in saying(connection, store, *parameters[3:], may_read):
            yield Step(target, key_of_place(store, place), Relation(relation))
    cursor = await connection.cursor(STEP, *parameters)
    while rows := await cursor.fetch(PAGE):
        if any(store.prefixes.by_id(row["prefix_id"]) is None for row in rows):
            await store.load_prefixes()
        for prefix_id, suffix, relation, target, from_sayer, _ in await _seen(store, rows, may_read):
            sayer = key_of_place(store, (prefix_id, suffix))
            origin, to = (sayer, target) if from_sayer else (target, sayer)
            yield Step(origin, to, Relation(relation))
        if len(rows) < PAGE:
            break


async def _seen(store: Store, rows: list[asyncpg.Record], may_read: MayRead | None) -> list[asyncpg.Record]:
    """Those links that anybody may read, or this reader: he sees a value that says it."""
    hidden = {key_of_place(store, (row["prefix_id"], row["suffix"])) for row in rows if not row["public"]}
    if may_read is None or not hidden:
        return rows
    said: set[tuple[str, int, str]] = set()
    for key, record in (await store.fetch_many([HandleKey(key.encode()) for key in sorted(hidden)])).items():
        readable = range_links.readable(key, record.values, may_read)
        said |= {(key.decode(), *link) for link in range_links.keyed(store, links_said(readable))}
    return [
        row
        for row in rows
        if row["public"]
        or (key_of_place(store, (row["prefix_id"], row["suffix"])), row["relation"], row["target"]) in said
    ]


async def sayers(
    store: Store, keys: Iterable[HandleKey], most: int, *, public: bool = True
) -> dict[HandleKey, list[tuple[Relation, HandleKey]]]:
    """Who says something of each of these handles, publicly or not, at most so many, in order of relation and key."""
    asked = {key.decode(errors="replace"): key for key in keys}
    async with store.connection() as connection:
        rows = await connection.fetch(SAYERS, list(asked), most, public)
    if any(store.prefixes.by_id(row["prefix_id"]) is None for row in rows):
        await store.load_prefixes()
    found: dict[HandleKey, list[tuple[Relation, HandleKey]]] = {}
    for target, relation, prefix_id, suffix in rows:
        sayer = HandleKey(key_of_place(store, (prefix_id, suffix)).encode())
        found.setdefault(asked[target], []).append((Relation(relation), sayer))
    return found


def place_of(store: Store, key: str) -> Place | None:
    """Where a key would be kept, if its prefix is known here."""
    prefix_key, _, suffix = key.partition("/")
    prefix = store.prefixes.find(prefix_key.encode())
    return None if prefix is None else (prefix.prefix_id, suffix)


def key_of_place(store: Store, place: Place) -> str:
    prefix = store.prefixes.by_id(place[0])
    assert prefix is not None
    return f"{prefix.key.decode()}/{place[1]}"


async def check(connection: Connection, store: Store, places: frozenset[Place]) -> None:
    """Refuses links by which a chain leads back. Raises LinksRefused."""
    starts = {key_of_place(store, place): place for place in places}
    sides = [Side(direction, starts) for direction in (Direction.BACKWARD, Direction.FORWARD)]
    ended: Side | None = None
    while ended is None:
        side = min(sides, key=lambda one: len(one.ahead))
        await side.take(connection, store)
        if len(side.seen) > MAX_CHECKED:
            sides.remove(side)  # A range of a million serials leads far at once; the other way may be short.
        elif not side.ahead:
            ended = side
        if not sides:
            raise LinksRefused("link.too_far", places, min(starts))
    circular = await asyncio.to_thread(circular_keys, ended.links, ended.seen)
    if circular:
        inside = sorted(circular & starts.keys())
        raise LinksRefused("link.circle", frozenset(starts[key] for key in inside), inside[0])


class Side:
    """What can be reached in one direction, the keys to go on from, and the links between."""

    def __init__(self, direction: Direction, starts: Iterable[str]) -> None:
        self.direction = direction
        self.seen = set(starts)
        self.ahead = set(starts)
        self.links: defaultdict[str, set[str]] = defaultdict(set)

    async def take(self, connection: Connection, store: Store) -> None:
        """Goes one step on, or as far as a side may lead."""
        reached = set()
        async for one in step(connection, store, self.ahead, self.direction):
            self.links[one.origin].add(one.to)
            reached.add(one.to)
            if len(reached) > MAX_CHECKED:
                break
        self.ahead = reached - self.seen
        self.seen |= reached


def _columns(places: Iterable[Place]) -> tuple[list[int], list[str]]:
    rows = list(places)
    return [prefix_id for prefix_id, _ in rows], [suffix for _, suffix in rows]


def _ends(rows: Iterable[_Row]) -> tuple[list[int], list[str]]:
    rows = list(rows)
    return [row.relation for row in rows], [row.target for row in rows]
