"""A connection that answers ordinary questions itself, where aiohttp would start a task and build a request.

It leans on what aiohttp keeps to itself (PRIVATE), so a trial at the start of the node says whether it may be used.
Order is kept because it answers only while aiohttp's task waits for a message (`_waiter`), back-pressure because it
does not while the transport is full (`_paused`). Octets pass the parser by only at the boundary between two messages,
and only when everything but their target is octet for octet what the parser has let pass before.
While the answer to a question is being read, what the client sends is held (`_held`) and the connection is to aiohttp
one with a request in progress, which is waited for when the node stops.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from resolver.listeners.http.block_form import BlockForm
from resolver.listeners.http.connection import HEAD_END, Connection
from resolver.listeners.http.manner import is_whole, manner_of
from resolver.listeners.http.ready import ASK, LINK_QUESTIONS, MAX_BLOCK, PATH, QUESTION, ReadyAnswers
from resolver.tally import Asker

log = logging.getLogger(__name__)

SEGMENT: Final = 1 << 16  # Octets of answers between two looks at whether the client still reads.
MAX_HELD: Final = 1 << 16  # Octets that are held while an answer is read; beyond them the client has to wait.
_NAME: Final = len(QUESTION)  # Where the name begins,
_PATH: Final = len(ASK)  # and where the whole target.
PRIVATE: Final = (
    "_buffer_paused",
    "_close",
    "_handler_waiter",
    "_keepalive_handle",
    "_keepalive_timeout",
    "_loop",
    "_manager",
    "_messages",
    "_next_keepalive_close_time",
    "_parser",
    "_pause_reading_for_buffer",
    "_paused",
    "_process_keepalive",
    "_request_count",
    "_request_in_progress",
    "_resume_reading_for_buffer",
    "_upgraded",
    "_waiter",
)


class ReadyConnection(Connection):
    """With `guarded`, clients may show certificates, and aiohttp's way alone knows who they are."""

    __slots__ = ("_asker", "_asking", "_at_boundary", "_form", "_guarded", "_held", "_held_back", "_ready")

    def __init__(
        self,
        manager: web.Server,
        ready: ReadyAnswers,
        *,
        keepalive: float,
        guarded: bool = False,
        on_slow: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(manager, keepalive=keepalive, on_slow=on_slow)
        self._asker: Asker
        self._ready: ReadyAnswers | None = ready
        self._guarded = guarded
        self._at_boundary = True
        self._form: BlockForm | None = None  # Of what this client sends, when it is another block each time.
        self._asking = False  # Whether an answer is being read.
        self._held = b""
        self._held_back = False  # Whether the client has to wait because of it.

    @property
    def idle_since(self) -> float | None:
        return None if self._asking else super().idle_since

    def retire(self) -> None:
        """From here on every answer takes the long way, which says that it is the last."""
        if not self._asking:
            self._ready = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        is_private = transport.get_extra_info("sslcontext") is not None
        if self._ready is not None:
            address = (transport.get_extra_info("peername") or ("",))[0]
            self._asker = Asker(self._ready.tally, "https" if is_private else "http", address)
            if self._ready.tally.limits.hides_client(address):
                self._ready = None
        if self._guarded and is_private:
            self._ready = None

    def data_received(self, data: bytes) -> None:
        """★"""
        ready, begin, size = self._ready, 0, len(data)
        while (
            begin < size
            and not self._asking
            and (waiter := self._waiter) is not None
            and not waiter.done()
            and not self._paused
            and ready is not None
        ):
            known = self._answer_known(ready, data, begin) if self._at_boundary else begin
            begin = known if known > begin else self._answer_parsed(ready, waiter, data, begin)
        if self._asking:
            self._hold(data[begin:])
        elif begin < size or not size:
            self._parse(data[begin:] if begin else data)

    def _answer_known(self, ready: ReadyAnswers, data: bytes, begin: int) -> int:
        """★ Answers as many questions of known form as there are; returns where they end."""
        begun = monotonic()
        blocks, form, asker = ready.blocks, self._form, self._asker
        cell = asker.cells[asker.address]
        answers: list[bytes] = []
        octets = 0
        while octets < SEGMENT:
            named = data.startswith(QUESTION, begin)
            if not named and not data.startswith(LINK_QUESTIONS, begin):
                break
            at = begin + (_NAME if named else _PATH)
            space = data.find(b" ", at)
            end = data.find(HEAD_END, space) + 4
            if end < space:
                break
            manner = blocks.get(data[space:end])
            if manner is None:
                if form is None or end - space > MAX_BLOCK or form.pattern.fullmatch(data, space, end) is None:
                    break
                manner = form.manner
            name = data[at:space]
            answer = ready.answer(name, manner, cell) if named else ready.answer_link(name, manner, cell)
            if answer is None:
                if named and ready.ask(name, manner, asker, partial(self._told, begun)):
                    self._begin_asking()
                    self._request_count += 1
                    begin = end
                break
            answers.append(answer)
            octets += len(answer)
            begin = end
        if answers:
            self._request_count += len(answers)
            self._send(ready, answers, begun)
        return begin

    def _answer_parsed(self, ready: ReadyAnswers, waiter: "asyncio.Future[None]", data: bytes, begin: int) -> int:
        """Has aiohttp parse, and answers what is ordinary; aiohttp serves the rest. Returns what was read."""
        begun = monotonic()
        at_boundary, end = self._at_boundary, len(data)
        if at_boundary:  # One message at a time: its block may be that of all others.
            end = data.find(HEAD_END, begin) + 4
            end = end if end >= 4 else len(data)
        part = data[begin:end]
        self._waiter = None  # So that aiohttp's task is not woken for what is answered here.
        try:
            self._parse(part)
        finally:
            self._waiter = waiter
        messages = self._messages
        if at_boundary and self._at_boundary and len(messages) == 1 and not self._buffer_paused:
            self._form = ready.learn(part, *messages[0]) or self._form
        self._answer_messages(ready, waiter, begun)
        return end

    def _answer_messages(self, ready: ReadyAnswers, waiter: "asyncio.Future[None]", begun: float) -> None:
        """Answers what is ordinary of what was parsed, up to a name that has to be read, or wakes aiohttp's task."""
        answers: list[bytes] = []
        asker = self._asker
        cell = asker.cells[asker.address]
        while self._messages and not self._asking and not self._buffer_paused:
            message, payload = self._messages[0]
            if not isinstance(message, RawRequestMessage) or not message.path.startswith(PATH):
                break
            manner = manner_of(message, payload)
            if manner is None:
                break
            name = message.path[len(PATH) :].encode("utf-8", "surrogateescape")
            answer = ready.answer(name, manner, cell)
            if answer is not None:
                answers.append(answer)
            elif ready.ask(name, manner, asker, partial(self._told, begun)):
                self._begin_asking()
            else:
                break
            self._messages.popleft()
            self._parser.message_consumed()  # type: ignore[union-attr]  # there until the connection is lost
        if answers:
            self._send(ready, answers, begun)
        if self._messages and not self._asking:
            waiter.set_result(None)

    def _begin_asking(self) -> None:
        self._asking = self._request_in_progress = True

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > MAX_HELD and not self._held_back:
            self._held_back = True
            self._pause_reading_for_buffer()

    def _told(self, begun: float, answer: bytes) -> None:
        """Sends an answer that had to be read, and goes on with what was held."""
        self._asking = self._request_in_progress = False
        try:
            self._send_told(answer, begun)
        except Exception:
            log.exception("a connection met a fault of ours")
            self.force_close()

    def _send_told(self, answer: bytes, begun: float) -> None:
        ready = self._ready
        assert ready is not None
        if self.transport is None:  # The client is gone.
            ready.count(1, begun)
            return
        self._send(ready, [answer], begun)
        stopping = self._handler_waiter
        if stopping is not None:
            if not stopping.done():
                stopping.set_result(None)
        elif self._close:
            self.force_close()
        else:
            self._go_on(ready)

    def _go_on(self, ready: ReadyAnswers) -> None:
        if self._held_back:
            self._held_back = False
            self._resume_reading_for_buffer()
        waiter = self._waiter
        if self._messages and waiter is not None and not waiter.done():
            self._answer_messages(ready, waiter, monotonic())
        held, self._held = self._held, b""
        if self._asking:
            self._hold(held)
        elif held:
            self.data_received(held)

    def _process_keepalive(self) -> None:
        """A client whose answer is being read is not idle."""
        if self._asking:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    def _parse(self, data: bytes) -> None:
        """aiohttp's own way. Its parser is at a boundary behind a head that nothing follows, and says so nowhere."""
        before = len(self._messages)
        super().data_received(data)
        messages = self._messages
        self._at_boundary = (
            len(messages) > before
            and data.endswith(HEAD_END)
            and not self._upgraded
            and not self._buffer_paused
            and is_whole(*messages[-1])
        )

    def _send(self, ready: ReadyAnswers, answers: list[bytes], begun: float) -> None:
        """★"""
        assert self.transport is not None
        assert self._manager is not None
        self.transport.write(answers[0] if len(answers) == 1 else b"".join(answers))
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        self._manager.requests_count += len(answers)
        ready.count(len(answers), begun)
