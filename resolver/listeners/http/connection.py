"""A connection of an HTTP client: aiohttp's, answering nonsense in the Handle API's form and not waiting for ever."""

import asyncio
import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import _ErrInfo

from registry.errors import HandleError, ProtocolFault
from resolver.listeners.http.responses import refusal

log = logging.getLogger(__name__)

FIRST_REQUEST_TIMEOUT: Final = 10.0  # Seconds for the head of the first request; it fits in one packet.
LINGERING: Final = 5.0  # Seconds for what a client still sends after its refusal, so that it gets to read that.


class Connection(web.RequestHandler):
    """Between requests it waits as long as the settings say, which bounds the head of every later request too."""

    __slots__ = ("_first_request", "_first_request_timeout", "_refused")

    def __init__(
        self, manager: web.Server, *, keepalive: float, first_request_timeout: float = FIRST_REQUEST_TIMEOUT
    ) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=keepalive,
            lingering_time=LINGERING,
            access_log=None,  # type: ignore[arg-type]  # None is what switches it off
            auto_decompress=False,
        )
        self._first_request: asyncio.TimerHandle | None = None
        self._first_request_timeout = first_request_timeout
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._first_request = asyncio.get_running_loop().call_later(self._first_request_timeout, self._end_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._first_request is not None:
            self._first_request.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What follows nonsense is nonsense too: aiohttp would parse and refuse every piece of it anew."""
        if self._refused:
            return
        super().data_received(data)
        if self._messages and isinstance(fault := self._messages[-1][0], _ErrInfo):
            self._refused = True
            _let_go(fault.exc)

    def _end_silent(self) -> None:
        if not self._request_count:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp's parser refuses; it is the client's fault, and no line of the log each."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, it cannot become a refusal")
        assert isinstance(request, web.Request)
        response = refusal(request, self._fault(status, exc, message))
        response.force_close()
        return response

    def _fault(self, status: int, exc: BaseException | None, message: str | None) -> HandleError:
        if status >= 500:
            log.error("a request met a fault of ours", exc_info=exc)
            return HandleError("server.error")
        log.debug("a request that is not HTTP: %s", exc)
        if isinstance(exc, LineTooLong):
            return ProtocolFault("http.header_too_long")
        reason = (message or str(exc)).partition("\n")[0]
        return ProtocolFault("http.malformed", reason=reason.rstrip(":")[:200])


def _let_go(error: BaseException | None) -> None:
    """Its traceback holds the octets that it was met in, in a cycle that the collector comes to late."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
