"""What the headers of a question cost: known to the octet or by their form, parsed by aiohttp, or served by it.

`python -m bench.headers [--quick] [--keep]` gives a kept answer over connections whose transport only keeps the last
write, so that it is the CPU of this process without the kernel's part, which is the same for all; --keep writes the
figures to bench/results. The ways are measured in turns, round by round; the table has the median of the rounds. The
short way sees one client that sends the same block, or another one each time. `httptools` is measured when it is
installed: what a parser of our own would cost with the same ready answer. The node does not use it.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from itertools import count
from time import process_time
from typing import Any, Final

from aiohttp import web

from bench.surroundings import keep, surroundings
from registry.handle import HandleKey, fold_whole
from registry.names import Names
from resolver.answer import Answer
from resolver.listeners.http.connection import Connection
from resolver.listeners.http.handles import whole_body, whole_headers
from resolver.listeners.http.manner import PLAIN, TELLING
from resolver.listeners.http.ready import PATH, ReadyAnswers
from resolver.listeners.http.ready_connection import ReadyConnection
from resolver.metrics import Metrics
from resolver.misses import Told

try:
    import httptools  # type: ignore[import-not-found]  # in no requirement of ours, see above
except ImportError:
    httptools = None

NAME: Final = "88.118.1/P.20250618.000318"
ANSWER: Final = Answer(NAME.encode(), b',"values":[%b]}' % (b"x" * 340), 86400)
NUMBERS: Final = (1, 6, 10)
MICRO: Final = 1e6
# What clients send, the usual first.
HEADERS: Final = (
    "Host: id.example.org:8000",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Accept: application/json, */*;q=0.8",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8",
    "Connection: keep-alive",
    "X-Forwarded-For: 192.0.2.17",
    "X-Forwarded-Proto: https",
    "Cookie: session=5d1c0a2f9b7e4c1d; theme=dark",
    "Cache-Control: no-cache",
)


class _Sink(asyncio.Transport):
    """Keeps nothing but the last write."""

    def __init__(self) -> None:
        super().__init__()
        self.last = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.last = bytes(data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


class _HttpTools:
    """What another parser costs for the same head and the same ready answer."""

    def __init__(self, ready: ReadyAnswers) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.parser = httptools.HttpRequestParser(self)
        self._ready = ready
        self._cell = ready.tally.cells["http"]["192.0.2.1"]
        self._sink = _Sink()

    def on_message_begin(self) -> None:
        self.headers.clear()

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_message_complete(self) -> None:
        names = {name.lower() for name, _ in self.headers}
        if not TELLING.isdisjoint(names) or not self.parser.should_keep_alive() or self.parser.get_method() != b"GET":
            raise AssertionError("it is an ordinary question")
        answer = self._ready.answer(self.url[len(PATH) :], PLAIN, self._cell)
        assert answer is not None
        self._sink.write(answer)


def questions(headers: int, *, varying: bool) -> Iterator[bytes]:
    """Questions with so many headers; one of them is another each time when `varying`."""
    block = "\r\n".join(HEADERS[: headers - varying] if headers > 1 else HEADERS[:1])
    for number in count():
        changing = f"\r\nTraceparent: 00-{number:032x}-00f067aa0ba902b7-01" if varying else ""
        yield f"GET /api/handles/{NAME} HTTP/1.1\r\n{block}{changing}\r\n\r\n".encode()


class _Source:
    """Keeps the one answer that is asked for."""

    staleness = 0.0

    def peek_fresh(self, key: HandleKey) -> Answer | None:
        return ANSWER

    def ask(self, key: HandleKey, told: Told) -> None:
        raise AssertionError("it is kept")


async def _serve(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=whole_body(NAME, ANSWER), headers=whole_headers(ANSWER.ttl, ANSWER.etag))


async def _connected(connection: Connection) -> tuple[Connection, _Sink]:
    sink = _Sink()
    connection.connection_made(sink)
    for _ in range(5):
        await asyncio.sleep(0)
    return connection, sink


async def _short(asked: list[bytes], connection: Connection, sink: _Sink) -> float:
    begun = process_time()
    for one in asked:
        connection.data_received(one)
    took = process_time() - begun
    assert sink.last.startswith(b"HTTP/1.1 200 OK"), sink.last
    return took


async def _long(asked: list[bytes], connection: Connection, sink: _Sink) -> float:
    begun = process_time()
    for one in asked:
        sink.last = b""
        connection.data_received(one)
        while not sink.last:  # noqa: ASYNC110  # the turns of the loop are part of what is measured
            await asyncio.sleep(0)
    return process_time() - begun


async def _httptools(asked: list[bytes], other: _HttpTools) -> float:
    begun = process_time()
    for one in asked:
        other.parser.feed_data(one)
    return process_time() - begun


async def measure(rounds: int, times: int) -> dict[str, float]:
    """Microseconds of CPU for each question, by way and headers."""
    server = web.Server(_serve)
    ready = ReadyAnswers(_Source(), Names(fold_whole), Metrics())
    short = await _connected(ReadyConnection(server, ready, keepalive=600.0))
    long = await _connected(Connection(server, keepalive=600.0))
    ways: dict[str, Callable[[list[bytes]], Any]] = {
        "short way": lambda asked: _short(asked, *short),
        "aiohttp": lambda asked: _long(asked, *long),
    }
    if httptools is not None:
        ways["httptools"] = lambda asked: _httptools(asked, other)
        other = _HttpTools(ready)
    took: dict[str, list[float]] = {}
    for headers in NUMBERS:
        for varying in (False, True):
            source = questions(headers, varying=varying)
            for _ in range(rounds):
                asked = [next(source) for _ in range(times)]
                for way, run in ways.items():
                    kind = f"{way}, {headers} headers, {'varying' if varying else 'constant'}"
                    took.setdefault(kind, []).append(await run(asked) / times * MICRO)
    for connection, _ in (short, long):
        connection.connection_lost(None)
    return {kind: statistics.median(rounds) for kind, rounds in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.headers", description="CPU of a question by its headers.")
    parser.add_argument("--quick", action="store_true", help="rough figures in two seconds")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    rounds, times = (3, 300) if arguments.quick else (11, 3000)
    costs = asyncio.run(measure(rounds, times))
    for kind, microseconds in costs.items():
        print(f"{kind:<50} {microseconds:8.2f} µs")
    if httptools is None:
        print("httptools is not installed and was not measured", file=sys.stderr)
    report = {"program": "headers", **where, "unit": "µs", "cpu": costs}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("headers", report), file=sys.stderr)


if __name__ == "__main__":
    main()
