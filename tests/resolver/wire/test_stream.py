import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, Envelope, ProtocolError
from resolver.wire.message import Message, SealedMessage
from resolver.wire.stream import MAX_WAITING, MessageStream
from tests.resolver.wire.captured import steps
from tests.resolver.wire.messages import MESSAGES, URL_QUERY
from tests.resolver.wire.test_captured import WHOLE

QUERY = Message.from_wire(URL_QUERY)


def taken(stream):
    messages = []
    while (message := stream.take()) is not None:
        messages.append(message)
    return messages


def test_a_message_is_taken_once_it_is_whole_and_not_an_octet_earlier():
    stream = MessageStream()
    for octet in URL_QUERY[:-1]:
        stream.feed(bytes([octet]))
        assert stream.take() is None
    stream.feed(URL_QUERY[-1:])
    assert stream.take() == QUERY
    assert stream.take() is None
    assert stream.waiting == 0


@pytest.mark.parametrize("cut", range(len(URL_QUERY)))
def test_a_message_cut_anywhere_gives_nothing_yet_and_then_itself(cut):
    stream = MessageStream()
    stream.feed(URL_QUERY[:cut])
    assert stream.take() is None
    assert stream.waiting == cut
    stream.feed(URL_QUERY[cut:])
    assert stream.take() == QUERY


@given(st.lists(MESSAGES, max_size=4), st.data())
def test_messages_come_in_order_however_the_connection_cuts_them(messages, data):
    octets = b"".join(message.to_wire() for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    stream, came = MessageStream(), []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        stream.feed(octets[start:end])
        came += taken(stream)
    assert came == messages


def test_the_captured_messages_can_all_stand_behind_one_another():
    stream = MessageStream()
    for step in WHOLE:
        stream.feed(step.octets)
        message = stream.take()
        assert isinstance(message, Message | SealedMessage)
    assert stream.waiting == 0


def test_two_requests_sent_at_once_are_two_messages():
    sent = next(step for step in steps() if step.id == "probe.resolve.two_pipelined_on_one_connection#0")
    stream = MessageStream()
    stream.feed(sent.octets)
    assert [message.request_id for message in taken(stream)] == [1, 2]


@pytest.mark.parametrize("length", [MAX_MESSAGE + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_nobody_may_announce_is_refused_with_its_envelope_alone(length):
    stream = MessageStream()
    stream.feed(Envelope(2, 11, 2, 11, 0, 7, 0, length).to_wire())
    with pytest.raises(ProtocolError, match="at most") as caught:
        stream.take()
    assert caught.value.envelope.request_id == 7
    assert stream.waiting == 0


def test_nothing_is_believed_after_a_protocol_error():
    stream = MessageStream()
    stream.feed(URL_QUERY[:20] + bytes(4) + URL_QUERY[24:])
    for _ in range(2):
        with pytest.raises(ProtocolError, match="op code 0"):
            stream.take()
    stream.feed(URL_QUERY)
    assert stream.waiting == 0
    with pytest.raises(ProtocolError, match="op code 0"):
        stream.take()


def test_octets_that_nobody_takes_are_bounded():
    stream = MessageStream()
    for _ in range(MAX_WAITING // len(URL_QUERY)):
        stream.feed(URL_QUERY)
    stream.feed(URL_QUERY)
    assert stream.waiting == 0
    with pytest.raises(ProtocolError, match="wait"):
        stream.take()


def test_the_largest_message_passes_and_a_client_may_take_larger_ones():
    message = QUERY._replace(body=bytes(MAX_MESSAGE - 28))
    stream = MessageStream()
    stream.feed(message.to_wire())
    assert stream.take() == message
    larger = QUERY._replace(body=bytes(MAX_MESSAGE - 27))
    stream = MessageStream(limit=2 * MAX_MESSAGE)
    stream.feed(larger.to_wire())
    assert stream.take() == larger


@given(st.lists(st.binary(max_size=70), max_size=6))
def test_any_octets_give_messages_nothing_yet_or_a_protocol_error(reads):
    stream = MessageStream()
    try:
        for read in reads:
            stream.feed(read)
            taken(stream)
    except ProtocolError:
        assert stream.waiting == 0
    else:
        assert stream.waiting < ENVELOPE + MAX_MESSAGE
