"""DNS over UDP and TCP on one port: nonsense hears nothing, and nobody is flooded by way of us (RFC 1035; RFC 7766).

A datagram's answer is paid for by its source's account, as those of the native protocol are. Who hears nothing, or a
part (TC), asks again over TCP.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from resolver.listeners.budget import Budget, network_of
from resolver.listeners.native import bind
from resolver.metrics import Metrics
from resolver.ors import Ors
from resolver.resolution import Resolver
from resolver.settings import ResolverSettings

log = logging.getLogger(__name__)

MAX_WAITING: Final = 256  # Datagrams that are being answered; more are dropped, and asked again.
MAX_CONNECTIONS: Final = 256  # Over TCP; more are closed at once. Resolvers ask over UDP first.
IDLE: Final = 10.0  # Seconds for a message, from its first octet or from the last answer (RFC 7766, section 6.2.3).
MAX_MESSAGE: Final = 1024  # Octets of a question: a name, a type, a class and some options.


class DnsPort:
    """Answers on a port that is bound already."""

    def __init__(self, ors: Ors, budget: Budget) -> None:
        self._ors = ors
        self._budget = budget
        self._waiting: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def hear(self, octets: bytes, source: Any, way: asyncio.DatagramTransport) -> None:
        if len(self._waiting) < MAX_WAITING and len(octets) <= MAX_MESSAGE:
            self._own(self._waiting, self._loop.create_task(self._answer(octets, source, way)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, question after question."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._own(self._connections, task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            log.debug("a connection of DNS ended: %r", error)
        except Exception:
            log.exception("answering over DNS met a fault of ours")
        finally:
            writer.close()

    async def close(self, drain: float) -> None:
        """Gives `drain` seconds to what is being answered."""
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=drain)
        for task in (*self._waiting, *self._connections):
            task.cancel()
        await asyncio.gather(*self._waiting, *self._connections, return_exceptions=True)

    async def _answer(self, octets: bytes, source: Any, way: asyncio.DatagramTransport) -> None:
        try:
            answer = await self._ors.respond(octets, source[0], datagram=True)
        except Exception:
            log.exception("answering over DNS met a fault of ours")
            return
        account = self._budget.account(network_of(source[0]), self._loop.time())
        if answer is not None and account.pays(len(answer), len(octets)) and not way.is_closing():
            way.sendto(answer, source)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(IDLE):
            length = int.from_bytes(await reader.readexactly(2), "big")
            octets = await reader.readexactly(length) if length <= MAX_MESSAGE else b""
        answer = await self._ors.respond(octets, writer.get_extra_info("peername")[0], datagram=False)
        if answer is None:
            return False
        writer.write(len(answer).to_bytes(2, "big") + answer)
        async with asyncio.timeout(IDLE):
            await writer.drain()
        return True

    @staticmethod
    def _own(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, port: DnsPort) -> None:
        self._port = port
        self._way: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._way = transport  # type: ignore[assignment]  # uvloop's is no asyncio.DatagramTransport, but acts as one

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._way is not None:
            self._port.hear(data, addr, self._way)


@asynccontextmanager
async def answering(
    resolver: Resolver, settings: ResolverSettings, metrics: Metrics, drain: float
) -> AsyncIterator[int]:
    """Answers DNS while the block runs, on the port that is given; on none, 0, when no zone is set."""
    if not settings.dns_zone:
        yield 0
        return
    loop = asyncio.get_running_loop()
    port = DnsPort(Ors(resolver, metrics, settings.dns_zone, settings.public_address), Budget(settings.native_udp_rate))
    streams, datagrams = bind(settings.listen, settings.dns_port)
    servers = [await asyncio.start_server(port.serve, sock=bound) for bound in streams]
    ways = [(await loop.create_datagram_endpoint(lambda: _Datagrams(port), sock=bound))[0] for bound in datagrams]
    try:
        yield streams[0].getsockname()[1]
    finally:
        for server in servers:
            server.close()
        await port.close(drain)
        for way in ways:
            with contextlib.suppress(OSError):
                way.close()
