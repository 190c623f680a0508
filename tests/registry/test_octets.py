import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.octets import Reader, Truncated, put_counted, put_string, put_uint16, put_uint32, put_varint


def test_fields_are_read_as_they_were_put():
    out = bytearray()
    put_uint16(out, 0xFFFF)
    put_uint32(out, 88)
    put_string(out, "工业")
    put_counted(out, b"\0")
    assert out.hex(" ", 1).replace(" ", "") == "ffff0000005800000006e5b7a5e4b89a0000000100"
    reader = Reader(bytes(out))
    assert (reader.uint16(), reader.uint32(), reader.string(), reader.counted()) == (0xFFFF, 88, "工业", b"\0")
    reader.expect_end()


@pytest.mark.parametrize("octets", ["ffffffff", "80000000", "0000000261", "00000001ff"])
def test_a_length_that_lies_is_truncated_octets(octets):
    with pytest.raises(Truncated):
        Reader(bytes.fromhex(octets)).string()


def test_a_count_that_cannot_be_there_is_refused_before_anything_is_made():
    with pytest.raises(Truncated, match="4294967295 entries"):
        Reader(bytes.fromhex("ffffffff00000000")).count(smallest=8)


def test_octets_that_are_left_over_are_refused():
    with pytest.raises(Truncated, match="1 octets too many"):
        Reader(b"\0").expect_end()


@given(st.integers(0, (1 << 32) - 1))
def test_a_varint_is_read_as_it_was_put(number):
    out = bytearray()
    put_varint(out, number)
    reader = Reader(bytes(out))
    assert reader.varint() == number
    reader.expect_end()


@pytest.mark.parametrize("octets", ["80", "ffffffffff01", "ffffffff7f", "8080808080808000"])
def test_a_varint_of_more_than_32_bits_or_without_end_is_refused(octets):
    with pytest.raises(Truncated):
        Reader(bytes.fromhex(octets)).varint()


@given(st.binary(max_size=40))
def test_any_octets_give_fields_or_truncated(octets):
    reader = Reader(octets)
    with contextlib.suppress(Truncated):
        while reader.remaining:
            reader.string()
            reader.varint()
