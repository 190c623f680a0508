"""Rows held one by one, as Citus wants it: what tells us a database of Citus is one relation, which is made here.

That Citus takes the statements is held by `test_statements`, as far as it can be without one.
"""

import asyncio

import asyncpg
import pytest

from registry.handle import Handle
from registry.row_locks import is_distributed
from registry.search import declare, search
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.bulk_files import check_book, line, loaded, opened
from tests.registry.interface import open_interface
from tests.registry.test_bulk_recovery import until
from tests.registry.test_jobs import done, texts, working

PREFIX = "88.168.1"
NAMES = tuple(f"{PREFIX}/{number}" for number in range(3))
WAITING = "SELECT EXISTS (SELECT FROM pg_locks AS l JOIN pg_stat_activity USING (pid) WHERE NOT l.granted)"
TAKEN = "SELECT FROM handle WHERE suffix = $1 FOR UPDATE NOWAIT"


@pytest.fixture
async def citus_dsn(database_dsn):
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("CREATE TABLE pg_dist_partition ()")
    await connection.close()
    return database_dsn


@pytest.fixture
async def store(citus_dsn):
    store = await opened(citus_dsn)
    yield store
    await store.close()


async def said(store: Store, name: str) -> list[str]:
    found = await store.fetch(store.key_of(name.encode()))
    return [] if found is None else [value.text for value in found.values]


def file(*texts: str) -> bytes:
    return b"".join(line(name, text) for name, text in zip(NAMES, texts, strict=True))


async def test_a_book_is_told_from_one_of_citus(store, empty_dsn):
    async with store.connection() as connection:
        assert await is_distributed(connection)
    alone = await asyncpg.connect(empty_dsn)
    assert not await is_distributed(alone)
    await alone.close()


async def test_several_handles_are_nobody_elses_until_the_end(store, citus_dsn):
    await loaded(store, file("a", "b", "c"))
    stranger = await asyncpg.connect(citus_dsn)
    async with begin(store, "test") as transaction:
        await transaction.hold(Handle.from_text(name) for name in NAMES[:2])
        with pytest.raises(asyncpg.LockNotAvailableError):
            await stranger.execute(TAKEN, "1")
        assert await stranger.execute(TAKEN, "2") == "SELECT 1"
    assert await stranger.execute(TAKEN, "1") == "SELECT 1"
    await stranger.close()


async def test_what_somebody_wrote_while_a_load_waited_for_the_row_is_its_old_image(store, citus_dsn):
    await loaded(store, file("a", "b", "c"))
    async with begin(store, "test") as transaction:
        record = await transaction.lock(Handle.from_text(NAMES[0]))
        await transaction.replace(record, [HandleValue(1, "DESC", b"meanwhile")])
        loading = asyncio.create_task(loaded(store, file("x", "b", "z"), key="again"))
        watcher = await asyncpg.connect(citus_dsn)
        await until(lambda: watcher.fetchval(WAITING))
    report = await loading
    assert (report.updated, report.unchanged) == (2, 1)
    assert [await said(store, name) for name in NAMES] == [["x"], ["b"], ["z"]]
    history = await watcher.fetch("SELECT version FROM handle_history WHERE suffix = '0' ORDER BY version")
    assert [row["version"] for row in history] == [1, 2]
    await watcher.close()
    await check_book(store)


async def test_a_job_that_is_taken_back_leaves_what_was_there_before(citus_dsn):
    names = [f"88.168.2/{number}" for number in range(3)]
    async with open_interface(citus_dsn) as node, working(node.store):
        first = await done(node, b"".join(line(name, "first") for name in names[:2]))
        assert first["created"] == 2
        rest = b"".join(line(name, "second") for name in names)
        taken_back = await done(node, rest + line("no prefix", "2"), "?onError=rollback")
        assert taken_back["state"] == "undone"
        assert [await texts(node, name) for name in names] == [["first"], ["first"], None]
        deleted = await done(node, line(names[0]), "?kind=delete")
        assert deleted["state"] == "finished", deleted
        assert await texts(node, names[0]) is None


async def test_handles_that_were_there_before_a_type_was_declared_are_found_by_it(store):
    await loaded(store, file("a", "b", "b"))
    prefix = store.prefixes.find(PREFIX.encode())
    assert await declare(store, prefix, "DESC", settling=0) == 3
    prefix = store.prefixes.find(PREFIX.encode())
    assert (await search(store, prefix, "DESC", b"b")).handles == list(NAMES[1:])
