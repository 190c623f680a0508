"""The native port on every address, for both transports, and how it is found out that somebody else has it."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from resolver.client.exchange import exchange_tcp, exchange_udp
from resolver.listeners.native import NativePort
from resolver.metrics import Metrics
from resolver.reservation import PortTaken, reserve
from resolver.settings import ResolverSettings
from tests.resolver.scripted import SLOW, Operations, request

LOOPBACK = ("127.0.0.1", "::1")
DEADLINE = 60.0


@asynccontextmanager
async def opened(operations: Operations, *addresses: str):
    port = NativePort(addresses, 0)
    try:
        await port.open(operations, Metrics(), ResolverSettings())  # type: ignore[arg-type]  # what listeners call
        yield port
    finally:
        operations.go.set()
        await port.close(DEADLINE)


async def test_one_port_answers_both_transports_on_every_address():
    async with opened(Operations(), *LOOPBACK) as native:
        for address in LOOPBACK:
            for exchange in (exchange_tcp, exchange_udp):
                (answer,) = await exchange(address, native.port, request(b"x"))
                assert answer.body == b"x"


async def test_several_processes_share_the_port():
    async with opened(Operations(), "127.0.0.1") as native:
        again = NativePort(["127.0.0.1"], native.port)
        await again.close(0)
        assert (await exchange_udp("127.0.0.1", native.port, request(b"x")))[0].body == b"x"


async def test_a_port_that_is_closed_has_finished_what_it_was_asked():
    operations = Operations()
    async with opened(operations, "127.0.0.1") as native:
        asking = [
            asyncio.create_task(exchange("127.0.0.1", native.port, request(SLOW)))
            for exchange in (exchange_tcp, exchange_udp)
        ]
        async with asyncio.timeout(DEADLINE):
            while operations.waiting < len(asking):  # noqa: ASYNC110  # counted, told to nobody
                await asyncio.sleep(0.01)
        closing = asyncio.create_task(native.close(DEADLINE))
        await asyncio.sleep(0)
        operations.go.set()
        assert [answer.body for task in asking for answer in await task] == [SLOW, SLOW]
        await closing


def test_a_port_that_another_program_has_for_one_transport_is_not_taken():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as other:
            other.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                other.listen()
            port = other.getsockname()[1]
            with pytest.raises(OSError):
                NativePort(["127.0.0.1"], port)
            with pytest.raises(PortTaken):
                reserve(["127.0.0.1"], port, datagrams=True)


async def test_a_reserved_port_gets_no_datagrams_of_those_that_it_is_reserved_for():
    held = reserve(["127.0.0.1"], 0, datagrams=True)
    try:
        operations = Operations()
        native = NativePort(["127.0.0.1"], held.port)
        await native.open(operations, Metrics(), ResolverSettings())  # type: ignore[arg-type]  # as above
        for _ in range(30):  # each from another port, and so perhaps for another socket
            assert (await exchange_udp("127.0.0.1", held.port, request(b"x")))[0].body == b"x"
        assert operations.answered == 30
        await native.close(DEADLINE)
    finally:
        held.release()
