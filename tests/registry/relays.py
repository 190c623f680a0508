"""A relay in front of a Postgres, for tests that need it on a port or want to cut it off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

COMMIT: Final = b"Q\0\0\0\x0cCOMMIT;\0"  # As asyncpg sends it.


class Relay:
    """On a port of the loopback interface. Once armed, it ends the session of the next COMMIT."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._query = parse_qs(self._parts.query)
        self._passes_on: bool | None = None  # Whether the COMMIT that is waited for reaches the server.
        self.port = 0

    def dsn_with(self, *others: "Relay") -> str:
        """This server first; its database and its user for all of them."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in (self, *others))
        return f"postgresql://{self._parts.netloc.rpartition('@')[0]}@{hosts}{self._parts.path}"

    def cut_at_commit(self, *, passes_on: bool) -> None:
        self._passes_on = passes_on

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answering, asking = await self._connect()
        except OSError:
            writer.close()
            return
        back = asyncio.create_task(_copy(answering, writer))
        try:
            while (octets := await reader.read(1 << 16)) and not asking.is_closing():
                if COMMIT in octets and self._passes_on is not None:
                    passes_on, self._passes_on = self._passes_on, None
                    back.cancel()
                    if passes_on:
                        asking.write(octets)
                        await answering.readuntil(b"COMMIT\0")
                    return
                asking.write(octets)
        except ConnectionError:
            pass  # Of a session that was ended.
        finally:
            back.cancel()
            asking.close()
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "host" in self._query:
            return await asyncio.open_unix_connection(f"{self._query['host'][0]}/.s.PGSQL.{self._query['port'][0]}")
        return await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)


@asynccontextmanager
async def a_relay(dsn: str) -> AsyncIterator[Relay]:
    relay = Relay(dsn)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(1 << 16):
            writer.write(octets)
    writer.close()
