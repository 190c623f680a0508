"""One TCP connection of the native protocol, answered in the order of its requests (RFC 3652, section 2).

A connection costs an object and no task. Its messages are answered one after another out of what has been read; one
that must wait holds up those behind it, and reading stops meanwhile. The national SDKs keep the connection and match
answers by request id. The reference server answers one request and closes, and clients written for it may read until it
does: a connection that asked one thing, and did not say that it would stay, is therefore closed soon.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from resolver.conversation import Conversation
from resolver.listeners.budget import network_of
from resolver.listeners.turns import PATIENCE, is_costly
from resolver.log_in import is_of_sdk
from resolver.tally import Cell
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import ENVELOPE, NEWEST, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire
from resolver.wire.stream import MessageStream

if TYPE_CHECKING:
    from resolver.listeners.tcp import TcpListener

log = logging.getLogger(__name__)

READ_AHEAD: Final = 1 << 16  # Octets that may be read while an answer is waited for.
WRITE_AT_ONCE: Final = 1 << 16  # Octets of answers that are joined before they are handed over.
UNREAD: Final = 1 << 18  # Octets of answers that a client has not read; beyond them it is answered no further.
MESSAGES_A_TURN: Final = 128  # Cached answers to one connection before the others have their turn.
UNREAD_TIMEOUT: Final = 30.0  # Seconds that a client with too many unread answers may go on not reading.

_LENGTH: Final = slice(ENVELOPE - 4, ENVELOPE)
_KEEP_CONNECTION: Final = int(OpFlag.KEEP_CONNECTION)
_LOG_INS: Final = frozenset({OpCode.LOG_IN_BY_PASSWORD, OpCode.LOG_IN_BY_KEY})


class Connection(asyncio.Protocol):
    """One client. It is busy while an answer, its next turn or its own reading is waited for."""

    __slots__ = ("_address", "_begun_at", "_busy", "_conversation", "_ended", "_listener", "_stays", "_stream",
                 "_task", "_times_heard", "_transport", "_unread_since", "heard_at")  # fmt: skip

    def __init__(self, listener: "TcpListener") -> None:
        self.heard_at = listener.now
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._address = ""  # of the client, once it has said something
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

    @property
    def held(self) -> int:
        """Octets that wait in memory: read and not answered, or answered and not taken."""
        stream, transport = self._stream, self._transport
        unread = 0 if transport is None else transport.get_write_buffer_size()
        return unread if stream is None else unread + stream.waiting

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
        """★"""
        self.heard_at = self._listener.now
        self._times_heard += 1
        if not self._address:
            self._address = self._peer()
        if self._stream is None:
            if self._times_heard > 1 and not self._busy and not self._unread_since:
                data = self._answer_familiar(data)
                if not data:
                    return
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

    def hand_over(self, give: Callable[[int], bool]) -> None:
        """Gives the connection away if it is between two messages and nobody has logged in on it."""
        transport = self._transport
        if transport is None or not self.is_idle or self._ended:
            return
        if self._conversation is not None and not self._conversation.is_anybodys:
            return
        if self._unread_since or not self._times_heard or transport.get_write_buffer_size():
            return
        if give(transport.get_extra_info("socket").fileno()):
            transport.abort()  # closes our number of it; nothing is said to the client

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

    def _answer_familiar(self, data: bytes) -> bytes:
        """★ Answers the familiar queries in front, in one write; what is left of the octets."""
        ready, answers, start, size = self._listener.ready, [], 0, 0
        cell = self._listener.cells[self._address]
        while len(data) - start >= ENVELOPE and size < WRITE_AT_ONCE:
            end = start + ENVELOPE + int.from_bytes(data[start + 16 : start + 20], "big")
            answer = ready(data[start:end], cell) if end <= len(data) else None
            if not answer:
                break
            answers.append(answer)
            size += len(answer)
            start = end
        if answers:
            self._listener.count_messages(len(answers))
            if self._transport is not None:
                self._transport.write(b"".join(answers))
        return data[start:]

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
        answer = self._listener.respond_now(message, self._address)
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
        cell = self._listener.cells[self._address]
        size = 0
        message: Message | SealedMessage | None = None
        try:
            while stream is not None and len(answers) < MESSAGES_A_TURN and size < WRITE_AT_ONCE:
                octets = stream.cut()
                if octets is None:
                    break
                answer = self._answer_now(octets, cell)
                if not isinstance(answer, bytes):
                    message = answer
                    break
                answers.append(answer)
                size += len(answer)
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

    def _answer_now(self, octets: bytes, cell: Cell) -> bytes | Message | SealedMessage:
        """★ The octets of the answer, or the message when it must be waited for. Raises ProtocolError."""
        ready = self._listener.ready(octets, cell)
        if ready:
            self._listener.count_messages(1)
            return ready
        message = message_from_wire(octets)
        answer = self._listener.respond_now(message, self._address)
        return message if answer is None else answer.to_wire()

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
            self._conversation = Conversation("tcp", self._address)
        try:
            if is_costly(message) and not await self._turn(self._conversation.peer):
                self._listener.count("crowd")
                self.abort()
                return
            answers = await self._listener.operations.respond(message, self._conversation)
        except Exception:
            log.exception("a native request met a fault of ours")
            self.abort()
            return
        self._task = None
        if self._transport is not None and answers:
            self._transport.write(b"".join([answer.to_wire() for answer in answers]))
        self._go_on()

    async def _turn(self, peer: str) -> bool:
        """Waits for the turn of the client's network; False when that would take too long."""
        wait = self._listener.turns.wait(network_of(peer), PATIENCE) if peer else None
        if wait:
            await asyncio.sleep(wait)
        return wait is not None

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
    if isinstance(message, SealedMessage) or message.op_flags & _KEEP_CONNECTION or message.op_code in _LOG_INS:
        return True
    if message.op_code == OpCode.GET_SITE_INFO:  # Clients of the newest version ask it and read until the end.
        return message.version < NEWEST
    numbered = message.session_id and message.op_code != OpCode.CHALLENGE_ANSWER
    return bool(numbered) or is_of_sdk(message)
