"""Postgres stops or is killed under a node: what is kept is answered on, the rest refused, until it is back."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from registry.embedded import EmbeddedPostgres
from registry.settings import RegistrySettings
from resolver.node import Node, running
from resolver.settings import ResolverSettings, Settings
from tests.journeys.servers import a_server
from tests.resolver.cores import Core

DEADLINE = 60.0
KEPT, OTHER = "0.NA/KEPT", "0.NA/OTHER"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # what a node thinks of its database is told to nobody
            await asyncio.sleep(0.01)


async def ask(session: aiohttp.ClientSession, name: str) -> tuple[int, dict, dict]:
    async with asyncio.timeout(DEADLINE), session.get(f"/api/handles/{name}") as response:
        return response.status, await response.json(), response.headers


async def text_of(session: aiohttp.ClientSession, name: str) -> str:
    status, body, _ = await ask(session, name)
    return body["values"][0]["data"]["value"] if status == 200 else str(status)


async def until_answered(session: aiohttp.ClientSession, name: str, text: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while await text_of(session, name) != text:  # noqa: ASYNC110  # the change log is polled, not awaited
            await asyncio.sleep(0.01)


async def end(server: EmbeddedPostgres, order: signal.Signals) -> None:
    assert server.process is not None
    server.process.send_signal(order)
    await asyncio.wait_for(server.exited.wait(), DEADLINE)


async def write(server: EmbeddedPostgres, name: str, text: str) -> None:
    core = Core(server.dsn)
    await core.store.open()
    await (core.replace if await core.store.fetch(core.store.key_of(name.encode())) else core.register)(name, text)
    await core.store.close()


async def until_fresh(session: aiohttp.ClientSession, name: str) -> None:
    """Until an answer says nothing of its age: a machine that stalls makes it say so in between."""
    async with asyncio.timeout(DEADLINE):
        while "Warning" in (await ask(session, name))[2]:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)


def settings(dsn: str, directory: Path) -> Settings:
    return Settings(
        RegistrySettings(dsn=dsn, data_directory=str(directory)),
        ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, max_staleness=0.3, miss_deadline=20.0),
    )


async def check_away(node: Node, session: aiohttp.ClientSession) -> None:
    await until(lambda: node.resolver.staleness)
    status, body, headers = await ask(session, KEPT)
    assert (status, body["values"][0]["data"]["value"]) == (200, "one")
    assert "Stale" in headers["Warning"]
    assert int(headers["Age"]) >= 0
    await until_answered(session, OTHER, "503")  # a killed server's last processes may have answered once more
    reads = node.metrics.counts.reads
    for _ in range(20):
        status, body, headers = await ask(session, OTHER)
        assert (status, body["responseCode"]) == (503, 3)
    assert node.metrics.counts.reads == reads  # at once: nobody waited for the database
    assert ("database", {}) in node.unready()


@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_node_outlives_its_database_and_finds_it_again(tmp_path, order):
    async with a_server() as server, running(settings(server.dsn, tmp_path)) as node:
        await write(server, KEPT, "one")
        await write(server, OTHER, "other")
        await until(lambda: not node.unready())
        async with aiohttp.ClientSession(f"http://127.0.0.1:{node.port}") as session:
            assert await text_of(session, KEPT) == "one"
            await until_fresh(session, KEPT)
            forgotten = node.metrics.counts.forgotten_everything
            await end(server, order)
            await check_away(node, session)
            await server.start()
            await until(lambda: not node.unready())
            assert await text_of(session, OTHER) == "other"
            assert await text_of(session, KEPT) == "one"
            await until_fresh(session, KEPT)
            # A crash may have taken back what had been seen, an ordered stop has not.
            assert (node.metrics.counts.forgotten_everything > forgotten) == (order == signal.SIGKILL)
            await write(server, KEPT, "two")
            await until_answered(session, KEPT, "two")


async def test_a_change_made_while_a_node_could_not_hear_is_heard_when_it_can(tmp_path):
    """The server comes back before the node has noticed, with a change that was written in between."""
    async with a_server() as server, running(settings(server.dsn, tmp_path)) as node:
        await write(server, KEPT, "one")
        await until(lambda: not node.unready())
        async with aiohttp.ClientSession(f"http://127.0.0.1:{node.port}") as session:
            assert await text_of(session, KEPT) == "one"
            changes = node.metrics.counts.changes
            await end(server, signal.SIGINT)
            await server.start()
            await write(server, KEPT, "two")
            await until(lambda: node.metrics.counts.changes > changes)
            assert await text_of(session, KEPT) == "two"
