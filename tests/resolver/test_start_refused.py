"""A node does not start with what it cannot serve rightly: exit code 2, reason and remedy, in both languages."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from registry.certificate import LIFETIME, make_certificate, node_key
from registry.embedded import EmbeddedPostgres
from registry.identity import BOOK_FILE
from registry.migrate import migrate
from registry.settings import RegistrySettings
from registry.start_checks import refuse_for_good, refuse_strange_book
from registry.start_errors import AnotherBook
from tests.conftest import SETTINGS, _binaries
from tests.resolver.running_node import RunningNode, arguments
from tests.resolver.test_cli import filament


def refused(line: list[str], *, english: str = "", chinese: str = "") -> None:
    """In one language: starting a program twice for every refusal would take a minute of the suite."""
    said = filament(*line, "--lang", "zh" if chinese else "en", code=2).stderr
    assert ("节点无法启动" if chinese else "the node could not start") in said, said
    assert (chinese or english) in said, said


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_database_of_another_program_is_refused_and_left_as_it_is(empty_dsn, tmp_path):
    await execute(empty_dsn, "CREATE TABLE orders (number int)")
    refused(arguments(empty_dsn, tmp_path), chinese="请为节点单独建库")
    await execute(empty_dsn, "SELECT FROM orders")
    with pytest.raises(asyncpg.UndefinedTableError):
        await execute(empty_dsn, "SELECT FROM schema_migration")


async def test_a_ledger_of_migrations_of_another_program_is_refused(empty_dsn, tmp_path):
    await execute(empty_dsn, "CREATE TABLE schema_migration (id text)")
    refused(arguments(empty_dsn, tmp_path), english="'schema_migration', which is")


async def test_a_newer_schema_is_refused(database_dsn, tmp_path):
    await execute(database_dsn, "INSERT INTO schema_migration VALUES (9999, 'later', '', now())")
    refused(arguments(database_dsn, tmp_path), english="9999 later; upgrade the program")


async def test_an_older_schema_is_refused_where_it_is_not_to_be_changed(database_dsn, tmp_path):
    await execute(database_dsn, "DELETE FROM schema_migration WHERE version = 17")
    line = [*arguments(database_dsn, tmp_path), "--no-migrate"]
    refused(line, chinese="请运行 filament migrate")


async def test_another_registry_than_before_is_refused(database_dsn, empty_dsn, tmp_path):
    await migrate(empty_dsn)
    (tmp_path / BOOK_FILE).write_text("6f1e7d1c-0000-4000-8000-000000000000\n")
    refused(arguments(database_dsn, tmp_path), english="holds another registry")


@pytest.fixture
async def clusters(tmp_path):
    """The addresses of two clusters that have nothing to do with each other."""
    one, other = (f"127.88.{os.getpid() % 250}.{number}" for number in (1, 2))
    async with (
        EmbeddedPostgres(
            tmp_path / "one", binaries=_binaries(), settings={**SETTINGS, "listen_addresses": one}
        ) as first,
        EmbeddedPostgres(tmp_path / "other", binaries=_binaries(), settings={**SETTINGS, "listen_addresses": other}),
    ):
        await migrate(first.dsn)
        yield one, other


async def test_a_server_of_another_cluster_among_the_hosts_is_refused(clusters, tmp_path):
    one, other = clusters
    dsn = f"postgresql://postgres@{one}:5432,{other}:5432/filament"
    refused(arguments(dsn, tmp_path / "node"), chinese="数据库集群")


async def test_a_replica_of_another_cluster_is_refused_and_a_worker_of_citus_is_not(clusters, tmp_path):
    one, other = (f"postgresql://postgres@{host}:5432/filament" for host in clusters)
    settings = RegistrySettings(dsn=one, nearest_dsn=other, data_directory=str(tmp_path / "node"))
    with pytest.raises(AnotherBook) as refusal:
        await refuse_strange_book(settings)
    assert "cluster" in refusal.value.text("en")
    assert "集群" in refusal.value.text("zh")
    await refuse_strange_book(replace(settings, change_log_dsn=one))


async def test_a_database_that_does_not_exist_is_not_waited_for(postgres, tmp_path):
    refused(arguments(postgres.dsn_of("no_such_database"), tmp_path), english="there is no such database")


async def test_a_database_that_does_not_let_us_in_is_not_waited_for(database_dsn, tmp_path):
    dsn = re.sub(r"//[^@]*@", "//nobody_of_ours@", database_dsn)
    refused(arguments(dsn, tmp_path), chinese="数据库拒绝登录")


EDGE = {
    "edge__upstream": "127.0.0.1:1",
    "edge__address": "https://127.0.0.1:1",
    "edge__registry": "https://127.0.0.1:1",
}


@pytest.mark.parametrize(
    "given",
    [
        {"registry__client_ca": "nobody.pem"},
        {"resolver__client_ca": "nobody.pem"},
        {"edge__authorities": "nobody.pem", "edge__token": "fil_token", **EDGE},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_file_without_anybody_to_trust_is_refused(tmp_path, given):
    (tmp_path / "nobody.pem").write_text("no certificate")
    given = given | {name: tmp_path / file for name, file in given.items() if file == "nobody.pem"}
    line = arguments(None, tmp_path / "data", **given)
    if "registry__client_ca" in given:
        refused(line, chinese="请提供所信任证书的 PEM 文件")
    else:
        refused(line, english="give those that are to be trusted, as PEM")


def test_a_host_that_nobody_knows_is_not_waited_for(tmp_path):
    line = arguments("postgresql://u@no-such-host.invalid/d", tmp_path)
    refused(line, chinese="无法解析数据库主机名")


async def test_what_is_no_postgres_is_not_waited_for(tmp_path):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        line = arguments(f"postgresql://u@127.0.0.1:{server.sockets[0].getsockname()[1]}/d", tmp_path)
        await asyncio.to_thread(refused, line, english="what answers there is not Postgres")


def test_a_database_that_is_only_away_is_not_refused():
    refuse_for_good(ConnectionRefusedError(111, "refused"), "postgresql://u@a/d")
    refuse_for_good(TimeoutError(), "postgresql://u@a/d")
    refuse_for_good(asyncpg.CannotConnectNowError("starting up"), "postgresql://u@a/d")


IN_A_SMALL_DISK = """
mount -t tmpfs -o size={size},mode=0755 tmpfs {directory} && exec "$@"
"""


@pytest.mark.parametrize(
    ("size", "language", "reason"),
    [("8m", "en", "8 MiB free and 64 MiB are needed"), ("4k,nr_inodes=1", "zh", "无法写入")],
)
def test_a_full_disk_is_refused(tmp_path, size, language, reason):
    if subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], check=False).returncode:
        pytest.skip("this system gives no mount namespace")
    directory = tmp_path / "disk"
    directory.mkdir()
    script = IN_A_SMALL_DISK.format(size=size, directory=directory)
    line = [sys.executable, "-m", "resolver.cli", *arguments(None, directory), "--lang", language]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *line],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count(reason)) == (2, 1), done.stderr


@pytest.mark.parametrize(
    ("made", "english", "chinese"),
    [(-LIFETIME - timedelta(days=1), "", "过期"), (timedelta(days=9), "later than this machine's clock", "")],
)
def test_a_certificate_that_is_not_valid_now_is_refused(database_dsn, tmp_path, made, english, chinese):
    certificate = tmp_path / "given.pem"
    certificate.write_bytes(make_certificate(node_key(tmp_path), (), datetime.now(UTC) + made))
    files = {"resolver__certificate": certificate, "resolver__private_key": tmp_path / "node-key.pem"}
    refused(arguments(database_dsn, tmp_path, **files), english=english, chinese=chinese)


def test_a_certificate_of_another_key_is_refused(database_dsn, tmp_path):
    certificate = tmp_path / "given.pem"
    certificate.write_bytes(make_certificate(node_key(tmp_path / "a"), (), datetime.now(UTC)))
    node_key(tmp_path / "b")
    files = {"resolver__certificate": certificate, "resolver__private_key": tmp_path / "b" / "node-key.pem"}
    refused(arguments(database_dsn, tmp_path, **files), chinese="相互匹配")


async def test_a_copy_of_a_running_node_is_refused(database_dsn, tmp_path):
    original, copy = tmp_path / "original", tmp_path / "copy"
    with RunningNode(*arguments(database_dsn, original, workers=1)) as node:
        node.ready()
        shutil.copytree(original, copy, ignore=shutil.ignore_patterns("control"))  # A socket.
        line = arguments(database_dsn, copy, workers=1)
        said = (await asyncio.to_thread(filament, *line, code=2)).stderr
        assert "another node with the identity of this one runs already" in said
        assert "node-key.pem" in said


async def test_a_second_node_on_one_data_directory_is_refused(tmp_path):
    with RunningNode(*arguments(None, tmp_path, workers=1)) as node:
        node.ready()
        said = (await asyncio.to_thread(filament, *arguments(None, tmp_path), "--lang", "zh", code=2)).stderr
        assert "请先停止它，或另选数据目录" in said


def test_the_resolver_alone_refuses_a_strange_database_too(empty_dsn, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "resolver", "--workers", "1"],
        env={
            **os.environ,
            "FILAMENT_REGISTRY_DSN": empty_dsn,
            "FILAMENT_REGISTRY_DATA_DIRECTORY": str(tmp_path),
            "LC_ALL": "zh_CN.UTF-8",
            "PYTHONUTF8": "1",
        },
        cwd=Path(__file__).parents[2], capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("没有注册库")) == (2, 1), done.stderr
