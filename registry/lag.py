"""How far the server that is read from is behind the one that is written to.

A standby that is cut off from its primary goes on answering, and its own log says nothing of what it misses. So the
primary is asked again and again how far it is, and what the standby has replayed is held against that.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

import asyncpg

from registry.database import DATABASE_AWAY, reading
from registry.nearest import Reader
from registry.servers import Primary
from registry.store import Store

log = logging.getLogger(__name__)

POSITION: Final = "SELECT pg_current_wal_lsn()::text"
# NULL on a server that is a standby of nothing, and has nothing to replay.
REPLAYED: Final = """
SELECT NOT pg_is_in_recovery() OR coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false) AS is_level
"""
INTERVAL: Final = 0.5  # Seconds between two questions to the primary: one statement that reads nothing.
LOOK: Final = 0.02  # Seconds between two looks whether its position is reached.
BEHIND: Final = 1.5  # Seconds; a standby in order is milliseconds behind, and the question itself takes INTERVAL.
PATIENCE: Final = 3.0  # Seconds for both servers to answer, once there are connections.


class Lag:
    """`run` must be running where reads are apart from writes; elsewhere a server is never behind itself."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._program = f"{store.program} lag"
        self._replica = Reader(store.nearest, self._program)
        self._primary = Primary(store.settings.dsn)
        self._connection: asyncpg.Connection | None = None
        self._level_at = clock()

    @property
    def is_small(self) -> bool:
        """Whether the server that is read from had, BEHIND seconds ago at most, all that had been written."""
        return not self._store.nearest.is_apart or self._clock() - self._level_at <= BEHIND

    async def run(self) -> None:
        """Until cancelled; ends at once where there is nothing to measure."""
        was_small = True
        while self._store.nearest.is_apart:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._primary.connect(**reading(self._store.settings, self._program))
                async with asyncio.timeout(PATIENCE):
                    await self._measure(self._connection)
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                log.debug("the lag of the server that is read from is not known: %r", error)
                await self.close()
            if self.is_small != was_small:
                was_small = self.is_small
                log.warning(
                    "the server that is read from %s", "is level again" if was_small else "is behind or cut off"
                )
            await asyncio.sleep(INTERVAL)

    async def _measure(self, primary: asyncpg.Connection) -> None:
        asked_at = self._clock()
        position = await primary.fetchval(POSITION)
        while not (await self._replica.fetch(REPLAYED, position))[0]["is_level"]:  # noqa: ASYNC110  # by Postgres
            await asyncio.sleep(LOOK)
        self._level_at = asked_at

    async def close(self) -> None:
        await self._replica.close()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.terminate()
