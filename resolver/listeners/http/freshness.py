"""Reading one's own writes, at any node: positions in the change log in the headers of requests and answers.

An answer to a write says in X-Filament-Position where in the change log it stands. A question with that header is
answered when everything up to there has been heard, so with that write or what came after it; where that takes too
long, which a position of another book always does, the answer is 503.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from registry.written import POSITION, WritePosition, noting

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Freshness:
    """Serves requests no earlier than they ask for, and says when those that write were written."""

    def __init__(
        self,
        position_of: Callable[[int], WritePosition | None],
        reach: Callable[[WritePosition], Awaitable[None]],
    ) -> None:
        """Told where a transaction stands, and how to wait until a position was heard."""
        self._position_of = position_of
        self._reach = reach

    async def serve(self, request: web.Request, serve: Serve) -> web.StreamResponse:
        """Raises ServerBusy, ProtocolFault and what `serve` raises."""
        asked = request.headers.get(POSITION)
        if asked is not None:
            await self._reach(WritePosition.from_text(asked))
        if request.method in READING:
            return await serve(request)
        with noting() as noted:
            response = await serve(request)
        position = self._position_of(noted.transaction) if noted.transaction else None
        if position is not None and not response.prepared:
            response.headers[POSITION] = str(position)
        return response
