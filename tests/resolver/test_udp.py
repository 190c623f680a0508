"""Datagrams of the native protocol, over real sockets and with operations that answer when they are told to."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ServerBusy
from resolver.familiar import NOT_KEPT
from resolver.listeners.budget import BURST, FACTOR, TRICKLE, Budget, network_of
from resolver.listeners.burst import BurstDatagrams, are_there
from resolver.listeners.datagrams import UNSENT
from resolver.listeners.turns import AT_ONCE, TURNS, Turns, is_costly
from resolver.listeners.udp import MAX_WAITING, UdpListener
from resolver.metrics import Metrics
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.datagram import MAX_DATAGRAM, Reassembly, split
from resolver.wire.envelope import Envelope
from resolver.wire.message import Message
from tests.resolver.scripted import LIST, LONG, LONG_ANSWER, PARTS, SLOW, Operations, answer_to, octets, request

DEADLINE = 60.0
RATE = 1 << 24
needs_bursts = pytest.mark.skipif(not are_there(), reason="this system reads datagrams one by one")


class Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self._reassembly = Reassembly(asyncio.get_running_loop().time)

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        assert len(data) <= MAX_DATAGRAM
        self.received.put_nowait(data)

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self._transport.sendto(datagram)

    async def take(self) -> Message:
        async with asyncio.timeout(DEADLINE):
            while (whole := self._reassembly.add(None, await self.received.get())) is None:
                pass
        return Message.from_wire(whole)

    async def ask(self, asked: Message) -> Message:
        self.send(*split(asked.to_wire()))
        return await self.take()

    def close(self) -> None:
        self._transport.close()


@dataclass
class Server:
    operations: Operations
    metrics: Metrics
    client: Client
    listener: UdpListener
    address: tuple[str, int]


@asynccontextmanager
async def serving(
    address: str = "127.0.0.1", rate: float = RATE, *, bursts: bool = True, asked: str = ""
) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()
    operations, metrics = Operations(), Metrics()
    listener = UdpListener(operations, metrics, Budget(rate), Turns(loop.time))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.setblocking(False)
    bound.bind((address, 0))
    await listener.open(bound, bursts=bursts)
    place = (asked or address, bound.getsockname()[1])
    _, client = await loop.create_datagram_endpoint(Client, remote_addr=place)
    try:
        yield Server(operations, metrics, client, listener, place)
    finally:
        operations.go.set()
        client.close()
        await listener.close(DEADLINE)


@pytest.mark.parametrize("bursts", [True, False], ids=["in bursts", "one by one"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_datagram_is_answered_with_one(address: str, *, bursts: bool):
    async with serving(address, bursts=bursts) as server:
        asked = request(b"x")
        answer = await server.client.ask(asked)
        assert (answer.request_id, answer.body) == (asked.request_id, b"x")
        assert server.metrics.counts.native_udp == 1


async def test_a_long_answer_comes_in_datagrams_that_every_network_passes():
    async with serving() as server:
        answer = await server.client.ask(request(LONG + bytes(1000)))
        assert len(answer.body) == LONG_ANSWER


async def test_a_request_in_pieces_is_joined_in_any_order_and_answered_once():
    async with serving() as server:
        asked = request(b"y" * 3000)
        pieces = split(asked.to_wire())
        server.client.send(*reversed(pieces), *pieces[:2])
        assert (await server.client.take()).body == asked.body
        assert (await server.client.ask(request(b"next"))).body == b"next"
        assert server.operations.answered == 2


@pytest.mark.parametrize(
    "nonsense",
    [
        b"x" * 10,
        b"\xff" * 60,
        Envelope(2, 11, 2, 11, 0, 1, 0, 0xFFFFFFFF).to_wire() + bytes(40),
        Envelope(2, 11, 0x22, 11, 0, 1, -1, 1000).to_wire() + bytes(492),
        octets(request(b"an answer", response_code=1)),
        octets(request(b"cut"))[:-3],
    ],
    ids=["no envelope", "ones", "endless", "late piece", "an answer", "cut short"],  # the octets hold the time
)
async def test_nonsense_and_answers_get_silence_and_pay_for_nothing(nonsense: bytes):
    async with serving(rate=500.0) as server:
        server.client.send(nonsense)
        assert (await server.client.ask(request(b"after it"))).body == b"after it"
        assert server.client.received.empty()
        assert server.metrics.counts.dropped_nonsense == 1
        assert server.operations.answered == 1


@needs_bursts
@pytest.mark.parametrize(("every", "asked"), [("0.0.0.0", "127.7.7.7"), ("::", "::1")])
async def test_an_answer_comes_from_the_address_that_was_asked(every: str, asked: str):
    """A connected socket hears nobody else."""
    async with serving(every, asked=asked) as server:
        for _ in range(3):
            assert (await server.client.ask(request(b"x"))).body == b"x"


@pytest.mark.parametrize("bursts", [True, False], ids=["in bursts", "one by one"])
async def test_more_than_one_burst_is_answered_whole_and_each_to_its_asker(*, bursts: bool):
    async with serving(bursts=bursts) as server:
        loop, clients = asyncio.get_running_loop(), []
        for _ in range(5):
            _, client = await loop.create_datagram_endpoint(Client, remote_addr=server.address)
            clients.append(client)
        for number in range(50):
            for place, client in enumerate(clients):
                kind = (b"", SLOW, b"more ", b"nonsense")[number % 4]
                octets_ = octets(request(kind + b"%d of %d" % (number, place)))
                client.send(octets_[:-1] if kind == b"nonsense" else octets_)
        server.operations.go.set()
        for place, client in enumerate(clients):
            bodies = [(await client.take()).body for _ in range(38)]
            assert all(body.endswith(b" of %d" % place) for body in bodies)
            assert len(set(bodies)) == 38
            client.close()
        assert server.metrics.counts.dropped_nonsense == 60


class Reluctant(BurstDatagrams):
    """A network that takes so many and then no more."""

    room = 10

    def _write(self, datagrams, sources):
        count = min(self.room, len(datagrams))
        self.room -= count
        return super()._write(datagrams[:count], sources[:count]) if count else 0


@needs_bursts
async def test_answers_that_the_network_does_not_take_wait_in_order_and_beyond_a_bound_are_dropped():
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setblocking(False)
    bound.bind(("127.0.0.1", 0))
    datagrams = Reluctant(bound, lambda _, sources: heard.put_nowait(sources[0]))
    _, client = await loop.create_datagram_endpoint(Client, remote_addr=bound.getsockname())
    try:
        client.send(b"here I am")
        source = await heard.get()
        sent = [b"%06d" % number + bytes(500) for number in range(3000)]
        dropped = datagrams.send(sent, [source] * len(sent))
        assert len(sent) - dropped == 10 + UNSENT // len(sent[0])
        assert datagrams.send([b"one more" * 60], [source]) == 1
        received = []
        async with asyncio.timeout(DEADLINE):
            while len(received) < len(sent) - dropped:
                received.append(await client.received.get())
                datagrams.room += 1
        assert received == sent[: len(received)]
        assert datagrams.send([b"and again"], [source]) == 0
        assert await client.received.get() == b"and again"
    finally:
        client.close()
        datagrams.close()


async def test_a_request_that_is_sent_again_while_it_waits_is_answered_once():
    async with serving() as server:
        asked = request(SLOW)
        for _ in range(3):
            server.client.send(octets(asked))
        await server.operations.asked.wait()
        server.operations.go.set()
        assert (await server.client.take()).request_id == asked.request_id
        assert (await server.client.ask(request(b"next"))).body == b"next"
        assert len(server.operations.conversations) == 1
        assert server.operations.conversations[0].transport == "udp"


@pytest.mark.parametrize("op_code", [OpCode.CHALLENGE_ANSWER, OpCode.SESSION_KEY_EXCHANGE])
async def test_the_answer_to_what_is_said_once_is_sent_again_when_it_was_lost(op_code):
    """The nonce is used by then, so that the same proof would be refused. Of anything else nothing is kept."""
    async with serving() as server:
        server.operations.go.set()
        answer = request(SLOW)._replace(op_code=int(op_code))
        first = await server.client.ask(answer)
        assert await server.client.ask(answer) == first
        assert len(server.operations.conversations) == 1
        await server.client.ask(answer._replace(body=SLOW + b" and another proof"))
        assert len(server.operations.conversations) == 2
        for _ in range(2):
            await server.client.ask(request(SLOW))
        assert len(server.operations.conversations) == 4


async def test_a_request_that_waits_holds_nobody_up():
    async with serving() as server:
        server.client.send(octets(request(SLOW)))
        await server.operations.asked.wait()
        assert (await server.client.ask(request(b"next"))).body == b"next"


async def test_only_so_many_requests_wait():
    async with serving() as server:
        async with asyncio.timeout(DEADLINE):
            while server.metrics.counts.dropped_queue < 10:
                server.client.send(*[octets(request(SLOW)) for _ in range(32)])
                await asyncio.sleep(0.005)
        assert server.operations.waiting == MAX_WAITING
        assert (await server.client.ask(request(b"next"))).body == b"next"


async def test_a_familiar_query_is_not_even_read_when_it_would_have_to_wait_and_too_many_do():
    async with serving() as server:
        read = server.operations.respond_now
        async with asyncio.timeout(DEADLINE):
            while server.metrics.counts.dropped_queue < 10:
                server.client.send(*[octets(request(SLOW)) for _ in range(32)])
                await asyncio.sleep(0.005)
        messages: list[Message] = []
        server.operations.respond_now = lambda message, *others: messages.append(message) or read(message, *others)
        server.operations.ready = lambda octets, *others: NOT_KEPT if b"familiar" in octets else None
        dropped = server.metrics.counts.dropped_queue
        server.client.send(octets(request(b"familiar")), octets(request(b"familiar")))
        assert (await server.client.ask(request(b"next"))).body == b"next"
        assert [message.body for message in messages] == [b"next"]
        assert server.metrics.counts.dropped_queue == dropped + 2


def is_familiar(octets: bytes, cell: object) -> bytes | None:
    return NOT_KEPT if b"familiar" in octets else None


async def test_familiar_queries_that_must_be_read_are_read_once_and_answered_together():
    async with serving() as server:
        operations = server.operations
        operations.ready = is_familiar
        asked = [request(b"familiar %d" % number) for number in range(3)]
        server.client.send(*[octets(one) for one in (*asked, *asked)])
        assert (await server.client.ask(request(b"next"))).body == b"next"
        assert len(operations.told) == 3
        for told, one in zip(operations.told, asked, strict=True):
            told(octets(answer_to(one, b"read")))
        assert {(await server.client.take()).request_id for _ in asked} == {one.request_id for one in asked}
        assert server.metrics.counts.native_udp == 4


async def test_a_familiar_query_of_which_nothing_can_be_said_at_once_goes_the_ordinary_way():
    async with serving() as server:
        server.operations.ready = is_familiar
        server.operations.go.set()
        server.client.send(octets(request(SLOW + b"familiar")))
        assert (await server.client.ask(request(b"next"))).body == b"next"
        server.operations.told[0](None)
        assert (await server.client.take()).body == SLOW + b"familiar"


async def test_what_is_refused_in_overload_hears_nothing_and_may_be_asked_again():
    async with serving() as server:
        server.operations.ready = is_familiar
        asked = octets(request(b"familiar"))
        server.client.send(asked)
        assert (await server.client.ask(request(b"next"))).body == b"next"
        server.operations.told[0](ServerBusy("server.overload"))
        server.client.send(asked)
        assert (await server.client.ask(request(b"next"))).body == b"next"
        assert len(server.operations.told) == 2
        assert server.metrics.counts.dropped_queue == 1
        server.operations.told[1](asked)
        assert (await server.client.take()).body == b"familiar"


async def test_a_closing_listener_waits_for_what_is_being_read():
    async with serving() as server:
        server.operations.ready = is_familiar
        asked = request(b"familiar")
        server.client.send(octets(asked))
        assert (await server.client.ask(request(b"next"))).body == b"next"
        closing = asyncio.create_task(server.listener.close(DEADLINE))
        await asyncio.sleep(0)
        server.operations.told[0](octets(answer_to(asked, b"read")))
        assert (await server.client.take()).body == b"read"
        await closing


async def test_every_message_of_a_list_is_sent():
    async with serving() as server:
        server.client.send(octets(request(LIST)))
        assert [(await server.client.take()).body for _ in range(PARTS)] == [b"0", b"1", b"2"]


async def test_a_source_that_asks_for_much_with_little_hears_nothing_more():
    async with serving() as server:
        for _ in range(100):  # More would fill the client's buffer with answers.
            server.client.send(octets(request(LONG)))
        answer = await server.client.ask(request(b"small" * 60))
        while answer.body.startswith(LONG):
            answer = await server.client.take()
        assert answer.body.startswith(b"small")
        assert server.metrics.counts.dropped_budget > 85


async def test_the_rate_of_the_settings_is_kept():
    async with serving(rate=3000.0) as server:
        body = b"z" * 300
        for _ in range(40):
            server.client.send(octets(request(body)))
        async with asyncio.timeout(DEADLINE):
            while server.operations.answered < 40:  # noqa: ASYNC110  # counted, told to nobody
                await asyncio.sleep(0.01)
        assert 40 > server.metrics.counts.dropped_budget > 25


async def test_a_closing_listener_finishes_what_it_was_asked():
    async with serving() as server:
        server.client.send(octets(request(SLOW)))
        await server.operations.asked.wait()
        closing = asyncio.create_task(server.listener.close(DEADLINE))
        await asyncio.sleep(0)
        server.operations.go.set()
        assert (await server.client.take()).body == SLOW
        await closing


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(44, 65_507), st.integers(44, 262_144)), max_size=60))
def test_no_network_gets_more_than_its_requests_and_the_trickle_pay_for(steps):
    now = 0.0
    budget = Budget(1e12)
    received = sent = 0
    for elapsed, asked, answered in steps:
        now += elapsed
        account = budget.account(network_of("192.0.2.7"), now)
        received += asked
        if account.pays(answered, asked):
            sent += answered
        assert sent <= received * FACTOR + BURST / 2 + now * TRICKLE + 1


def test_neighbours_share_an_account_and_strangers_do_not():
    assert network_of("192.0.2.7") == network_of("192.0.2.250") != network_of("192.0.3.7")
    assert network_of("2001:db8:0:1::1") == network_of("2001:db8:0:ff::2") != network_of("2001:db8:0:100::1")
    assert network_of("fe80::1%lo") == network_of("fe80::2")
    assert network_of("::ffff:192.0.2.7") != network_of("192.0.2.7")


def test_accounts_are_bounded():
    budget = Budget(1e6, networks=100)
    for number in range(1000):
        budget.account(network_of(f"10.{number // 250}.{number % 250}.1"), 0.0)
    assert len(budget) == 100


def test_a_network_has_its_turns_at_what_is_costly_and_takes_none_from_others():
    now = 0.0
    turns = Turns(lambda: now)
    assert [turns.wait(b"one", 0.0) for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    assert turns.wait(b"one", 0.0) is None
    assert turns.wait(b"two", 0.0) == 0.0
    waits = [turns.wait(b"one", 1.0) for _ in range(AT_ONCE)]
    assert waits[: int(TURNS)] == pytest.approx([(number + 0.5) / TURNS for number in range(int(TURNS))])
    assert set(waits[int(TURNS) :]) == {None}
    now = 60.0
    assert turns.wait(b"one", 0.0) == 0.0


@pytest.mark.parametrize(
    ("changed", "costly"),
    [
        ({}, False),
        ({"op_flags": int(OpFlag.CERTIFY)}, True),
        ({"op_flags": int(OpFlag.CERTIFY), "credential": b"a MAC"}, False),
        ({"op_code": int(OpCode.SESSION_SETUP)}, True),
    ],
)
def test_what_must_be_signed_or_agreed_on_is_costly(changed: dict[str, int], *, costly: bool):
    assert is_costly(request(b"x")._replace(**changed)) == costly


async def test_costly_datagrams_beyond_their_turns_are_dropped_before_anybody_works_on_them():
    async with serving() as server:
        costly = request(SLOW)._replace(op_flags=int(OpFlag.CERTIFY))
        for number in range(AT_ONCE + 50):
            server.client.send(octets(costly._replace(request_id=1_000_000 + number)))
        assert (await server.client.ask(request(b"next"))).body == b"next"
        assert AT_ONCE <= server.operations.waiting < AT_ONCE + 50
        assert server.metrics.counts.dropped_budget == AT_ONCE + 50 - server.operations.waiting
