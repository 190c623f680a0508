"""Hearing of changes: the change log is looked at again and again, and what it names is forgotten.

A reader that was cut off goes on from its last position and misses nothing. Where it cannot (another server or another
history answers, a crash may have taken back what was seen, the log is no longer kept that far) everything is forgotten.
The database must be the one that answers are read from: a change seen there is a row visible there.
"""

import asyncio
import logging
from time import monotonic, time
from typing import Final

from registry.changes import ChangeKind, LoggedChange, Position, start
from registry.database import DATABASE_AWAY
from registry.feed import LAST, Cursor, history_number
from registry.start_errors import SchemaMismatch
from registry.store import ChangeReader, Store
from resolver.cache import Cache
from resolver.metrics import Metrics
from resolver.resolution import Resolver

log = logging.getLogger(__name__)

LAST_RETRY: Final = 1.0  # Seconds between two tries to reach the database again, at most.
# Silence of the server after which the connection is given up: nothing tells a lost one from a slow one.
LOOK_TIMEOUT: Final = 5.0
LOG_MARGIN: Final = 600.0  # Seconds by which the log may have been cut sooner than its setting says.


class Follower:
    """Where one resolver stands in the change log."""

    def __init__(self, reader: ChangeReader, store: Store, resolver: Resolver, metrics: Metrics, kept: float) -> None:
        self.position: Position | None = None
        self._reader = reader
        self._store = store
        self._resolver = resolver
        self._metrics = metrics
        self._kept = kept - LOG_MARGIN
        self._server = ""
        self._looked_at = 0.0

    async def open(self) -> None:
        """Connects, and keeps the position when it is still worth something. Raises DATABASE_AWAY, SchemaMismatch."""
        server = await self._reader.open()
        if server != self._server or time() - self._looked_at > self._kept:
            if self.position is not None:
                log.warning("the change log cannot be followed on (%s); everything is forgotten", server)
            self.give_up()
            self._server = server
        if self.position is None:
            await self._begin()

    async def look(self) -> None:
        """Hears what is new, and forgets what it names. Raises DATABASE_AWAY."""
        assert self.position is not None
        look = await self._reader.look(self.position.snapshot)
        unseen = self.position.unseen(look)
        if any(logged.change.kind >= ChangeKind.PREFIX for logged in unseen):
            # Before anything is forgotten: an answer made from the old table would be kept.
            await self._store.load_prefixes()
        self.position.advance(look)
        if unseen:
            self._forget(unseen)
        self._looked_at = time()  # as the log's own times, and it counts sleep
        self._resolver.heard()

    def cursor(self) -> Cursor | None:
        """The place in the change feed before which everything was heard; None before anything was."""
        if self.position is None:
            return None
        oldest_running = int(self.position.snapshot.partition(":")[0])
        history = " ".join(self._server.split()[:2])  # The server's name begins with that of its history.
        return Cursor(oldest_running - 1, LAST, int(self._looked_at), history_number(history))

    def give_up(self) -> None:
        """Forgets the position and every answer."""
        self.position = None
        self._resolver.deafen()

    async def _begin(self) -> None:
        # The position first: what is read and kept from here on is younger than it.
        look = await self._reader.first_look()
        await self._store.open()
        self.position = start(look)
        self._looked_at = time()  # as the log's own times, and it counts sleep
        self._resolver.deafen()
        self._resolver.heard()

    def _forget(self, unseen: list[LoggedChange]) -> None:
        self._resolver.forget_all([logged.change for logged in unseen])
        self._metrics.counts.changes += len(unseen)
        now = time()
        for logged in unseen:
            self._metrics.heard.observe(max(0.0, now - logged.written_at))


async def follow_changes(follower: Follower, interval: float, stale_limit: float) -> None:
    """Looks at the log every `interval` seconds until cancelled; copes with a database that is away for any time."""
    silent_since = monotonic()
    pause = interval
    while True:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT * 2):
                await follower.open()
            pause = interval
            while True:
                async with asyncio.timeout(LOOK_TIMEOUT):
                    await follower.look()
                silent_since = monotonic()
                await asyncio.sleep(interval)
        except (*DATABASE_AWAY, SchemaMismatch) as error:
            log.log(logging.WARNING if pause == interval else logging.DEBUG, "changes cannot be heard: %r", error)
        if follower.position is not None and monotonic() - silent_since > stale_limit:
            log.warning("no change was heard for %s seconds: everything is forgotten", stale_limit)
            follower.give_up()
        await asyncio.sleep(pause)
        pause = min(pause * 2, LAST_RETRY)


async def sweep(cache: Cache) -> None:
    """Keeps the cache's memory of changed ranges short, in slices between which the loop runs."""
    while True:
        if cache.sweeping:
            cache.sweep()
            await asyncio.sleep(0.001)
        else:
            await asyncio.sleep(0.1)
