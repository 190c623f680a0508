"""Handles that say of another one, for everybody to read, that they are part of it, made from it, packed in it, on it.

That a handle is read by anybody does not mean that anybody may find it: whoever asks shows these only where the names
of their prefixes are no secret.
"""

from collections.abc import Callable
from typing import Final

from registry.handle import HandleKey
from registry.prefix import Prefix
from registry.relations import Relation
from registry.store import Store

MAX_REFERRING: Final = 200  # Of one handle: a truck's pallets and a pallet's cakes, not the 100,000 cakes of a batch.

# Of handles that are resolved: active and frozen ones.
REFERRING: Final = """
SELECT e.relation, e.prefix_id, coalesce(h.spelling, h.suffix) AS spelling
FROM edge AS e JOIN handle AS h ON h.prefix_id = e.prefix_id AND h.suffix = e.suffix
WHERE e.target = $1 AND e.public AND h.state IN (0, 3)
ORDER BY e.relation, e.prefix_id, e.suffix LIMIT $2
"""


async def referring(store: Store, key: HandleKey, may_show: Callable[[Prefix], bool]) -> list[tuple[Relation, str]]:
    """By relation and in order of key, MAX_REFERRING at most. Raises DATABASE_AWAY."""
    async with store.connection() as connection:
        rows = await connection.fetch(REFERRING, key.decode("utf-8", "replace"), MAX_REFERRING)
    found = []
    for row in rows:
        prefix = store.prefixes.by_id(row["prefix_id"])
        if prefix is not None and may_show(prefix):
            found.append((Relation(row["relation"]), f"{prefix.spelling}/{row['spelling']}"))
    return found
