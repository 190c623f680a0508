import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidValue, ValueAlreadyExists
from registry.handle import Handle
from registry.octets import Reader, Truncated
from registry.packing import pack, plain_parts, unpack
from registry.record import MAX_RECORD, MAX_VALUES, HandleRecord, check_values, public, ttl_of
from registry.value import DEFAULT_PERMISSIONS, HandleValue, Reference, type_matches
from tests.registry.records import UINT32, VALUE_TUPLES, VALUES

# Captured from the reference server's answer to native.session.resolve.url_only_type_filter.udp.
URL_VALUE = bytes.fromhex(
    "00000001 6b01cafb 00 00015180 0e 00000003 55524c00000014 687474703a2f2f6578616d706c652e6f72672f31 00000000"
)
URL = HandleValue(1, "URL", b"http://example.org/1", timestamp=0x6B01CAFB)
RECORD = HandleRecord(
    Handle.from_text("88.118.1/R"),
    (
        HandleValue(1, "URL", b"http://example.org/x"),
        HandleValue(2, "EMAIL", b"x@example.org", permissions=12),
        HandleValue(3, "10320/loc.x", b"\0", ttl=60),
    ),
)


def test_a_captured_value_is_read_and_written_as_the_reference_does():
    reader = Reader(URL_VALUE)
    assert HandleValue.from_wire(reader) == URL
    reader.expect_end()
    out = bytearray()
    URL.to_wire(out)
    assert out == URL_VALUE


@given(VALUES)
def test_a_value_is_read_from_the_wire_as_it_was_written(value):
    out = bytearray()
    value.to_wire(out)
    assert HandleValue.from_wire(Reader(bytes(out))) == value


def test_a_value_cut_anywhere_is_truncated():
    for length in range(len(URL_VALUE)):
        with pytest.raises(Truncated):
            HandleValue.from_wire(Reader(URL_VALUE[:length]))


@given(st.binary(max_size=120))
def test_any_octets_give_a_value_or_truncated(octets):
    with contextlib.suppress(Truncated):
        HandleValue.from_wire(Reader(octets))


@given(VALUE_TUPLES, UINT32)
def test_values_are_unpacked_as_they_were_packed(values, written_at):
    assert unpack(pack(values, written_at), written_at) == values


@given(VALUE_TUPLES)
def test_parts_of_plain_values_are_those_that_were_packed(values):
    plain = [HandleValue(1 + value.index % ((1 << 14) - 1), value.type, value.data) for value in values]
    parts = [(value.index, value.type, value.data) for value in plain]
    fit = all(len(value.type.encode()) < 0x80 for value in plain)
    assert plain_parts(pack(plain, 0)) == (parts if fit else None)
    if any(value.permissions != DEFAULT_PERMISSIONS for value in values):
        assert plain_parts(pack(values, 0)) is None


@given(st.binary(min_size=1, max_size=60) | st.binary(max_size=60).map(lambda octets: b"\x01" + octets))
def test_any_stored_octets_have_the_parts_that_their_values_have_or_none(octets):
    parts = plain_parts(octets)
    assert parts is None or parts == [(value.index, value.type, value.data) for value in unpack(octets, 0)]


def test_a_usual_value_costs_four_octets_beside_its_type_and_data():
    value = HandleValue(7, "GRADE", b"AA", timestamp=1000)
    assert len(pack([value], 1000)) - len(pack([], 1000)) == len("GRADE") + len("AA") + 4


def test_values_written_with_their_row_carry_its_time():
    packed = pack([HandleValue(1, "URL", b"x", timestamp=1000)], 1000)
    assert unpack(packed, 2000)[0].timestamp == 2000


def test_a_row_of_a_later_form_is_refused_by_its_number():
    with pytest.raises(Truncated, match="form 9; this program knows form 1"):
        unpack(b"\x09", 0)


@given(st.binary(min_size=1, max_size=60))
def test_any_stored_octets_give_values_or_truncated(octets):
    with contextlib.suppress(Truncated):
        unpack(octets, 0)


def test_nothing_asked_for_is_everything():
    assert RECORD.select() == RECORD.values


def test_indexes_and_types_select_a_union():
    assert [value.index for value in RECORD.select([2], ["url"])] == [1, 2]


@pytest.mark.parametrize(
    ("value_type", "asked", "matches"),
    [
        ("URL", "url", True),
        ("URL.X", "URL", False),
        ("URL.X", "URL.", True),
        ("URL", "URL.", True),
        ("URLX", "URL.", False),
    ],
)
def test_a_filter_that_ends_in_a_dot_matches_what_it_begins(value_type, asked, matches):
    assert type_matches(value_type, asked) is matches


def test_only_public_values_are_public():
    assert [value.index for value in public(RECORD.values)] == [1, 3]


def test_the_smallest_time_to_live_counts():
    assert ttl_of(RECORD.values, 0) == 60


def test_an_absolute_time_to_live_counts_down_and_ends_at_zero():
    value = HandleValue(1, "URL", b"", ttl=1000, ttl_absolute=True)
    assert [ttl_of((value,), now) for now in (900, 1000, 1100)] == [100, 0, 0]


def test_values_are_put_in_order_of_their_index():
    values = (HandleValue(2, "B", b""), HandleValue(1, "A", b""))
    assert [value.index for value in check_values(values)] == [1, 2]


@pytest.mark.parametrize(
    ("values", "error", "rule"),
    [
        ([HandleValue(0, "A", b"")], InvalidValue, "value.index"),
        ([HandleValue(-1, "A", b"")], InvalidValue, "value.index"),
        ([HandleValue(1 << 31, "A", b"")], InvalidValue, "value.index_range"),
        ([HandleValue(1, "A", b""), HandleValue(1, "B", b"")], ValueAlreadyExists, "value.exists"),
        ([HandleValue(1, "", b"")], InvalidValue, "value.type"),
        ([HandleValue(1, "A\n", b"")], InvalidValue, "value.type"),
        ([HandleValue(1, "工" * 50, b"")], InvalidValue, "value.type"),
        ([HandleValue(1, "A", bytes(MAX_RECORD + 1))], InvalidValue, "value.too_long"),
        ([HandleValue(n, "A", bytes(90_000)) for n in (1, 2, 3)], InvalidValue, "record.too_long"),
        ([HandleValue(n + 1, "A", b"") for n in range(MAX_VALUES + 1)], InvalidValue, "value.too_many"),
        ([HandleValue(1, "A", b"", references=(Reference("x" * 300_000, 1),))], InvalidValue, "record.too_long"),
    ],
)
def test_values_that_cannot_be_stored_are_refused_by_their_rule(values, error, rule):
    with pytest.raises(error) as refusal:
        check_values(tuple(values))
    assert refusal.value.rule == rule
