"""Connections that say nothing are held, and answered when they speak; bench/idle.py does it with ten thousand."""

import asyncio
import resource
import socket
from contextlib import AsyncExitStack

import pytest

from resolver.node import Node
from resolver.wire.codes import OpFlag
from resolver.wire.envelope import ENVELOPE
from resolver.wire.message import Message
from tests.journeys.native import DEADLINE, Connection, a_node_with
from tests.resolver.native import USUAL, query

CAKE = "88.118.1/Cake"
HELD = 1000
MANY = 100_000  # Questions; their answers are more than all buffers between two sockets hold.
STAYING = USUAL | int(OpFlag.KEEP_CONNECTION)
SPARE = 200  # Descriptors of this process that are no connection; both ends of each connection are in it.


@pytest.fixture
def held():
    """As many connections as the system lets this process have, and no more than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(HELD, (hard - SPARE) // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with a_node_with(CAKE, database_dsn, tmp_path) as made:
        yield made


async def test_a_thousand_idle_connections_are_held_and_each_is_answered(node: Node, held: int):
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection.open(node.native_port)) for _ in range(held)]
        for _ in range(2):
            answers = await asyncio.gather(*(connection.ask(query(CAKE, flags=STAYING)) for connection in connections))
            assert {answer.response_code for answer in answers} == {1}
        assert node.metrics.native_connections == held


async def test_a_client_that_reads_nothing_is_answered_no_further_and_holds_up_nobody(node: Node):
    """A hundred thousand questions at once, and not one answer taken; then all of them, in their order."""
    loop = asyncio.get_running_loop()
    asked = [query(CAKE)._replace(request_id=number).to_wire() for number in range(MANY)]
    with socket.create_connection(("127.0.0.1", node.native_port)) as greedy:
        greedy.setblocking(False)
        sending = asyncio.create_task(loop.sock_sendall(greedy, b"".join(asked)))
        async with Connection.open(node.native_port) as patient:
            answered = -1
            while answered != node.metrics.counts.native_tcp:  # until nobody but us is answered
                answered = node.metrics.counts.native_tcp + 1
                assert (await patient.ask(query(CAKE))).response_code == 1
            assert answered < MANY
        octets = bytearray()
        async with asyncio.timeout(DEADLINE):
            for number in range(MANY):
                while len(octets) < ENVELOPE or len(octets) < _end(octets):
                    octets += await loop.sock_recv(greedy, 1 << 16)
                answer = Message.from_wire(bytes(octets[: _end(octets)]))
                assert (answer.request_id, answer.response_code) == (number, 1)
                del octets[: _end(octets)]
        await sending


def _end(octets: bytearray) -> int:
    return ENVELOPE + int.from_bytes(octets[16:20], "big")
