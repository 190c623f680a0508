"""What stands in an edge in the place of the change log: the change feed of the upstream, page by page.

The feed shows a change once no transaction that could stand before it is running. So a page that shows nothing new does
not say that nothing was changed: the edge knows all that was committed before it asked for a page as soon as a later
page shows every transaction that had begun by then. How long ago that was is how old its answers may be.
"""

import logging
from collections import deque
from time import monotonic, time
from typing import Final

from registry.change_reading import ChangeReader
from registry.changes import LoggedChange, Look
from resolver.edge.book import EdgeBook
from resolver.edge.interface import FeedPage, FeedRefused

log = logging.getLogger(__name__)

# Looks that wait for a long transaction: half an hour of them; then every other one goes.
PENDING: Final = 4096


class FeedReader(ChangeReader):
    """Looks at the feed. `complete_at` is the moment of `monotonic` before which everything was heard."""

    def __init__(self, book: EdgeBook) -> None:
        super().__init__(book.program, book)
        self.complete_at = float("-inf")
        self._book = book
        self._pending: deque[tuple[float, int]] = deque()
        self._lost = 0  # How often our place in the feed was lost.
        self._number = 0  # Of the last change: the feed tells each of them once.

    async def open(self) -> str:
        return f"feed {self._lost}"

    async def close(self) -> None:
        pass

    async def first_look(self) -> Look:
        self._pending.clear()
        self.complete_at = float("-inf")
        return self._look(await self._page("now"))

    async def look(self, snapshot: str) -> Look:
        return self._look(await self._page(snapshot.partition(":")[2]))

    async def _page(self, cursor: str) -> FeedPage:
        asked_at = monotonic()
        try:
            page = await self._book.interface.changes(cursor)
        except FeedRefused as refused:
            self._lost += 1
            raise ConnectionAbortedError(f"our place in the change feed is lost: {refused}") from None
        self._pending.append((asked_at, page.begun))
        if len(self._pending) > PENDING:
            self._pending = deque(list(self._pending)[::2])
        while not page.more and self._pending and self._pending[0][1] <= page.shown:
            self.complete_at, _ = self._pending.popleft()
        return page

    def _look(self, page: FeedPage) -> Look:
        self._book.position = page.position
        changes = []
        for change in page.changes:
            self._number += 1
            changes.append(LoggedChange(self._number, 0, time(), change))
        # No transaction is looked at twice: where the place is, the feed knows.
        behind = int(page.cursor.partition("-")[0]) + 1
        return Look(f"{behind}:{page.cursor}", behind, tuple(changes))
