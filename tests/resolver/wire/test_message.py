import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ResponseCode
from registry.octets import Reader, Truncated
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.digest import MD5, SHA1, SHA256, RequestDigest
from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, Envelope, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire, refused
from resolver.wire.query import Query
from tests.resolver.wire.messages import INT32, MESSAGES, UINT8, UINT32, URL_QUERY

MADE = {"expiration": 1_795_322_815, "serial": 1}


def request(**changed):
    return Message.from_wire(URL_QUERY)._replace(**changed)


def read(octets):
    """The message, or the envelope of what is none."""
    try:
        return message_from_wire(octets), None
    except ProtocolError as error:
        return None, error.envelope


def test_a_query_is_read_field_by_field_and_written_again():
    message = Message.from_wire(URL_QUERY)
    assert message.version == message.answer_version == (2, 11)
    assert (message.session_id, message.request_id, message.sequence) == (0, 0x385B68C5, 0)
    assert (message.op_code, message.response_code) == (OpCode.RESOLUTION, 0)
    assert message.op_flags == OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFY | OpFlag.PUBLIC_ONLY
    assert (message.site_serial, message.recursion, message.expiration) == (1, 0, 0x6B0273BF)
    assert Query.from_wire(message.body) == Query(b"88.118.1/CAPd2f3db7c", (), ("URL",))
    assert message.credential == b""
    assert message.to_wire() == URL_QUERY


@pytest.mark.parametrize("length", range(len(URL_QUERY)))
def test_a_message_cut_at_any_length_is_a_protocol_error(length):
    with pytest.raises(ProtocolError) as caught:
        message_from_wire(URL_QUERY[:length])
    assert (caught.value.envelope is not None) == (length >= ENVELOPE)


@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message):
    if not (message.op_code or message.response_code):
        return
    assert message_from_wire(message.to_wire()) == message


@given(st.binary(max_size=120))
def test_any_octets_are_a_message_or_a_protocol_error(octets):
    message, envelope = read(octets)
    assert message is not None or envelope is None or octets.startswith(envelope.to_wire())


@given(st.binary(max_size=80), st.binary(min_size=24, max_size=24), st.integers(-2, 2))
def test_any_body_behind_a_sound_envelope_is_a_message_or_a_protocol_error(rest, header, lie):
    envelope = Envelope(2, 11, 2, 11, 0, 1, 0, max(0, len(header) + len(rest) + lie))
    for octets in (header, header[:20] + len(rest).to_bytes(4, "big")):
        message, told = read(envelope.to_wire() + octets + rest)
        assert message is not None or told == envelope


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (URL_QUERY[:2] + b"\x82" + URL_QUERY[3:], "compressed"),
        (URL_QUERY[:20] + bytes(4) + URL_QUERY[24:], "op code 0"),
        (URL_QUERY[:40] + b"\xff\xff\xff\xff" + URL_QUERY[44:], "a body of 4294967295 octets, 43 there"),
        (URL_QUERY[:40] + b"\x00\x00\x00\x26" + URL_QUERY[44:], "announced"),
        (URL_QUERY[:-4] + b"\xff\xff\xff\xff", "4294967295 octets announced"),
        (URL_QUERY[:19] + b"\x48" + URL_QUERY[20:] + bytes(5), "5 octets too many"),
    ],
)
def test_a_message_that_contradicts_itself_is_a_protocol_error_with_its_envelope(octets, reason):
    with pytest.raises(ProtocolError, match=reason) as caught:
        Message.from_wire(octets)
    assert caught.value.envelope.request_id == 0x385B68C5


def test_an_answer_may_have_op_code_0_as_nobody_knows_what_was_asked():
    envelope = Envelope.from_wire(URL_QUERY)
    answer = refused(envelope, ResponseCode.PROTOCOL_ERROR, **MADE)
    assert Message.from_wire(answer.to_wire()) == answer
    assert (answer.op_code, answer.response_code, answer.request_id) == (0, 4, 0x385B68C5)


def test_a_length_beyond_the_limit_is_not_believed():
    with pytest.raises(ProtocolError, match=f"at most {MAX_MESSAGE}") as caught:
        Envelope(2, 11, 2, 11, 0, 7, 0, MAX_MESSAGE + 1).checked()
    assert caught.value.envelope.request_id == 7
    assert Envelope(2, 11, 2, 11, 0, 7, 0, MAX_MESSAGE).checked().length == MAX_MESSAGE


def test_an_encrypted_message_is_read_as_sealed_and_only_so():
    octets = Envelope(2, 11, 0x42, 11, 35, 7, 0, 32).to_wire() + bytes(32)
    message = message_from_wire(octets)
    assert isinstance(message, SealedMessage)
    assert message.envelope.session_id == 35
    assert message.to_wire() == octets
    with pytest.raises(ProtocolError, match="encrypted"):
        Message.from_wire(octets)
    with pytest.raises(ProtocolError, match="not an encrypted"):
        SealedMessage.from_wire(URL_QUERY)


@pytest.mark.parametrize(
    ("written_in", "suggests", "answered_in"),
    [
        ((2, 11), (2, 11), (2, 11)),
        ((2, 3), (2, 10), (2, 10)),  # the SDK of CAICT
        ((2, 1), (0, 0), (2, 1)),  # too old to suggest anything
        ((2, 11), (2, 99), (2, 11)),
        ((3, 0), (3, 0), (2, 11)),
        ((3, 0), (0, 0), (2, 11)),
        ((5, 0), (0, 0), (5, 0)),  # the first clients, whose 5.0 means 2.0
        ((0, 9), (0, 0), (2, 0)),
    ],
)
def test_an_answer_is_in_the_version_that_the_requester_suggests_capped_at_ours(written_in, suggests, answered_in):
    asked = request(major=written_in[0], minor=written_in[1], flags=suggests[0], suggested_minor=suggests[1])
    answer = asked.answered(1, **MADE)
    assert (answer.major, answer.minor) == answered_in == asked.envelope.answer_version
    assert (answer.flags, answer.suggested_minor) == (2, 11)


def test_an_answer_copies_the_flags_that_concern_both_and_no_other():
    everything = request(op_flags=0xFFFFFFFF & ~OpFlag.REQUEST_DIGEST)
    assert everything.answered(1, **MADE).op_flags == 0xF9100000
    assert request(op_flags=0).answered(1, flags=0, **MADE).op_flags == 0


@pytest.mark.parametrize(
    ("minor", "start"),
    [(0, "00000010"), (1, "02"), (6, "02"), (7, "03"), (11, "03")],
)
def test_an_answer_carries_the_digest_of_its_version_when_asked_to(minor, start):
    asked = request(op_flags=int(OpFlag.REQUEST_DIGEST), suggested_minor=minor)
    answer = asked.answered(1, b"body", **MADE)
    assert answer.op_flags & OpFlag.REQUEST_DIGEST
    assert answer.body.hex().startswith(start)
    assert answer.content == b"body"
    assert asked.content == asked.body


def test_the_content_of_an_answer_whose_digest_lies_is_truncated():
    answer = request(response_code=1, op_flags=int(OpFlag.REQUEST_DIGEST), body=b"\3short")
    with pytest.raises(Truncated):
        _ = answer.content


@pytest.mark.parametrize(("algorithm", "size"), [(MD5, 16), (SHA1, 20), (SHA256, 32)])
def test_a_digest_is_as_long_as_its_algorithm_says(algorithm, size):
    digest = RequestDigest(algorithm, bytes(size))
    assert RequestDigest.from_wire(Reader(digest.to_wire() + b"behind")) == digest
    with pytest.raises(Truncated):
        RequestDigest.from_wire(Reader(digest.to_wire()[:-1]))
    with pytest.raises(Truncated):
        RequestDigest.from_wire(Reader(b"\x09" + bytes(64)))


def test_a_requester_below_2_5_is_given_the_codes_that_it_knows():
    old, new = request(suggested_minor=4), request(suggested_minor=5)
    codes = [ResponseCode.SERVER_READ_ONLY, ResponseCode.INVALID_VALUE, ResponseCode.HANDLE_NOT_FOUND]
    assert [old.answered(code, **MADE).response_code for code in codes] == [303, 201, 100]
    assert [new.answered(code, **MADE).response_code for code in codes] == [7, 202, 100]


def test_a_code_and_an_operation_without_a_name_survive():
    strange = request(op_code=999, response_code=3001)
    read = Message.from_wire(strange.to_wire())
    assert (read.op_code, read.response_code) == (999, 3001)


@given(MESSAGES, UINT32, UINT8)
def test_an_answer_to_any_request_can_be_written_and_read(message, expiration, code):
    answer = message.answered(code or 1, b"body", expiration=expiration, serial=1)
    assert Message.from_wire(answer.to_wire()) == answer
    assert (answer.request_id, answer.session_id) == (message.request_id, message.session_id)


@given(st.builds(Envelope, UINT8, UINT8, UINT8, UINT8, INT32, INT32, INT32, UINT32))
def test_an_envelope_is_read_as_it_was_written(envelope):
    assert Envelope.from_wire(envelope.to_wire()) == envelope
