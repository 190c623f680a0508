"""Workbooks: read as spreadsheet programs write them, and refused when they are made to harm."""

import contextlib
import datetime
import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import openpyxl
import orjson
import pytest
import xlsxwriter

from registry.errors import ProtocolFault
from registry.rows import MAX_ROW, TOO_LONG, Row
from registry.shared_strings import SharedStrings
from registry.workbook import Workbook

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def written_by_xlsxwriter(rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.BytesIO()
    workbook = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = workbook.add_worksheet("数据")
    date = workbook.add_format({"num_format": 'yyyy"年"m"月"d"日"'})
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell, *([date] if isinstance(cell, datetime.date) else []))
    workbook.close()
    return out.getvalue()


def written_by_openpyxl(rows: Sequence[Sequence[Any]]) -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for cells in rows:
        sheet.append(list(cells))
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def made_by_hand(sheet: str, strings: str = "", sheets: str = '<sheet name="a" r:id="r1"/>') -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", f'<Relationships><Relationship Id="r1" Type="{RELATIONS}/officeDocument" '
                         'Target="xl/workbook.xml"/></Relationships>')  # fmt: skip
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{sheets}</sheets>'
                         "</workbook>")  # fmt: skip
        archive.writestr("xl/_rels/workbook.xml.rels", "<Relationships>"
                         f'<Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
                         f'<Relationship Id="r2" Type="{RELATIONS}/worksheet" Target="/xl/worksheets/sheet2.xml"/>'
                         f'<Relationship Id="r3" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
                         "</Relationships>")  # fmt: skip
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>')
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        archive.writestr("xl/worksheets/sheet2.xml", "<worksheet><sheetData><row><c t='str'><v>second</v></c></row>"
                         "</sheetData></worksheet>")  # fmt: skip
    return out.getvalue()


def read(octets: bytes) -> list[Row]:
    with Workbook(io.BytesIO(octets)) as workbook:
        return list(workbook.rows())


def cells(octets: bytes) -> list[Any]:
    return [orjson.loads(row.octets) for row in read(octets)]


@pytest.mark.parametrize("write", [written_by_xlsxwriter, written_by_openpyxl])
def test_cells_are_read_as_the_texts_that_a_person_sees(write: Callable[..., bytes]):
    rows = [
        ["标识", "URL", "a", "b", "c", "d"],
        ["88.168.1/纱", "x & <y>", 42, 0.1, -1.5, True],
        ["88.168.1/2", "two\nlines", 123456789012345, 1e-7, datetime.date(2024, 5, 1), " spaces "],
        ["88.168.1/3", "_x0041_", datetime.datetime(2024, 2, 29, 8, 30), "", "", ""],
    ]
    read_back = cells(write(rows))
    assert read_back[:3] == [
        rows[0],
        ["88.168.1/纱", "x & <y>", "42", "0.1", "-1.5", "TRUE"],
        ["88.168.1/2", "two\nlines", "123456789012345", "1e-07", "2024-05-01", " spaces "],
    ]
    assert read_back[3][2] == "2024-02-29 08:30:00"


def test_a_cell_that_does_not_hold_what_it_shows_refuses_its_row():
    sheet = """<worksheet><sheetData>
      <row r="1"><c r="A1" t="str"><v>handle</v></c></row>
      <row r="7"><c r="A7"><f>A1&amp;"x"</f><v>handlex</v></c><c r="B7" t="e"><v>#N/A</v></c>
        <c r="C7"><v>12345678901234567890</v></c><c r="D7" t="s"><v>5</v></c><c r="E7"><v>one</v></c></row>
    </sheetData></worksheet>"""
    rows = read(made_by_hand(sheet))
    assert [row.line for row in rows] == [1, 7]
    faults = orjson.loads(rows[1].octets)
    assert faults[0] == {"rule": "load.formula", "cell": "A7", "shown": '=A1&"x"'}
    assert [fault["rule"] for fault in faults] == [
        "load.formula",
        "load.cell_error",
        "load.number",
        "load.row",
        "load.row",
    ]


def test_sparse_rows_and_rich_texts_are_read_and_how_texts_are_pronounced_is_not():
    strings = "<si><r><t>涤</t></r><r><t xml:space='preserve'>纶 </t></r><rPh><t>dilun</t></rPh></si><si><t/></si>"
    sheet = """<x:worksheet xmlns:x="urn:x"><x:sheetData><x:row r="2"/>
      <x:row><x:c r="C3" t="s"><x:v>0</x:v></x:c><x:c t="inlineStr"><x:is><x:t>in</x:t></x:is></x:c>
      <x:c t="s"><x:v>1</x:v></x:c></x:row></x:sheetData></x:worksheet>"""
    rows = read(made_by_hand(sheet, strings))
    assert [(row.line, orjson.loads(row.octets)) for row in rows] == [(3, ["", "", "涤纶 ", "in"])]


def test_the_first_sheet_that_is_to_be_seen_is_read():
    sheets = '<sheet name="a" state="hidden" r:id="r1"/><sheet name="b" r:id="r2"/>'
    assert cells(made_by_hand("<worksheet/>", sheets=sheets)) == [["second"]]
    with pytest.raises(ProtocolFault, match="no visible sheet"):
        read(made_by_hand("<worksheet/>", sheets=sheets.replace('name="b"', 'name="b" state="veryHidden"')))


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><worksheet>&b;</worksheet>', "document type"),
        ("<worksheet><sheetData><row></sheetData>", "XML"),
        ("<worksheet><sheetData><row><c r='A0000000000'/></row></sheetData></worksheet>", "out of place"),
        ("<worksheet><sheetData><row><c r='ZZZ1'/></row></sheetData></worksheet>", "out of place"),
        (f"<worksheet a='{'x' * 5_000_000}'/>", "XML tag"),
        ("<worksheet>" + " " * 20_000_000, "unpacks from"),
        ("", "XML"),
    ],
)
def test_a_harmful_sheet_is_refused(sheet: str, message: str):
    with pytest.raises(ProtocolFault, match=message):
        read(made_by_hand(sheet))


def test_a_cell_of_many_megabytes_is_refused_with_its_row_and_the_next_row_is_read():
    long = "".join(f"{number:07}" for number in range(1_000_000))
    sheet = f"""<worksheet><sheetData><row><c t="str"><v>{long}</v></c><c t="str"><v>x</v></c></row>
      <row><c t="str"><v>next</v></c></row></sheetData></worksheet>"""
    first, second = read(made_by_hand(sheet))
    assert (first.line, first.fault) == (1, TOO_LONG)
    assert len(first.octets) < MAX_ROW
    assert (second.line, second.octets, second.fault) == (2, b'["next"]', "")


WHOLE = written_by_xlsxwriter([["handle", "URL"], ["88.168.1/A", "x"], ["88.168.1/B", "涤纶"]])


@pytest.mark.parametrize("cut", [10, 200, 1000, 2000])
def test_an_archive_that_was_cut_off_is_refused(cut: int):
    with pytest.raises(ProtocolFault):
        read(WHOLE[:-cut])


@hypothesis.given(place=st.integers(0, len(WHOLE) - 1), octets=st.binary(min_size=1, max_size=8))
def test_a_damaged_archive_is_read_or_refused_and_nothing_else(place: int, octets: bytes):
    with contextlib.suppress(ProtocolFault):
        read(WHOLE[:place] + octets + WHOLE[place + len(octets) :])


@hypothesis.given(st.text(alphabet="<>/rcvtfsi=\"'1A &;#x", max_size=200))
def test_any_sheet_is_read_or_refused_and_nothing_else(sheet: str):
    with contextlib.suppress(ProtocolFault):
        read(made_by_hand(f"<worksheet><sheetData><row>{sheet}</row></sheetData></worksheet>"))


def test_shared_strings_are_the_same_in_memory_and_on_disk():
    with SharedStrings() as strings:
        for number in range(40_000):
            strings.add(f"{number}" * 250)
        assert [strings.get(number) for number in (0, 39_999, 17)] == ["0" * 250, "39999" * 250, "17" * 250]
        with pytest.raises(IndexError):
            strings.get(40_000)
