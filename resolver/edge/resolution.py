"""How an edge answers: with what it keeps, as long as it is known how old that may be."""

from collections.abc import Sequence
from typing import Any

from registry.errors import HandleError
from registry.handle import HandleKey
from resolver.answer import Answer
from resolver.edge.book import EdgeBook
from resolver.edge.feed import FeedReader
from resolver.resolution import NEVER, Resolver


class EdgeResolver(Resolver):
    """Answers for keys. What is to be read from the book itself is elsewhere."""

    def __init__(self, book: EdgeBook, reader: FeedReader, *arguments: Any, stale_limit: float, **named: Any) -> None:
        super().__init__(book, *arguments, **named)
        self._book = book
        self._reader = reader
        self._stale_limit = stale_limit

    def heard(self) -> None:
        """Not all may have been told up to now: what was, the reader knows."""
        now = self._clock()
        self._cache.advance(now)
        if now - self._reader.complete_at <= self._stale_limit:
            self._heard_at = self._reader.complete_at
        elif self._heard_at != NEVER:
            self.deafen()

    async def resolve_authoritative(self, key: HandleKey) -> Answer:
        raise self._book.elsewhere()

    async def resolve_many_authoritative(self, keys: Sequence[HandleKey]) -> list[Answer | HandleError]:
        raise self._book.elsewhere()
