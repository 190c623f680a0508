"""Of several servers each has its own time, and what one says does not hide the next."""

import asyncio
import socket

import asyncpg
import pytest

from registry import servers
from registry.servers import Primary


@pytest.fixture
def silent():
    """The port of a server that lets connect and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
async def starting():
    """The port of a Postgres that is starting."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        said = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
        writer.write(b"E" + (len(said) + 4).to_bytes(4, "big") + said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_server_that_says_nothing_does_not_hide_the_next(silent, starting, monkeypatch):
    monkeypatch.setattr(servers, "HOST_TIMEOUT", 0.2)
    with pytest.raises(asyncpg.CannotConnectNowError):
        await Primary(f"postgresql://127.0.0.1:{silent},127.0.0.1:{starting}/d").connect(ssl=False)


async def test_a_server_that_is_starting_does_not_hide_the_next(starting):
    with pytest.raises(ConnectionRefusedError):
        await Primary(f"postgresql://127.0.0.1:{starting},127.0.0.1:1/d").connect(ssl=False)
