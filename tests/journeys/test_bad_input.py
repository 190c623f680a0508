"""Slow clients, floods and nonsense at a real node, all at once: whoever asks properly is answered meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from registry.value import HandleValue
from tests.resolver.http.lab import PREFIX, lab, prefix_values, write
from tests.resolver.running_node import RunningNode, arguments, ask, is_running

DEADLINE = 120.0  # For the whole storm, on two cores that other tests use too.
PATIENCE = 20.0  # For one honest answer. A node that waits for its slowest client would not meet it.
MEMORY = 400 << 20  # Octets. A worker takes 70 MB when idle; what the storm sends and asks for is gigabytes.
QUESTIONS = 100
GOOD = {
    f"{PREFIX}/GOOD-{number}": (HandleValue(1, "URL", f"https://example.com/{number}".encode()),)
    for number in range(20)
}
GET = b"GET %b HTTP/1.1\r\nHost: node\r\n%b\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Client = Callable[[Streams], Awaitable[None]]


async def drip(streams: Streams, octets: bytes) -> None:
    """Sends so slowly that it never ends by itself."""
    for octet in octets:
        streams[1].write(bytes((octet,)))
        await streams[1].drain()
        await asyncio.sleep(0.5)


async def slow_head(streams: Streams) -> None:
    await drip(streams, GET % (b"/api/handles/" + b"a" * 1000, b""))


async def slow_body(streams: Streams) -> None:
    streams[1].write(
        b"PUT /api/handles/%b/SLOW HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" % PREFIX.encode()
    )
    await drip(streams, b"[" * 1000)


async def half_a_handshake(streams: Streams) -> None:
    await drip(streams, b"\x16\x03\x01\x02\x00" + b"\x01" * 1000)


async def silence(streams: Streams) -> None:
    await streams[0].read()


async def answers_left_unread(streams: Streams) -> None:
    """Asks without end and reads nothing: the node stops reading when it cannot write."""
    while True:
        streams[1].write(GET % (f"/api/handles/{PREFIX}/GOOD-1".encode(), b"") * 100)
        await streams[1].drain()


async def names_that_do_not_exist(streams: Streams) -> None:
    number = 0
    while True:
        number += 1
        streams[1].write(GET % (b"/api/handles/%b/%d-%d" % (PREFIX.encode(), id(streams), number), b""))
        await streams[1].drain()
        await streams[0].readuntil(b"\r\n\r\n")


async def endless_head(streams: Streams) -> None:
    streams[1].write(b"GET / HTTP/1.1\r\n")
    while True:
        streams[1].write(b"X-Header: %b\r\n" % (b"x" * 1000) * 20)
        await streams[1].drain()


async def endless_line(streams: Streams) -> None:
    streams[1].write(b"GET /")
    while True:
        streams[1].write(b"a" * 60_000)
        await streams[1].drain()


async def noise(streams: Streams) -> None:
    while True:
        streams[1].write(bytes(range(256)) * 200)
        await streams[1].drain()


CLIENTS: dict[Client, int] = {
    slow_head: 60, slow_body: 30, half_a_handshake: 30, silence: 60, answers_left_unread: 6,
    names_that_do_not_exist: 2, endless_head: 2, endless_line: 2, noise: 2,
}  # fmt: skip
PAUSE = 0.2  # Seconds before a client that was thrown out comes again: the storm has its share of the core, not all.


@asynccontextmanager
async def storm(port: int, reached: dict[Client, int]) -> AsyncIterator[None]:
    """Each client comes again as soon as it was thrown out."""

    async def insist(client: Client) -> None:
        while True:
            try:
                streams = await asyncio.open_connection("127.0.0.1", port)
                reached[client] = reached.get(client, 0) + 1
                try:
                    await client(streams)
                finally:
                    streams[1].transport.abort()
            except (OSError, EOFError):
                await asyncio.sleep(PAUSE)

    tasks = [asyncio.create_task(insist(client)) for client, count in CLIENTS.items() for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


async def good_questions(url: str) -> None:
    for number in range(QUESTIONS):
        name, values = list(GOOD.items())[number % len(GOOD)]
        status, body = await asyncio.wait_for(asyncio.to_thread(ask, f"{url}/api/handles/{name}"), PATIENCE)
        assert status == 200, body
        assert body["values"][0]["data"]["value"] == values[0].data.decode()


async def test_a_storm_of_bad_clients_delays_nobody_and_changes_nothing(database_dsn, tmp_path):
    await write(database_dsn, {f"0.NA/{PREFIX}": prefix_values(), **GOOD})
    reached: dict[Client, int] = {}
    with RunningNode(*arguments(database_dsn, tmp_path, workers=1)) as node:
        url, _ = await asyncio.to_thread(node.ready)
        worker = node.pid_of("worker 1")
        async with asyncio.timeout(DEADLINE), storm(urlsplit(url).port, reached):
            await good_questions(url)
        assert reached.keys() == CLIENTS.keys()
        assert is_running(worker)
        if Path("/proc/self/status").is_file():
            assert peak_memory(worker) < MEMORY
        status, body = await asyncio.to_thread(ask, f"{url}/api/handles?prefix={PREFIX}")
        assert status in {401, 403}, body  # listing asks who is there, as ever
        await good_questions(url)
    assert not [line for line in node.log if "Traceback" in line or " ERROR " in line]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (GET % (b"/api/handles/88.1/" + b"a" * 100_000, b""), 431),
        (GET % (b"/api/handles/88.1/a", b"X: " + b"x" * 100_000 + b"\r\n"), 431),
        (GET % (b"/api/handles/88.1/a", b"X: x\r\n" * 100_000), 400),
        (GET % (b"/api/handles/88.1/%zz", b""), 400),
        (GET % (b"/api/handles/" + b"%61" * 2100 + b"/x", b""), 400),
        (b"\x00" * 100, 400),
    ],
    ids=["line", "header", "headers", "percent", "name", "octets"],
)
async def test_what_is_too_much_is_refused_in_the_protocols_own_form(database_dsn, tmp_path, request_, status):
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lab(database_dsn, tmp_path))
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        stack.callback(writer.close)
        writer.write(request_)
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            body = json.loads(await reader.readexactly(length))
        assert int(head.split()[1]) == status
        assert body["responseCode"] in {4, 102}
        assert body["message"]
