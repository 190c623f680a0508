"""DNS over UDP and TCP on one port: nonsense hears nothing, and nobody is flooded by way of us (RFC 1035; RFC 7766).

A datagram's answer is paid for by its source's account, as those of the native protocol are. Who hears nothing, or a
part (TC), asks again over TCP.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

from resolver.listeners.budget import Budget, network_of
from resolver.listeners.dns_connection import MAX_CONNECTIONS, MAX_MESSAGE, DnsConnection
from resolver.listeners.native import bind
from resolver.metrics import Metrics
from resolver.ors import Ors
from resolver.resolution import Resolver
from resolver.settings import ResolverSettings

log = logging.getLogger(__name__)

MAX_WAITING: Final = 256  # Datagrams that are being answered; more are dropped, and asked again.
DATAGRAMS_A_TURN: Final = 64  # So that a flood of them does not starve what else is asked.


class DnsPort:
    """Bound when it is made, on no port where no zone is set."""

    def __init__(
        self,
        settings: ResolverSettings,
        inherited: tuple[list[socket.socket], list[socket.socket]] = ([], []),
    ) -> None:
        """With port 0 the system chooses; sockets of a former process are taken as they are. Raises OSError."""
        self._streams: list[socket.socket] = []
        self._datagrams: list[socket.socket] = []
        if settings.dns_zone:
            self._streams, self._datagrams = inherited if all(inherited) else bind(settings.listen, settings.dns_port)
        else:
            _close(*inherited)
        self.port: int = self._streams[0].getsockname()[1] if self._streams else 0
        self._budget = Budget(settings.native_udp_rate)
        self._loop = asyncio.get_running_loop()
        self._ors: Ors | None = None
        self._servers: list[asyncio.Server] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._connections: set[DnsConnection] = set()
        self._adopting: set[asyncio.Task[None]] = set()

    async def open(self, resolver: Resolver, metrics: Metrics, settings: ResolverSettings) -> None:
        self._ors = Ors(resolver, metrics, settings.dns_zone, settings.public_address)
        for bound in self._streams:
            self._servers.append(await self._loop.create_server(self._connection, sock=bound, backlog=MAX_CONNECTIONS))
        for bound in self._datagrams:
            self._loop.add_reader(bound, self._read, bound)
        if self.port:
            log.info("answering DNS on port %s", self.port)

    @property
    def sockets(self) -> tuple[list[socket.socket], list[socket.socket]]:
        """Those that are listened on: for TCP, and for UDP."""
        return self._streams, self._datagrams

    @property
    def connections(self) -> int:
        return len(self._connections)

    def adopt(self, connection: socket.socket) -> None:
        """Takes a connection that another process accepted."""
        if self._ors is None:
            connection.close()
        else:
            self._own(self._adopting, self._loop.create_task(self._adopt(connection)))

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives away the connections that are between two questions."""
        for connection in tuple(self._connections):
            connection.hand_over(give)

    def stop_accepting(self) -> None:
        """Who comes from now on is another's, where another process has the sockets too; answers still leave."""
        for server in self._servers:
            server.close()
        for bound in self._datagrams:
            self._loop.remove_reader(bound)

    def limit(self, settings: ResolverSettings) -> None:
        """The bounds of these settings from now on."""
        self._budget.limit(settings.native_udp_rate)

    async def close(self, drain: float) -> None:
        """Takes nothing more, and gives `drain` seconds to what is being answered."""
        self.stop_accepting()
        closing = {self._loop.create_task(connection.close()) for connection in self._connections}
        if pending := self._waiting | closing:
            _, late = await asyncio.wait(pending, timeout=drain)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in tuple(self._connections):
            connection.abort()
        _close(self._streams, self._datagrams)

    def _connection(self) -> DnsConnection:
        assert self._ors is not None
        return DnsConnection(self._ors, self._connections)

    async def _adopt(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connection, connection)
        except OSError:  # the client has left meanwhile
            connection.close()

    def _read(self, bound: socket.socket) -> None:
        for _ in range(DATAGRAMS_A_TURN):
            try:
                octets, source = bound.recvfrom(MAX_MESSAGE + 1)
            except OSError:  # there is none, or an answer of ours reached nobody
                return
            if len(self._waiting) < MAX_WAITING and len(octets) <= MAX_MESSAGE:
                self._own(self._waiting, self._loop.create_task(self._answer(octets, source, bound)))

    async def _answer(self, octets: bytes, source: Any, bound: socket.socket) -> None:
        assert self._ors is not None
        try:
            answer = await self._ors.respond(octets, source[0], datagram=True)
        except Exception:
            log.exception("answering over DNS met a fault of ours")
            return
        account = self._budget.account(network_of(source[0]), self._loop.time())
        if answer is not None and account.pays(len(answer), len(octets)):
            with contextlib.suppress(OSError):  # the system has no room for it: it is asked again
                bound.sendto(answer, source)

    @staticmethod
    def _own(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _close(*several: Iterable[socket.socket]) -> None:
    for sockets in several:
        for one in sockets:
            one.close()
