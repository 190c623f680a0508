import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.wire.datagram import (
    LIFETIME,
    MAX_DATAGRAM,
    MAX_MESSAGES,
    MAX_MESSAGES_PER_PEER,
    MAX_OCTETS,
    MAX_OCTETS_PER_PEER,
    PIECE,
    Reassembly,
    split,
)
from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, TRUNCATED, Envelope, ProtocolError
from resolver.wire.message import Message
from tests.resolver.wire.captured import steps
from tests.resolver.wire.messages import MESSAGES, URL_QUERY

QUERY = Message.from_wire(URL_QUERY)
LONG_MESSAGES = st.builds(
    lambda message, length: message._replace(body=message.body.ljust(length, b"\1")),
    MESSAGES,
    st.integers(MAX_DATAGRAM, 5 * MAX_DATAGRAM),
)
CUT = [step for step in steps() if len(step.packets) > 1]


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def message_of(octets, request_id=7):
    return QUERY._replace(body=bytes(octets - 48), request_id=request_id).to_wire()


def begin(reassembly, peer, request_id, octets=2 * PIECE):
    return reassembly.add(peer, split(message_of(octets, request_id))[0])


@pytest.mark.parametrize("step", CUT, ids=lambda step: step.id)
def test_a_captured_message_is_cut_and_joined_as_the_reference_does(step):
    reassembly = Reassembly(Clock())
    joined = [whole for packet in step.packets if (whole := reassembly.add("peer", packet)) is not None]
    assert len(joined) == 1
    message = Message.from_wire(joined[0])
    in_order = sorted(step.packets, key=lambda packet: Envelope.from_wire(packet).sequence)
    assert split(message.to_wire()) == in_order
    assert not step.octets or joined[0] == step.octets
    assert len(reassembly) == reassembly.octets == 0


def test_the_captured_messages_came_in_any_order():
    orders = {tuple(Envelope.from_wire(packet).sequence for packet in step.packets) for step in CUT}
    assert any(list(order) != sorted(order) for order in orders)


@pytest.mark.parametrize("length", [24, MAX_DATAGRAM - 1, MAX_DATAGRAM])
def test_a_message_that_fits_is_one_datagram_as_it_stands(length):
    message = QUERY._replace(body=bytes(max(0, length - 48))).to_wire()
    assert split(message) == [message]
    assert Reassembly(Clock()).add("peer", message) == message


@given(LONG_MESSAGES, st.data())
def test_datagrams_in_any_order_and_any_number_of_times_give_the_message_once(message, data):
    pieces = split(message.to_wire())
    assert all(len(piece) <= MAX_DATAGRAM for piece in pieces)
    arrive = data.draw(st.permutations(pieces))
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=3))
    reassembly = Reassembly(Clock())
    wholes = []
    for piece in [*again, *arrive]:
        whole = reassembly.add("peer", piece)
        wholes += [whole] if whole is not None else []
    assert len(wholes) >= 1
    expected = message._replace(flags=message.flags | TRUNCATED, sequence=0)
    assert all(Message.from_wire(whole) == expected for whole in wholes)


@given(LONG_MESSAGES, st.data())
def test_a_message_of_which_one_datagram_is_lost_never_comes(message, data):
    pieces = split(message.to_wire())
    lost = data.draw(st.integers(0, len(pieces) - 1))
    clock = Clock()
    reassembly = Reassembly(clock)
    for piece in pieces[:lost] + pieces[lost + 1 :]:
        assert reassembly.add("peer", piece) is None
    assert len(reassembly) == 1
    clock.now += LIFETIME
    reassembly.forget_old()
    assert len(reassembly) == reassembly.octets == 0
    assert reassembly.add("peer", pieces[lost]) is None


def test_datagrams_of_two_peers_with_one_request_id_are_kept_apart():
    reassembly = Reassembly(Clock())
    first, second = split(message_of(800)), split(message_of(900))
    assert reassembly.add("one", first[0]) is None
    assert reassembly.add("two", second[0]) is None
    assert reassembly.add("two", second[1])[ENVELOPE:] == message_of(900)[ENVELOPE:]
    assert reassembly.add("one", first[1])[ENVELOPE:] == message_of(800)[ENVELOPE:]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"length": 900}, "belong"),
        ({"length": MAX_MESSAGE + 1}, "at most"),
        ({"sequence": 2}, "datagram 2 of 2"),
        ({"sequence": -1}, "datagram -1 of 2"),
        ({"sequence": 0}, "belong"),  # a last piece in the place of the first
        ({"session_id": 9}, "differs"),
        ({"minor": 3}, "differs"),
    ],
)
def test_a_datagram_that_does_not_fit_its_message_is_refused(changed, reason):
    reassembly = Reassembly(Clock())
    first, last = split(message_of(800))
    assert reassembly.add("peer", first) is None
    lying = Envelope.from_wire(last)._replace(**changed).to_wire() + last[ENVELOPE:]
    with pytest.raises(ProtocolError, match=reason):
        reassembly.add("peer", lying)
    assert reassembly.add("peer", last) is not None


def test_a_message_asked_again_in_other_octets_replaces_the_first_attempt():
    """A session's client encrypts every attempt anew, under one request id."""
    reassembly = Reassembly(Clock())
    again = QUERY._replace(body=b"\1" * 752, request_id=7).to_wire()
    assert reassembly.add("peer", split(message_of(800))[0]) is None
    assert reassembly.add("peer", split(again)[0]) is None
    assert len(reassembly) == 1
    assert reassembly.add("peer", split(again)[1])[ENVELOPE:] == again[ENVELOPE:]


def test_one_datagram_that_says_it_is_one_of_several_is_a_message():
    """The reference answers a request of several datagrams so."""
    octets = Envelope.from_wire(URL_QUERY)._replace(flags=2 | TRUNCATED).to_wire() + URL_QUERY[ENVELOPE:]
    assert Reassembly(Clock()).add("peer", octets) == octets


@pytest.mark.parametrize("datagram", [b"", URL_QUERY[:10], URL_QUERY[:-1], URL_QUERY + b"\0"])
def test_a_datagram_whose_length_lies_is_refused(datagram):
    with pytest.raises(ProtocolError):
        Reassembly(Clock()).add("peer", datagram)


def test_a_peer_may_begin_only_so_many_messages():
    reassembly = Reassembly(Clock())
    for request_id in range(MAX_MESSAGES_PER_PEER + 2):
        assert begin(reassembly, "peer", request_id) is None
    assert len(reassembly) == MAX_MESSAGES_PER_PEER
    assert reassembly.dropped == 2
    assert begin(reassembly, "another", 0) is None
    assert len(reassembly) == MAX_MESSAGES_PER_PEER + 1


def test_all_peers_together_may_begin_only_so_many_messages():
    clock = Clock()
    reassembly = Reassembly(clock)
    for peer in range(MAX_MESSAGES + 5):
        begin(reassembly, peer, 0)
    assert len(reassembly) == MAX_MESSAGES
    assert reassembly.dropped == 5
    clock.now += LIFETIME
    begin(reassembly, "later", 0)
    assert len(reassembly) == 1


def test_the_largest_message_passes():
    reassembly = Reassembly(Clock())
    message = message_of(ENVELOPE + MAX_MESSAGE)
    pieces = split(message)
    assert [reassembly.add("peer", piece) for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert reassembly.octets <= MAX_OCTETS_PER_PEER
    assert reassembly.add("peer", pieces[-1])[ENVELOPE:] == message[ENVELOPE:]


def test_what_strangers_make_us_hold_is_bounded():
    reassembly = Reassembly(Clock())
    pieces = split(message_of(ENVELOPE + MAX_MESSAGE))[:-1]
    for peer in range(2 * MAX_OCTETS // MAX_OCTETS_PER_PEER):
        for piece in pieces:
            reassembly.add(peer, piece)
    assert reassembly.octets <= MAX_OCTETS
    assert reassembly.dropped > 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=60)), max_size=8))
def test_any_datagrams_give_octets_nothing_yet_or_a_protocol_error(datagrams):
    reassembly = Reassembly(Clock())
    for peer, octets in datagrams:
        for datagram in (octets, Envelope(2, 11, 0x22, 11, 0, 1, 0, len(octets) + 492).to_wire() + octets):
            with contextlib.suppress(ProtocolError):
                reassembly.add(peer, datagram)
