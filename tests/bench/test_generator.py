"""The load generators, the one in C and the one in Python, believe no answer and hide no waiting."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.generator import SLOW, Plan, Target, measure, program
from bench.pools import (
    KINDS,
    NOTHING,
    Request,
    batch,
    dns_query,
    http_get,
    native,
    read_pool,
    redis_get,
    resolution,
    write_pool,
)
from registry.value import HandleValue
from resolver.wire.envelope import Envelope
from tests.resolver.http.lab import URL, lab

NAMES = [f"88.118.1/{number}" for number in range(64)]
STALL = 0.5  # Seconds.
Serve = Callable[[bytes], Awaitable[bytes | None]]


@pytest.fixture(params=["C", "Python"])
def command(request) -> tuple[str, ...]:
    return program() if request.param == "C" else SLOW


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """An HTTP server: the head of each request is answered as `serve` says; None hangs up."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (answer := await serve(await reader.readuntil(b"\r\n\r\n"))) is not None:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Datagrams(asyncio.DatagramProtocol):
    """A server of datagrams that answers as it is told."""

    def __init__(self, serve: Callable[[bytes], list[bytes]]) -> None:
        self._serve = serve

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data, addr) -> None:
        for answer in self._serve(data):
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serving_datagrams(serve: Callable[[bytes], list[bytes]]) -> AsyncIterator[int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Datagrams(serve), local_addr=("127.0.0.1", 0)
    )
    yield transport.get_extra_info("sockname")[1]
    transport.close()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def echo(head: bytes) -> bytes:
    return ok(head.split()[1])


def once(path: Path, requests, target: Target, **more) -> Plan:
    return Plan(write_pool(path / "pool", requests), [target], once=True, check=1, **more)


REQUESTS = st.builds(
    Request,
    octets=st.binary(max_size=80),
    marker=st.binary(max_size=20),
    code=st.integers(0, 1000),
    identifiers=st.integers(0, 10_000),
    at=st.integers(0, 86_400).map(float),
    target=st.integers(0, 3),
    after=st.integers(NOTHING, 1000),
    kind=st.integers(0, KINDS - 1),
)


@given(st.lists(REQUESTS))
def test_a_pool_is_read_as_it_was_written(tmp_path_factory, requests):
    assert list(read_pool(write_pool(tmp_path_factory.mktemp("pool") / "pool", requests))) == requests


@pytest.mark.parametrize("protocol", ["http", "tcp", "udp"])
async def test_a_node_answers_every_request(database_dsn, tmp_path, command, protocol):
    long = HandleValue(2, "DESC", b"x" * 700)  # several datagrams
    async with lab(database_dsn, tmp_path, dict.fromkeys(NAMES, (URL, long))) as node:
        make = resolution if protocol == "http" else native
        target = Target(protocol, node.port if protocol == "http" else node.native_port, 4, 2)
        measured = await measure(once(tmp_path, map(make, NAMES), target), command)
    assert (measured.sent, measured.right, measured.lost) == (len(NAMES), len(NAMES), 0)
    assert measured.identifiers == len(measured.histogram) == len(NAMES)


async def test_batches_count_what_was_found(database_dsn, tmp_path, command):
    async with lab(database_dsn, tmp_path, dict.fromkeys(NAMES, (URL,))) as node:
        pool = [batch(NAMES), batch([*NAMES, "88.118.1/none"], missing=1), batch([*NAMES, "88.118.1/none"])]
        measured = await measure(once(tmp_path, pool, Target("http", node.port, 1)), command)
    assert (measured.answered, measured.wrong, measured.identifiers) == (3, 1, 2 * len(NAMES))
    assert b'"found":64' not in measured.wrong_sample[:20]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", ok(b"something else")])
async def test_a_wrong_answer_is_counted_and_shown(tmp_path, command, answer):
    async def serve(head: bytes) -> bytes:
        return answer if b"/wrong" in head else await echo(head)

    paths = ["/wrong", *(f"/{number}" for number in range(9))]
    async with serving(serve) as port:
        measured = await measure(
            once(tmp_path, [http_get(path, path) for path in paths], Target("http", port, 2)), command
        )
    assert (measured.answered, measured.wrong, measured.identifiers) == (10, 1, 9)
    assert answer.startswith(measured.wrong_sample)


async def test_an_expected_refusal_is_right(tmp_path, command):
    async def serve(_: bytes) -> bytes:
        return b"HTTP/1.1 404 None\r\nContent-Length: 2\r\n\r\n{}"

    async with serving(serve) as port:
        measured = await measure(once(tmp_path, [http_get("/", code=404)] * 5, Target("http", port, 1)), command)
    assert (measured.right, measured.codes) == (5, {404: 5})


async def test_chunks_are_followed_however_they_arrive(tmp_path, command):
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123\r\n4567\r\n0\r\n\r\n"

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            for place in range(len(whole)):
                writer.write(whole[place : place + 1])
                await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        target = Target("http", server.sockets[0].getsockname()[1], 1)
        measured = await measure(once(tmp_path, [http_get("/", "3\r\n4567")] * 3, target), command)
    assert (measured.right, measured.lost) == (3, 0)


async def test_in_an_open_loop_who_waits_for_a_stalled_server_is_counted_from_when_he_was_due(tmp_path, command):
    asked = 0

    async def serve(head: bytes) -> bytes:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.sleep(STALL)
        return await echo(head)

    async with serving(serve) as port:
        measured = await measure(once(tmp_path, [http_get("/")] * 20, Target("http", port, 1), rate=100.0), command)
    shortest = measured.histogram.pairs()[0][0]
    assert shortest > (STALL - 0.2) * 1e6 * 0.99  # The last of the twenty was due 0.19 s after the first.
    assert measured.percentile(100) <= measured.seconds * 1e6 * 1.01
    assert measured.latest_send > (STALL - 0.2) * 1e6


async def test_a_read_waits_for_what_it_reads_to_be_written(tmp_path, command):
    written, early = asyncio.Event(), []

    async def write(_: bytes) -> bytes:
        await asyncio.sleep(0.2)
        written.set()
        return ok(b"")

    async def read(head: bytes) -> bytes:
        early.append(not written.is_set())
        return ok(b"")

    async with serving(read) as reading, serving(write) as writing:
        requests = [http_get("/free"), http_get("/write", target=1), http_get("/", after=1), http_get("/", after=1)]
        pool = write_pool(tmp_path / "pool", requests)
        plan = Plan(pool, [Target("http", reading, 2), Target("http", writing, 2)], once=True)
        measured = await measure(plan, command)
    assert (measured.right, early) == (4, [True, False, False])


async def test_several_processes_send_everything_once(tmp_path, command):
    seen: Counter[bytes] = Counter()

    async def serve(head: bytes) -> bytes:
        seen[head.split()[1]] += 1
        return await echo(head)

    async with serving(serve) as port:
        requests = [http_get(f"/{number}", f"/{number}") for number in range(100)]
        measured = await measure(once(tmp_path, requests, Target("http", port, 2), processes=3), command)
    assert (measured.right, len(seen), max(seen.values())) == (100, 100, 1)


async def test_what_a_server_owed_when_it_hung_up_is_lost(tmp_path):
    asked = 0

    async def serve(head: bytes) -> bytes | None:
        nonlocal asked
        asked += 1
        return await echo(head) if asked % 4 else None

    async with serving(serve) as port:
        measured = await measure(once(tmp_path, [http_get("/")] * 16, Target("http", port, 1)), program())
    assert (measured.right, measured.lost, measured.reconnects) == (12, 4, 4)


async def test_datagrams_that_nobody_answers_are_asked_again_and_then_lost(tmp_path, command):
    heard: Counter[bytes] = Counter()

    def serve(datagram: bytes) -> list[bytes]:
        heard[datagram[8:12]] += 1
        return []

    async with serving_datagrams(serve) as port:
        measured = await measure(once(tmp_path, map(native, NAMES[:3]), Target("udp", port, 1, 4)), command)
    assert (measured.sent, measured.answered, measured.lost, measured.again) == (3, 0, 3, 6)
    assert list(heard.values()) == [3, 3, 3]


async def test_a_native_refusal_is_wrong(tmp_path, command):
    def refuse(datagram: bytes) -> list[bytes]:
        envelope = Envelope.from_wire(datagram)
        return [envelope.to_wire() + datagram[20:24] + (2).to_bytes(4, "big") + datagram[28:]]

    async with serving_datagrams(refuse) as port:
        measured = await measure(once(tmp_path, map(native, NAMES[:4]), Target("udp", port, 1, 2)), command)
    assert (measured.wrong, measured.codes) == (4, {2: 4})


async def test_redis_values_are_told_from_missing_ones(tmp_path, command):
    answers = {b"there": b"$5\r\nvalue\r\n", b"none": b"$-1\r\n", b"odd": b"-ERR odd\r\n"}

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if (key := line.strip()) in answers:
                writer.write(answers[key])
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        target = Target("redis", server.sockets[0].getsockname()[1], 1, 4)
        requests = [redis_get("there", "value"), redis_get("none"), redis_get("odd"), redis_get("none", code=1)]
        measured = await measure(once(tmp_path, requests, target), command)
    assert (measured.right, measured.wrong, measured.codes) == (2, 2, {0: 1, 1: 2, 2: 1})


async def test_a_dns_answer_without_a_record_is_wrong(tmp_path, command):
    def serve(datagram: bytes) -> list[bytes]:
        found = b"\0\1" if b"there" in datagram else b"\0\0"
        return [datagram[:2] + b"\x81\x80" + datagram[4:6] + found + datagram[8:] + b"text"]

    async with serving_datagrams(serve) as port:
        requests = [dns_query("there.example", marker=b"text"), dns_query("none.example")]
        measured = await measure(once(tmp_path, requests, Target("dns", port, 1, 2)), command)
    assert (measured.right, measured.wrong, measured.codes) == (1, 1, {0: 1, 16: 1})


async def test_a_generator_that_finds_nobody_says_so(tmp_path, command):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(RuntimeError, match=r"(?i)connect"):
        await measure(once(tmp_path, [http_get("/")], Target("http", port, 1)), command)


@pytest.mark.parametrize("compiler", ["false", "/nowhere/cc"])
def test_without_a_compiler_that_works_python_sends_and_says_so(tmp_path, monkeypatch, capsys, compiler):
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert program.__wrapped__() == SLOW
    assert "no working C compiler" in capsys.readouterr().err
