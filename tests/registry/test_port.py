"""One port for plain and TLS: told apart by the first octet, with bounds for whoever says nothing."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from registry.certificate import Certificate
from registry.port import UNREAD, Port, listen
from tests.resolver.http.lab import any_certificate

DEADLINE = 60.0


class Echo(asyncio.Protocol):
    """Says whether TLS hid what came, and says it back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.tls = transport.get_extra_info("sslcontext") is not None

    def data_received(self, data: bytes) -> None:
        self.transport.write((b"tls " if self.tls else b"plain ") + data)


@asynccontextmanager
async def port_of(tmp_path: Path, addresses: tuple[str, ...] = ("127.0.0.1",), **limits: float) -> AsyncIterator[Port]:
    certificate = Certificate(tmp_path)
    sockets = listen(addresses, 0)
    port = Port(sockets, Echo, lambda: certificate.context, **limits)
    port.number = sockets[0].getsockname()[1]
    port.open()
    try:
        yield port
    finally:
        await port.close()


async def say(number: int, octets: bytes, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> bytes:
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection(address, number, ssl=tls)
        try:
            writer.write(octets)
            return await reader.readexactly(len(octets) + (4 if tls else 6))
        finally:
            writer.close()


async def ended(connection: socket.socket) -> bytes:
    """What the other side says before it ends the connection."""
    connection.setblocking(False)
    async with asyncio.timeout(DEADLINE):
        return await asyncio.get_running_loop().sock_recv(connection, 100)


async def until(condition) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # what is awaited is a counter of the port
            await asyncio.sleep(0.005)


async def test_plain_and_tls_share_a_port_and_no_octet_is_lost(tmp_path: Path):
    async with port_of(tmp_path, ("127.0.0.1", "::1")) as port:
        for address in ("127.0.0.1", "::1"):
            assert await say(port.number, b"GET / HTTP/1.1", None, address) == b"plain GET / HTTP/1.1"
            assert await say(port.number, b"GET / HTTP/1.1", any_certificate(), address) == b"tls GET / HTTP/1.1"


async def test_a_connection_that_says_nothing_is_ended_and_one_that_speaks_late_is_not(tmp_path: Path):
    async with port_of(tmp_path, first_octet_timeout=0.2) as port:
        silent = socket.create_connection(("127.0.0.1", port.number))
        assert await ended(silent) == b""
        assert port.undecided == 0
        silent.close()
    async with port_of(tmp_path) as port:
        late = socket.create_connection(("127.0.0.1", port.number))
        await until(lambda: port.undecided == 1)
        late.send(b"late")
        assert await ended(late) == b"plain late"
        assert port.undecided == 0
        late.close()


async def test_silent_connections_are_bounded_in_number_and_the_oldest_gives_way(tmp_path: Path):
    async with port_of(tmp_path, max_undecided=3) as port:
        silent = [socket.create_connection(("127.0.0.1", port.number)) for _ in range(5)]
        assert await ended(silent[0]) == b""
        assert await ended(silent[1]) == b""
        assert port.undecided == 3
        assert await say(port.number, b"honest") == b"plain honest"
        for connection in silent:
            connection.close()
        await until(lambda: port.undecided == 0)


async def test_closing_refuses_new_connections_and_leaves_open_ones_alone(tmp_path: Path):
    async with port_of(tmp_path) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(b"1")
        assert await reader.readexactly(7) == b"plain 1"
        silent = socket.create_connection(("127.0.0.1", port.number))
        await until(lambda: port.undecided == 1)
        await port.close()
        assert await ended(silent) == b""
        with pytest.raises(OSError):  # refused, in the words of the system
            await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(b"2")
        assert await reader.readexactly(7) == b"plain 2"
        writer.close()
        silent.close()


async def test_a_client_that_only_pretends_to_speak_tls_harms_nobody(tmp_path: Path):
    async with port_of(tmp_path) as port:
        pretender = socket.create_connection(("127.0.0.1", port.number))
        pretender.send(b"\x16\x03\x01\x00\x05hello")
        await ended(pretender)
        pretender.close()
        assert await say(port.number, b"x", any_certificate()) == b"tls x"


async def test_processes_of_one_node_share_a_port():
    first = listen(("127.0.0.1",), 0)
    number = first[0].getsockname()[1]
    second = listen(("127.0.0.1",), number)
    assert second[0].getsockname()[1] == number
    for opened in (*first, *second):
        opened.close()


async def test_an_address_that_is_not_ours_is_refused_and_nothing_stays_open():
    with pytest.raises(OSError):  # in the words of the system
        listen(("127.0.0.1", "192.0.2.1"), 0)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such time")
async def test_an_answer_may_not_lie_unread_for_ever(tmp_path: Path):
    noted: list[int] = []

    class Noting(Echo):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            accepted = transport.get_extra_info("socket")
            noted.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))

    async with port_of(tmp_path) as port:
        port._protocol_factory = Noting
        await say(port.number, b"x")
        assert noted == [UNREAD]
