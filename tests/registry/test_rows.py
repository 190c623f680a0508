"""Cutting a bulk file into rows, whatever pieces it comes in."""

import csv
import io
import tracemalloc
from collections.abc import Callable

import hypothesis
import hypothesis.strategies as st
import pytest

from registry.errors import ProtocolFault
from registry.rows import MAX_ROW, QUOTE_OPEN, TOO_LONG, LineCutter, Row, RowCutter, encoding_of

# Cells as strangers write them: with what divides and quotes cells, and text of both encodings.
CELLS = st.lists(st.text(alphabet='ab,;"\n\r 涤𠮷', max_size=8), min_size=2, max_size=4)


def cut(cutter: LineCutter, octets: bytes, size: int = 1 << 16) -> list[Row]:
    rows = [row for start in range(0, len(octets), size) for row in cutter.feed(octets[start : start + size])]
    return rows + cutter.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_the_same_in_pieces_of_any_size(size: int):
    octets = b"\xef\xbb\xbfone\n\n \r\ntwo\r\nthree"
    assert cut(LineCutter(), octets, size) == [Row(1, b"one"), Row(4, b"two\r"), Row(5, b"three")]


@hypothesis.given(
    rows=st.lists(CELLS, min_size=1, max_size=6),
    delimiter=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
    size=st.integers(1, 40),
)
def test_a_table_is_cut_where_the_csv_module_cuts_it(rows: list[list[str]], delimiter: str, encoding: str, size: int):
    header = delimiter.join(f"c{number}" for number in range(12)) + "\r\n"
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    octets = (header + out.getvalue()).encode(encoding)
    cutter = RowCutter()
    read = []
    for row in cut(cutter, octets, size):
        assert row.fault == ""
        text = row.octets.decode(encoding).removesuffix("\r")
        read.append(next(csv.reader((text,), delimiter=delimiter)))
    assert read == rows
    assert cutter.delimiter == delimiter.encode()


@hypothesis.given(st.text(alphabet='a,"\n', max_size=60), st.integers(1, 9))
def test_quotes_open_and_close_as_the_csv_module_has_it_wherever_they_stand(text: str, size: int):
    text = "a,b\n" + text
    octets = text.encode()
    theirs = list(csv.reader(io.StringIO(text, newline="")))[1:]
    rows = cut(RowCutter(), octets, size)
    ours = [next(csv.reader((row.octets.decode(),))) for row in rows]
    if rows and rows[-1].fault:
        del ours[-1], theirs[-1:]  # that it never ends, only we say
    assert [row for row in ours if _holds(row)] == [row for row in theirs if _holds(row)]


def _holds(row: list[str]) -> bool:
    return any(cell.strip() for cell in row)


@pytest.mark.parametrize("cutter", [LineCutter, RowCutter])
def test_a_line_of_a_hundred_megabytes_is_refused_without_being_held(cutter: Callable[[], LineCutter]):
    subject = cutter()
    piece = b"x" * (1 << 20)
    tracemalloc.start()
    rows = subject.feed(b"handle,URL\n") + [row for _ in range(100) for row in subject.feed(piece)]
    rows += subject.feed(b"\nlast,1\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert [(row.line, row.fault) for row in rows[-2:]] == [(2, TOO_LONG), (3, "")]


def test_a_line_as_long_as_is_allowed_is_taken_and_one_octet_more_is_not():
    for size in (1 << 16, 4 << 20):
        rows = cut(LineCutter(), b"a" * MAX_ROW + b"\n" + b"b" * (MAX_ROW + 1) + b"\nc", size)
        assert [(row.line, row.octets[:1], row.fault) for row in rows] == [
            (1, b"a", ""),
            (2, b"b", TOO_LONG),
            (3, b"c", ""),
        ]


def test_a_quote_that_never_closes_is_told():
    rows = cut(RowCutter(), b'handle,URL\na,1\n"b,2\nc,3\n')
    assert [(row.line, row.fault) for row in rows] == [(2, ""), (3, QUOTE_OPEN)]
    rows = cut(RowCutter(), b'handle,URL\n"b,2\n' + b"c,3\n" * 300_000)
    assert (rows[0].line, rows[0].fault) == (2, TOO_LONG)
    assert rows[-1] == Row(300_002, b"c,3")  # what follows the monster is read again


@pytest.mark.parametrize("octets", [b"PK\x03\x04...", "a,b".encode("utf-16"), b"\xd0\xcf\x11\xe0\xa1", b"\x1f\x8b\x08"])
@pytest.mark.parametrize("size", [1, 100])
def test_files_of_another_form_are_recognized(octets: bytes, size: int):
    with pytest.raises(ProtocolFault, match="the file is"):
        cut(LineCutter(), octets, size)


def test_the_encoding_is_what_most_rows_say():
    chinese = "涤纶长丝".encode("gb18030")
    assert encoding_of(iter([b"abc"])) is None
    assert encoding_of(iter([b"abc", chinese])) == "gb18030"
    assert encoding_of(iter(["涤纶".encode(), "长丝".encode(), chinese])) == "utf-8"
