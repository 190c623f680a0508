"""Octets of DNS: as RFC 1035 writes them, cut at every length, and any octets at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.wire.dns import (
    MAX_STRING,
    NoQuestion,
    Question,
    Rcode,
    Record,
    Type,
    answer_to_wire,
    naptr,
    question_from_wire,
)

# NAPTR 5.156.2.1.oid-res.org, with EDNS of 4096 octets.
ASKED = bytes.fromhex(
    "1234 0100 0001 0000 0000 0001"
    "01 35 03 313536 01 32 01 31 07 6f69642d726573 03 6f7267 00 0023 0001"
    "00 0029 1000 00000000 0000".replace(" ", "")
)


def test_a_question_is_read_with_its_options():
    question = question_from_wire(ASKED)
    assert question.labels == ("5", "156", "2", "1", "oid-res", "org")
    assert (question.number, question.kind, question.fault, question.limit) == (0x1234, Type.NAPTR, Rcode.NOERROR, 1232)


def test_an_answer_points_at_the_name_and_at_the_zone_of_its_question():
    question = question_from_wire(ASKED)
    data = naptr(100, 10, "ORS+RINF", "!^.*$!https://example.org/!")
    assert data is not None
    wire = answer_to_wire(question, Rcode.NOERROR, (Record(Type.NAPTR, 60, data),), (), zone_labels=2)
    assert wire[:12] == struct.pack(">HHHHHH", 0x1234, 0x8500, 1, 1, 0, 1)
    assert wire[12:39] == ASKED[12:39]
    assert wire[39:51] == bytes.fromhex("c00c 0023 0001 0000003c") + struct.pack(">H", len(data))
    zone = answer_to_wire(question, Rcode.NXDOMAIN, (), (Record(Type.SOA, 60, b"", of_zone=True),), zone_labels=2)
    assert struct.unpack(">H", zone[39:41])[0] & 0x3FFF == 12 + 2 + 4 + 2 + 2
    assert wire[-11:] == bytes.fromhex("00 0029 04d0 00000000 0000")


def test_an_answer_that_is_too_long_is_cut_off_and_says_so():
    question = question_from_wire(ASKED)
    records = tuple(Record(Type.NAPTR, 60, b"x" * 200) for _ in range(10))
    wire = answer_to_wire(question, Rcode.NOERROR, records, (), limit=512)
    assert len(wire) < 100
    assert struct.unpack(">H", wire[2:4])[0] & 0x0200
    assert len(answer_to_wire(question, Rcode.NOERROR, records, ())) > 2000


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({2: 0x28}, Rcode.NOTIMP),  # UPDATE
        ({5: 2}, Rcode.FORMERR),  # two questions
        ({7: 1}, Rcode.FORMERR),
        ({11: 2}, Rcode.FORMERR),
        ({12: 0xC0}, Rcode.FORMERR),  # a pointer
        ({38: 3}, Rcode.REFUSED),  # class CH
        ({45: 1}, Rcode.BADVERS),
    ],
)
def test_what_is_wrong_with_a_question_is_said(change: dict[int, int], fault: Rcode):
    octets = bytearray(ASKED)
    for place, octet in change.items():
        octets[place] = octet
    question = question_from_wire(bytes(octets))
    assert question.fault == fault
    wire = answer_to_wire(question, fault)
    assert wire[3] & 0xF == fault & 0xF
    assert (fault is Rcode.BADVERS) == (wire[-6:-5] == b"\x01")


def test_an_answer_and_half_a_header_are_answered_by_nothing():
    for octets in (ASKED[:11], b"", ASKED[:2] + b"\x81" + ASKED[3:]):
        with pytest.raises(NoQuestion):
            question_from_wire(octets)


def test_a_question_cut_anywhere_behind_its_header_is_malformed():
    for length in range(12, len(ASKED)):
        assert question_from_wire(ASKED[:length]).fault == Rcode.FORMERR
    assert question_from_wire(ASKED + b"\0").fault == Rcode.FORMERR


@given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda octets: ASKED[:12] + octets))
def test_any_octets_are_a_question_or_none_and_can_be_answered(octets: bytes):
    try:
        question = question_from_wire(octets)
    except NoQuestion:
        return
    assert isinstance(question, Question)
    wire = answer_to_wire(question, question.fault or Rcode.NXDOMAIN, zone_labels=0, limit=question.limit)
    assert wire[:2] == octets[:2]
    assert len(wire) <= 512


@given(st.text(max_size=300), st.text(max_size=20))
def test_a_string_that_does_not_fit_makes_no_record(regexp: str, service: str):
    assert (naptr(1, 1, service, regexp) is None) == (len(regexp.encode()) > MAX_STRING or len(service.encode()) > 255)
