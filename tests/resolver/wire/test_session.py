"""A session's encryption and the agreement on its key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.keys import PublicKey
from resolver.wire.envelope import ProtocolError
from resolver.wire.key_exchange import UnusableKey, agreed, exchange, session_key_of
from resolver.wire.message import Message, SealedMessage
from resolver.wire.session_cipher import opened, sealed
from resolver.wire.session_setup import SessionSetup
from tests.resolver.wire.captured import exchanges
from tests.resolver.wire.messages import MESSAGES, URL_QUERY

KEY = bytes(range(32))
QUERY = Message.from_wire(URL_QUERY)


def group():
    """The group of the reference client, from a captured request."""
    captured = next(e for e in exchanges() if e.id == "native.session.session_dh_encrypted.setup_and_create.tcp")
    setup = SessionSetup.from_wire(Message.from_wire(captured.steps[0].octets).body)
    return PublicKey.from_wire(setup.public_key).integers


def half(**changed):
    return PublicKey("DH_PUB_KEY", {**group(), **changed}).to_wire()


@given(MESSAGES, st.binary(min_size=16, max_size=16))
def test_a_message_sealed_is_opened_as_it_was(message, initial):
    closed = sealed(message, KEY, initial)
    assert closed.to_wire()[2] & 0x40
    assert SealedMessage.from_wire(closed.to_wire()) == closed
    assert opened(closed, KEY) == message


def test_a_message_sealed_twice_is_never_the_same_octets():
    assert sealed(QUERY, KEY) != sealed(QUERY, KEY)


@given(st.binary(max_size=100))
def test_any_ciphertext_is_opened_or_a_protocol_error_that_says_no_more(ciphertext):
    closed = sealed(QUERY, KEY)
    strange = SealedMessage(closed.envelope._replace(length=len(ciphertext)), ciphertext)
    with pytest.raises(ProtocolError, match=r"cannot be decrypted|whole number of blocks") as caught:
        opened(strange, KEY)
    assert caught.value.envelope == strange.envelope
    with pytest.raises(ProtocolError, match="cannot be decrypted"):
        opened(closed, bytes(32))


def test_both_sides_agree_on_one_key():
    numbers = group()
    exponent = 0x1234567890ABCDEF1234567890ABCDEF12345678
    theirs = half(y=pow(numbers["g"], exponent, numbers["p"]))
    ours, key = exchange(theirs)
    assert agreed(ours, exponent) == key
    assert len(key) == 32
    assert exchange(theirs)[1] != key


def test_a_session_key_starts_at_the_first_octet_that_is_not_zero():
    shared = int.from_bytes(bytes(5) + bytes(range(1, 60)), "big")
    assert session_key_of(shared) == bytes(range(1, 33))
    with pytest.raises(UnusableKey, match="no secret"):
        session_key_of(shared >> 8 * 28)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"y": 1}, "no number of the group"),
        ({"p": (1 << 1024) + 2}, "no number of the group"),
        ({"g": 1}, "no number of the group"),
        ({"p": 0xFFFFFFFFFFFFFFC5}, "a group of 64 bits"),
        ({"p": (1 << 4096) + 1}, "a group of 4097 bits"),
    ],
)
def test_a_group_that_is_weak_or_too_costly_is_refused(changed, reason):
    with pytest.raises(UnusableKey, match=reason):
        exchange(half(**changed))


def test_a_key_that_makes_the_secret_known_is_refused():
    for y in (group()["p"] - 1, group()["p"], group()["p"] + 1):
        with pytest.raises(UnusableKey, match="no number of the group"):
            exchange(half(y=y))


@pytest.mark.parametrize("key", [b"", b"\0\0\0\1x", PublicKey("RSA_PUB_KEY", {"e": 3, "n": 15}).to_wire()])
def test_a_key_of_another_kind_agrees_on_nothing(key):
    with pytest.raises(UnusableKey):
        exchange(key)
