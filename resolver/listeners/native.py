"""The port of the native protocol: the same number for TCP and UDP, on every address (RFC 3652, section 2)."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Collection
from typing import Final, Self

from registry.port import listen
from resolver.listeners.budget import Budget
from resolver.listeners.tcp import TcpListener
from resolver.listeners.turns import Turns
from resolver.listeners.udp import RECEIVE_BUFFER, UdpListener
from resolver.metrics import Metrics
from resolver.operations import Operations
from resolver.settings import ResolverSettings

ATTEMPTS: Final = 20  # Ports that the system chooses for TCP before we give up to find one that UDP has free too.


class NativePort:
    """Bound when it is made, so that the port is known before anything is answered on it."""

    def __init__(
        self,
        addresses: Collection[str],
        port: int,
        inherited: tuple[list[socket.socket], list[socket.socket]] = ([], []),
    ) -> None:
        """With port 0 the system chooses; sockets of a former process are taken as they are. Raises OSError."""
        self._streams, self._datagrams = inherited if all(inherited) else bind(addresses, port)
        self.port: int = self._streams[0].getsockname()[1]
        self._tcp: TcpListener | None = None
        self._udp: list[UdpListener] = []
        self._budget: Budget | None = None

    async def open(self, operations: Operations, metrics: Metrics, settings: ResolverSettings) -> Self:
        turns = Turns(asyncio.get_running_loop().time)
        self._tcp = TcpListener(
            self._streams, operations, metrics, turns, idle=settings.native_idle, most=settings.native_connections
        )
        await self._tcp.open()
        self._budget = budget = Budget(settings.native_udp_rate)
        for bound in self._datagrams:
            udp = UdpListener(operations, metrics, budget, turns)
            self._udp.append(udp)  # before it is open: who is interrupted meanwhile closes it
            await udp.open(bound)
        return self

    @property
    def sockets(self) -> tuple[list[socket.socket], list[socket.socket]]:
        """Those that are listened on: for TCP, and for UDP."""
        return self._streams, self._datagrams

    @property
    def connections(self) -> int:
        return 0 if self._tcp is None else len(self._tcp)

    def adopt(self, connection: socket.socket) -> None:
        """Takes a connection that another process accepted."""
        assert self._tcp is not None
        self._tcp.adopt(connection)

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives away the connections that are between two messages."""
        if self._tcp is not None:
            self._tcp.hand_over(give)

    def stop_accepting(self) -> None:
        """Who comes from now on is another's, where another process has the sockets too."""
        if self._tcp is not None:
            self._tcp.stop_accepting()
        for udp in self._udp:
            udp.stop_hearing()

    def limit(self, settings: ResolverSettings) -> None:
        """The bounds of these settings from now on."""
        if self._tcp is not None:
            self._tcp.limit(idle=settings.native_idle, most=settings.native_connections)
        if self._budget is not None:
            self._budget.limit(settings.native_udp_rate)

    async def close(self, drain: float) -> None:
        """Takes nothing more, and gives `drain` seconds to what is being answered."""
        async with asyncio.TaskGroup() as group:
            for udp in self._udp:
                group.create_task(udp.close(drain))
            if self._tcp is not None:
                group.create_task(self._tcp.close(drain))
        for bound in (*self._streams, *self._datagrams):
            bound.close()


def bind(addresses: Collection[str], port: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """Sockets of one port for TCP and for UDP, on every address. Raises OSError."""
    for attempt in range(ATTEMPTS):
        streams = listen(addresses, port)
        datagrams: list[socket.socket] = []
        try:
            for bound in streams:
                datagrams.append(_datagrams(bound))  # noqa: PERF401  # those made before a failure must be closed
        except OSError as error:
            for opened in (*streams, *datagrams):
                opened.close()
            if port or error.errno != errno.EADDRINUSE or attempt == ATTEMPTS - 1:
                raise
        else:
            return streams, datagrams
    raise AssertionError("the last attempt raises or returns")


def _datagrams(stream: socket.socket) -> socket.socket:
    """A socket for datagrams where the other listens. Not SO_REUSEADDR: it would let strangers share the port."""
    bound = socket.socket(stream.family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with contextlib.suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if stream.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(stream.getsockname())
    except OSError:
        bound.close()
        raise
    return bound
