"""The native protocol over TCP: connections accepted, bounded in number, and ended when their time is over.

What happens on one of them is in `connection`.
"""

import asyncio
import resource
import socket
from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Final

from resolver.listeners.connection import Connection
from resolver.listeners.turns import Turns
from resolver.metrics import Metrics
from resolver.operations import Operations
from resolver.wire.message import Message, SealedMessage

BACKLOG: Final = 1024  # Connections that the kernel keeps until they are accepted.
ONE_QUESTION: Final = 5.0  # Seconds that a connection is kept which asked once and did not say that it would stay.
MESSAGE_TIMEOUT: Final = 30.0  # Seconds for a message that was begun: the largest then needs 9 kB/s.
SWEEP_INTERVAL: Final = 1.0  # Seconds between two looks for connections whose time is over.
# Octets that all connections together may make us hold; those that hold most are ended. What one may hold is bounded
# too, but for thousands of them that would be gigabytes.
MAX_HELD: Final = 128 << 20
CROWDED_OUT: Final = 64  # The longest idle ones, which give way together when there are too many connections.


class TcpListener:
    """Takes connections on listening sockets. `now` is coarse: it moves with every sweep."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        operations: Operations,
        metrics: Metrics,
        turns: Turns,
        *,
        idle: float,
        most: int,
        message_timeout: float = MESSAGE_TIMEOUT,
        one_question: float = ONE_QUESTION,
        sweep_interval: float = SWEEP_INTERVAL,
        max_held: int = MAX_HELD,
    ) -> None:
        self.operations = operations
        self.ready = operations.ready
        self.cells = metrics.tally.cells["tcp"]
        self.turns = turns
        self.idle = idle
        self.message_timeout = message_timeout
        self.one_question = min(one_question, idle)
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        self._sockets = tuple(sockets)
        self._metrics = metrics
        self._most = most
        self._sweep_interval = sweep_interval
        self._max_held = max_held
        self._connections: set[Connection] = set()
        self._adopting: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._sweeping: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._connections)

    def limit(self, *, idle: float, most: int) -> None:
        """Other bounds from now on; connections beyond them go when others come."""
        self.idle = idle
        self.one_question = min(self.one_question, idle)
        self._most = most

    async def open(self) -> None:
        raise_descriptor_limit()
        for listening in self._sockets:
            server = await self.loop.create_server(lambda: Connection(self), sock=listening, backlog=BACKLOG)
            self._servers.append(server)
        self._sweeping = self.loop.create_task(self._sweep())

    def adopt(self, connection: socket.socket) -> None:
        """Takes a connection that another process accepted."""
        task = self.loop.create_task(self._adopt(connection))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def _adopt(self, connection: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: Connection(self), connection)
        except OSError:  # the client has left meanwhile
            connection.close()

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives away the connections that are between two messages."""
        for connection in tuple(self._connections):
            connection.hand_over(give)

    def stop_accepting(self) -> None:
        for server in self._servers:
            server.close()

    async def close(self, drain: float) -> None:
        """Accepts no more, and gives `drain` seconds to the requests that are being answered."""
        self.stop_accepting()
        for connection in tuple(self._connections):
            connection.close()
        try:
            async with asyncio.timeout(drain):
                await self._empty.wait()
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.abort()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def respond_now(self, message: Message | SealedMessage, address: str) -> Message | None:
        """★"""
        self._metrics.counts.native_tcp += 1
        return None if isinstance(message, SealedMessage) else self.operations.respond_now(message, "tcp", address)

    def count_messages(self, number: int) -> None:
        """★ Counts messages that `ready` answered."""
        self._metrics.counts.native_tcp += number

    def add(self, connection: Connection) -> None:
        if len(self._connections) >= self._most:
            self._make_room()
        if len(self._connections) >= self._most:
            connection.abort()
            self.count("crowd")
            return
        self._connections.add(connection)
        self._metrics.native_connections = len(self._connections)
        self._empty.clear()

    def discard(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._metrics.native_connections = len(self._connections)
        if not self._connections:
            self._empty.set()

    def count(self, reason: str) -> None:
        """Counts a connection that is ended by us."""
        counts = self._metrics.counts
        name = f"closed_{reason}"
        setattr(counts, name, getattr(counts, name) + 1)

    def _make_room(self) -> None:
        """Ends those that have been idle longest: a client that still needs one connects again."""
        idle = [connection for connection in self._connections if connection.is_idle]
        for connection in nsmallest(CROWDED_OUT, idle, key=lambda connection: connection.heard_at):
            connection.abort()
            self._connections.discard(connection)
            self.count("crowd")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_interval)
            self.now = self.loop.time()
            self._end_overdue()
            self._end_greedy()

    def _end_overdue(self) -> None:
        for connection in tuple(self._connections):
            reason = connection.overdue(self.now)
            if reason is None:
                continue
            self.count(reason)
            if reason == "idle":
                connection.close()  # what it was answered may still be under way
            else:
                connection.abort()

    def _end_greedy(self) -> None:
        """Ends those that hold most, when all together hold too much."""
        held = {connection: octets for connection in self._connections if (octets := connection.held)}
        total = sum(held.values())
        for connection in sorted(held, key=held.__getitem__, reverse=True):
            if total <= self._max_held:
                return
            total -= held[connection]
            connection.abort()
            self.count("crowd")


def raise_descriptor_limit() -> None:
    """As many open connections as the system lets this process have, not as few as it starts with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
