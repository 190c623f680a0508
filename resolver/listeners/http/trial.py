"""A trial conversation at the start of a node: whether ReadyConnection fits the aiohttp that is installed.

The same octets are said to a connection of ours and to one that is all aiohttp's. Where the answers differ, or do not
come, or the short way is never taken, aiohttp's way is the only one.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from registry.handle import Handle, HandleKey, fold_whole
from registry.names import Names
from registry.packing import PackedRecord, pack
from registry.rest import STATUS
from registry.value import HandleValue
from resolver.answer import MISSING, Answer, found
from resolver.listeners.http.connection import Connection
from resolver.listeners.http.handles import whole_body, whole_headers
from resolver.listeners.http.ready import PATH, ReadyAnswers
from resolver.listeners.http.ready_connection import PRIVATE, ReadyConnection
from resolver.metrics import Metrics
from resolver.misses import Told

DEADLINE: Final = 5.0  # Seconds for the whole trial, which takes some milliseconds.
KEEPALIVE: Final = 60.0
TURNS: Final = 10  # Of the loop, until aiohttp waits again after it answered; it takes 2 or 3.

_NAME: Final = "0.NA/trial"
_ANSWER: Final = found(
    PackedRecord(Handle.from_text(_NAME), pack([HandleValue(1, "URL", b"https://example.org/")], 0), 0, 1), 0
)
_KNOWN: Final = b"GET /api/handles/0.NA/trial HTTP/1.1\r\nHost: trial\r\nAccept: */*\r\n\r\n"
_READ: Final = b"GET /api/handles/0.NA/read HTTP/1.1\r\nHost: trial\r\nAccept: */*\r\n\r\n"
_OTHER: Final = b"GET /trial HTTP/1.1\r\nHost: trial\r\nAccept: */*\r\n\r\n"
_LAST: Final = b"GET /api/handles/0.NA/trial HTTP/1.1\r\nHost: trial\r\nConnection: close\r\n\r\n"
# Segments, and how many answers have come when each is answered: parsed, known, ahead of each other, in halves, having
# to be read, served by aiohttp, and the last.
_CONVERSATION: Final = (
    (_KNOWN, 1),
    (_KNOWN, 2),
    (_KNOWN + _READ + _KNOWN + _OTHER + _KNOWN, 7),
    (_KNOWN[:30], 7),
    (_KNOWN[30:] + _READ, 9),
    (_KNOWN[:-2], 9),
    (_KNOWN[-2:], 10),
    (_OTHER, 11),
    (_LAST, 12),
)
_READY: Final = 8  # Ordinary questions, and nothing before them that aiohttp serves.
_DATE: Final = re.compile(rb"\r\nDate: [^\r]+")


class Recorder(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self, **extra: Any) -> None:
        super().__init__(extra)
        self.written = bytearray()
        self.closing = False
        self._changed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        self._changed.set()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self._changed.set()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    async def answered(self, answers: int) -> None:
        """Waits until so many answers were written."""
        while self.written.count(b"HTTP/1.1 ") < answers:
            self._changed.clear()
            await self._changed.wait()

    def answers_from(self, begin: int) -> bytes:
        """What was written from there on, without the time of day."""
        return _DATE.sub(b"\r\nDate: now", self.written[begin:])


async def misfit(connection: type[ReadyConnection] = ReadyConnection) -> str:
    """Why the short way cannot be taken; "" when it can."""
    metrics = Metrics()
    ready = ReadyAnswers(_Source(), Names(fold_whole), metrics)
    server = web.Server(_serve)
    try:
        missing = [name for name in PRIVATE if not hasattr(connection(server, ready, keepalive=KEEPALIVE), name)]
        if missing:
            return f"aiohttp's connection has no {', '.join(missing)}"
        async with asyncio.timeout(DEADLINE):
            expected = await _converse(lambda: Connection(server, keepalive=KEEPALIVE))
            answers = await _converse(lambda: connection(server, ready, keepalive=KEEPALIVE))
    except Exception as error:  # Whatever it is: this aiohttp is not the one that the short way was made for.
        return f"the trial conversation failed: {error!r}"
    if answers != expected:
        return "the trial conversation was answered differently"
    if metrics.counts.ready != _READY:
        return f"{metrics.counts.ready} of {_READY} answers took the short way in the trial conversation"
    return ""


async def _converse(make: Callable[[], Connection], segments: Sequence[tuple[bytes, int]] = _CONVERSATION) -> bytes:
    connection, transport = make(), Recorder()
    connection.connection_made(transport)
    try:
        for octets, answers in segments:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            connection.data_received(octets)
            await transport.answered(answers)
        return transport.answers_from(0)
    finally:
        connection.connection_lost(None)


async def _serve(request: web.BaseRequest) -> web.StreamResponse:
    if not request.path.startswith(PATH):
        return web.Response(status=404)
    name = request.path.removeprefix(PATH)
    answer = _ANSWER if name == _NAME else MISSING
    headers = whole_headers(answer.ttl, answer.etag)
    return web.Response(body=whole_body(name, answer), status=STATUS[answer.code], headers=headers)


class _Source:
    """Keeps one answer, and reads of every other name that it is missing."""

    staleness = 0.0

    def peek_fresh(self, key: HandleKey) -> Answer | None:
        return _ANSWER if key == fold_whole(_NAME.encode()) else None

    def ask(self, key: HandleKey, told: Told) -> None:
        asyncio.get_running_loop().call_soon(told, MISSING)
