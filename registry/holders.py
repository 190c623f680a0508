"""Handles that are held by another enterprise than that of their prefix, since both agreed to it.

Their HS_ADMIN values say so to whoever writes singly. Whoever loads a file is asked about prefixes only, so he is held
to this table.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg

from registry.errors import InsufficientPermission
from registry.spellings import Place

Connection = asyncpg.pool.PoolConnectionProxy

ANY: Final = "SELECT EXISTS (SELECT FROM transferred WHERE prefix_id = ANY ($1::int[]))"
AMONG: Final = """
SELECT t.prefix_id, t.suffix, t.holder_id
FROM unnest($1::int[], $2::text[]) AS asked (prefix_id, suffix)
JOIN transferred AS t ON t.prefix_id = asked.prefix_id AND t.suffix = asked.suffix
"""
HOLD: Final = """
INSERT INTO transferred (prefix_id, suffix, holder_id) SELECT $1, unnest($2::text[]), $3
ON CONFLICT (prefix_id, suffix) DO UPDATE SET holder_id = excluded.holder_id
"""
RETURN: Final = "DELETE FROM transferred WHERE prefix_id = $1 AND suffix = ANY ($2::text[])"


class HeldByOthers(InsufficientPermission):
    """Handles that a file may not change; `places` are theirs."""

    def __init__(self, places: frozenset[Place]) -> None:
        super().__init__("transfer.held")
        self.places = places


async def holders(connection: Connection, prefix_ids: Sequence[int], suffixes: Sequence[str]) -> dict[Place, int]:
    """Of those that are held by others, the prefix of who holds them."""
    if not await connection.fetchval(ANY, list(set(prefix_ids))):
        return {}
    rows = await connection.fetch(AMONG, prefix_ids, suffixes)
    return {(row["prefix_id"], row["suffix"]): row["holder_id"] for row in rows}


async def check_free(connection: Connection, prefix_ids: Sequence[int], suffixes: Sequence[str]) -> None:
    """Raises HeldByOthers."""
    if held := await holders(connection, prefix_ids, suffixes):
        raise HeldByOthers(frozenset(held))


async def hold(connection: Connection, prefix_id: int, suffixes: Sequence[str], holder_id: int) -> None:
    """Writes down who holds these handles of a prefix from now on."""
    if holder_id == prefix_id:
        await connection.execute(RETURN, prefix_id, suffixes)
    else:
        await connection.execute(HOLD, prefix_id, suffixes, holder_id)
