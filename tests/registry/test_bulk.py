"""What a bulk load does to the book."""

from collections.abc import AsyncIterator

import pytest

from registry.handle import Handle
from registry.prefix import Prefix
from registry.record import HandleRecord
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.bulk_files import check_book, line, loaded, opened, refusals, table


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[Store]:
    opened_store = await opened(database_dsn)
    yield opened_store
    await opened_store.close()


async def record(store: Store, name: str) -> HandleRecord | None:
    return await store.fetch(store.key_of(name.encode()))


async def test_every_line_of_a_load_is_registered_in_its_spelling(store: Store):
    report = await loaded(store, line("88.168.1/Käse-a", "黑") + line("88.168.10/B", "x", "y"))
    assert (report.lines, report.created, report.refused) == (2, 2, 0)
    cheese = await record(store, "88.168.1/KäSE-A")
    assert cheese is not None
    assert str(cheese.handle) == "88.168.1/Käse-a"
    assert [(value.index, value.type, value.text) for value in cheese.values] == [(1, "DESC", "黑")]
    assert await check_book(store) == 2


async def test_the_same_file_again_changes_nothing(store: Store):
    octets = line("88.168.1/A", "1") + line("88.168.10/B", "2")
    await loaded(store, octets)
    async with store.connection() as connection:
        logged = await connection.fetchval("SELECT count(*) FROM change_log")
        report = await loaded(store, octets)
        assert (report.created, report.updated, report.unchanged) == (0, 0, 2)
        assert await connection.fetchval("SELECT count(*) FROM change_log") == logged


async def test_a_changed_line_updates_its_handle_and_keeps_what_it_said_before(store: Store):
    await loaded(store, line("88.168.1/a", "1", "same"))
    before = await record(store, "88.168.1/A")
    async with store.connection() as connection:
        await connection.execute("UPDATE handle SET created_at = created_at - interval '1 hour'")
    report = await loaded(store, line("88.168.1/A", "2", "same") + line("88.168.1/B", "new"))
    assert (report.created, report.updated, report.unchanged) == (1, 1, 0)
    after = await record(store, "88.168.1/A")
    assert before is not None
    assert after is not None
    assert str(after.handle) == "88.168.1/a"  # the spelling registered is kept
    assert after.version == 2
    assert after.values[1].timestamp == before.values[1].timestamp - 3600  # what was not changed keeps its time
    assert after.values[0].timestamp > after.values[1].timestamp
    await check_book(store)


async def test_a_handle_that_says_the_same_in_values_of_several_ages_is_unchanged(store: Store):
    handle = Handle.from_text("88.168.1/A")
    await loaded(store, line("88.168.1/A", "1", "2"))
    async with store.connection() as connection:
        await connection.execute("UPDATE handle SET created_at = created_at - interval '1 hour'")
    async with begin(store, "test") as transaction:
        locked = await transaction.lock(handle)
        assert locked is not None
        await transaction.replace(locked, [locked.values[0], HandleValue(2, "DESC", b"3")])
    report = await loaded(store, line("88.168.1/A", "1", "3"))
    assert (report.updated, report.unchanged) == (0, 1)


async def test_a_deleted_handle_that_is_loaded_again_is_created(store: Store):
    handle = Handle.from_text("88.168.1/A")
    await loaded(store, line("88.168.1/A", "1"))
    async with begin(store, "test") as transaction:
        locked = await transaction.lock(handle)
        assert locked is not None
        await transaction.delete(locked)
    assert await check_book(store) == 0
    report = await loaded(store, line("88.168.1/a", "1"))
    assert (report.created, report.updated) == (1, 0)
    again = await record(store, "88.168.1/A")
    assert again is not None
    assert (str(again.handle), again.version) == ("88.168.1/a", 3)
    assert await check_book(store) == 1


async def test_refused_lines_say_where_and_why_and_the_others_are_taken(store: Store):
    octets = b"".join(
        [
            line("88.168.1/A", "1"),
            b"\n",
            line("88.168.1/a", "twice"),
            line("99.1/X", "foreign"),
            line("no prefix", "1"),
            line("88.168.1/tab\t", "1"),
            b'{"handle": "88.168.1/broken", \n',
            b'{"handle": "88.168.1/I", "values": [{"index": 0, "type": "URL", "data": "x"}]}\n',
            b'{"handle": "88.168.1/T", "values": [{"index": 1, "type": "URL", "data": 7}]}\n',
            b'{"handle": "88.168.1/H", "values": [{"index": 100, "type": "HS_ADMIN", "data": "me"}]}\n',
            b'{"values": []}\n',
            line("88.168.2/Z", "last").rstrip(),
        ]
    )
    report = await loaded(store, octets)
    assert (report.lines, report.created, report.refused) == (11, 2, 9)
    assert await refusals(store) == [
        (3, "$.handle", "load.duplicate"),
        (4, "$.handle", "prefix.not_homed"),
        (5, "$.handle", "load.no_prefix"),
        (6, "$.handle", "handle.control_character"),
        (7, "$", "json.syntax"),
        (8, "$.values[0].index", "value.index"),
        (9, "$.values[0].data", "json.field"),
        (10, "$.values[0].data", "value.data"),
        (11, "$.handle", "json.field"),
    ]
    assert await check_book(store) == 2


async def test_a_loader_who_may_not_write_a_prefix_is_refused_row_by_row(store: Store):
    async def may_write(prefix: Prefix) -> bool:
        return prefix.spelling == "88.168.2"

    report = await loaded(store, line("88.168.1/A", "1") + line("88.168.2/B", "2"), may_write=may_write)
    assert (report.created, report.refused) == (1, 1)
    assert await refusals(store) == [(1, "$.handle", "load.may_not_write")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_a_table_is_read_in_any_usual_encoding_and_with_any_usual_delimiter(
    store: Store, encoding: str, delimiter: str
):
    rows = [["标识", "URL", "7:名称", "MEMBERS"], ["88.168.1/纱", "http://x/?a,b;c", "涤纶, \"POY\"", "a\nb"],
            ["88.168.1/B", "", "𠮷", ""]]  # fmt: skip
    report = await loaded(store, table(rows, encoding, delimiter), "csv")
    assert (report.lines, report.created, report.refused) == (2, 2, 0)
    yarn = await record(store, "88.168.1/纱")
    assert yarn is not None
    assert [(value.index, value.type, value.text) for value in yarn.values] == [
        (1, "URL", "http://x/?a,b;c"),
        (3, "MEMBERS", "a\nb"),
        (7, "名称", '涤纶, "POY"'),
    ]
