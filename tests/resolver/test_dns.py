"""A node that speaks DNS: nonsense hears nothing, and what is written is said at once. What is said kdig judges."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.node import Node
from tests.resolver.dns_lab import HANDLES, ZONE
from tests.resolver.http.lab import lab

DEADLINE = 60.0


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES, dns_zone=ZONE, dns_port=0) as node:
        yield node


def question(name: str, number: int = 7, kind: int = 35) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


async def over_tcp(node: Node, *messages: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.settings.resolver.dns_port)
    answers = []
    try:
        async with asyncio.timeout(DEADLINE):
            for message in messages:
                writer.write(struct.pack(">H", len(message)) + message)
                length = await reader.read(2)
                if not length:
                    break
                answers.append(await reader.readexactly(int.from_bytes(length, "big")))
    finally:
        writer.close()
    return answers


class Listener(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.put_nowait(data)


async def test_one_connection_asks_several_questions(node: Node):
    names = [f"5.10001.156.2.1.{ZONE}", f"99.156.2.1.{ZONE}", f"{ZONE}"]
    answers = await over_tcp(node, *(question(name, number) for number, name in enumerate(names)))
    assert [answer[:2] for answer in answers] == [b"\0\0", b"\0\1", b"\0\2"]
    assert [answer[3] & 0xF for answer in answers] == [0, 3, 0]


async def test_nonsense_ends_a_connection_and_hears_nothing_over_udp(node: Node):
    assert await over_tcp(node, b"nonsense", question(ZONE)) == []
    way, listener = await asyncio.get_running_loop().create_datagram_endpoint(
        Listener, remote_addr=("127.0.0.1", node.settings.resolver.dns_port)
    )
    try:
        for octets in (b"nonsense", b"", b"x" * 5000, b"\0\1\x81" + b"\0" * 20):
            way.sendto(octets)
        way.sendto(question(f"5.10001.156.2.1.{ZONE}", 9))
        answer = await asyncio.wait_for(listener.heard.get(), DEADLINE)
        assert answer[:2] == b"\0\x09"
        assert listener.heard.empty()
    finally:
        way.close()


async def test_what_is_registered_is_said_at_once(node: Node, database_dsn: str):
    asked = question(f"88.156.2.1.{ZONE}")
    assert (await over_tcp(node, asked))[0][3] & 0xF == 3
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    try:
        async with begin(store, "test") as transaction:
            await transaction.create(Handle("oid", "1.2.156.88"), (HandleValue(1, "URL", b"https://example.org/"),))
    finally:
        await store.close()
    async with asyncio.timeout(DEADLINE):
        while (await over_tcp(node, asked))[0][3] & 0xF:  # noqa: ASYNC110  # the change log is read by another task
            await asyncio.sleep(0.01)


async def test_datagrams_that_are_too_many_hear_nothing_but_every_other_that_it_goes_on_over_tcp(
    database_dsn: str, tmp_path: Path
):
    limits = {"client_rate": 1, "unlimited_clients": ()}
    async with lab(database_dsn, tmp_path, HANDLES, dns_zone=ZONE, dns_port=0, **limits) as node:
        asked = [question(f"5.10001.156.2.1.{ZONE}", number) for number in range(12)]
        loop = asyncio.get_running_loop()
        place = ("127.0.0.1", node.settings.resolver.dns_port)
        transport, listener = await loop.create_datagram_endpoint(Listener, remote_addr=place)
        async with asyncio.timeout(DEADLINE):
            for one in asked:
                transport.sendto(one)
            heard = [await listener.heard.get() for _ in range(2 + 5 - 1)]  # a second may pass meanwhile
        transport.close()
        truncated = [answer for answer in heard if answer[2] & 0x02]
        assert len(truncated) >= 3
        assert all(len(answer) <= len(asked[0]) for answer in truncated)
        answers = await over_tcp(node, *asked[:4])
        assert [answer[3] & 0x0F for answer in answers[:2]] == [0, 0]
        assert answers[3][3] & 0x0F == 5
