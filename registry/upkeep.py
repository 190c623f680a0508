"""What the registry does by itself: it looks whether the database is there, ends handles whose time is over, chains the
audit log, and takes out what is over.

The change log is kept as long as a resolver may be away and still catch up, and longer where a webhook has not heard of
all of it; sessions are kept until they end,
minutes of the statistics until nobody looks at them any more.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

from registry import promises, quotas, receipts, webhooks
from registry.audit import seal
from registry.database import DATABASE_AWAY
from registry.sessions import Sessions
from registry.start_errors import SchemaMismatch
from registry.states import expire
from registry.statistics import Statistics
from registry.store import Store
from registry.tokens import Tokens
from registry.webhooks import Webhooks

log = logging.getLogger(__name__)

Unready = Callable[[], list[tuple[str, Mapping[str, Any]]]]

LOOK_INTERVAL: Final = 2.0  # Seconds between two looks at the database.
TRIM_INTERVAL: Final = 3600.0  # Seconds between two trimmings.
# Kept beyond what the settings say: a resolver that comes back just in time must not find the log trimmed just before.
SPARE_HOURS: Final = 1
TRIMMED_AT_ONCE: Final = 10_000  # Rows of one DELETE: its locks and its log stay small.

# From the oldest on, in the order of the primary key; rows of one transaction were written within seconds.
TRIM: Final = """
DELETE FROM change_log WHERE (xid, seq) IN
  (SELECT xid, seq FROM change_log WHERE at < $1 ORDER BY xid, seq LIMIT $2)
"""


class Upkeep:
    """Runs beside the interface. Its store is opened here, as soon as that succeeds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fault: tuple[str, Mapping[str, Any]] | None = ("starting", {})
        self._trimmed_at: float | None = None

    def unready(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Why the registry is not ready: rules of the status port and their culprits; nothing when it is."""
        return [] if self._fault is None else [self._fault]

    async def run(self) -> None:
        while True:
            fault = await self._look()
            if fault != self._fault and fault is not None:
                log.warning("the registry is not ready: %s", fault[1].get("detail", fault[0]))
            self._fault = fault
            await asyncio.sleep(LOOK_INTERVAL)

    async def trim(self) -> int:
        """Takes out changes older than the settings say, receipts and sessions that are over, and counts, probes and
        dead letters of long ago; says how many changes."""
        oldest = await self._oldest_kept(datetime.now(UTC) - timedelta(hours=SPARE_HOURS))
        trimmed = 0
        while True:
            async with self._store.connection() as connection:
                status = await connection.execute(TRIM, oldest, TRIMMED_AT_ONCE)
            trimmed += (deleted := int(status.rpartition(" ")[2]))
            if deleted < TRIMMED_AT_ONCE:
                break
        async with self._store.connection() as connection:
            await receipts.trim(connection)
            await quotas.trim(connection, datetime.now(UTC))
            await webhooks.trim(connection)
            await promises.trim(connection, datetime.now(UTC))
        await Sessions(self._store).purge()
        await Tokens(self._store).purge()
        await Statistics(self._store).trim(datetime.now(UTC))
        await Webhooks(self._store).seal_plain()
        return trimmed

    async def _oldest_kept(self, now: datetime) -> datetime:
        """Since when changes are kept: for the hours of the settings, and for webhooks that have not heard of them."""
        oldest = now - timedelta(hours=self._store.settings.change_log_hours)
        async with self._store.connection() as connection:
            heard = await webhooks.last_heard(connection)
        return oldest if heard is None else min(oldest, max(heard, now - webhooks.held(self._store)))

    async def _look(self) -> tuple[str, Mapping[str, Any]] | None:
        try:
            if self._fault is not None:
                await self._store.open()
            else:
                await self._store.load_prefixes()
            await seal(self._store)
            await expire(self._store)
            if self._trimmed_at is None or monotonic() - self._trimmed_at > TRIM_INTERVAL:
                self._trimmed_at = monotonic()
                trimmed = await self.trim()
                log.debug("%d changes were taken out of the log", trimmed)
        except SchemaMismatch as error:
            return "schema", {"detail": str(error)}
        except DATABASE_AWAY as error:
            return "database", {"detail": f"the database cannot be reached: {error or type(error).__name__}"}
        return None
