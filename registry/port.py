"""One port for plain HTTP and TLS: the first octet of a connection says which of them it is.

0x16 begins a TLS handshake record (RFC 8446, section 5.1) and no HTTP request. The octet is peeked at and left where
it is, so that whoever takes the connection reads it from the start. Connections that have said nothing are bounded in
number and in time.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from typing import Final

log = logging.getLogger(__name__)

TLS_HANDSHAKE: Final = 0x16
BACKLOG: Final = 1024  # Connections that the kernel keeps until we accept them; more than 4096 systems cap anyway.
ACCEPTS_A_TURN: Final = 64  # So that a flood of connections does not starve those that are open.
FIRST_OCTET_TIMEOUT: Final = 10.0  # Seconds; an honest client speaks at once, and pre-connecting ones reconnect.
HANDSHAKE_TIMEOUT: Final = 10.0  # Seconds for all round trips of TLS, over a bad mobile link too.
MAX_UNDECIDED: Final = 1024  # Beyond it the oldest silent connection is dropped: new ones are likelier to speak.
MAX_HANDSHAKES: Final = 1024  # Connections between accept and their protocol; each costs a task.
# Milliseconds that an answer may lie unread and not grow less: a client that never reads would keep its connection.
UNREAD: Final = 30_000
OUT_OF_FILES_PAUSE: Final = 0.5  # Seconds; accepting again at once would only spin.

_OUT_OF_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class Port:
    """Accepts on listening sockets and gives each connection to a protocol, through TLS or not."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        protocol_factory: ProtocolFactory,
        tls: Callable[[], ssl.SSLContext],
        *,
        first_octet_timeout: float = FIRST_OCTET_TIMEOUT,
        max_undecided: int = MAX_UNDECIDED,
    ) -> None:
        self._sockets = list(sockets)
        self._protocol_factory = protocol_factory
        self._tls = tls
        self._first_octet_timeout = first_octet_timeout
        self._max_undecided = max_undecided
        self._undecided: dict[socket.socket, asyncio.TimerHandle] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    @property
    def sockets(self) -> list[socket.socket]:
        """Those that are listened on."""
        return list(self._sockets)

    @property
    def silent(self) -> list[socket.socket]:
        """Connections that have not said their first octet."""
        return list(self._undecided)

    def let_go(self, connection: socket.socket) -> None:
        """Of one that another process has now."""
        self._drop(connection)

    def adopt(self, connection: socket.socket) -> None:
        """Takes a connection that another process accepted."""
        self._peek(connection)

    def stop_accepting(self) -> None:
        """Who is connected stays so; who comes is another's, where another process has the sockets too."""
        if self._resuming is not None:
            self._resuming.cancel()
        while self._sockets:
            listening = self._sockets.pop()
            self._loop.remove_reader(listening)
            listening.close()

    async def close(self) -> None:
        """Stops accepting and drops whoever has not spoken; connections given away live on."""
        self.stop_accepting()
        for silent in tuple(self._undecided):
            self._drop(silent)
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    @property
    def undecided(self) -> int:
        """Connections that have not said their first octet."""
        return len(self._undecided)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_FILES:
                    raise
                self._pause(error)
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; it holds for a window that stays shut, too.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD)
            self._peek(connection)

    def _pause(self, error: OSError) -> None:
        log.warning("cannot accept connections for a moment: %s", error.strerror)
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        if self._resuming is not None:
            self._resuming.cancel()
        self._resuming = self._loop.call_later(OUT_OF_FILES_PAUSE, self.open)

    def _peek(self, connection: socket.socket) -> None:
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            if connection not in self._undecided:
                self._wait_for_first_octet(connection)
            return
        except OSError:  # reset by the peer
            first = b""
        self._forget(connection)
        if not first or len(self._connecting) >= MAX_HANDSHAKES:
            connection.close()
            return
        context = self._tls() if first[0] == TLS_HANDSHAKE else None
        task = self._loop.create_task(self._connect(connection, context))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _wait_for_first_octet(self, connection: socket.socket) -> None:
        if len(self._undecided) >= self._max_undecided:
            self._drop(next(iter(self._undecided)))
        self._undecided[connection] = self._loop.call_later(self._first_octet_timeout, self._drop, connection)
        self._loop.add_reader(connection, self._peek, connection)

    def _forget(self, connection: socket.socket) -> None:
        timer = self._undecided.pop(connection, None)
        if timer is not None:
            timer.cancel()
            self._loop.remove_reader(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()

    async def _connect(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol_factory,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if context else None,
            )
        except (OSError, asyncio.CancelledError) as error:  # ssl.SSLError and time-outs are OSErrors
            log.debug("a connection ended before its first request: %s", error)
            connection.close()


def listen(addresses: Collection[str], port: int, *, shared: bool = True) -> list[socket.socket]:
    """Listening sockets on one port of these addresses, which other processes of ours may share if they are `shared`.

    With port 0 the system chooses one, the same for every address. Raises OSError.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.append(_listen(address, port, shared=shared))
            port = port or sockets[0].getsockname()[1]
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _listen(address: str, port: int, *, shared: bool) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
