"""The change feed over HTTP: page by page, or as events that the server sends (CloudEvents; WHATWG HTML, section 9.2).

Whoever stores the cursor of the last event together with what he made of it loses nothing and hears nothing twice.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web

from registry import asked
from registry.callers import Callers
from registry.database import DATABASE_AWAY
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import ServerBusy
from registry.feed import MAX_EVENTS, Cursor, Feed, Page
from registry.prefix import Prefix
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store

MAX_STREAMS: Final = 64  # At once: each looks at the log once an interval, over a connection that it gives back.
INTERVAL: Final = 0.5  # Seconds between two looks for a stream that has heard everything.
HEARTBEAT: Final = 15.0  # Seconds of silence after which a comment is sent: proxies cut what says nothing.
LONGEST: Final = 3600.0  # Seconds of a stream: it ends and is asked for again, so that lost rights are noticed.

EVENT_STREAM: Final = "text/event-stream"


class PageForm(msgspec.Struct):
    """Events in order, where to go on, and whether there are more already; and for who keeps answers: how far the feed
    reaches, and the position to ask a resolver for (see `registry.feed.Page`)."""

    cursor: str
    more: bool
    events: list[dict[str, Any]]
    shown: str
    begun: str
    position: str


class FeedHandlers:
    """Handlers of /api/changes."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._feed = Feed(store)
        self._streams = 0

    def route(self) -> Route:
        return Route(
            "GET",
            "/api/changes",
            self.show,
            "changes",
            "What becomes of the handles of a prefix, in order and with nothing left out, as CloudEvents.",
            "按顺序、无遗漏地获取某前缀下标识的变更（CloudEvents）。",
            (
                Parameter(
                    "prefix",
                    "Only this prefix; administrators of a prefix must name theirs.",
                    "只返回该前缀的变更；企业管理员须填写自己的前缀。",
                ),
                Parameter(
                    "cursor",
                    "Of the last event heard, or 'oldest' or 'now'; a stream takes Last-Event-ID instead.",
                    "上一事件的游标，或 oldest、now；事件流使用 Last-Event-ID。",
                ),
                Parameter(
                    "limit",
                    f"Events of a page, at most {MAX_EVENTS}.",
                    f"每页事件数，最多 {MAX_EVENTS}。",
                    {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS},
                ),
                LANGUAGE_PARAMETER,
            ),
            responses=dict.fromkeys((400, 401, 403, 404, 503), "application/problem+json")
            | {200: f"application/json, {EVENT_STREAM}"},
            authenticated=True,
            answers={200: PageForm},
        )

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix = await asked.prefix(request, self._callers, self._rights)
        limit = asked.number(request, "limit", MAX_EVENTS) or MAX_EVENTS
        if EVENT_STREAM in request.headers.get("Accept", ""):
            begin = request.headers.get("Last-Event-ID") or request.query.get("cursor", "now")
            return await self._stream(request, await self._feed.cursor(begin), prefix)
        page = await self._feed.read(await self._feed.cursor(request.query.get("cursor", "oldest")), prefix, limit)
        form = {
            "cursor": str(page.cursor),
            "more": page.more,
            "events": [event.form for event in page.events],
            "shown": str(page.shown),
            "begun": str(page.begun),
            "position": str(page.position),
        }
        return asked.json_answer(form)

    async def _stream(self, request: web.Request, cursor: Cursor, prefix: Prefix | None) -> web.StreamResponse:
        with self._place():
            page = await self._feed.read(cursor, prefix)  # A cursor that is over is refused before anything is sent.
            response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"})
            await response.prepare(request)
            with suppress(TimeoutError, *DATABASE_AWAY):  # Whoever is cut off goes on from his last event.
                await asyncio.wait_for(self._send(response, page, prefix), LONGEST)
            return response

    async def _send(self, response: web.StreamResponse, page: Page, prefix: Prefix | None) -> None:
        silent = HEARTBEAT
        while True:
            octets = b"".join(
                b"id: %b\nevent: %b\ndata: %b\n\n"
                % (str(event.cursor).encode(), event.form["type"].encode(), orjson.dumps(event.form))
                for event in page.events
            )
            silent += INTERVAL
            if not octets and silent >= HEARTBEAT:
                octets = b": %b\n\n" % str(page.cursor).encode()
            if octets:
                silent = 0.0
                await response.write(octets)
            if not page.more:
                await asyncio.sleep(INTERVAL)
            page = await self._feed.read(page.cursor, prefix)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._streams >= MAX_STREAMS:
            raise ServerBusy("server.busy")
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1
