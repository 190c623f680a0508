"""The short way over real sockets, TLS and a real book that is being written."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.node import Node
from tests.resolver.http.lab import PREFIX, any_certificate, lab

DEADLINE = 60.0
ASK = b"GET /api/handles/88.118.1/READ HTTP/1.1\r\nHost: node\r\n\r\n"
LAST = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
DATE = re.compile(rb"Date: [^\r]*")


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path) as node:
        yield node


class Visitor:
    """A client over a real connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, port: int, tls: ssl.SSLContext | None = None) -> "Visitor":
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    async def answer(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return DATE.sub(b"", head) + await self.reader.readexactly(length)

    async def ask(self, octets: bytes = ASK) -> bytes:
        self.writer.write(octets)
        return await self.answer()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@pytest.mark.parametrize("tls", [False, True])
async def test_what_is_answered_over_real_connections_is_the_same_however_it_is_cut(node: Node, tls: bool):
    async with asyncio.timeout(DEADLINE):
        first = await Visitor.of(node.port, any_certificate() if tls else None)
        expected = await first.ask(ASK.replace(b"Host", b"Range: bytes=0-1\r\nHost"))  # the long way
        assert node.metrics.counts.ready == 0
        for segments in ([ASK], [ASK], [ASK[:20], ASK[20:]], [ASK + ASK[:-1], ASK[-1:] + ASK], [ASK * 200]):
            for segment in segments:
                first.writer.write(segment)
                await first.writer.drain()
                await asyncio.sleep(0)
            for _ in range(sum(map(len, segments)) // len(ASK)):
                assert await first.answer() == expected
        assert node.metrics.counts.ready == 206
        await first.ask(LAST)
        assert await first.reader.read() == b""
        await first.close()


async def _write(store: Store, versions: Sequence[int], written: list[int]) -> None:
    for version in versions:
        values = (HandleValue(1, "DESC", b"version %d" % version),)
        async with begin(store, "test") as transaction:
            current = await transaction.lock(Handle.from_text(f"{PREFIX}/READ"))
            await transaction.replace(current, values)
        written.append(version)


def version_of(answer: bytes) -> int:
    found = re.search(rb"version (\d+)", answer)
    return int(found[1]) if found else 0


async def test_nothing_older_than_what_was_heard_is_answered_while_it_is_being_written(node: Node, database_dsn: str):
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    written: list[int] = []
    visitor = await Visitor.of(node.port)
    heard = 0  # The newest version whose change the node has heard of.
    checked = 0
    try:
        async with asyncio.timeout(DEADLINE * 2), asyncio.TaskGroup() as group:
            before = node.metrics.counts.changes
            writing = group.create_task(_write(store, range(1, 61), written))
            while not (writing.done() and heard == 60):
                heard = node.metrics.counts.changes - before  # One change for each version, in this process.
                answer = version_of(await visitor.ask())
                assert heard <= answer <= len(written) + 1
                checked += 1
        assert checked > 60
        assert node.metrics.counts.ready > checked / 4
    finally:
        await visitor.close()
        await store.close()
