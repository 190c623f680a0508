"""Clients that are slow, hostile or in a hurry: each has its answer or its end, and nobody else waits."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from registry.changes import Change, ChangeKind
from registry.errors import HandleError
from registry.port import listen
from registry.routes import Route
from resolver.listeners.http.app import Dispatcher
from resolver.listeners.http.body import read_body
from resolver.listeners.http.connection import Connection
from resolver.listeners.http.freshness import Freshness
from resolver.listeners.http.responses import refusal
from resolver.node import Node
from resolver.tally import Tally
from tests.journeys.servers import a_server
from tests.resolver.http.lab import Client, basic, lab
from tests.resolver.http.short_way import Line, a_bout, question

DEADLINE = 60.0
PATH = b"/api/handles/88.118.1/READ"
GET = b"GET %b HTTP/1.1\r\nHost: node\r\n\r\n" % PATH
HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) .*?\r\n\r\n", re.DOTALL)


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path) as node:
        yield node


async def say(port: int, octets: bytes) -> bytes:
    """Everything that is answered until the other side ends the connection."""
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(octets)
            return await reader.read()
        finally:
            writer.close()


def status_and_code(answer: bytes) -> tuple[int, int]:
    head = HEAD.match(answer)
    assert head is not None, answer
    return int(head[1]), json.loads(answer[head.end() :])["responseCode"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 400),
        (b"\0" * 100, 400),
    ],
)
async def test_what_is_not_http_is_refused_in_the_apis_own_form(node: Node, request_: bytes, status: int):
    assert status_and_code(await say(node.port, request_)) == (status, 4)
    assert b'"responseCode":1' in await say(node.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


async def test_requests_sent_ahead_are_answered_in_their_order(node: Node):
    ask = b"GET /api/handles/88.118.1/%b HTTP/1.1\r\nHost: node\r\n\r\n"
    names = [b"READ", b"none", b"read", b"x%20y", b"READ"]
    octets = b"".join(ask % name for name in names) + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = await say(node.port, octets)
    shown = [b"READ", b"none", b"read", b"x y", b"READ", b"READ"]
    assert re.findall(rb'"handle":"88\.118\.1/([^"]+)"', answer) == shown


async def test_a_request_that_names_the_whole_address_means_the_same(node: Node):
    octets = b"GET http://node.example:8000%b HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n" % PATH
    assert status_and_code(await say(node.port, octets)) == (200, 1)


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(node: Node):
    head = b"POST %b HTTP/1.1\r\nHost: node\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(head % PATH)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert status_and_code(await reader.read()) == (200, 1)
        writer.close()


async def test_a_body_in_broken_chunks_is_refused(node: Node):
    head = b"POST %b HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n" % PATH
    assert status_and_code(await say(node.port, head + b"zz\r\n")) == (400, 4)


async def test_a_client_that_goes_away_in_the_middle_of_its_body_harms_nobody(node: Node):
    _, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"POST %b HTTP/1.1\r\nHost: node\r\nContent-Length: 100\r\n\r\n{" % PATH)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert b'"responseCode":1' in await say(node.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


@asynccontextmanager
async def serving(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], **limits: float
) -> AsyncIterator[int]:
    """A server of our connections with limits that a test can wait for."""

    class Server(web.Server):
        def __call__(self) -> Connection:
            return Connection(self, keepalive=limits.get("keepalive", 60.0), head_timeout=limits["head"])

        def make(self, message, payload, protocol, writer, task) -> web.BaseRequest:
            return web.Request(message, payload, protocol, writer, task, self._loop)

    served = Server(answer)
    served.request_factory = served.make
    [listening] = listen(("127.0.0.1",), 0)
    server = await asyncio.get_running_loop().create_server(served, sock=listening)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await served.shutdown(1)
        listening.close()


async def answer_at_once(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="here")


async def test_a_fault_of_ours_is_logged_with_its_traceback_and_told_without(caplog: pytest.LogCaptureFixture):
    async def broken(request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        raise KeyError("a secret of ours")

    table = [Route("GET", "/api/broken", broken, "broken", "Break.", "损坏。")]
    observed: list[float] = []
    dispatcher = Dispatcher(table, None, Freshness(lambda _: None, None), observed.append, Tally())
    async with serving(dispatcher.serve, head=10.0) as port:
        answer = await say(port, b"GET /api/broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status_and_code(answer) == (500, 2)
    assert b"secret" not in answer
    assert len(observed) == 1
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info[0] is KeyError
    caplog.clear()


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
async def test_a_head_that_never_ends_does_not_hold_its_connection(sent: bytes):
    async with serving(answer_at_once, head=0.2) as port:
        assert await say(port, sent) == b""


async def test_an_idle_connection_is_ended():
    async with serving(answer_at_once, head=10.0, keepalive=0.2) as port:
        answer = await say(port, GET)
        assert answer.endswith(b"here")
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_later_head_that_never_ends_does_not_hold_its_connection_either():
    async with serving(answer_at_once, head=0.2) as port:
        answer = await say(port, GET + GET + b"GET / HT")
        assert answer.count(b"here") == 2


@pytest.mark.parametrize("short_way", [False, True])
async def test_no_time_runs_while_a_connection_is_idle_between_two_heads(short_way: bool):
    async with a_bout() as bout:
        line = Line((bout.short if short_way else bout.long)())
        connection = line.connection
        body = b"POST /api/handles/88.1/ENGINE HTTP/1.1\r\nHost: node\r\nContent-Length: 9\r\n\r\n{   "
        await line.say(question(), body)
        assert connection._later_head is None
        assert b'"responseCode":1,' in await line.say(b"    }")
        await line.say(question(), question())
        assert connection._later_head is None
        await line.say(question()[:20])
        assert connection._later_head is not None
        await line.say(question()[20:])
        assert connection._later_head is None
        await line.hang_up()


async def test_when_there_are_too_many_connections_the_longest_idle_ones_give_way():
    async with a_bout(http_connections=3) as bout:
        lines = [Line(bout.short()) for _ in range(3)]
        for line in lines:
            await line.say(question())
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        lines[0].connection.data_received(question())
        for order, line in enumerate(lines):
            line.connection._next_keepalive_close_time = order
        newcomer = Line(bout.short())
        assert [line.transport.closing for line in (*lines, newcomer)] == [False, True, True, False]
        assert bout.metrics.counts.http_crowd == 2
        (await bout.made.book.next_read()).answer()
        assert b'"responseCode":1,' in await lines[0].say()
        for line in (*lines, newcomer):
            await line.hang_up()
        assert bout.metrics.http_connections == 0


async def test_when_all_connections_are_being_served_a_new_one_is_refused():
    async with a_bout(http_connections=1) as bout:
        line = Line(bout.short())
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        await line.say(question())
        newcomer = Line(bout.short())
        assert (line.transport.closing, newcomer.transport.closing) == (False, True)
        (await bout.made.book.next_read()).answer()
        assert b'"responseCode":1,' in await line.say()
        for one in (line, newcomer):
            await one.hang_up()


async def test_a_body_that_comes_too_slowly_is_refused():
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        try:
            await read_body(request, 100, 0.1)
        except HandleError as error:
            response = refusal(request, error)
            response.force_close()
            return response
        raise AssertionError("the body was read")

    async with serving(answer, head=10.0) as port, asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_without_a_database_what_would_need_it_is_refused_as_busy_at_once(tmp_path: Path):
    async with a_server() as server, lab(server.dsn, tmp_path) as node:

        def use(ask: Callable[[Client], None]) -> None:
            client = Client(node.port, tls=True)
            try:
                ask(client)
            finally:
                client.close()

        def before(client: Client) -> None:
            value = [{"index": 1, "type": "DESC", "data": "x"}]
            assert client.ask("PUT", "/api/handles/88.118.1/NEW", value, basic()).status == 201
            assert client.ask("GET", "/api/handles/88.118.1/NEW").status == 200

        def after(client: Client) -> None:
            value = [{"index": 1, "type": "DESC", "data": "y"}]
            for method, path, body, headers in (
                ("PUT", "/api/handles/88.118.1/NEW", value, basic()),
                ("PUT", "/api/handles/88.118.1/NEW", value, {}),
                ("DELETE", "/api/handles/88.118.1/NEW", None, basic()),
                ("GET", "/api/handles?prefix=88.118.1", None, basic()),
                ("GET", "/api/handles/88.118.1/NEW?publicOnly=false", None, basic()),
                ("GET", "/api/handles/88.118.1/OTHER", None, {}),
                ("GET", "/api/prefixes", None, basic()),
                ("POST", "/api/sessions", {}, {}),
            ):
                reply = client.ask(method, path, body, headers)
                assert (reply.status, reply.json["responseCode"]) == (503, 3), (method, path, reply)
                assert reply.headers["Retry-After"] == "1"

        await asyncio.to_thread(use, before)
        await server.stop()
        await asyncio.to_thread(use, after)
