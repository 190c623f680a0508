"""Queries of a familiar form: answered octet by octet as the ordinary way answers them, whatever is done to them."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.errors import ServerBusy
from resolver.familiar import FORMS
from resolver.replies import SITE_LIFE
from resolver.tally import Cell
from resolver.wire.codes import OpFlag
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message, message_from_wire
from resolver.wire.query import Query
from tests.fuzz.answers import NOW, Clock, KeptBook, kept_operations, operations_over
from tests.fuzz.connections import connection
from tests.resolver.wire.captured import steps

CAPTURED = [step.octets for step in steps() if step.is_request and step.octets]
NAMES = [b"88.118.1/cake %d" % number for number in range(40)]  # found, missing, foreign and not kept: see KEPT
PUBLIC_ONLY = 0x19000000


def query(name: bytes, request_id: int = 1, flags: int = PUBLIC_ONLY, **others: int) -> bytes:
    message = Message(2, 11, 2, 11, 0, request_id, 0, 1, 0, flags, 1, 0, 0, NOW, Query(name).to_wire(), b"")
    return message._replace(**others).to_wire()


def ordinary(octets: bytes) -> bytes | None:
    """What `respond_now` says; None for what it leaves to others, and for octets that are no message."""
    try:
        read = message_from_wire(octets)
    except ProtocolError:
        return None
    answer = kept_operations().respond_now(read, "udp") if isinstance(read, Message) else None
    return None if answer is None else answer.to_wire()


def is_as_ordinary(octets: bytes) -> bool:
    """Whether it was answered at once, and then as it should be."""
    answer = kept_operations().ready(octets, Cell())
    assert answer is None or (answer or None) == ordinary(octets)  # NOT_KEPT is for what ordinarily waits, too
    return bool(answer)


def test_every_captured_request_is_answered_as_before_or_left():
    answered = sum(is_as_ordinary(octets) for octets in CAPTURED for _ in range(2))
    assert 0 < answered < 2 * len(CAPTURED)


def test_a_query_of_each_outcome_is_answered_at_once_unless_it_must_be_waited_for():
    outcomes = {ordinary(query(name)) and ordinary(query(name))[24:28] for name in NAMES}
    assert outcomes == {b"\0\0\0\x01", b"\0\0\0\x64", None}
    for name in NAMES:
        for request_id in (1, 77, -1):
            for session_id in (0, 5):
                octets = query(name, request_id, session_id=session_id)
                assert is_as_ordinary(octets) == (ordinary(octets) is not None)


def test_forms_differ_in_every_octet_that_an_answer_depends_on():
    """The same name, asked in forms that come one after another, so that one might be taken for another."""
    forms = [
        {},
        {"major": 2, "minor": 1},
        {"suggested_minor": 3},
        {"flags": 0},
        {"recursion": 7},
        {"reserved": 9},
        {"site_serial": 0xFFFF},
        {"expiration": 0},
        {"op_flags": PUBLIC_ONLY | int(OpFlag.DO_NOT_REFER)},
        {"op_flags": int(OpFlag.RECURSIVE)},
        {"op_flags": int(OpFlag.REQUEST_DIGEST)},
        {"op_flags": int(OpFlag.CERTIFY)},
        {"response_code": 1},
        {"op_code": 2},
        {"sequence": 3},
    ]
    mixed = [query(name, **form) for name in NAMES[:8] for form in forms] * 3
    random.Random(1).shuffle(mixed)
    assert sum(map(is_as_ordinary, mixed)) > len(mixed) // 4


@given(
    st.sampled_from(CAPTURED + [query(name) for name in NAMES]),
    st.lists(st.tuples(st.integers(0), st.binary(max_size=4)), max_size=4),
)
@example(query(NAMES[0]), [(47, b"\x01")])  # a name that says another length
@example(query(NAMES[0]), [(43, b"\x01")])
def test_octets_changed_in_any_place_are_answered_as_before_or_left(octets, changes):
    kept_operations().ready(octets, Cell())
    for place, written in changes:
        place %= len(octets) or 1
        octets = octets[:place] + written + octets[place + len(written) :]
    is_as_ordinary(octets)
    is_as_ordinary(octets[:-1])
    is_as_ordinary(octets + b"\0")


@given(
    st.lists(st.sampled_from([query(name, number) for number, name in enumerate(NAMES, 1)]), max_size=30),
    st.binary(max_size=6),
)
def test_a_connection_answers_in_order_however_its_queries_are_cut(queries, cuts):
    connection(cuts.ljust(6, b"\x50") + b"".join(queries))


def test_a_query_that_was_read_in_vain_is_refused_under_its_id_and_counted_under_no_made_up_prefix():
    cell = Cell()
    octets = query(b"99.made.up/cake", 77)
    answer = Message.from_wire(kept_operations().familiar.answer_with(octets, ServerBusy("server.busy"), cell))
    assert (answer.request_id, answer.response_code) == (77, ServerBusy.code)
    assert cell.missed == {b"": 1}


def test_more_forms_than_are_kept_are_left_to_the_ordinary_way():
    ready = kept_operations.__wrapped__().ready  # its own: the others keep their forms
    asked = [query(NAMES[2], recursion=number % 250, site_serial=number // 250) for number in range(FORMS + 10)]
    answered = [ready(octets, Cell()) for octets in asked]
    assert answered[:FORMS] == list(map(ordinary, asked[:FORMS]))
    assert answered[FORMS:] == [None] * 10


class DeafBook(KeptBook):
    """Has heard of changes up to now and hears of none from now on; what it keeps is fresh for two seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.heard_at = clock.now

    @property
    def fresh_for(self) -> float:
        return self.heard_at + 2 - self._clock.now

    @property
    def staleness(self) -> float:
        return max(0.0, -self.fresh_for)


@pytest.mark.parametrize("begun", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("is_asked_before", [False, True])
def test_nobody_vouches_for_what_is_kept_from_the_moment_on_in_which_it_may_be_too_old(begun, is_asked_before):
    clock = Clock()
    clock.now += begun
    book = DeafBook(clock)
    operations = operations_over(book, clock)

    def vouched() -> set[bool]:
        """Of a name that is there and one that is not: by the two ways in which kept answers are given."""
        asked = [query(name) for name in NAMES if ordinary(query(name))]
        ready = [operations.ready(octets, Cell()) for octets in asked]
        others = [operations.respond_now(Message.from_wire(octets), "udp").to_wire() for octets in asked]
        return {bool(Message.from_wire(octets).op_flags & OpFlag.AUTHORITATIVE) for octets in ready + others}

    for seconds, expected in ((0.0, True), (1.2, True), (1.99, True), (2.01, False), (700.0, False)):
        clock.now = book.heard_at + seconds
        assert vouched() == {expected}
        if not is_asked_before:
            operations = operations_over(book, clock)
    clock.now = book.heard_at - 3600.0  # A wall clock is set back.
    assert vouched() == {True}
    book.heard_at = clock.now = book.heard_at + 800.0
    clock.now += SITE_LIFE
    assert vouched() == {True}
