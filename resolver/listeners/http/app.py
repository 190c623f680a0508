"""The HTTP listener put together: from a request to the route that serves it, and from a refusal to its answer.

There is no application object and there are no middlewares: every request costs one look-up in the table of routes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from heapq import nsmallest
from time import monotonic
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict

from registry.database import DATABASE_AWAY, refusal_of
from registry.errors import AuthenticationNeeded, HandleElsewhere, HandleError, ProtocolFault
from registry.handle import HandleKey
from registry.handle_scheme import UnknownSession
from registry.routes import Route, Router, raw_path
from registry.spans import are_wanted, asked_by
from registry.tokens import INVALID_TOKEN
from resolver.listeners.http.asking import ALLOWANCE
from resolver.listeners.http.authorization import BASIC_CHALLENGE, READING, Authorization
from resolver.listeners.http.connection import Connection
from resolver.listeners.http.elsewhere import leads_on
from resolver.listeners.http.freshness import Freshness
from resolver.listeners.http.link_answers import OPEN_HEADERS, opening_headers
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.ready import ReadyAnswers
from resolver.listeners.http.ready_connection import ReadyConnection
from resolver.listeners.http.ready_links import ReadyLinks
from resolver.listeners.http.responses import ASKED, BASE_HEADERS, FOUND, METHODS, SERVER, open_to_scripts, refusal
from resolver.listeners.http.routes import routes
from resolver.listeners.http.target import Destinations
from resolver.listeners.http.trial import misfit
from resolver.settings import ResolverSettings
from resolver.tally import Protocol, Tally

log = logging.getLogger(__name__)

API: Final = "/api/"
REFUSED: Final = 400  # The first status of those that refuse.
CROWDED_OUT: Final = 64  # The longest idle connections, which give way together when there are too many.


class Dispatcher:
    """Serves requests from the table of routes. What is under /api/ is never left to the proxy."""

    def __init__(
        self,
        table: Sequence[Route],
        authorization: Authorization,
        freshness: Freshness,
        observe: Callable[[float], None],
        tally: Tally,
        elsewhere: Callable[[], HandleElsewhere] | None = None,
    ) -> None:
        """`observe` is told the seconds that each request took; `elsewhere` is where an edge's upstream is."""
        self._elsewhere = elsewhere
        self._api = Router([route for route in table if route.path.startswith(API)])
        self._other = Router([route for route in table if not route.path.startswith(API)])
        self._authorization = authorization
        self._freshness = freshness
        self._observe = observe
        self._tally = tally
        self.retiring = False  # Whether each answer is the last of its connection.

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Never raises: whatever happens has an answer."""
        assert isinstance(request, web.Request)
        begun = monotonic()
        path = raw_path(request)
        try:
            self._count_in(request)
            with asked_by(request.headers):
                response = await self._freshness.serve(request, self._serve)
        except HandleError as error:
            response = await self._refuse(request, error)
        except DATABASE_AWAY as error:
            log.debug("the database is away: %s", error or type(error).__name__)
            response = refusal(request, refusal_of(error))
        except Exception:
            log.exception("a request for %r met a fault of ours", path[:200])
            response = refusal(request, HandleError("server.error"))
        if path.startswith(API):
            if "Origin" in request.headers:
                open_to_scripts(request, response)
        elif response.status >= REFUSED:
            # Why a link leads nowhere is for the page that asked to read, as the link would have been.
            response.headers.update(OPEN_HEADERS)
        response.headers.setdefault("Server", SERVER)
        if self.retiring:
            response.force_close()
        self._observe(monotonic() - begun)
        if (asked := request.get(ASKED)) is not None:
            protocol: Protocol = "https" if request.secure else "http"
            self._tally.count(protocol, request.remote or "", HandleKey(asked), found=request.get(FOUND, False))
        return response

    def _count_in(self, request: web.Request) -> None:
        """Counts a request for its client. Raises TooManyRequests."""
        if not self._tally.limits.on or (allowance := self._authorization.allowance(request)) is None:
            return
        request[ALLOWANCE] = allowance
        if (excess := allowance.client_excess()) is not None:
            raise excess.error()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = raw_path(request)
        router = self._api if path.startswith(API) else self._other
        route, placeholders, methods = router.match(request.method, path)
        if route is None:
            return self._unserved(request, path, methods)
        return await route.handler(request, placeholders)

    def _unserved(self, request: web.Request, path: str, methods: tuple[str, ...]) -> web.StreamResponse:
        """What has no route. Raises ProtocolFault."""
        method = request.method
        if method == "OPTIONS":
            opening = {} if path.startswith(API) else opening_headers(path)
            return web.Response(headers={"Allow": _allowed(methods), **BASE_HEADERS, **opening})
        if method not in METHODS:
            raise ProtocolFault("http.method", method=method[:40])
        if not methods:
            raise ProtocolFault("http.endpoint", method=method, path=path[:200])
        allowed = _allowed(methods)
        response = refusal(
            request, ProtocolFault("http.method_of_path", method=method, path=path[:200], allowed=allowed)
        )
        response.headers["Allow"] = allowed
        return response

    async def _refuse(self, request: web.Request, error: HandleError) -> web.StreamResponse:
        if error.rule == "token.unknown":
            response = refusal(request, error)
            response.headers["WWW-Authenticate"] = INVALID_TOKEN
            return response
        if not isinstance(error, AuthenticationNeeded):
            return refusal(request, error)
        if self._elsewhere is not None:
            return refusal(request, self._elsewhere())  # Nobody is known to a node that has no book.
        if not self._authorization.is_private(request):
            if error.rule == "authentication.needed" and request.method not in READING:
                error = AuthenticationNeeded("authentication.plain_http")
            response = refusal(request, error)
            response.set_status(403)  # Over plain HTTP there is nothing that the client could do about it.
            return response
        try:
            challenge = await self._authorization.handle.challenge(request)
        except HandleError as busy:
            return refusal(request, busy)
        except DATABASE_AWAY as away:
            return refusal(request, refusal_of(away))
        if isinstance(error, UnknownSession):
            headers = CIMultiDict({**BASE_HEADERS, "WWW-Authenticate": challenge})
            return web.Response(status=401, headers=headers)
        response = refusal(request, error)
        response.headers.add("WWW-Authenticate", BASIC_CHALLENGE)
        response.headers.add("WWW-Authenticate", challenge)
        return response


class HttpServer(web.Server):
    """Makes a protocol for each connection that it is called for."""

    def __init__(self, parts: Parts) -> None:
        metrics = parts.metrics
        self._dispatcher = dispatcher = Dispatcher(
            routes(parts),
            Authorization(parts),
            Freshness(parts.position_of, parts.reach),
            metrics.latency.observe,
            metrics.tally,
            parts.elsewhere,
        )
        super().__init__(dispatcher.serve, request_factory=self._request)
        self._keepalive = parts.settings.resolver.keepalive
        self._guarded = bool(parts.settings.resolver.client_ca)
        self._metrics = parts.metrics
        self._most = parts.settings.resolver.http_connections
        links = ReadyLinks(parts.resolver, Destinations.of(parts.settings.resolver))
        self._prepared = ReadyAnswers(
            parts.resolver, parts.resolver.names, parts.metrics, links, leads_on(parts), traced=are_wanted()
        )
        self._ready: ReadyAnswers | None = None

    def __call__(self) -> Connection:
        if self._ready is None:
            return Connection(self, keepalive=self._keepalive, on_slow=self._count_slow)
        return ReadyConnection(
            self, self._ready, keepalive=self._keepalive, guarded=self._guarded, on_slow=self._count_slow
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Takes a connection, in place of those that have been idle longest when there are too many."""
        if len(self._connections) >= self._most:
            self._make_room()
        super().connection_made(handler, transport)
        if len(self._connections) > self._most:
            self._metrics.counts.http_crowd += 1
            transport.abort()
        self._metrics.http_connections += 1

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._metrics.http_connections -= 1

    def limit(self, settings: ResolverSettings) -> None:
        """The bounds of these settings for those who come from now on."""
        self._most = settings.http_connections
        self._keepalive = settings.keepalive

    def _make_room(self) -> None:
        since = {
            connection: idle_since
            for connection in self._connections
            if isinstance(connection, Connection) and (idle_since := connection.idle_since) is not None
        }
        for connection in nsmallest(CROWDED_OUT, since, key=since.__getitem__):
            self._metrics.counts.http_crowd += 1
            del self._connections[connection]
            connection.force_close()

    def retire(self) -> None:
        """From here on every answer is the last of its connection: the client comes again, to our successor."""
        self._dispatcher.retiring = True
        self._ready = None

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives away the connections that are between two requests; the others are asked again."""
        for connection in tuple(self._connections):
            if isinstance(connection, ReadyConnection):
                connection.retire()
            if isinstance(connection, Connection):
                connection.hand_over(give)

    def _count_slow(self) -> None:
        self._metrics.counts.http_slow += 1

    async def shorten(self, connection: type[ReadyConnection] = ReadyConnection) -> None:
        """From here on kept answers take the short way, if it fits."""
        fault = await misfit(connection)
        if fault:
            log.warning("kept answers take the long way, because %s", fault)
        else:
            self._ready = self._prepared
            self._metrics.ready_way = 1

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        return web.Request(message, payload, protocol, writer, task, self._loop)


def create_server(parts: Parts) -> HttpServer:
    """What takes the connections of a port; `pre_shutdown` and `shutdown` of it end them."""
    return HttpServer(parts)


def _allowed(methods: tuple[str, ...]) -> str:
    names = [*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"]
    return ", ".join(names)
