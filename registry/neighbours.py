"""Names next to one that is not registered: what a reader may have meant.

Whoever asks for a name that is not there learns of others, so this is for prefixes whose names are no secret. It reads
the rows on both sides of the name's place in the order of keys: a few, however many there are.
"""

from typing import Final

from registry.handle import HandleKey
from registry.packing import unpack
from registry.store import Store

ROWS: Final = 12  # On each side of the place.
SIMILAR: Final = 6  # Names at most: a list that a person reads at once.

# Active and frozen handles. Rows are limited before they are judged: a stretch of a million deleted ones costs no more
# than one of a dozen.
NEAR: Final = """
SELECT suffix, coalesce(spelling, suffix) AS spelling, packed FROM (
  (SELECT suffix, spelling, packed, state FROM handle
   WHERE prefix_id = $1 AND suffix < $2 ORDER BY suffix DESC LIMIT $3)
  UNION ALL
  (SELECT suffix, spelling, packed, state FROM handle
   WHERE prefix_id = $1 AND suffix > $2 ORDER BY suffix LIMIT $3)
) AS near WHERE state IN (0, 3)
"""


async def neighbours(store: Store, key: HandleKey) -> list[str]:
    """Handles of the same prefix, spelled like this one, that show anything to the public; the most alike first.

    Raises DATABASE_AWAY.
    """
    place = store.place(key)
    if place is None:
        return []
    prefix, suffix = place
    async with store.connection() as connection:
        rows = await connection.fetch(NEAR, prefix.prefix_id, suffix, ROWS)
        every = await store.plain([row["packed"] for row in rows], connection)
    alike = [
        (likeness(suffix, row["suffix"]), f"{prefix.spelling}/{row['spelling']}")
        for row, packed in zip(rows, every, strict=True)
        if 2 * likeness(suffix, row["suffix"]) >= max(len(suffix), len(row["suffix"]))
        and any(value.is_public for value in unpack(packed, 0))
    ]
    return [handle for _, handle in sorted(alike, key=lambda one: (-one[0], one[1]))[:SIMILAR]]


def likeness(one: str, other: str) -> int:
    """Characters that two names begin with alike, and of the rest those that they end with alike."""
    begin = _alike(one, other)
    return begin + _alike(one[begin:][::-1], other[begin:][::-1])


def _alike(one: str, other: str) -> int:
    """Characters at the beginning of both."""
    for place, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return place
    return min(len(one), len(other))
