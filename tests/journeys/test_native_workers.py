"""Four workers on one native port: what one of them starts, every other finishes."""

import asyncio
import os
import secrets
import signal
from itertools import permutations
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from registry.keys import PublicKey
from registry.site import SiteInfo
from registry.value import HandleValue
from resolver.wire.administration import NamedHandle
from resolver.wire.challenge import LogIn
from resolver.wire.codes import OpCode
from resolver.wire.credential import Credential, mac_is_right, signature_is_right
from resolver.wire.datagram import MAX_DATAGRAM, split
from resolver.wire.envelope import ENVELOPE
from resolver.wire.key_exchange import agreed
from resolver.wire.message import Message, message_from_wire
from resolver.wire.query import HandleValues
from resolver.wire.session_cipher import opened, sealed
from resolver.wire.session_setup import ExchangedKey, SessionOpened
from tests.journeys.native import DEADLINE, AnyMessage, Connection, Datagrams, a_connection_to_each
from tests.registry.books import DESC, URL, open_book, register
from tests.resolver.native import CALLED_FOR, USUAL, query, request
from tests.resolver.running_node import RunningNode, arguments
from tests.resolver.test_operations_authentication import KEY, answered, create
from tests.resolver.test_operations_sessions import CERTIFY, ENCRYPT, Client, half, set_up

WORKERS = 4
HIDDEN = HandleValue(9, "HS_SECKEY", b"hidden", permissions=0b1100)
CAKE = "88.118.1/Cake"


class Workers:
    """A running node: its native port, and the processes that answer on it."""

    def __init__(self, node: RunningNode) -> None:
        self.url, _ = node.ready()
        self.port = int(node.hear(r"and (\d+) for the native protocol")[1])
        self.processes = [node.pid_of(f"worker {number}") for number in range(1, WORKERS + 1)]

    def connections(self):
        return a_connection_to_each(self.port, self.processes)


@pytest.fixture(scope="module")
def workers(postgres, template, tmp_path_factory):
    """One node for all of them: starting it takes longer than they do."""
    name = f"test_{uuid4().hex}"
    dsn = postgres.dsn_of(name)
    asyncio.run(postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}"))
    asyncio.run(_fill(dsn))
    with RunningNode(*arguments(dsn, tmp_path_factory.mktemp("node"), WORKERS)) as node:
        yield Workers(node)
    asyncio.run(postgres.execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def _fill(dsn: str) -> None:
    async with open_book(dsn) as store:
        await register(store, CAKE, URL, DESC, HIDDEN)


async def test_whatever_one_worker_asks_another_takes_the_answer_to(workers: Workers):
    async with workers.connections() as connections:
        pairs = list(permutations(range(WORKERS), 2))
        for first, second in pairs:
            name = f"88.118.1/moved-{first}-{second}"
            challenged = await connections[first].ask(create(name, URL))
            assert challenged.response_code == 402
            answer = answered(challenged)
            written = await connections[second].ask(answer)
            assert (written.op_code, written.response_code) == (OpCode.CREATE_HANDLE, 1)
            again = await connections[first].ask(answer)
            assert again.response_code == 500, "a nonce that was used is worth nothing anywhere"
        for connection in connections:
            for first, second in pairs:
                found = await connection.ask(query(f"88.118.1/MOVED-{first}-{second}"))
                assert found.response_code == 1
        await _log_in_at_one(connections)


async def _log_in_at_one(connections: list[Connection]) -> None:
    """A log-in is the connection's and nobody else's."""
    mine, *others = connections
    challenged = await mine.ask(request(OpCode.LOG_IN_BY_KEY, LogIn(KEY).to_wire()))
    answer = answered(challenged)
    for other in others:
        assert (await other.ask(answer)).response_code == 500
    assert (await mine.ask(answer)).response_code == 1
    assert (await mine.ask(create("88.118.1/logged-in", URL))).response_code == 1
    for other in others:
        assert (await other.ask(create("88.118.1/not-logged-in", URL))).response_code == 402


async def test_what_is_written_at_one_worker_is_forgotten_by_the_others(workers: Workers):
    async with workers.connections() as connections:
        for connection in connections:
            assert (await connection.ask(query(CAKE))).response_code == 1
            assert (await connection.ask(query("88.118.1/later"))).response_code == 100
        changed = HandleValues(CAKE.encode(), (HandleValue(2, "DESC", b"changed"),)).to_wire()
        for asked in (request(OpCode.MODIFY_VALUES, changed), create("88.118.1/later", URL)):
            challenged = await connections[0].ask(asked)
            assert (await connections[0].ask(answered(challenged))).response_code == 1
        for connection in connections:
            async with asyncio.timeout(DEADLINE):
                while b"changed" not in (await connection.ask(query(CAKE))).body:
                    pass
                while (await connection.ask(query("88.118.1/later"))).response_code != 1:
                    pass


async def test_a_session_goes_on_over_every_connection_and_over_datagrams(workers: Workers):
    async with workers.connections() as connections, Datagrams.open(workers.port) as datagrams:
        client = await _session(datagrams)
        challenged = await connections[0].ask(client.create("88.118.1/in-session", HIDDEN, flags=USUAL | CERTIFY))
        assert (challenged.response_code, challenged.session_id) == (402, client.session_id)
        assert mac_is_right(challenged, Credential.from_wire(challenged.credential), client.key)
        assert (await connections[1].ask(client.answer(challenged))).response_code == 1
        for number, connection in enumerate([*connections, datagrams]):
            message = client.query(CAKE, CALLED_FOR)
            shown = opened(await connection.ask(message), client.key)
            assert HandleValues.from_wire(shown.content).values[-1].data == b"hidden"
            replayed = await connections[(number + 1) % WORKERS].ask(message)
            assert replayed.response_code == 505
        for number, connection in enumerate(connections):
            asked = client.create(f"88.118.1/sealed-{number}", HIDDEN, flags=USUAL | ENCRYPT)
            octets = sealed(asked, client.key).to_wire()
            assert b"hidden" not in octets
            connection.write(octets)
            assert opened(await connection.read(), client.key).response_code == 1
        ended = await connections[2].ask(client.numbered(OpCode.SESSION_TERMINATE, NamedHandle(b"/").to_wire()))
        assert ended.response_code == 1
        for connection in [*connections, datagrams]:
            assert (await connection.ask(client.query(CAKE))).response_code == 500


async def _session(way: Datagrams | Connection) -> Client:
    """Set up as the reference client does it, and signed with the key of the site record."""
    site = SiteInfo.from_wire((await way.ask(request(OpCode.GET_SITE_INFO, NamedHandle(b"/").to_wire()))).content)
    exponent = secrets.randbits(160) | 1 << 159
    answer = await way.ask(set_up(half(exponent)))
    assert len(answer.to_wire()) > MAX_DATAGRAM
    assert answer.response_code == 1
    assert signature_is_right(answer, Credential.from_wire(answer.credential), _public_key(site))
    exchanged = ExchangedKey.from_wire(SessionOpened.from_wire(answer.content).octets, answer.version)
    return Client(answer.session_id, agreed(exchanged.public_key, exponent))


def _public_key(site: SiteInfo) -> rsa.RSAPublicKey:
    numbers = PublicKey.from_wire(site.servers[0].public_key).integers
    return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()


async def test_what_one_transport_begins_another_ends(workers: Workers):
    async def by_tunnel(message: Message) -> AnyMessage:
        return await asyncio.to_thread(tunnel, workers.url, message)

    async with Connection.open(workers.port) as connection, Datagrams.open(workers.port) as datagrams:
        ways = {"tunnel": by_tunnel, "tcp": connection.ask, "udp": datagrams.ask}
        for (first, ask), (second, answer) in permutations(ways.items(), 2):
            challenged = await ask(query(CAKE, flags=CALLED_FOR))
            assert challenged.response_code == 402, first
            shown = await answer(answered(challenged))
            assert HandleValues.from_wire(shown.content).values[-1].data == b"hidden", f"{first}, {second}"


def tunnel(url: str, message: Message) -> AnyMessage:
    """A request in a POST, as the reference client sends it when nothing else is let through."""
    kind = "application/x-hdl-message"
    asked = Request(f"{url}/%2F", message.to_wire(), {"Content-Type": kind, "Accept": kind})  # noqa: S310  # our own node
    with urlopen(asked, timeout=DEADLINE) as response:  # noqa: S310  # as above
        octets = response.read()
        assert int(response.headers["Content-Length"]) == len(octets), "the reference client reads no chunks"
        assert response.headers["Content-Type"] == kind
    return message_from_wire(octets)


async def test_requests_of_several_datagrams_are_joined_by_whichever_worker_they_reach(workers: Workers):
    """The kernel chooses the worker by the sender's address, so that sixteen sockets reach them all."""
    types = ["URL", *(f"TYPE.{secrets.token_hex(16)}" for _ in range(30))]
    for number in range(16):
        async with Datagrams.open(workers.port) as datagrams:
            asked = query(CAKE, *types)
            pieces = split(asked.to_wire())
            assert len(pieces) > 2
            datagrams.send(pieces[0][:ENVELOPE] + os.urandom(100))  # no piece: it is not as long as its place
            datagrams.send(*reversed(pieces[1:]), pieces[-1], pieces[0])
            found = await datagrams.read()
            assert (found.request_id, found.response_code) == (asked.request_id, 1), number
            assert [value.type for value in HandleValues.from_wire(found.content).values] == ["URL"]
            datagrams.send(*pieces)
            assert (await datagrams.read()).body == found.body, "a duplicate is harmless"


async def test_what_a_killed_worker_began_the_others_finish(workers: Workers):
    """The last one: the node has another worker in its place afterwards."""
    async with workers.connections() as connections:
        first, *others = connections
        client = await _session(first)
        challenged = await first.ask(create("88.118.1/outlives", URL))
        in_session = await first.ask(client.create("88.118.1/outlives-too", URL))
        assert (challenged.response_code, in_session.response_code) == (402, 402)
        os.kill(workers.processes[0], signal.SIGKILL)
        assert await first.ends() == b""
        assert (await others[0].ask(answered(challenged))).response_code == 1
        assert (await others[1].ask(client.answer(in_session))).response_code == 1
        assert (await others[2].ask(client.create("88.118.1/outlives-still", URL))).response_code == 1
