"""What a bulk load does to the book."""

from collections.abc import AsyncIterator

import pytest

from registry.change_reading import ChangeReader
from registry.changes import ChangeKind
from registry.errors import ProtocolFault
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


async def test_who_follows_the_changes_is_told_where_a_load_only_registered(store: Store):
    reader = ChangeReader("test", store)
    await reader.open()
    first = await reader.first_look()
    await loaded(store, line("88.168.1/A", "1") + line("88.168.1/C", "1"))
    await loaded(store, line("88.168.1/A", "2") + line("88.168.1/B", "1") + line("88.168.10/A", "1"))
    changes = [logged.change for logged in (await reader.look(first.snapshot)).changes]
    await reader.close()
    ranges = {(change.key, change.created) for change in changes if change.kind is ChangeKind.RANGE}
    assert ranges == {(b"88.168.1/A", True), (b"88.168.1/A", False), (b"88.168.10/A", True)}


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
        (11, "$.handle", "json.missing"),
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


async def test_rows_in_another_encoding_than_the_file_are_refused_with_the_place_of_the_fault(store: Store):
    good = table([["handle", "DESC"], ["88.168.1/A", "涤纶"], ["88.168.1/B", "长丝"]])
    bad = table([["88.168.1/C", "涤纶"]], "gb18030")
    report = await loaded(store, good + bad + b'88.168.1/D,"cut off in the midd', "csv")
    assert (report.created, report.refused) == (2, 2)
    assert await refusals(store) == [(4, "", "load.encoding"), (5, "", "load.quote_open")]
    async with store.connection() as connection:
        culprit = await connection.fetchval("SELECT culprit FROM import_refusal WHERE line = 4")
        shown = await connection.fetchval("SELECT line_text FROM import_refusal WHERE line = 4")
    assert culprit == '{"column": 12, "encoding": "UTF-8"}'
    assert shown.startswith("88.168.1/C,")


async def test_a_file_that_begins_in_ascii_is_still_read_in_its_own_encoding(store: Store):
    rows = [["handle", "DESC"], *([f"88.168.1/{number}", "plain"] for number in range(20_500))]
    octets = table(rows) + table([["88.168.2/涤", "长丝"]], "gb18030")
    report = await loaded(store, octets, "csv")
    assert (report.created, report.refused) == (20_501, 0)
    assert await record(store, "88.168.2/涤") is not None


async def test_rows_with_too_few_or_too_many_cells_are_refused_and_trailing_empty_ones_are_not(store: Store):
    octets = b"handle,DESC,URL\n88.168.1/A,1,2,,\n88.168.1/B,1\n88.168.1/C,1,2,3\n88.168.1/D,,\n,1,2\n"
    report = await loaded(store, octets, "csv")
    assert (report.created, report.refused) == (1, 4)
    assert await refusals(store) == [
        (3, "", "load.cells"),
        (4, "", "load.cells"),
        (5, "", "load.no_values"),
        (6, "handle", "handle.empty"),
    ]


async def test_a_secret_key_in_a_table_is_for_administrators_alone(store: Store):
    await loaded(store, table([["handle", "300:HS_SECKEY", "DESC"], ["88.168.1/A", "secret", "1"]]), "csv")
    keys = await record(store, "88.168.1/A")
    assert keys is not None
    assert {value.type: value.is_public for value in keys.values} == {"HS_SECKEY": False, "DESC": True}


@pytest.mark.parametrize(
    "header",
    ["", "URL,DESC", "handle,标识", "handle,1:A,1:B", "handle,0:A", "handle,99999999999:A", "handle,", "handle,,A",
     "handle," + "x" * 129, "handle,2147483648:A", '"handle'],
)  # fmt: skip
async def test_a_header_that_says_nothing_usable_refuses_the_file(store: Store, header: str):
    with pytest.raises(ProtocolFault):
        await loaded(store, f"{header}\n88.168.1/A,1\n".encode(), "csv")
    assert await check_book(store) == 0


async def test_a_line_of_ten_megabytes_is_refused_and_its_neighbours_are_taken(store: Store):
    long = line("88.168.1/B", "x" * (10 << 20))
    report = await loaded(store, line("88.168.1/A", "1") + long + line("88.168.1/C", "1"))
    assert (report.created, report.refused) == (2, 1)
    assert await refusals(store) == [(2, "", "load.line_too_long")]


async def test_progress_is_told_after_every_chunk_and_ends_with_the_report(store: Store):
    told: list[int] = []
    octets = b"".join(line(f"88.168.1/{number:06}", "1") for number in range(45_000))
    report = await loaded(store, octets, progress=lambda so_far: told.append(so_far.lines))
    assert told == [20_000, 40_000, 45_000, 45_000]
    assert report.lines == 45_000
