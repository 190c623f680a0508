"""Records for edges: what is written is read back, and what is no such message is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.octets import Truncated
from registry.value import HandleValue
from resolver.wire.records import MAX_NAMES, Found, Records, RecordsQuery, ShownRecord

VALUES = (HandleValue(1, "URL", b"http://example.org"), HandleValue(2, "DESC", "卷".encode(), ttl=5, timestamp=7))
RECORD = ShownRecord(Found.RECORD, b"88.1/A", 3, 1_700_000_000, 3, '{"since":1,"by":""}', True, False, VALUES)
ALL = Records((RECORD, ShownRecord(Found.MISSING, computed=True), ShownRecord(Found.NOT_HERE), ShownRecord(Found.BUSY)))
QUERY = RecordsQuery("12-0000002a", (b"88.1/A", b"", "88.1/卷".encode()))


def test_both_bodies_are_read_as_they_were_written():
    assert Records.from_wire(ALL.to_wire()) == ALL
    assert RecordsQuery.from_wire(QUERY.to_wire()) == QUERY
    expected = "0000000b 31322d3030303030303261 00000003 00000006 38382e312f41 00000000 00000008 38382e312fe58db7"
    assert QUERY.to_wire() == bytes.fromhex(expected)


def test_what_is_cut_anywhere_is_refused():
    for whole, read in ((ALL.to_wire(), Records.from_wire), (QUERY.to_wire(), RecordsQuery.from_wire)):
        for end in range(len(whole)):
            with pytest.raises(Truncated):
                read(whole[:end])


def test_too_many_names_and_outcomes_that_do_not_exist_are_refused():
    assert RecordsQuery.from_wire(RecordsQuery("", (b"x",) * MAX_NAMES).to_wire()).names
    with pytest.raises(Truncated):
        RecordsQuery.from_wire(RecordsQuery("", (b"x",) * (MAX_NAMES + 1)).to_wire())
    for kind in (0, 5, 255):
        with pytest.raises(Truncated):
            Records.from_wire(b"\0\0\0\1" + bytes([kind, 0]))


@given(st.binary(max_size=200))
def test_any_octets_are_a_body_or_truncated(octets: bytes):
    for read in (Records.from_wire, RecordsQuery.from_wire):
        try:
            body = read(octets)
        except Truncated:
            continue
        assert read(body.to_wire()) == body
