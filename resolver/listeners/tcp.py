"""The native protocol over TCP: connections that stay, answered in the order of their requests (RFC 3652, section 2).

A connection costs an object and no task. Its messages are answered one after another out of what has been read; one
that must wait holds up those behind it, and reading stops meanwhile. The national SDKs keep the connection and match
answers by request id. The reference server answers one request and closes, and clients written for it may read until it
does: a connection that asked one thing, and did not say that it would stay, is therefore closed soon.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import Sequence
from heapq import nsmallest
from typing import Final

from resolver.conversation import Conversation
from resolver.log_in import is_of_sdk
from resolver.metrics import Metrics
from resolver.operations import Operations
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import ENVELOPE, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire
from resolver.wire.stream import MessageStream

log = logging.getLogger(__name__)

BACKLOG: Final = 1024  # Connections that the kernel keeps until they are accepted.
READ_AHEAD: Final = 1 << 16  # Octets that may be read while an answer is waited for.
WRITE_AT_ONCE: Final = 1 << 16  # Octets of answers that are joined before they are handed over.
UNREAD: Final = 1 << 18  # Octets of answers that a client has not read; beyond them it is answered no further.
MESSAGES_A_TURN: Final = 128  # Cached answers to one connection before the others have their turn.
ONE_QUESTION: Final = 5.0  # Seconds that a connection is kept which asked once and did not say that it would stay.
MESSAGE_TIMEOUT: Final = 30.0  # Seconds for a message that was begun: the largest then needs 9 kB/s.
UNREAD_TIMEOUT: Final = 30.0  # Seconds that a client with too many unread answers may go on not reading.
SWEEP_INTERVAL: Final = 1.0  # Seconds between two looks for connections whose time is over.
CROWDED_OUT: Final = 64  # The longest idle ones, which give way together when there are too many connections.

_LENGTH: Final = slice(ENVELOPE - 4, ENVELOPE)
_KEEP_CONNECTION: Final = int(OpFlag.KEEP_CONNECTION)
_OF_CLIENTS_THAT_STAY: Final = frozenset({OpCode.GET_SITE_INFO, OpCode.LOG_IN_BY_PASSWORD, OpCode.LOG_IN_BY_KEY})


class Connection(asyncio.Protocol):
    """One client. It is busy while an answer, its next turn or its own reading is waited for."""

    __slots__ = ("_begun_at", "_busy", "_conversation", "_ended", "_listener", "_stays", "_stream", "_task",
                 "_times_heard", "_transport", "_unread_since", "heard_at")  # fmt: skip

    def __init__(self, listener: "TcpListener") -> None:
        self.heard_at = listener.now
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._stream: MessageStream | None = None  # there is one while octets wait
        self._conversation: Conversation | None = None
        self._task: asyncio.Task[None] | None = None
        self._busy = False
        self._ended = False  # nothing more is taken
        self._times_heard = 0
        self._stays = True  # as far as its one question says
        self._begun_at = 0.0  # when the message began that is not whole; 0 for none
        self._unread_since = 0.0  # since when too much is unread; 0 for not at all

    @property
    def is_idle(self) -> bool:
        return not self._busy and self._stream is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class
        self._transport.set_write_buffer_limits(high=UNREAD)  # type: ignore[union-attr]  # as above
        self._listener.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._stream = None
        if self._task is not None:
            self._task.cancel()
        self._listener.discard(self)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._listener.now
        self._times_heard += 1
        if self._stream is None:
            if not self._busy and len(data) - ENVELOPE == int.from_bytes(data[_LENGTH], "big"):
                self._answer_whole(data)
                return
            self._stream = MessageStream()
        self._stream.feed(data)
        if not self._busy:
            self._go_on()
        elif self._stream.waiting > READ_AHEAD and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that has asked everything may still wait for its answers."""
        self._ended = True
        return self._busy

    def pause_writing(self) -> None:
        self._unread_since = self._listener.now

    def resume_writing(self) -> None:
        self._unread_since = 0.0
        if self._busy:
            self._go_on()

    def close(self) -> None:
        """Ends the connection when what was read is answered."""
        self._ended = True
        if not self._busy and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now: float) -> str | None:
        """Which of its times is over."""
        if self._unread_since:
            return "slow" if now - self._unread_since > UNREAD_TIMEOUT else None
        if self._busy:
            return None
        if self._ended:  # and it has not even read its last answers since
            return "slow" if now - self.heard_at > self._listener.idle + UNREAD_TIMEOUT else None
        if self._begun_at:
            return "slow" if now - self._begun_at > self._listener.message_timeout else None
        limit = self._listener.idle if self._stays or self._times_heard > 1 else self._listener.one_question
        return "idle" if now - self.heard_at > limit else None

    def _answer_whole(self, octets: bytes) -> None:
        """★ What most clients send: one message and nothing else."""
        if self._unread_since:
            self._stream = MessageStream()
            self._stream.feed(octets)
            self._busy = True
            return
        try:
            message = message_from_wire(octets)
        except ProtocolError as error:
            self._refuse([], error)
            return
        if self._times_heard == 1:
            self._stays = _will_stay(message)
        answer = self._listener.respond_now(message)
        if answer is None:
            self._wait_for(message)
        elif self._transport is not None:
            self._transport.write(answer.to_wire())

    def _go_on(self) -> None:
        """★ Answers what has been read, as far as nothing must be waited for."""
        stream, transport = self._stream, self._transport
        if self._task is not None or transport is None:
            return
        self._busy = bool(self._unread_since)
        if self._busy:  # until it has read
            return
        answers: list[bytes] = []
        size = 0
        message: Message | SealedMessage | None = None
        try:
            while stream is not None and len(answers) < MESSAGES_A_TURN and size < WRITE_AT_ONCE:
                message = stream.take()
                answer = None if message is None else self._listener.respond_now(message)
                if answer is None:
                    break
                answers.append(octets := answer.to_wire())
                size += len(octets)
                message = None
            else:
                self._busy = stream is not None
        except ProtocolError as error:
            self._refuse(answers, error)
            return
        if answers:
            transport.write(b"".join(answers))
        if message is not None:
            self._wait_for(message)
        elif self._busy:  # and so is everybody else: they have their turn first
            self._listener.loop.call_soon(self._go_on)
        else:
            self._rest(transport, answered=bool(answers))

    def _rest(self, transport: asyncio.Transport, *, answered: bool) -> None:
        """Everything whole is answered."""
        if self._stream is None or not self._stream.waiting:
            self._stream = None
            self._begun_at = 0.0
        elif answered or not self._begun_at:
            self._begun_at = self._listener.now
        if self._ended:
            transport.close()
        elif not transport.is_reading():
            transport.resume_reading()

    def _wait_for(self, message: Message | SealedMessage) -> None:
        self._busy = True
        self._task = self._listener.loop.create_task(self._answer(message))

    async def _answer(self, message: Message | SealedMessage) -> None:
        """The answers to one request, which stay together."""
        if self._conversation is None:
            self._conversation = Conversation("tcp", self._peer())
        try:
            answers = await self._listener.operations.respond(message, self._conversation)
        except Exception:
            log.exception("a native request met a fault of ours")
            self.abort()
            return
        self._task = None
        if self._transport is not None and answers:
            self._transport.write(b"".join([answer.to_wire() for answer in answers]))
        self._go_on()

    def _refuse(self, answers: list[bytes], error: ProtocolError) -> None:
        """Says so, if it is known to whom, and ends: where the next message begins cannot be known."""
        log.debug("no message of the native protocol: %s", error)
        self._listener.count("nonsense")
        refusal = self._listener.operations.refuse(error)
        if refusal is not None:
            answers.append(refusal.to_wire())
        if self._transport is not None:
            self._transport.write(b"".join(answers))
            self._transport.close()
        self._ended = True
        self._stream = None

    def _peer(self) -> str:
        peer = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(peer[0]) if peer else ""


def _will_stay(message: Message | SealedMessage) -> bool:
    """Whether a connection that begins so is kept by its client: one of the SDKs, or one that says it."""
    if isinstance(message, SealedMessage) or message.session_id or message.op_flags & _KEEP_CONNECTION:
        return True
    return message.op_code in _OF_CLIENTS_THAT_STAY or is_of_sdk(message)


class TcpListener:
    """Takes connections on listening sockets. `now` is coarse: it moves with every sweep."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        operations: Operations,
        metrics: Metrics,
        *,
        idle: float,
        most: int,
        message_timeout: float = MESSAGE_TIMEOUT,
        one_question: float = ONE_QUESTION,
        sweep_interval: float = SWEEP_INTERVAL,
    ) -> None:
        self.operations = operations
        self.idle = idle
        self.message_timeout = message_timeout
        self.one_question = min(one_question, idle)
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        self._sockets = tuple(sockets)
        self._metrics = metrics
        self._most = most
        self._sweep_interval = sweep_interval
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._sweeping: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._connections)

    async def open(self) -> None:
        raise_descriptor_limit()
        for listening in self._sockets:
            server = await self.loop.create_server(lambda: Connection(self), sock=listening, backlog=BACKLOG)
            self._servers.append(server)
        self._sweeping = self.loop.create_task(self._sweep())

    async def close(self, drain: float) -> None:
        """Accepts no more, and gives `drain` seconds to the requests that are being answered."""
        for server in self._servers:
            server.close()
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

    def respond_now(self, message: Message | SealedMessage) -> Message | None:
        """★"""
        self._metrics.counts.native_tcp += 1
        return None if isinstance(message, SealedMessage) else self.operations.respond_now(message, "tcp")

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
            self.now = now = self.loop.time()
            for connection in tuple(self._connections):
                reason = connection.overdue(now)
                if reason is None:
                    continue
                self.count(reason)
                if reason == "idle":
                    connection.close()  # what it was answered may still be under way
                else:
                    connection.abort()


def raise_descriptor_limit() -> None:
    """As many open connections as the system lets this process have, not as few as it starts with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
