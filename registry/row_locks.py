"""Rows of several handles, held until the end of a transaction.

Postgres holds the rows that a statement finds. Citus, where the rows of handles lie on several servers, holds only
rows that are asked for one by one, each by the column that says where it lies: there they are found, held in the order
in which they were found, and found once more, for whoever held them before may have changed them.
"""

from collections.abc import Callable
from typing import Any, Final

import asyncpg

from registry.spellings import Place

IS_DISTRIBUTED: Final = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
HOLD_ONE: Final = "SELECT FROM handle WHERE prefix_id = $1 AND suffix = $2 FOR UPDATE"

Connection = asyncpg.pool.PoolConnectionProxy


async def is_distributed(connection: Connection) -> bool:
    """Whether the database is one of Citus."""
    return bool(await connection.fetchval(IS_DISTRIBUTED))


async def fetch_locked(
    connection: Connection, locking: str, reading: str, place: Callable[[asyncpg.Record], Place], *arguments: Any
) -> list[asyncpg.Record]:
    """The rows that `locking` finds and holds; `reading` is the same without FOR UPDATE, and `place` says where a row
    of it is kept."""
    if not await is_distributed(connection):
        return list(await connection.fetch(locking, *arguments))
    held: set[Place] = set()
    while True:
        found = await connection.fetch(reading, *arguments)
        fresh = [where for row in found if (where := place(row)) not in held]
        if not fresh:
            return list(found)
        await connection.executemany(HOLD_ONE, fresh)
        held.update(fresh)
