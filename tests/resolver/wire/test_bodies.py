"""Every body: read as it was written, and any octets a body or Truncated."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.octets import Truncated
from resolver.wire.administration import (
    HANDLES_PER_MESSAGE,
    HandleIndexes,
    HandleList,
    NamedHandle,
    created_handle,
    parts_of,
)
from resolver.wire.challenge import (
    ALGORITHMS,
    Challenge,
    ChallengeAnswer,
    LogIn,
    PublicKeyProof,
    SecretKeyProof,
    Verification,
    challenged,
    verdict_from_wire,
    verdict_to_wire,
)
from resolver.wire.codes import OpFlag
from resolver.wire.credential import Credential
from resolver.wire.digest import RequestDigest
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Referral, Refusal
from resolver.wire.session_setup import EncryptedSessionKey, ExchangedKey, SessionOpened, SessionSetup
from tests.registry.records import REFERENCES, TEXT, UINT32, VALUE_TUPLES
from tests.resolver.wire.messages import URL_QUERY

OCTETS = st.binary(max_size=60)
HANDLES = TEXT.map(str.encode) | OCTETS
INDEXES = st.lists(UINT32, max_size=5).map(tuple)
KEYS = REFERENCES.filter(bool).map(lambda references: references[0])
IDENTITIES = KEYS.filter(lambda key: key.index != 0xFFFFFFFF) | st.none()
SETUPS = (
    st.builds(SessionSetup, st.sampled_from([1, 4]), UINT32, IDENTITIES, OCTETS)
    | st.builds(SessionSetup, st.just(2), UINT32, IDENTITIES)
    | st.builds(SessionSetup, st.just(3), UINT32, IDENTITIES, st.just(b""), KEYS)
)
SECRET_KEY_PROOFS = (
    st.builds(SecretKeyProof, st.just("MD5"), st.binary(min_size=16, max_size=16))
    | st.builds(SecretKeyProof, st.sampled_from(sorted(set(ALGORITHMS.values()) - {"MD5", "PBKDF2-HMAC-SHA1"})),
                st.binary(min_size=20, max_size=32))
    | st.builds(SecretKeyProof, st.just("PBKDF2-HMAC-SHA1"), OCTETS, OCTETS, UINT32, UINT32)
)  # fmt: skip
BODIES = {
    Query: st.builds(Query, HANDLES, INDEXES, st.lists(TEXT, max_size=4).map(tuple)),
    HandleValues: st.builds(HandleValues, HANDLES, VALUE_TUPLES),
    NamedHandle: st.builds(NamedHandle, HANDLES),
    HandleIndexes: st.builds(HandleIndexes, HANDLES, INDEXES),
    HandleList: st.builds(HandleList, st.lists(HANDLES, max_size=5).map(tuple)),
    ChallengeAnswer: st.builds(ChallengeAnswer, TEXT, KEYS, OCTETS),
    Verification: st.builds(Verification, KEYS, OCTETS, OCTETS, OCTETS),
    LogIn: st.builds(LogIn, KEYS),
    PublicKeyProof: st.builds(PublicKeyProof, TEXT, OCTETS),
    SecretKeyProof: SECRET_KEY_PROOFS,
    SessionSetup: SETUPS,
    SessionOpened: st.builds(SessionOpened, st.integers(0, 0xFFFF), OCTETS),
    EncryptedSessionKey: st.builds(EncryptedSessionKey, OCTETS),
    Refusal: st.builds(Refusal, TEXT, INDEXES),
    Referral: st.builds(Referral, HANDLES, VALUE_TUPLES),
    Credential: st.builds(Credential, TEXT, OCTETS, OCTETS, UINT32, TEXT),
}
MADE = {"expiration": 1, "serial": 1}

every_body = pytest.mark.parametrize("form", BODIES, ids=lambda form: form.__name__)


@every_body
@given(data=st.data())
def test_a_body_is_read_as_it_was_written(form, data):
    body = data.draw(BODIES[form])
    assert form.from_wire(body.to_wire()) == body


@every_body
@given(octets=st.binary(max_size=80))
def test_any_octets_are_a_body_or_truncated(form, octets):
    with contextlib.suppress(Truncated):
        form.from_wire(octets)


@every_body
@given(data=st.data())
def test_a_body_cut_at_any_length_is_another_body_or_truncated(form, data):
    octets = data.draw(BODIES[form]).to_wire()
    for length in range(len(octets)):
        with contextlib.suppress(Truncated):
            form.from_wire(octets[:length])


@pytest.mark.parametrize(
    "body",
    [
        "ffffffff",
        "80000000 00000000 00000000",
        "00000001 61 ffffffff 00000000",
        "00000001 61 00000000 40000000 00000000",
        "00000001 61 00000000 00000001 00000001 ff",  # a type that is not UTF-8
        "",
        "0000",
    ],
)
def test_a_query_that_lies_about_a_length_is_truncated(body):
    with pytest.raises(Truncated):
        Query.from_wire(bytes.fromhex(body))


def test_a_query_may_be_longer_than_its_fields():
    query = Query(b"88.118.1/A", (1,), ("URL",))
    assert Query.from_wire(query.to_wire() + bytes(4)) == query
    bare = Query(b"88.118.1/A")
    assert Query.from_wire(bare.to_wire() + bytes(4)) == bare


def test_a_handle_that_is_no_utf8_is_octets_all_the_same():
    query = Query(b"88.118.1/\xff\xfe")
    assert Query.from_wire(query.to_wire()).handle == b"88.118.1/\xff\xfe"


@pytest.mark.parametrize("count", [0, 1, 50, 51, 120])
def test_a_list_goes_in_parts_of_fifty_and_the_last_says_so(count):
    handles = [f"88.118.1/{number}".encode() for number in range(count)]
    parts = list(parts_of(handles))
    assert [handle for _, part in parts for handle in part.handles] == handles
    assert all(len(part.handles) == HANDLES_PER_MESSAGE for _, part in parts[:-1])
    continued = [bool(flags & OpFlag.CONTINUOUS) for flags, _ in parts]
    assert continued == [True] * (len(parts) - 1) + [False]


def test_an_answer_to_a_creation_may_name_no_handle():
    assert created_handle(b"") is None
    assert created_handle(NamedHandle(b"88.118.1/A").to_wire()) == b"88.118.1/A"


def test_a_verdict_is_one_octet():
    assert (verdict_to_wire(True), verdict_to_wire(False)) == (b"\1", b"\0")
    assert (verdict_from_wire(b"\1"), verdict_from_wire(b"\0")) == (True, False)
    with pytest.raises(Truncated):
        verdict_from_wire(b"")


@pytest.mark.parametrize("minor", [0, 1, 4, 7, 11])
@pytest.mark.parametrize("asks_for_digest", [False, True])
def test_a_challenge_is_read_as_it_was_made_in_every_version(minor, asks_for_digest):
    request = Message.from_wire(URL_QUERY)._replace(suggested_minor=minor)
    if asks_for_digest:
        request = request._replace(op_flags=request.op_flags | OpFlag.REQUEST_DIGEST)
    answer = challenged(request, bytes(range(16)), session_id=31, **MADE)
    assert (answer.response_code, answer.session_id) == (402, 31)
    assert bool(answer.op_flags & OpFlag.REQUEST_DIGEST) == (minor > 0)
    challenge = Challenge.from_message(answer)
    assert challenge.nonce == bytes(range(16))
    # The digest covers the request as it came, flags and all.
    assert challenge.digest == RequestDigest.of(request.covered, answer.version)


def test_a_key_exchange_names_its_cipher_from_2_4_on():
    key = ExchangedKey(3, b"key")
    assert ExchangedKey.from_wire(key.to_wire((2, 4)), (2, 4)) == key
    assert ExchangedKey.from_wire(b"key", (2, 3)) == ExchangedKey(1, b"key")
    with pytest.raises(Truncated):
        ExchangedKey.from_wire(b"key", (2, 4))


def test_a_session_mode_that_nobody_knows_is_read_and_left_to_be_refused():
    """probe.session_setup.unknown_mode_9"""
    setup = SessionSetup.from_wire(bytes.fromhex("0009 0000003c 00000000 ffffffff 0000"))
    assert setup == SessionSetup(9, 60)
