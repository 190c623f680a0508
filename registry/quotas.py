"""Limits of an enterprise: how many handles, how many a minute, how many prefixes.

Each is looked at inside the transaction that it limits, so what goes over it is taken back with everything else. Only
enterprises that have a limit pay for one.
"""

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from registry.errors import TooManyHandles, TooManyPrefixes, TooManyRequests
from registry.prefix import Prefix

# Below the limit by more than this nobody waits for anybody: all writers together have no more under way.
NEAR: Final = 400_000

LIMITS: Final = "SELECT max_handles, max_rate FROM enterprise WHERE enterprise_id = $1"
# Whoever holds this row counts what all before him committed; the next one waits.
HOLD: Final = "SELECT max_prefixes FROM enterprise WHERE enterprise_id = $1 FOR NO KEY UPDATE"
HELD: Final = """
SELECT coalesce(sum(c.registered), 0)::bigint FROM prefix AS p JOIN handle_count AS c USING (prefix_id)
WHERE p.enterprise_id = $1
"""
PREFIXES: Final = "SELECT count(*) FROM prefix WHERE enterprise_id = $1"
SPEND: Final = """
INSERT INTO quota_use (enterprise_id, minute, used) VALUES ($1, $2, $3)
ON CONFLICT (enterprise_id, minute) DO UPDATE SET used = quota_use.used + excluded.used RETURNING used
"""
KEPT: Final = timedelta(hours=1)  # What was used in a minute matters in that minute.
TRIM: Final = "DELETE FROM quota_use WHERE minute < $1"

Connection = asyncpg.pool.PoolConnectionProxy


async def check_registered(connection: Connection, prefix: Prefix, at: datetime | None, registered: int = 0) -> None:
    """Refuses what this transaction has just registered under a prefix, when it goes over a limit.

    `at` is when so many were `registered` one by one; None for many at once, which the limit of a minute is not for.
    Raises TooManyHandles, TooManyRequests.
    """
    if not prefix.is_limited:
        return
    limits = await connection.fetchrow(LIMITS, prefix.enterprise_id)
    if limits is None:
        return
    if limits["max_handles"] is not None:
        await _check_handles(connection, prefix, limits["max_handles"])
    if at is not None and limits["max_rate"] is not None:
        used = await connection.fetchval(SPEND, prefix.enterprise_id, at.replace(second=0, microsecond=0), registered)
        if used > limits["max_rate"]:
            raise TooManyRequests("quota.rate", enterprise=prefix.enterprise, limit=limits["max_rate"])


async def check_prefixes(connection: Connection, enterprise_id: int, name: str) -> None:
    """Refuses one prefix more than an enterprise may have, counting the one just given. Raises TooManyPrefixes."""
    most = await connection.fetchval(HOLD, enterprise_id)
    if most is not None and await connection.fetchval(PREFIXES, enterprise_id) > most:
        raise TooManyPrefixes("quota.prefixes", enterprise=name, limit=most)


async def _check_handles(connection: Connection, prefix: Prefix, most: int) -> None:
    held = await connection.fetchval(HELD, prefix.enterprise_id)
    if held > most - NEAR and held <= most:
        await connection.execute(HOLD, prefix.enterprise_id)
        held = await connection.fetchval(HELD, prefix.enterprise_id)
    if held > most:
        raise TooManyHandles("quota.handles", enterprise=prefix.enterprise, limit=most)


async def trim(connection: Connection, now: datetime) -> None:
    """Takes out what was used in minutes that are over."""
    await connection.execute(TRIM, now - KEPT)
