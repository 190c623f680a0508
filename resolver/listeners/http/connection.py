"""A connection of an HTTP client: aiohttp's, answering nonsense in the Handle API's form and not waiting for ever."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import _ErrInfo

from registry.errors import HandleError, ProtocolFault
from resolver.listeners.http.responses import refusal

log = logging.getLogger(__name__)

HEAD_TIMEOUT: Final = 10.0  # Seconds for a head, the first one's from the connection on; it fits in one packet.
HEAD_END: Final = b"\r\n\r\n"
LINGERING: Final = 5.0  # Seconds for what a client still sends after its refusal, so that it gets to read that.


class Connection(web.RequestHandler):
    """Between requests it waits as long as the settings say."""

    __slots__ = ("_first_head", "_head_timeout", "_last_body", "_later_head", "_on_slow", "_refused")

    def __init__(
        self,
        manager: web.Server,
        *,
        keepalive: float,
        head_timeout: float = HEAD_TIMEOUT,
        on_slow: Callable[[], None] | None = None,
    ) -> None:
        """`on_slow` is told when a client is given up because its head did not come."""
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=keepalive,
            lingering_time=LINGERING,
            access_log=None,  # type: ignore[arg-type]  # None is what switches it off
            auto_decompress=False,
        )
        self._head_timeout = head_timeout
        self._on_slow = on_slow
        self._first_head: asyncio.TimerHandle | None = None
        self._later_head: asyncio.TimerHandle | None = None
        self._last_body: StreamReader = EMPTY_PAYLOAD
        self._refused = False

    @property
    def idle_since(self) -> float | None:
        """A number that grows with the time of the last answer; None while a request is being served."""
        waiter = self._waiter
        return None if waiter is None or waiter.done() else self._next_keepalive_close_time

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives the connection away if it is between two requests, and no octet of the next one has been read."""
        transport = self.transport
        if (
            transport is None
            or self.idle_since is None
            or not self._request_count
            or self._later_head is not None
            or self._messages
            or self._refused
            or not self._last_body.is_eof()
            or transport.get_extra_info("sslcontext") is not None
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            return
        if give(transport.get_extra_info("socket").fileno()):
            transport.abort()  # closes our number of it; nothing is said to the client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._first_head = self._loop.call_later(self._head_timeout, self._end_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in (self._first_head, self._later_head):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What follows nonsense is nonsense too: aiohttp would parse and refuse every piece of it anew."""
        if self._refused:
            return
        in_head, before = self._last_body.is_eof() and bool(data), len(self._messages)
        super().data_received(data)
        if len(self._messages) > before:
            message, self._last_body = self._messages[-1]
            in_head = self._last_body is EMPTY_PAYLOAD and not data.endswith(HEAD_END)
            if self._later_head is not None:
                self._later_head.cancel()
                self._later_head = None
            if isinstance(message, _ErrInfo):
                self._refused = True
                _let_go(message.exc)
        if in_head and self._later_head is None and self._request_count:
            self._later_head = self._loop.call_later(self._head_timeout, self._end_slow)

    def _end_silent(self) -> None:
        if not self._request_count:
            self._give_up()

    def _end_slow(self) -> None:
        self._later_head = None
        if self.idle_since is not None:  # Else what came may be waiting for its turn.
            self._give_up()

    def _give_up(self) -> None:
        if self._on_slow is not None:
            self._on_slow()
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
