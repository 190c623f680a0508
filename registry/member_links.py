"""Who says something of a handle among the members of ranges that have no rows of their own.

`registry.edges.sayers` reads the rows of links, and these have none; both together are what is in a thing.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import aclosing
from typing import Final

from registry import filled_links, range_links
from registry.handle import HandleKey
from registry.range_links import Connection, MemberLink, key_of
from registry.relations import Relation
from registry.store import Store

MAX_FILLED: Final = 20_000  # Members for which one of the handles was filled in that are read: about a second.

# A range that all of a pallet are in may have a million members: handle by handle it ends with those that are wanted.
NAMED: Final = """
SELECT DISTINCT target FROM range_edge WHERE target = ANY ($1::text[]) AND relation = ANY ($2::smallint[])
"""

Links = dict[HandleKey, list[tuple[Relation, HandleKey]]]


async def members_saying(
    store: Store, keys: Iterable[HandleKey], follow: Collection[Relation], most: int, *, public: bool = True
) -> Links:
    """Members that say something of each of these handles, publicly or not, at most so many."""
    asked = {key.decode(errors="replace"): key for key in keys}
    async with store.connection() as connection, connection.transaction(readonly=True):
        for_all = await _read(connection, store, asked, follow, most, ())
        if public:
            return for_all
        every = await _read(connection, store, asked, follow, most, None)
    known = {key: frozenset(links) for key, links in for_all.items()}
    return {key: [one for one in links if one not in known.get(key, ())] for key, links in every.items()}


async def _read(
    connection: Connection,
    store: Store,
    asked: Mapping[str, HandleKey],
    follow: Collection[Relation],
    most: int,
    sight: tuple[int, ...] | None,
) -> Links:
    found: Links = defaultdict(list)

    async def take(links: AsyncGenerator[MemberLink, None], limit: int) -> None:
        taken = 0
        async for place, relation, target in links:
            if len(found[asked[target]]) < most:
                found[asked[target]].append((Relation(relation), key_of(store, place)))
            taken += 1
            if taken == limit:
                return

    relations = [int(relation) for relation in follow]
    for row in await connection.fetch(NAMED, list(asked), relations):
        async with aclosing(range_links.saying(connection, store, [row["target"]], [True], relations, sight)) as links:
            await take(links, most)
    own = [True] * len(asked)
    async with aclosing(filled_links.saying(connection, store, list(asked), own, relations, sight)) as links:
        await take(links, MAX_FILLED)
    return dict(found)
