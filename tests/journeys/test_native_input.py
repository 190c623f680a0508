"""Octets that nobody should send, at a node's real sockets: refused or dropped, counted, and never a fault of ours."""

import logging
import random
import tracemalloc
from contextlib import AsyncExitStack

import pytest

from resolver.node import Node
from resolver.wire.challenge import LogIn
from resolver.wire.codes import OpCode
from resolver.wire.datagram import split
from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, TRUNCATED, Envelope, ProtocolError
from resolver.wire.message import Message, message_from_wire
from tests.journeys.native import Connection, Datagrams, a_node_with
from tests.registry.books import URL
from tests.resolver.native import query, request
from tests.resolver.test_operations_authentication import KEY, answered, create
from tests.resolver.wire.captured import steps

CAKE = "88.118.1/Cake"
SEED, MUTATED = 3, 600  # Messages of one run of the test.
CONNECTIONS = 100


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with a_node_with(CAKE, database_dsn, tmp_path) as made:
        yield made


@pytest.fixture
def quiet(caplog):
    """Nothing of what strangers do stands in the log."""
    with caplog.at_level(logging.INFO):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
    assert [record.getMessage() for record in caplog.records if "native request" in record.getMessage()] == []


def changed(octets: bytes, **fields: int) -> bytes:
    """A message whose envelope says something else."""
    return Envelope.from_wire(octets)._replace(**fields).to_wire() + octets[ENVELOPE:]


def with_octets(octets: bytes, position: int, replacement: bytes) -> bytes:
    return octets[:position] + replacement + octets[position + len(replacement) :]


def readable(octets: bytes) -> bool:
    try:
        return isinstance(message_from_wire(octets), Message)
    except ProtocolError:
        return False


REQUESTS = [step.octets for step in steps() if step.is_request and readable(step.octets)]
GOOD = query(CAKE).to_wire()
NO_MESSAGES = {
    "a length of 4 GB": changed(GOOD, length=0xFFFFFFFF),
    "a negative length": changed(GOOD, length=0x80000000),
    "a length just too large": changed(GOOD, length=MAX_MESSAGE + 1),
    "a length of nothing": changed(GOOD, length=0),
    "a length shorter than a header": changed(GOOD, length=23)[: ENVELOPE + 23],
    "op code 0": with_octets(GOOD, 20, bytes(4)),
    "a body longer than the message": with_octets(GOOD, 40, b"\0\0\1\0"),
    "a body of 4 GB": with_octets(GOOD, 40, b"\xff\xff\xff\xff"),
    "a compressed message": changed(GOOD, flags=0x82),
}
REFUSED = {
    "a name of 4 GB": (with_octets(GOOD, 44, b"\xff\xff\xff\xff"), 4),
    "indexes without end": (with_octets(GOOD, 48 + len(CAKE), b"\x7f\xff\xff\xff"), 4),
    "an op code that nobody knows": (with_octets(GOOD, 20, b"\0\0\3\xe7"), 5),
    "a request that says it is an answer": (with_octets(GOOD, 24, b"\0\0\0\1"), 4),
    "no name": (query("").to_wire(), 102),
    "a name that is not UTF-8": (query(b"88.118.1/\xff\xfe").to_wire(), 100),
    "a prefix that is not UTF-8": (query(b"\xff\xfe/a").to_wire(), 301),
    "a name with NUL": (query(b"88.118.1/\0").to_wire(), 100),
    "a new name that is not UTF-8": (
        create("88.118.1/x", URL)._replace(body=b"\0\0\0\x0a88.118.1/\xff" + bytes(4)),
        102,
    ),
    "a session that nobody has": (request(100, b"", session_id=12345, credential=bytes(30)).to_wire(), 500),
    "an encrypted message of no session": (changed(GOOD, flags=0x42, session_id=0), 501),
    "an encrypted message of an unknown session": (changed(GOOD, flags=0x42, session_id=4711), 500),
    "an answer to no challenge": (request(200, b"", session_id=4712).to_wire(), 500),
    "version 3.1": (changed(GOOD, major=3, minor=1, flags=3, suggested_minor=1), 1),
    "version 0.0": (changed(GOOD, major=0, minor=0, flags=0, suggested_minor=0), 1),
    "version 255.255": (changed(GOOD, major=255, minor=255, flags=0, suggested_minor=255), 1),
}


@pytest.mark.usefixtures("quiet")
async def test_octets_that_are_no_message_end_their_connection_with_a_protocol_error(node: Node):
    for named, octets in NO_MESSAGES.items():
        async with Connection.open(node.native_port) as connection:
            connection.write(octets)
            refusal = await connection.read()
            assert refusal.response_code == 4, named
            assert refusal.request_id == Envelope.from_wire(octets).request_id, named
            assert await connection.ends() == b"", named
    assert node.metrics.counts.closed_nonsense == len(NO_MESSAGES)


@pytest.mark.usefixtures("quiet")
async def test_messages_that_mean_nothing_are_refused_and_their_connection_goes_on(node: Node):
    async with Connection.open(node.native_port) as connection:
        for named, (octets, code) in REFUSED.items():
            answer = await connection.ask(octets)
            assert answer.response_code == code, f"{named}: {answer}"
            found = await connection.ask(query(CAKE))
            assert found.response_code == 1, named


@pytest.mark.usefixtures("quiet")
async def test_datagrams_that_are_no_message_are_dropped_and_counted(node: Node):
    whole = query(CAKE, *(f"TYPE.{number}" for number in range(100))).to_wire()
    first, second, *_ = split(whole)
    datagrams = [
        *NO_MESSAGES.values(), b"", b"\0" * 10, GOOD[:19], GOOD[:-1], GOOD + b"\0",
        REFUSED["a request that says it is an answer"][0],
        changed(first, sequence=1)[:-1],  # shorter than its place
        changed(second, sequence=99),  # beyond the message
        changed(second, sequence=-1),
        changed(first, length=MAX_MESSAGE + 1),
        changed(GOOD, flags=2 | TRUNCATED, length=0),
    ]  # fmt: skip
    async with Datagrams.open(node.native_port) as sockets:
        before = node.metrics.counts.dropped_nonsense
        sockets.send(*datagrams)
        found = await sockets.ask(query(CAKE))
        assert found.response_code == 1
        assert sockets.came.empty(), "nonsense is answered with silence"
        assert node.metrics.counts.dropped_nonsense - before >= len(datagrams) - 1  # an empty one may never leave


@pytest.mark.usefixtures("quiet")
async def test_pieces_that_contradict_each_other_make_no_message(node: Node):
    asked = query(CAKE, *(f"TYPE.{number}" for number in range(100)), "URL")
    first, second, *others = split(asked.to_wire())
    async with Datagrams.open(node.native_port) as sockets:
        sockets.send(first, changed(second, session_id=9), changed(second, length=Envelope.from_wire(first).length + 1))
        sockets.send(second, *others)
        assert (await sockets.read()).response_code == 1
        assert sockets.came.empty()


@pytest.mark.usefixtures("quiet")
async def test_a_request_id_that_is_used_twice_is_answered_twice(node: Node):
    one, other = query(CAKE), query("88.118.1/none")
    async with Connection.open(node.native_port) as connection:
        connection.write(one, other._replace(request_id=one.request_id), one)
        answers = [await connection.read() for _ in range(3)]
        assert [answer.response_code for answer in answers] == [1, 100, 1]
        assert {answer.request_id for answer in answers} == {one.request_id}


@pytest.mark.usefixtures("quiet")
async def test_a_message_cut_short_by_its_sender_is_not_answered(node: Node):
    for cut in (1, 19, 20, 21, 43, len(GOOD) - 1):
        async with Connection.open(node.native_port) as connection:
            connection.write(GOOD, GOOD[:cut])
            connection.writer.write_eof()
            assert (await connection.read()).response_code == 1
            assert await connection.ends() == b""


async def test_announced_lengths_take_no_memory(node: Node):
    """A hundred strangers announce the largest message, and as many 4 GB."""
    async with AsyncExitStack() as stack, Connection.open(node.native_port) as connection:
        await connection.ask(query(CAKE))
        tracemalloc.start()
        try:
            for number in range(2 * CONNECTIONS):
                stranger = await stack.enter_async_context(Connection.open(node.native_port))
                length = MAX_MESSAGE if number % 2 else 0xFFFFFFFF
                stranger.write(Envelope(2, 11, 2, 11, 0, number, 0, length).to_wire() + bytes(20))
                if not number % 2:
                    await stranger.ends()
            await connection.ask(query(CAKE))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < CONNECTIONS * MAX_MESSAGE // 4


@pytest.mark.usefixtures("quiet")
async def test_captured_messages_with_octets_changed_meet_no_fault_of_ours(node: Node):
    """The whole path, with its database: what the fuzzer cannot reach."""
    chance, codes = random.Random(SEED), set()
    async with Datagrams.open(node.native_port) as sockets:
        for number in range(MUTATED):
            octets = strange(chance)
            if number % 3 == 0:
                sockets.send(*(split(octets) if len(octets) > ENVELOPE else [octets]))
                continue
            async with Connection.open(node.native_port) as connection:
                if number % 3 == 1:
                    await _log_in(connection)
                connection.write(octets)
                connection.writer.write_eof()
                codes |= {message.response_code for message in _messages(await connection.ends())}
    assert 2 not in codes, "an error that has no name is a fault of ours"
    assert {1, 4, 5, 100, 102, 301, 402, 500} <= codes, "the octets reached too little"
    async with Connection.open(node.native_port) as connection:
        assert (await connection.ask(query(CAKE))).response_code in (1, 100)  # somebody may have been let to delete it


async def _log_in(connection: Connection) -> None:
    """In an old version, whose proof costs less. An administrator may have deleted his own key before."""
    challenged = await connection.ask(request(OpCode.LOG_IN_BY_KEY, LogIn(KEY).to_wire(), version=(2, 3)))
    assert (await connection.ask(answered(challenged))).response_code in (1, 406)


def strange(chance: random.Random) -> bytes:
    """A captured request with its octets changed: those of the body alone, or any."""
    octets = chance.choice(REQUESTS)
    if chance.random() < 0.3:
        return mutated(octets, chance)
    message = Message.from_wire(octets)
    op_code = message.op_code if chance.random() < 0.8 else chance.choice(tuple(OpCode))
    return message._replace(op_code=op_code, session_id=0, body=mutated(message.body, chance), credential=b"").to_wire()


def mutated(octets: bytes, chance: random.Random) -> bytes:
    out = bytearray(octets)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(out) + 1)
        match chance.randrange(5):
            case 0 | 1 if place < len(out):
                out[place] ^= 1 << chance.randrange(8)
            case 2:
                out[place : place + 4] = chance.choice((bytes(4), b"\xff" * 4, b"\0\0\0\1", b"\x7f\xff\xff\xff"))
            case 3:
                del out[place : place + chance.randint(1, 8)]
            case _:
                out[place:place] = out[place : place + chance.randint(1, 30)]
    return bytes(out)


def _messages(octets: bytes) -> list[Message]:
    messages = []
    while octets:
        end = ENVELOPE + int.from_bytes(octets[16:20], "big")
        messages.append(Message.from_wire(octets[:end]))
        octets = octets[end:]
    return messages
