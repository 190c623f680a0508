"""What was asked is what is counted: over every protocol, from every source, by workers together and in each second."""

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

import aiohttp
import asyncpg

from registry.settings import RegistrySettings
from registry.statistics import Statistics, begin_of
from registry.store import Store
from registry.value import HandleValue
from resolver.node import Node, running
from resolver.settings import ResolverSettings, Settings, StatusSettings
from tests.journeys.native import DEADLINE, Connection, Datagrams
from tests.registry.books import PREFIX, URL, open_book, register
from tests.resolver.native import CALLED_FOR, answered, query
from tests.resolver.patience import PATIENT
from tests.resolver.running_node import RunningNode, arguments, ask, until
from tests.resolver.test_cli import filament

# Until one is answered and counted within a second, on a machine that has other things to do and may stall; each larger
# than those before, which may have been within one for one of the two.
BURSTS = range(700, 2700, 100)
SEEN, GONE, HIDDEN, FOREIGN = f"{PREFIX}/seen", f"{PREFIX}/gone", f"{PREFIX}/hidden", "10.5000/x"
HERE, ELSEWHERE, NAMING_AUTHORITY = PREFIX, "", "0.NA"

# Method, target, headers, the prefix that it counts under, and whether content is shown.
QUESTIONS = (
    ("GET", f"/api/handles/{SEEN}", {}, HERE, True),
    ("GET", f"/api/handles/{PREFIX}/SEEN", {"X-Trace": "1"}, HERE, True),
    ("GET", f"/api/handles/{PREFIX}/%73een", {}, HERE, True),
    ("HEAD", f"/api/handles/{SEEN}", {}, HERE, True),
    ("GET", f"/api/handles/{SEEN}", {"If-None-Match": "*"}, HERE, True),
    ("GET", f"/api/handles/{SEEN}", {"Authorization": ""}, HERE, True),
    ("GET", f"/api/handles/{GONE}", {}, HERE, False),
    ("GET", f"/api/handles/{PREFIX}/%67one", {}, HERE, False),
    ("GET", f"/api/handles/{HIDDEN}", {}, HERE, False),
    ("GET", f"/api/handles/{FOREIGN}", {}, ELSEWHERE, False),
    ("GET", f"/api/handles/0.NA/{PREFIX}", {}, NAMING_AUTHORITY, True),
    ("GET", f"/api/handles/{SEEN}?type=URL", {}, HERE, True),
    ("GET", f"/api/handles/{SEEN}?type=EMAIL", {}, HERE, False),
    ("GET", f"/api/handles/{SEEN}?auth=true", {}, HERE, True),
    ("GET", f"/api/handles/{HIDDEN}?publicOnly=false", {}, HERE, False),
    ("GET", f"/api/handles/{SEEN}?index=x", {}, HERE, False),
    ("GET", "/api/handles/%zz", {}, ELSEWHERE, False),
    ("GET", f"/{SEEN}", {}, HERE, True),
    ("GET", f"/{SEEN}?noredirect", {}, HERE, True),
    ("GET", f"/{SEEN}", {"Accept": "application/json"}, HERE, True),
    ("GET", f"/{GONE}", {}, HERE, False),
    ("GET", f"/{HIDDEN}", {}, HERE, False),
    ("GET", f"/{FOREIGN}", {}, ELSEWHERE, False),
)
BATCH = ((SEEN, HERE, True), (SEEN.upper(), HERE, True), (GONE, HERE, False), (HIDDEN, HERE, False),
         (FOREIGN, ELSEWHERE, False), (f"0.NA/{PREFIX}", NAMING_AUTHORITY, True),
         ("标识", NAMING_AUTHORITY, False))  # fmt: skip
NATIVE = ((SEEN, HERE, True), (SEEN, HERE, True), (GONE, HERE, False), (FOREIGN, ELSEWHERE, False),
          (f"0.NA/{PREFIX}", NAMING_AUTHORITY, True), (HIDDEN, HERE, False))  # fmt: skip
# What is no resolution.
OTHERS = ("/", "/docs", "/api/site", f"/api/handles?prefix={PREFIX}", "/nothing.at.all", "/api/nothing")


class Asked:
    """Requests and successes by prefix and protocol, as the clients of a test know them."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.successes: Counter[tuple[str, str]] = Counter()

    def add(self, prefix: str, protocol: str, success: bool, times: int = 1) -> None:
        self.requests[prefix, protocol] += times
        self.successes[prefix, protocol] += times * success

    def rows(self) -> dict[tuple[str, str], tuple[int, int]]:
        return {place: (requests, self.successes[place]) for place, requests in self.requests.items()}


def settings(dsn: str, directory: Path) -> Settings:
    return Settings(
        RegistrySettings(dsn=dsn, data_directory=str(directory)),
        ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, workers=1, **PATIENT),
        status=StatusSettings(port=0),
    )


@asynccontextmanager
async def a_node(dsn: str, directory: Path):
    async with running(settings(dsn, directory)) as node:
        async with asyncio.timeout(DEADLINE):
            while node.unready():  # noqa: ASYNC110  # readiness is asked for and told to nobody
                await asyncio.sleep(0.01)
        yield node


@asynccontextmanager
async def a_client(node: Node, address: str = "127.0.0.1", scheme: str = "http"):
    connector = aiohttp.TCPConnector(ssl=False, local_addr=(address, 0))
    async with aiohttp.ClientSession(f"{scheme}://127.0.0.1:{node.port}", connector=connector) as client:
        yield client


@asynccontextmanager
async def a_book(dsn: str):
    async with open_book(dsn) as store:
        await register(store, SEEN, URL)
        await register(store, HIDDEN, HandleValue(1, "DESC", b"secret", permissions=0b1100))
        yield store


async def rows(dsn: str, sql: str) -> list[tuple]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def counted(dsn: str, period: str = "day") -> dict[tuple[str, str], tuple[int, int]]:
    found = await rows(
        dsn,
        f"""SELECT coalesce(p.spelling, ''), protocol, sum(requests)::int, sum(successes)::int
            FROM resolution_count LEFT JOIN prefix AS p USING (prefix_id) WHERE period = '{period}' GROUP BY 1, 2""",
    )
    return {(prefix, protocol): (requests, successes) for prefix, protocol, requests, successes in found}


async def sources(dsn: str) -> dict[str, int]:
    return dict(await rows(dsn, "SELECT source, sum(requests)::int FROM resolution_source GROUP BY 1"))


async def ask_over_http(node: Node, asked: Asked, scheme: str, address: str) -> None:
    async with a_client(node, address, scheme) as client:
        for method, target, headers, prefix, success in QUESTIONS:
            for _ in range(4):  # not kept, kept, seen before, known
                kept = {name: text for name, text in headers.items() if text}
                async with client.request(method, aiohttp.client.URL(target, encoded=True), headers=kept,
                                          allow_redirects=False) as answer:  # fmt: skip
                    await answer.read()
                asked.add(prefix, scheme, success)
        for target in OTHERS:
            async with client.get(target) as answer:
                await answer.read()
        asked.add(NAMING_AUTHORITY, scheme, success=False)  # /nothing.at.all is a prefix to the proxy
        names = [name for name, _, _ in BATCH]
        async with client.post("/api/resolve", json=names * 300) as answer:
            assert len((await answer.json())["results"]) == len(names) * 300
        for _, prefix, success in BATCH:
            asked.add(prefix, "batch", success, 300)


async def ask_in_one_segment(node: Node, asked: Asked, times: int) -> None:
    """Questions ahead of each other, as fast clients ask."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    for name, success in ((SEEN, True), (GONE, False)):
        writer.write(f"GET /api/handles/{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * times)
        asked.add(HERE, "http", success, times)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        await reader.read(-1)
    writer.close()


async def ask_natively(node: Node, asked: Asked) -> None:
    async with Connection.open(node.native_port) as connection, Datagrams.open(node.native_port) as datagrams:
        for _ in range(3):
            connection.write(*(query(name) for name, _, _ in NATIVE))
            for _, prefix, success in NATIVE:
                await connection.read()
                asked.add(prefix, "tcp", success)
            for name, prefix, success in NATIVE:
                await datagrams.ask(query(name))
                asked.add(prefix, "udp", success)
        challenge = await connection.ask(query(HIDDEN, flags=CALLED_FOR))
        assert challenge.response_code == 402
        released = await connection.ask(answered(challenge))
        assert released.response_code == 1
        asked.add(HERE, "tcp", success=True)
    async with a_client(node) as client:
        for name, prefix, success in NATIVE:
            headers = {"Content-Type": "application/x-hdl-message"}
            async with client.post("/", data=query(name).to_wire(), headers=headers) as answer:
                await answer.read()
            asked.add(prefix, "tunnel", success)


async def test_what_was_asked_is_what_is_counted(database_dsn, tmp_path):
    asked = Asked()
    async with a_book(database_dsn), a_node(database_dsn, tmp_path) as node:
        for scheme, address in (("http", "127.0.0.1"), ("https", "127.0.0.2"), ("http", "127.0.0.2")):
            await ask_over_http(node, asked, scheme, address)
        await ask_in_one_segment(node, asked, 400)
        await ask_natively(node, asked)
    for period in ("minute", "hour", "day"):
        assert await counted(database_dsn, period) == asked.rows()
    by_source = await sources(database_dsn)
    assert set(by_source) == {"127.0.0.1", "127.0.0.2"}
    assert sum(by_source.values()) == asked.requests.total()
    over_http = len(QUESTIONS) * 4 + 1 + len(BATCH) * 300
    assert by_source["127.0.0.2"] == 2 * over_http


async def test_two_workers_add_up_and_the_busiest_second_is_that_of_a_burst(database_dsn, tmp_path):
    asked = Asked()
    async with a_book(database_dsn):
        for burst in BURSTS:
            expected = await burst_of_two_workers(database_dsn, tmp_path, asked, burst)
            if await busiest(database_dsn) == expected:
                break
        else:
            raise AssertionError("no burst was counted within a second")
    assert await counted(database_dsn) == asked.rows()


async def burst_of_two_workers(dsn: str, directory: Path, asked: Asked, burst: int) -> tuple[int, int]:
    """The second that it began in, and of how many requests it was."""
    async with a_node(dsn, directory) as one, a_node(dsn, directory) as other:
        await asyncio.sleep(1.4 - time() % 1.0)  # into a second, so that all of it may be in that one
        second = int(time())
        await asyncio.gather(*(ask_in_one_segment(node, asked, burst // 2) for node in (one, other)))
        await asyncio.sleep(2.0 - time() % 1.0)
        await ask_in_one_segment(one, asked, 10)
    return second, 2 * burst


async def busiest(dsn: str) -> tuple[int, int]:
    """The busiest second of all, and its requests."""
    today = begin_of("day", datetime.now(UTC))
    async with open_book_again(dsn) as store:
        found = await Statistics(store).busiest(today - timedelta(days=1), today + timedelta(days=1))
    row = max(found, key=lambda row: row.requests)
    return int(row.at.timestamp()), row.requests


@asynccontextmanager
async def open_book_again(dsn: str):
    store = Store(RegistrySettings(dsn=dsn), "test")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_a_killed_worker_loses_what_it_had_not_handed_over_and_no_more(database_dsn, tmp_path):
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--dsn", database_dsn)
    with RunningNode(*arguments(database_dsn, tmp_path, workers=1)) as node:
        url, _ = node.ready()
        before = 20
        for _ in range(before):
            assert ask(f"{url}/api/handles/0.NA/88.168.1")[0] == 200
        total = "SELECT coalesce(sum(requests), 0)::int FROM resolution_count WHERE period = 'day'"

        async def handed_over() -> int:
            return (await rows(database_dsn, total))[0][0]

        async with asyncio.timeout(DEADLINE):
            while await handed_over() < before:  # noqa: ASYNC110  # what is awaited happens in another process
                await asyncio.sleep(0.1)
        for _ in range(5):
            ask(f"{url}/api/handles/0.NA/88.168.1")
        os.kill(node.pid_of("worker 1"), signal.SIGKILL)
        node.pid_of("worker 1", count=2)
        assert before <= await handed_over() <= before + 5
        until(lambda: ask_or_not(url), "an answer of the new worker")
    shown = json.loads(filament("stats", "--dsn", database_dsn, "--output", "json").stdout)
    assert before + 1 <= sum(row["requests"] for row in shown) <= before + 5 + 1


def ask_or_not(url: str) -> bool:
    try:
        return ask(f"{url}/api/handles/0.NA/88.168.1")[0] == 200
    except OSError:
        return False
