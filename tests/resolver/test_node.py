"""A worker from an open port to the last request answered."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import aiohttp
import pytest

from registry.migrate import migrate
from registry.publication import publish
from registry.settings import RegistrySettings
from registry.site import ServerInfo, SiteInfo
from resolver.node import Node, running, serve
from resolver.settings import ResolverSettings, Settings, StatusSettings
from tests.resolver.cores import DEADLINE, Core
from tests.resolver.patience import PATIENT

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def settings(dsn: str, directory: Path) -> Settings:
    return Settings(
        RegistrySettings(dsn=dsn, data_directory=str(directory)),
        ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, workers=1, **PATIENT),
        status=StatusSettings(port=0),
    )


@asynccontextmanager
async def asking(node: Node, scheme: str = "http") -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(f"{scheme}://127.0.0.1:{node.port}", connector=connector) as session:
        yield session


async def until_ready(node: Node) -> None:
    async with asyncio.timeout(DEADLINE):
        while node.unready():  # noqa: ASYNC110  # readiness is asked for and told to nobody
            await asyncio.sleep(0.01)


async def test_a_node_answers_over_http_and_https_on_one_port(database_dsn, tmp_path):
    async with running(settings(database_dsn, tmp_path)) as node:
        await until_ready(node)
        core = Core(database_dsn)
        await core.store.open()
        await core.register("0.NA/88.1")
        for scheme in ("http", "https"):
            async with asking(node, scheme) as session, session.get("/api/handles/0.na/88.1") as response:
                assert response.status == 200
                assert (await response.json())["handle"] == "0.na/88.1"
        await core.store.close()


async def test_a_node_without_its_database_listens_refuses_at_once_and_says_why(tmp_path):
    async with running(settings(NOWHERE, tmp_path)) as node:
        assert node.unready() == [("database", {})]
        async with asking(node) as session, session.get("/api/handles/0.NA/88.1") as response:
            assert response.status == 503
            assert (await response.json())["responseCode"] == 3


async def test_a_node_over_a_database_without_its_schema_says_so(empty_dsn, tmp_path):
    async with running(settings(empty_dsn, tmp_path)) as node:
        async with asyncio.timeout(DEADLINE):
            while node.unready()[0][0] == "database":  # noqa: ASYNC110  # what a node does tells nobody
                await asyncio.sleep(0.01)
        [(rule, culprit)] = node.unready()
        assert rule == "schema"
        assert culprit["detail"]


async def test_a_node_tells_its_port_when_it_listens_and_ends_when_it_is_told_to(database_dsn, tmp_path):
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings(database_dsn, tmp_path), stop, worker=1, started=started.set_result))
    node = await asyncio.wait_for(started, DEADLINE)
    await until_ready(node)
    stop.set()
    await asyncio.wait_for(serving, DEADLINE)
    assert node.unready() == [("stopping", {})]
    with pytest.raises(aiohttp.ClientConnectorError):
        async with asking(node) as session:
            await session.get("/api/handles/0.NA/88.1")


async def test_a_request_in_flight_is_finished_when_the_node_stops(database_dsn, tmp_path):
    core = Core(database_dsn)
    await core.store.open()
    await core.register("0.NA/88.1")
    async with core.store.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE handle IN ACCESS EXCLUSIVE MODE")  # reads wait
        stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(settings(database_dsn, tmp_path), stop, started=started.set_result))
        node = await asyncio.wait_for(started, DEADLINE)
        await until_ready(node)
        async with asking(node) as session:
            asked = asyncio.create_task(session.get("/api/handles/0.NA/88.1"))
            async with asyncio.timeout(DEADLINE):
                while not node.metrics.counts.reads:  # noqa: ASYNC110  # what a node does tells nobody
                    await asyncio.sleep(0.01)
            stop.set()
            await asyncio.sleep(0)
            await transaction.rollback()
            response = await asyncio.wait_for(asked, DEADLINE)
            assert response.status == 200
            response.release()
        await asyncio.wait_for(serving, DEADLINE)
    await core.store.close()


async def test_the_program_stops_in_order_when_it_is_told_to(database_dsn, tmp_path):
    environment = {
        **os.environ,
        "FILAMENT_REGISTRY_DSN": database_dsn,
        "FILAMENT_REGISTRY_DATA_DIRECTORY": str(tmp_path),
        "FILAMENT_RESOLVER_LISTEN": "127.0.0.1",
        "FILAMENT_RESOLVER_PORT": "0",
        "FILAMENT_RESOLVER_NATIVE_PORT": "0",
        "FILAMENT_STATUS_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "resolver", "--workers", "1"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE):
        while b"listening on port" not in (line := await process.stderr.readline()):
            assert line, "it ended instead"
        process.send_signal(signal.SIGTERM)
        _, rest = await process.communicate()
    assert process.returncode == 0, rest


@pytest.mark.parametrize(
    ("arguments", "environment", "culprit"),
    [
        ((), {}, "FILAMENT_REGISTRY_DSN"),
        ((), {"FILAMENT_RESOLVER_PORT": "many", "FILAMENT_STATUS_PORT": "-1"}, "many"),
        (("--config", "absent.toml"), {}, "absent.toml"),
    ],
)
async def test_the_program_refuses_settings_that_cannot_be_used(tmp_path, arguments, environment, culprit):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "resolver", *arguments),
        env={**os.environ, "FILAMENT_REGISTRY_DATA_DIRECTORY": str(tmp_path), **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, words = await process.communicate()
    assert process.returncode == 2
    assert culprit in words.decode()


async def test_a_certificate_that_was_replaced_is_used_after_a_reload(tmp_path):
    async with running(settings(NOWHERE, tmp_path)) as node:
        before = node.certificate.context
        (tmp_path / "node-certificate.pem").unlink()
        node.reload()
        assert node.certificate.context is not before


async def test_a_failed_part_ends_the_worker(tmp_path, monkeypatch):
    made = settings(NOWHERE, tmp_path)
    monkeypatch.setattr("resolver.housekeeping.FLUSH_INTERVAL", "no number")
    with pytest.raises(ExceptionGroup) as failed:
        async with running(replace(made)):
            await asyncio.wait_for(asyncio.Event().wait(), DEADLINE)
    assert failed.group_contains(TypeError)


async def test_a_node_waits_for_a_database_that_does_not_let_it_in_yet(postgres, tmp_path):
    """It may be about to be restored, or its password about to be changed here too: neither ends a worker."""
    name = f"restored_{tmp_path.name[-8:].lower()}".replace("-", "_")
    async with running(settings(postgres.dsn_of(name), tmp_path)) as node:
        async with asyncio.timeout(DEADLINE):
            while node.unready() != [("database", {})]:  # noqa: ASYNC110  # readiness is told to nobody
                await asyncio.sleep(0.01)
        async with asking(node) as session, session.get("/api/handles/0.NA/88.1") as response:
            assert response.status == 503
        try:
            await postgres.execute(f"CREATE DATABASE {name}")
            await migrate(postgres.dsn_of(name))
            await until_ready(node)
        finally:
            await postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def test_what_a_node_says_of_itself_has_another_number_when_it_says_something_else(database_dsn, tmp_path):
    """And not when it is only started again, on the ports that the first of them was given."""
    core = Core(database_dsn)
    another = ServerInfo(1, IPv4Address("192.0.2.1"), b"of another node", ())
    assert await publish(core.store, SiteInfo(1, (another,))) == 1
    said = settings(database_dsn, tmp_path)
    for description, serial in (("ours", 2), ("ours", 2), ("ours, renamed", 3)):
        said = replace(said, resolver=replace(said.resolver, description=description))
        async with running(said) as node:
            async with asyncio.timeout(DEADLINE):
                while node.site.current().serial == 1:  # noqa: ASYNC110  # it is asked for and told to nobody
                    await asyncio.sleep(0.01)
            assert node.site.current().serial == serial
            said = node.settings
    await core.store.close()
