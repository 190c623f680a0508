"""A connection that answers ordinary questions itself, where aiohttp would start a task and build a request.

It leans on what aiohttp keeps to itself (PRIVATE), so a trial at the start of the node says whether it may be used.
Order is kept because it answers only while aiohttp's task waits for a message (`_waiter`), back-pressure because it
does not while the transport is full (`_paused`). Octets pass the parser by only at the boundary between two messages,
and only when everything but their target is octet for octet what the parser has let pass before.
"""

import asyncio
from time import monotonic
from typing import Final

from aiohttp import web

from resolver.listeners.http.connection import Connection
from resolver.listeners.http.ready import HEAD_END, QUESTION, ReadyAnswers, is_whole

SEGMENT: Final = 1 << 16  # Octets of answers between two looks at whether the client still reads.
_NAME: Final = len(QUESTION)  # Where the name begins.
PRIVATE: Final = (
    "_buffer_paused",
    "_keepalive_handle",
    "_keepalive_timeout",
    "_loop",
    "_manager",
    "_messages",
    "_next_keepalive_close_time",
    "_parser",
    "_paused",
    "_request_count",
    "_upgraded",
    "_waiter",
)


class ReadyConnection(Connection):
    """With `guarded`, clients may show certificates, and aiohttp's way alone knows who they are."""

    __slots__ = ("_at_boundary", "_guarded", "_ready")

    def __init__(self, manager: web.Server, ready: ReadyAnswers, *, keepalive: float, guarded: bool = False) -> None:
        super().__init__(manager, keepalive=keepalive)
        self._ready: ReadyAnswers | None = ready
        self._guarded = guarded
        self._at_boundary = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._guarded and transport.get_extra_info("sslcontext") is not None:
            self._ready = None

    def data_received(self, data: bytes) -> None:
        """★"""
        ready, begin, size = self._ready, 0, len(data)
        while (
            begin < size
            and (waiter := self._waiter) is not None
            and not waiter.done()
            and not self._paused
            and ready is not None
        ):
            known = self._answer_known(ready, data, begin) if self._at_boundary else begin
            begin = known if known > begin else self._answer_parsed(ready, waiter, data, begin)
        if begin < size or not size:
            self._parse(data[begin:] if begin else data)

    def _answer_known(self, ready: ReadyAnswers, data: bytes, begin: int) -> int:
        """★ Answers as many questions of known form as there are; returns where they end."""
        begun = monotonic()
        blocks = ready.blocks
        answers: list[bytes] = []
        octets = 0
        while octets < SEGMENT and data.startswith(QUESTION, begin):
            space = data.find(b" ", begin + _NAME)
            end = data.find(HEAD_END, space) + 4
            if end < space or data[space:end] not in blocks:
                break
            answer = ready.answer(data[begin + _NAME : space])
            if answer is None:
                break
            answers.append(answer)
            octets += len(answer)
            begin = end
        if answers:
            self._request_count += len(answers)
            self._send(ready, answers, begun)
        return begin

    def _answer_parsed(self, ready: ReadyAnswers, waiter: "asyncio.Future[None]", data: bytes, begin: int) -> int:
        """Has aiohttp parse, and answers what is ordinary and held; aiohttp serves the rest. Returns what was read."""
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
        if messages and not self._buffer_paused:
            if at_boundary and self._at_boundary and len(messages) == 1:
                ready.learn(part, *messages[0])
            self._answer_messages(ready, begun)
        if messages:
            waiter.set_result(None)
        return end

    def _answer_messages(self, ready: ReadyAnswers, begun: float) -> None:
        messages, answers = self._messages, []
        while messages and (answer := ready.answer_to(*messages[0])) is not None:
            messages.popleft()
            self._parser.message_consumed()  # type: ignore[union-attr]  # there until the connection is lost
            answers.append(answer)
        if answers:
            self._send(ready, answers, begun)

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
