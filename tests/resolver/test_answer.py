"""Answers say what the records say, and nothing that the public may not read."""

import zlib

import orjson
from hypothesis import given
from hypothesis import strategies as st

from registry.admin import AdminRecord
from registry.errors import ResponseCode
from registry.handle import Handle
from registry.packing import PackedRecord, pack
from registry.record import HandleRecord, public, values_to_wire
from registry.rest import found_to_json
from registry.value import HandleValue, Reference
from resolver.answer import MISSING, NOT_RESPONSIBLE, found
from tests.registry.records import VALUE_TUPLES

NOW = 1_750_000_000
HANDLE = Handle("88.168.1", "Yarn-1")


def packed(*values: HandleValue, version: int = 1) -> PackedRecord:
    return PackedRecord(HANDLE, pack(values, NOW), NOW, version)


@given(VALUE_TUPLES, st.text(st.characters(blacklist_categories=["Cs"])))
def test_the_body_is_what_the_public_values_render_to_with_the_spelling_asked_for(values, asked):
    answer = found(packed(*values), NOW)
    assert answer.body(asked) == found_to_json(asked, public(values))


@given(VALUE_TUPLES)
def test_the_record_of_an_answer_is_the_record_that_was_read(values):
    assert found(packed(*values, version=7), NOW).record == HandleRecord(HANDLE, values, 7)


def test_a_value_that_the_public_may_not_read_is_in_the_record_and_not_in_the_body():
    secret = HandleValue(300, "HS_SECKEY", b"kept from the public", permissions=0b1100, ttl=5)
    answer = found(packed(HandleValue(1, "URL", b"https://example.com"), secret), NOW)
    assert b"kept" not in answer.tail
    assert answer.record.at(300).data == b"kept from the public"
    assert answer.ttl == 86_400  # the secret's five seconds concern nobody who cannot see it


def test_the_time_to_live_is_the_smallest_of_the_public_values():
    answer = found(
        packed(HandleValue(1, "A", b"", ttl=600), HandleValue(2, "B", b"", ttl=NOW + 60, ttl_absolute=True)), NOW
    )
    assert answer.ttl == 60


def test_the_tag_changes_with_the_version_and_with_the_time_of_writing():
    one = HandleValue(1, "URL", b"https://example.com/1")
    restored = PackedRecord(HANDLE, pack((one,), NOW + 1), NOW + 1, 1)
    tags = {found(packed(one), NOW).etag, found(restored, NOW).etag, found(packed(one, version=2), NOW).etag}
    assert len(tags) == 3
    assert found(packed(one), NOW).etag == found(packed(one), NOW + 9).etag


def test_a_record_that_is_shown_in_another_way_has_another_tag():
    values = (
        HandleValue(1, "URL", b"https://example.com", ttl=60, timestamp=NOW, references=(Reference("88.1/A", 2),)),
        HandleValue(2, "RAW", b"\0", ttl=NOW, ttl_absolute=True, timestamp=NOW, permissions=0b1111),
        HandleValue(100, "HS_ADMIN", AdminRecord(0b111, "0.NA/88.168.1", 300).to_wire(), timestamp=NOW),
    )
    answer = found(packed(*values), NOW)
    # When this fails because records are rendered in another way, answer.FORM is raised with it.
    assert (answer.tag, zlib.crc32(answer.body("88.1/A"))) == (b'"a1-684ee180"', 1400069571)


@given(VALUE_TUPLES)
def test_a_native_answer_ends_with_the_values_that_anybody_may_read(values):
    shown = public(values)
    assert found(packed(*values), NOW).to_wire() == (values_to_wire(shown) if shown else b"")


def test_a_record_is_kept_packed_only_where_the_body_does_not_say_it_all():
    admin = HandleValue(100, "HS_ADMIN", AdminRecord(0b111, "0.NA/88.168.1", 300).to_wire())
    octets = HandleValue(2, "RAW", b"\x00\xff")
    assert found(packed(HandleValue(1, "URL", b"https://example.com"), octets, admin), NOW).packed is None
    trailing = HandleValue(100, "HS_ADMIN", admin.data + b"\0")
    hidden = HandleValue(300, "HS_SECKEY", b"secret", permissions=0b1100)
    for value in (trailing, hidden):
        answer = found(packed(value), NOW)
        assert answer.record == HandleRecord(HANDLE, (value,))


def test_an_answer_stands_for_the_memory_of_its_texts():
    answer = found(packed(HandleValue(1, "DESC", b"x" * 5000)), NOW)
    assert 5_000 < answer.octets < 6_000


def test_missing_and_foreign_names_have_bodies_too():
    assert orjson.loads(MISSING.body("88.1/涤纶")) == {"responseCode": 100, "handle": "88.1/涤纶"}
    assert orjson.loads(NOT_RESPONSIBLE.body("9/9")) == {
        "responseCode": ResponseCode.SERVER_NOT_RESPONSIBLE,
        "handle": "9/9",
    }
