"""Refused rows come back as a file that can be mended and loaded, and the book comes out as it went in."""

import io
from collections.abc import AsyncIterator

import openpyxl
import orjson
import pytest

from registry.errors import PrefixNotHomed
from registry.export import export_handles
from registry.language import Language
from registry.refusals import write_refusals
from registry.store import Store
from tests.registry.bulk_files import line, loaded, opened, table


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[Store]:
    opened_store = await opened(database_dsn)
    yield opened_store
    await opened_store.close()


async def refused(store: Store, batch_id: int, language: Language = "en") -> bytes:
    sink = io.BytesIO()
    await write_refusals(store, batch_id, sink, language)
    return sink.getvalue()


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_refused_lines_keep_their_members_and_say_why_in_the_language_asked_for(store: Store):
    report = await loaded(store, line("nothing", "1") + b"[1]\n" + b'{"a\0\xff')
    lines = [orjson.loads(one) for one in (await refused(store, report.batch_id, "zh")).splitlines()]
    assert lines[0]["values"] == [{"index": 1, "type": "DESC", "data": "1"}]
    assert lines[0]["refusal"] == {
        "line": 1,
        "field": "$.handle",
        "rule": "load.no_prefix",
        "message": "'nothing' 缺少“/”，请写成 前缀/后缀",
        "culprit": {"handle": "nothing"},
    }
    assert lines[1]["text"] == "[1]"
    assert lines[2]["text"] == '{"a\ufffd\ufffd'


async def test_refused_rows_of_a_sheet_come_back_with_the_faulty_cell_marked_and_can_be_loaded_again(store: Store):
    rows: list[list[object]] = [
        ["handle", "URL", "2:DESC"],
        ["88.168.1/A", "http://a", "fine"],
        ["88.168.1/B", "=1+1", "formula"],
        ["B", "http://b", "no prefix"],
        [None, "http://c", "no handle"],
    ]
    report = await loaded(store, workbook(rows), "xlsx")
    assert (report.lines, report.created, report.refused) == (4, 1, 3)
    octets = await refused(store, report.batch_id)
    sheet = openpyxl.load_workbook(io.BytesIO(octets)).active
    assert sheet is not None
    shown = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert shown[0] == ["handle", "URL", "2:DESC", "#line", "#field", "#message"]
    assert [row[:5] for row in shown[1:]] == [
        ["88.168.1/B", "=1+1", "formula", "3", "URL"],
        ["B", "http://b", "no prefix", "4", "handle"],
        ["", "http://c", "no handle", "5", "handle"],
    ]
    assert sheet["B2"].fill.fgColor.rgb == "FFFFC7CE"
    assert sheet["A3"].fill.fgColor.rgb == "FFFFC7CE"
    assert sheet["B3"].fill.fgColor.rgb != "FFFFC7CE"
    for row, handle in ((2, "88.168.1/B"), (3, "88.168.1/C"), (4, "88.168.1/D")):
        sheet.cell(row, 1).value = handle
        sheet.cell(row, 2).value = "mended"
    assert sheet.parent is not None
    mended = io.BytesIO()
    sheet.parent.save(mended)
    report = await loaded(store, mended.getvalue(), "xlsx", key="mended")
    assert (report.created, report.refused) == (3, 0)


async def test_a_refused_row_that_looks_like_a_formula_stays_a_text(store: Store):
    report = await loaded(store, table([["handle", "URL"], ["=cmd|x", "http://" + "x" * 2100]]), "csv")
    assert (await refused(store, report.batch_id)).decode("utf-8-sig").startswith("handle,URL,#line")
    report = await loaded(store, workbook([["handle", "URL"], ["@cmd", "=HYPERLINK(1)"]]), "xlsx", key="2")
    sheet = openpyxl.load_workbook(io.BytesIO(await refused(store, report.batch_id))).active
    assert sheet is not None
    assert [(cell.value, cell.data_type) for cell in sheet[2]][:2] == [("@cmd", "s"), ("=HYPERLINK(1)", "s")]


async def test_what_is_exported_loads_again_unchanged_and_into_another_book_equal(store: Store):
    values = [
        {"index": 3, "type": "URL", "data": "http://x/\u6da4", "ttl": 60},
        {"index": 100, "type": "HS_ADMIN", "data": {
            "format": "admin", "value": {"handle": "0.NA/88.168.1", "index": 200, "permissions": "111111110011"}}},
        {"index": 4, "type": "BLOB", "data": {"format": "base64", "value": "AP8B"}, "permissions": "1100"},
        {"index": 5, "type": "DESC", "data": "", "ttl": "2027-01-01T00:00:00Z",
         "references": [{"handle": "88.168.1/B", "index": 1}]},
    ]  # fmt: skip
    await loaded(
        store, orjson.dumps({"handle": "88.168.1/A b%2F\u6da4", "values": values}) + b"\n" + line("88.168.2/C")
    )
    exported = b"".join([lines async for lines in export_handles(store, None)])
    assert exported.count(b"\n") == 2
    report = await loaded(store, exported)
    assert (report.unchanged, report.refused) == (2, 0)
    key = store.key_of("88.168.1/A b%2F\u6da4".encode())
    before = await store.fetch(key)
    async with store.connection() as connection:
        await connection.execute("TRUNCATE handle, handle_count")
    assert (await loaded(store, exported)).created == 2
    after = await store.fetch(key)
    assert before is not None
    assert after is not None
    assert after.handle == before.handle
    assert all(one.says_the_same_as(other) for one, other in zip(before.values, after.values, strict=True))


async def test_secret_keys_leave_the_book_only_when_they_are_asked_for(store: Store):
    await loaded(store, table([["handle", "HS_SECKEY"], ["88.168.1/key", "secret"]]) + b"", "csv")
    await loaded(store, line("88.168.1/plain", "1"))
    without = b"".join([lines async for lines in export_handles(store, "88.168.1")])
    assert b"secret" not in without
    assert b"88.168.1/key" not in without  # loaded again without its key, it would lose it
    assert b"88.168.1/plain" in without
    with_secrets = b"".join([lines async for lines in export_handles(store, "88.168.1", with_secrets=True)])
    assert b'"data":"secret","permissions":"1100"' in with_secrets
    with pytest.raises(PrefixNotHomed):
        await anext(aiter(export_handles(store, "88.168.99")))


async def test_a_long_export_is_read_page_by_page_without_loss(store: Store):
    octets = b"".join(line(f"88.168.1/{number:05}", "1") for number in range(2500))
    await loaded(store, octets)
    exported = b"".join([lines async for lines in export_handles(store, "88.168.1")])
    assert [orjson.loads(one)["handle"] for one in exported.splitlines()] == [
        f"88.168.1/{number:05}" for number in range(2500)
    ]
