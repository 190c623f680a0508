"""Hearing of changes: the change log is looked at again and again, and what it names is forgotten.

A reader that was cut off goes on from its last position and misses nothing. Where it cannot (another server or another
history answers, a crash may have taken back what was seen, the log is no longer kept that far) everything is forgotten.
The database must be the one that answers are read from: a change seen there is a row visible there.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic, time
from typing import Final

from registry.change_reading import ChangeReader
from registry.changes import ChangeKind, LoggedChange, Position, start
from registry.database import DATABASE_AWAY
from registry.errors import ServerBusy
from registry.feed import LAST, Cursor, history_number
from registry.start_errors import SchemaMismatch
from registry.store import Store
from registry.written import WritePosition, book_number
from resolver.cache import Cache
from resolver.metrics import Metrics
from resolver.resolution import Resolver

log = logging.getLogger(__name__)

LAST_RETRY: Final = 1.0  # Seconds between two tries to reach the database again, at most.
# Silence of the server after which the connection is given up: nothing tells a lost one from a slow one.
LOOK_TIMEOUT: Final = 5.0
# Seconds for which a question waits for the position that it names; a replica follows within milliseconds.
REACHING: Final = 5.0
MAX_WAITING: Final = 1_000  # Questions that wait for a position at a time: each is looked at after each look.
# Seconds for which what was kept is given on when another server answers, until that can be read from.
READABLE: Final = 3.0
READABLE_INTERVAL: Final = 0.02
LOG_MARGIN: Final = 600.0  # Seconds by which the log may have been cut sooner than its setting says.


class Follower:
    """Where one resolver stands in the change log."""

    def __init__(
        self,
        reader: ChangeReader,
        store: Store,
        resolver: Resolver,
        metrics: Metrics,
        kept: float,
        is_level: Callable[[], bool] = lambda: True,
    ) -> None:
        """`is_level`: whether the server that is looked at has what was written to the primary a moment ago."""
        self.position: Position | None = None
        self._reader = reader
        self._store = store
        self._resolver = resolver
        self._metrics = metrics
        self._kept = kept - LOG_MARGIN
        self._is_level = is_level
        self._server = ""
        self._looked_at = 0.0
        self._looked = asyncio.Event()
        self._waiting = 0

    async def open(self) -> None:
        """Connects, and keeps the position when it is still worth something. Raises DATABASE_AWAY, SchemaMismatch."""
        server = await self._reader.open()
        if server != self._server or time() - self._looked_at > self._kept:
            if self.position is not None:
                await self._until_readable()
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
        if self._is_level():
            self._resolver.heard()
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def reach(self, asked: WritePosition) -> None:
        """Returns when what was written there was heard, so that no answer is older. Raises ServerBusy."""
        if self._waiting >= MAX_WAITING:
            raise ServerBusy("server.queue")
        self._waiting += 1
        try:
            async with asyncio.timeout(REACHING):
                while not self._is_at(asked):
                    await self._looked.wait()
        except TimeoutError:
            raise ServerBusy("server.behind", seconds=int(REACHING)) from None
        finally:
            self._waiting -= 1

    def _is_at(self, asked: WritePosition) -> bool:
        if self.position is None or self.position_of(asked.transaction) != asked:
            return False
        return asked.transaction < self.position.oldest_running or asked.transaction in self.position.seen.values()

    def position_of(self, transaction: int) -> WritePosition | None:
        """Where a transaction of this book stands; None while the book is not known."""
        if not self._server:
            return None
        return WritePosition(transaction, book_number(self._server.split(" ", 1)[0]))

    def cursor(self) -> Cursor | None:
        """The place in the change feed before which everything was heard; None before anything was."""
        if self.position is None:
            return None
        history = " ".join(self._server.split()[:2])  # The server's name begins with that of its history.
        return Cursor(self.position.oldest_running - 1, LAST, int(self._looked_at), history_number(history))

    def give_up(self) -> None:
        """Forgets the position and every answer."""
        self.position = None
        self._resolver.deafen()

    async def _until_readable(self) -> None:
        """Old answers are given as long as nothing else can be: forgotten at once, their names would be refused."""
        ends = monotonic() + READABLE
        while self._resolver.fault and monotonic() < ends:  # noqa: ASYNC110  # reads are tried anew by others
            await asyncio.sleep(READABLE_INTERVAL)

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
