"""Ranges and what their members say, without a book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.admin import ALL_PERMISSIONS, AdminRecord
from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.handle_range import DIGITS, MAX_MEMBERS, make_range, serial_to_text, shared
from registry.packing import pack
from registry.value import HandleValue

ADMIN = HandleValue(100, "HS_ADMIN", AdminRecord(ALL_PERMISSIONS, "0.NA/{serial}", 300).to_wire())
CAKE = (
    HandleValue(1, "URL", b"https://yarn.example/{suffix}?n={position}"),
    HandleValue(2, "BATCH", b"CL0322"),
    HandleValue(3, "JSON", b'{"spindle":{position},"serial":"{serial}"}'),
    ADMIN,
)


def doff(first="88.168.2/Cake-001", members=96, width=3, radix=10, values=CAKE):
    handle = Handle.from_text(first)
    return make_range(handle, handle.suffix.upper(), members, width, radix, pack(values, 0))


@st.composite
def ranges(draw):
    radix = draw(st.sampled_from(sorted(DIGITS)))
    width = draw(st.integers(1, 6))
    begin = draw(st.integers(0, radix**width - 1))
    members = draw(st.integers(1, radix**width - begin).map(lambda number: min(number, MAX_MEMBERS)))
    head = draw(st.text("Az0-", max_size=4))
    return doff(f"88.168.2/{head}{serial_to_text(begin, width, radix)}", members, width, radix)


@given(ranges(), st.data())
def test_every_place_of_a_range_has_one_member_and_keys_are_in_the_order_of_places(made, data):
    one = data.draw(st.integers(1, made.members))
    other = data.draw(st.integers(1, made.members))
    assert made.position(made.suffix_at(one)) == one
    assert (one < other) == (made.suffix_at(one) < made.suffix_at(other))
    assert made.first <= made.suffix_at(one) <= made.last
    assert made.suffix_at(made.members) == made.last


@given(ranges(), st.text("AZ09-", max_size=10))
def test_the_members_behind_a_key_are_all_that_come_after_it(made, after):
    following = next(made.suffixes(after), None)
    if following is None:
        assert made.last <= after
    else:
        assert following > after
        position = made.position(following)
        assert position == 1 or made.suffix_at(position - 1) <= after


@given(ranges(), st.text("AZ09-", max_size=10))
def test_what_is_no_member_has_no_place(made, suffix):
    position = made.position(suffix)
    assert position is None or made.suffix_at(position) == suffix


def test_a_member_says_its_place_its_serial_number_and_its_suffix():
    made = doff()
    handle, values = made.handle("CAKE-007"), made.values_of("CAKE-007")
    assert str(handle) == "88.168.2/Cake-007"
    assert [value.data for value in values] == [
        b"https://yarn.example/Cake-007?n=7",
        b"CL0322",
        b'{"spindle":7,"serial":"007"}',
        ADMIN.data,
    ]
    record = made.record("CAKE-007").unpack()
    assert (record.handle, record.values, record.version) == (handle, values, 1)


def test_nothing_is_filled_into_what_was_filled_in():
    made = doff("88.168.2/{serial}-1", 9, 1, values=(HandleValue(1, "URL", b"{suffix}"),))
    assert made.values_of("{SERIAL}-3")[0].data == b"{serial}-3"


def test_what_all_members_say_is_what_has_nothing_to_fill_in():
    assert [value.index for value in shared(CAKE)] == [2, 100]


def test_a_name_between_two_members_is_none_unless_it_ends_in_digits():
    made = doff("88.168.2/A-01", 50, 2)
    assert made.position("A-20") == 20
    for suffix in ("A-1X", "A-2/", "A-200", "A-1", "A-00", "A-51"):
        assert made.position(suffix) is None
    assert doff("88.168.2/A-01", 50, 2, 36).position("A-1D") == 49


@pytest.mark.parametrize(
    ("first", "members", "width", "radix"),
    [
        ("88.168.2/Cake-", 1, 1, 10),
        ("88.168.2/Cake-1", 1, 2, 10),
        ("88.168.2/1", 1, 2, 10),
        ("88.168.2/Cake-1", 1, 0, 10),
        ("88.168.2/Cake-1", 1, 19, 10),
        ("88.168.2/Cake-1", 1, 1, 16),
        ("88.168.2/Cake-1", 0, 1, 10),
        ("88.168.2/Cake-001", 1000, 3, 10),
        ("88.168.2/Cake-000000000000", MAX_MEMBERS + 1, 12, 10),
        ("88.168.2/Cake-ZZ", 2, 2, 36),
    ],
)
def test_a_range_that_cannot_be_counted_is_refused(first, members, width, radix):
    with pytest.raises(InvalidHandle):
        doff(first, members, width, radix)
