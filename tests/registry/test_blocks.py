"""Blocks of lines: the same ones whatever pieces a file comes in, and equal to cutting it line by line."""

import tracemalloc

import hypothesis
import hypothesis.strategies as st
import pytest

from registry import blocks
from registry.blocks import BLOCK_LINES, Block, BlockCutter
from registry.errors import ProtocolFault
from registry.rows import MAX_ROW, TOO_LONG, LineCutter


def cut(octets: bytes, size: int) -> list[Block]:
    cutter = BlockCutter()
    found = [
        block for start in range(0, len(octets), size) for block in cutter.feed_blocks(octets[start : start + size])
    ]
    return found + cutter.finish_blocks()


@hypothesis.given(st.text(alphabet="a \r\n\ufeff", max_size=80), st.integers(1, 50))
def test_blocks_hold_the_lines_that_a_cutter_of_lines_finds(text: str, size: int):
    octets = text.encode()
    cutter = LineCutter()
    lines = [(row.line, row.octets) for row in cutter.feed(octets) + cutter.finish()]
    found = []
    for block in cut(octets, size):
        rows, faults, numbers = block.rows()
        assert faults == {}
        found += list(zip(numbers, rows, strict=True))
    assert found == lines


@hypothesis.given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 200), st.integers(1, 200))
def test_blocks_end_at_the_same_lines_in_pieces_of_any_size(lengths: list[int], size: int, other: int):
    octets = b"\n".join(b"x" * length for length in lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_LINES", 7)
        patch.setattr(blocks, "BLOCK_OCTETS", 90)
        found = cut(octets, size)
        assert found == cut(octets, other)
        assert all(block.octets.count(b"\n") <= 7 and len(block.octets) <= 90 for block in found)
    assert b"".join(block.octets for block in found) == (octets + b"\n" if lengths[-1] else octets)


def test_a_long_file_is_cut_after_a_fixed_number_of_lines():
    octets = b"".join(b"%d\n" % number for number in range(2 * BLOCK_LINES + 5))
    for size in (1000, 1 << 18, 1 << 24):
        assert [block.first_line for block in cut(octets, size)] == [1, BLOCK_LINES + 1, 2 * BLOCK_LINES + 1]


def test_a_line_of_a_hundred_megabytes_is_a_fault_and_is_not_held():
    cutter = BlockCutter()
    piece = b"x" * (1 << 20)
    tracemalloc.start()
    cutter.feed_blocks(b"first\n\n")
    for _ in range(100):
        cutter.feed_blocks(piece)
    cutter.feed_blocks(b"\nlast")
    (block,) = cutter.finish_blocks()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    rows, faults, lines = block.rows()
    assert list(lines) == [1, 3, 4]
    assert faults == {1: TOO_LONG}
    assert (rows[0], rows[2]) == (b"first", b"last")


def test_a_line_as_long_as_is_allowed_is_taken_and_one_octet_more_is_not():
    octets = b"a" * MAX_ROW + b"\n" + b"b" * (MAX_ROW + 1) + b"\nc"
    for size in (1 << 16, 4 << 20):
        (block,) = cut(octets, size)
        rows, faults, _ = block.rows()
        assert [row[:1] for row in rows] == [b"a", b"b", b"c"]
        assert faults == {1: TOO_LONG}


def test_a_file_of_another_form_is_recognized_even_when_it_has_no_line_end():
    with pytest.raises(ProtocolFault, match="the file is"):
        cut(b"PK\x03\x04" + b"x" * 100, 10)
