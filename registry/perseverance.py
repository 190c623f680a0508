"""Writes that outlast a change of the primary: begun at one server, made at the next, and made once.

What was begun and not committed is begun again by whoever serves the request. A COMMIT that nobody answered is looked
for in the change log of the next primary: the number and the time of its row belong to one transaction alone. Where it
cannot be looked for, the request fails as it did before, and is safe to send again under an Idempotency-Key.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Final, TypeVar

import asyncpg

from registry.database import DATABASE_AWAY
from registry.setting_rules import hosts_of
from registry.written import Noted, noting

log = logging.getLogger(__name__)

# Seconds for another server to lead. A planned switch-over takes two to four; proxies wait for an answer for 30
# (deploy/haproxy.cfg), and many programs for less. Of a leader that dies nothing is known for 20: that is waited for by
# whoever sends again.
PATIENCE: Final = 10.0
PAUSE: Final = 0.1  # Seconds between two tries; each looks for the primary among all servers.
MAX_WAITING: Final = 1000  # Requests at a time: each holds its body in memory.

# How a server ends that is told to, and what is there until another leads. No time-outs: whoever says nothing may
# still be at it, and what was too slow is not made faster by being asked again.
LOST: Final = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,
)
# One that was lost with its server has no number here, or another's; the asker's own is beyond all that run.
RUNNING: Final = """
SELECT NOT pg_visible_in_snapshot($1::text::xid8, s) AND $1::text::xid8 < pg_current_xact_id()
FROM pg_current_snapshot() AS s
"""
# The lock is a write: a standby refuses it, and it is acknowledged once it is as safe as what it finds.
FIND: Final = "SELECT true FROM change_log WHERE xid = $1::text::xid8 AND at = $2 FOR KEY SHARE"

Made = TypeVar("Made")
Connect = Callable[[], AbstractAsyncContextManager[asyncpg.pool.PoolConnectionProxy]]


class Perseverance:
    """Of writes to the primary among the servers of a DSN; with one server there is none."""

    def __init__(self, dsn: str, patience: float = PATIENCE) -> None:
        self._patience = patience if hosts_of(dsn) else 0.0
        self._waiting = 0

    async def make(self, write: Callable[[], Awaitable[Made]], *, is_safe: bool = False) -> Made:
        """Makes a write, again where its server was lost before anything was in the book; one that `is_safe` to be made
        twice, whatever is; within another it is a part of that. What is written outside of `Store.transaction` must
        say the same when it is made twice."""
        with noting() as noted:
            if not self._patience or noted.until:
                return await write()
            noted.until = monotonic() + self._patience
            try:
                return await self._make(write, noted, is_safe=is_safe)
            finally:
                noted.until = 0.0

    async def _make(self, write: Callable[[], Awaitable[Made]], noted: Noted, *, is_safe: bool) -> Made:
        while True:
            try:
                return await write()
            except LOST as lost:
                if (noted.is_final and not is_safe) or not self._may_wait(noted):
                    raise
                log.debug("a write waits for another primary: %r", lost)
            await self._pause()
            noted.begin()

    async def is_committed(self, noted: Noted, connect: Connect) -> bool:
        """Whether a transaction is in the book whose COMMIT was sent; False, too, when that cannot be found out."""
        noted.is_final = True
        while noted.logged is not None and self._may_wait(noted):
            try:
                async with connect() as connection:
                    transaction, at = str(noted.logged[0]), noted.logged[1]
                    # In this order: what ends between the two is found.
                    if not await connection.fetchval(RUNNING, transaction):
                        noted.is_final = bool(await connection.fetchval(FIND, transaction, at))
                        return noted.is_final
            except DATABASE_AWAY as away:
                log.debug("a commit cannot be looked for yet: %r", away)
            await self._pause()
        return False

    def _may_wait(self, noted: Noted) -> bool:
        return self._waiting < MAX_WAITING and monotonic() + PAUSE < noted.until

    async def _pause(self) -> None:
        self._waiting += 1
        try:
            await asyncio.sleep(PAUSE)
        finally:
            self._waiting -= 1
