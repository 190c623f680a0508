"""Handles that name another one, for everybody to read: packed in it, made from it, or of it by a searchable value.

That a handle is read by anybody does not mean that anybody may find it: whoever asks shows these only where the names
of their prefixes are no secret.
"""

from collections.abc import Callable, Sequence
from typing import Final

from registry.handle import HandleKey
from registry.packing import unpack
from registry.prefix import Prefix
from registry.relations import Relation
from registry.search_keys import is_found_by, search_key
from registry.store import Store

MAX_REFERRING: Final = 200  # Of one handle: a truck's pallets and a pallet's cakes, not the 100,000 cakes of a batch.

# Of handles that are resolved: active and frozen ones.
REFERRING: Final = """
SELECT e.relation, e.prefix_id, coalesce(h.spelling, h.suffix) AS spelling
FROM edge AS e JOIN handle AS h ON h.prefix_id = e.prefix_id AND h.suffix = e.suffix
WHERE e.target = $1 AND e.public AND h.state IN (0, 3)
ORDER BY e.relation, e.prefix_id, e.suffix LIMIT $2
"""
# Sums are found by their index alone: for the sake of the limit the planner would rather walk a whole prefix, which is
# quick where many are found and takes minutes where none is.
BY_SUMS: Final = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off"
# The rows are limited before they are put in order: of a batch of 100,000 cakes, no more than a page shows are read.
NAMING: Final = """
SELECT prefix_id, coalesce(spelling, suffix) AS spelling, packed FROM handle
WHERE keys @? $1::jsonpath AND prefix_id + 0 = ANY($2) AND state IN (0, 3) LIMIT $3
"""


async def referring(store: Store, key: HandleKey, may_show: Callable[[Prefix], bool]) -> list[tuple[str, str]]:
    """By relation and in order of key, MAX_REFERRING at most. Raises DATABASE_AWAY."""
    async with store.connection() as connection:
        rows = await connection.fetch(REFERRING, key.decode("utf-8", "replace"), MAX_REFERRING)
    found = []
    for row in rows:
        prefix = store.prefixes.by_id(row["prefix_id"])
        if prefix is not None and may_show(prefix):
            found.append((Relation(row["relation"]).name, f"{prefix.spelling}/{row['spelling']}"))
    return found


async def naming(store: Store, prefixes: Sequence[Prefix], value_type: str, handle: str) -> list[str]:
    """Handles of these prefixes whose public values of a searchable type name this handle, MAX_REFERRING at most.

    Raises DATABASE_AWAY.
    """
    data = handle.encode()
    sums = " || ".join(f'@ == "{search_key(prefix.key, value_type, data)}"' for prefix in prefixes)
    numbers = [prefix.prefix_id for prefix in prefixes]
    async with store.connection() as connection, connection.transaction():
        await connection.execute(BY_SUMS)
        rows = await connection.fetch(NAMING, f"$[*] ? ({sums})", numbers, MAX_REFERRING)
        every = await store.plain([row["packed"] for row in rows], connection)
    spellings = {prefix.prefix_id: prefix.spelling for prefix in prefixes}
    return sorted(
        f"{spellings[row['prefix_id']]}/{row['spelling']}"
        for row, packed in zip(rows, every, strict=True)
        if any(
            value.type == value_type and is_found_by(value.data, data) and value.is_public
            for value in unpack(packed, 0)
        )
    )
