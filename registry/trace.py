"""What a thing came from and what came of it: links walked breadth first, level by level, within bounds.

A level is every handle whose shortest chain from the beginning has that length, in order of key; so a place in the walk
is a level and a key, and whoever asks for the next page walks again up to there. What is seen is of one moment.
"""

import re
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Final

from registry import range_links
from registry.edges import BY_INDEX, Connection, Step, place_of, step
from registry.errors import InvalidValue, ProtocolFault
from registry.handle import Handle
from registry.relations import Direction, MayRead, Relation
from registry.spellings import Place, spellings
from registry.store import Store

MAX_DEPTH: Final = 32  # Levels; from a garment to the raw material there are some ten.
MAX_REACHED: Final = 250_000  # Handles of a walk: some 80 MB. A large batch of yarn has 100,000 cakes.
MAX_SECONDS: Final = 20.0  # Of a walk: before those who ask give up.
MAX_PAGE: Final = 10_000  # Handles of a page: about a megabyte.
SLICE: Final = 5_000  # Handles asked about at once.
_CURSOR: Final = re.compile(r"([1-9][0-9]?):(.+)", re.DOTALL)

SNAPSHOT: Final = "repeatable_read"


@dataclass(frozen=True, slots=True)
class Walk:
    """Where to begin, which way to go, along what, how far, and with whose eyes (`registry.edges.step`)."""

    start: Handle
    direction: Direction
    follow: tuple[Relation, ...] = tuple(Relation)
    depth: int = MAX_DEPTH
    sight: Collection[int] | None = None
    may_read: MayRead | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A handle of a walk: its level, and the handle and the link that led to it."""

    key: str
    depth: int
    relation: Relation
    via: str


@dataclass(frozen=True, slots=True)
class Named:
    """The same with the names as they are spelled."""

    handle: str
    depth: int
    relation: Relation
    via: str
    key: str


@dataclass(frozen=True, slots=True)
class Traced:
    """A page of a walk: where the next one begins, or None at the end; and whether the end is that of the links."""

    handles: list[Named]
    cursor: str | None
    stopped: str | None


class Stopped(Exception):  # no error: a walk that reached a bound
    """What was reached is true, and not everything; `bound` is depth, count or time."""

    def __init__(self, bound: str) -> None:
        super().__init__(bound)
        self.bound = bound


async def traced(store: Store, walk: Walk, cursor: str = "", limit: int = MAX_PAGE) -> Traced:
    """One page. Raises ProtocolFault for a cursor that is none."""
    after = _after(cursor)
    found: list[Reached] = []
    stopped = None
    async with _looking(store) as connection:
        try:
            async for level in levels(connection, store, walk):
                wanted = (one for one in level if (one.depth, one.key) > after)
                found += islice(wanted, limit + 1 - len(found))
                if len(found) > limit:
                    break
        except Stopped as end:
            stopped = end.bound
        page = found[:limit]
        named = await _named(connection, store, page)
    more = len(found) > limit
    next_cursor = f"{page[-1].depth}:{page[-1].key}" if more else None
    return Traced(named, next_cursor, None if more else stopped)


async def recalled(store: Store, walk: Walk) -> list[Named]:
    """The whole of a walk: whoever calls goods back wants all of them. Raises InvalidValue where that is too much."""
    found: list[Reached] = []
    async with _looking(store) as connection:
        try:
            async for level in levels(connection, store, walk):
                found += level
        except Stopped as end:
            if end.bound != "depth" or walk.depth == MAX_DEPTH:
                raise InvalidValue("link.not_all", handle=str(walk.start), bound=end.bound, count=len(found)) from None
        named = []
        for first in range(0, len(found), SLICE):
            named += await _named(connection, store, found[first : first + SLICE])
    return named


async def levels(connection: Connection, store: Store, walk: Walk) -> AsyncIterator[list[Reached]]:
    """The levels of a walk, inside a transaction. Raises Stopped behind the last one where there is more."""
    begun = monotonic()
    start = store.key_of(walk.start.octets).decode()
    seen, ahead = {start}, [start]
    for depth in range(1, walk.depth + 1):
        level: dict[str, Reached] = {}
        async for one in _steps(connection, store, walk, ahead):
            if one.to not in seen:
                seen.add(one.to)
                level[one.to] = Reached(one.to, depth, one.relation, one.origin)
            if len(seen) > MAX_REACHED:
                break
        if not level:
            return
        ahead = sorted(level)
        yield [level[key] for key in ahead]
        if len(seen) > MAX_REACHED:
            raise Stopped("count")
        if monotonic() - begun > MAX_SECONDS:
            raise Stopped("time")
    async for one in _steps(connection, store, walk, ahead):
        if one.to not in seen:
            raise Stopped("depth")


async def _steps(connection: Connection, store: Store, walk: Walk, keys: list[str]) -> AsyncIterator[Step]:
    for first in range(0, len(keys), SLICE):
        some = keys[first : first + SLICE]
        async for one in step(connection, store, some, walk.direction, walk.follow, walk.sight, walk.may_read):
            yield one


@asynccontextmanager
async def _looking(store: Store) -> AsyncIterator[Connection]:
    """A connection on which everything read is of one moment."""
    async with store.connection() as connection, connection.transaction(isolation=SNAPSHOT, readonly=True):
        await connection.execute(BY_INDEX)
        yield connection


async def _named(connection: Connection, store: Store, found: Iterable[Reached]) -> list[Named]:
    found = list(found)
    keys = {key for one in found for key in (one.key, one.via)}
    places = {key: place for key in keys if (place := place_of(store, key)) is not None}
    spelled = await spellings(connection, places.values())
    spelled |= await range_links.spellings(connection, store, set(places.values()) - spelled.keys())
    names = {key: _name(store, key, places.get(key), spelled) for key in keys}
    return [Named(names[one.key], one.depth, one.relation, names[one.via], one.key) for one in found]


def _name(store: Store, key: str, place: Place | None, spelled: dict[Place, str]) -> str:
    """A handle as it is registered; of one that is not known here, its key."""
    prefix = None if place is None else store.prefixes.by_id(place[0])
    return key if place is None or prefix is None else f"{prefix.spelling}/{spelled.get(place, place[1])}"


def _after(cursor: str) -> tuple[int, str]:
    if not cursor:
        return 0, ""
    parts = _CURSOR.fullmatch(cursor)
    if parts is None:
        raise ProtocolFault("http.parameter", name="cursor", value=cursor[:40], rule="is none that this walk gave")
    return int(parts[1]), parts[2]
