"""One connection of DNS over TCP: question after question, each answered before the next is looked at (RFC 7766).

Between two questions it can be given to another process, so nobody who keeps one notices that the node is replaced.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from resolver.ors import Ors

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 256  # Over TCP; more are closed at once. Resolvers ask over UDP first.
IDLE: Final = 10.0  # Seconds for a message, from its first octet or from the last answer (RFC 7766, section 6.2.3).
MAX_MESSAGE: Final = 1024  # Octets of a question: a name, a type, a class and some options.
_LENGTH: Final = 2  # Octets before each message that say how long it is (RFC 1035, section 4.2.2).


class DnsConnection(asyncio.Protocol):
    def __init__(self, ors: Ors, connections: set["DnsConnection"]) -> None:
        """It is one of `connections` for as long as it is open."""
        self._ors = ors
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._is_full = False  # The client does not read what it is told.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            transport.close()
            return
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class
        self._connections.add(self)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        if self._ending is not None:
            self._ending.cancel()
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._held:
            self._wait()
        self._held += data
        self._take()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._take()

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives it away if it is between two questions."""
        transport = self._transport
        if transport is None or self._answering or self._held or transport.get_write_buffer_size():
            return
        if give(transport.get_extra_info("socket").fileno()):
            transport.abort()  # closes our number of it; nothing is said to the client

    async def close(self) -> None:
        """After the answer that is being made."""
        if self._answering is not None:
            await asyncio.wait({self._answering})
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _wait(self) -> None:
        """The time for the next message begins anew."""
        if self._ending is not None:
            self._ending.cancel()
        self._ending = self._loop.call_later(IDLE, self.abort)

    def _take(self) -> None:
        """Answers the next question, when it is whole and its turn."""
        if self._transport is None or self._answering is not None or self._is_full or len(self._held) < _LENGTH:
            return
        length = int.from_bytes(self._held[:_LENGTH], "big")
        if length > MAX_MESSAGE:
            self._transport.close()
        elif len(self._held) >= _LENGTH + length:
            octets = bytes(self._held[_LENGTH : _LENGTH + length])
            del self._held[: _LENGTH + length]
            self._transport.pause_reading()
            self._answering = self._loop.create_task(self._answer(octets, self._transport))

    async def _answer(self, octets: bytes, transport: asyncio.Transport) -> None:
        answer = None
        try:
            answer = await self._ors.respond(octets, transport.get_extra_info("peername")[0], datagram=False)
        except Exception:
            log.exception("answering over DNS met a fault of ours")
        self._answering = None
        if transport.is_closing():
            return
        if answer is None:
            transport.close()
            return
        transport.write(len(answer).to_bytes(_LENGTH, "big") + answer)
        transport.resume_reading()
        self._wait()
        self._take()
