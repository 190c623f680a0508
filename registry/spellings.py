"""How handles were spelled when they were registered: a key alone would show them in capitals."""

from collections.abc import Collection
from typing import Final

from registry.dictionaries import Connection

SPELLINGS: Final = """
SELECT h.prefix_id, h.suffix, h.spelling
FROM unnest($1::int[], $2::text[]) AS asked (prefix_id, suffix)
JOIN handle AS h ON h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix
WHERE h.spelling IS NOT NULL
"""

Place = tuple[int, str]
"""A handle of this book: the number of its prefix and the key of its suffix."""


async def spellings(connection: Connection, places: Collection[Place]) -> dict[Place, str]:
    """Of those that are spelled in another way than their key."""
    if not places:
        return {}
    columns = [prefix_id for prefix_id, _ in places], [suffix for _, suffix in places]
    return {(row["prefix_id"], row["suffix"]): row["spelling"] for row in await connection.fetch(SPELLINGS, *columns)}
