"""The server that answers are read from: of the hosts that a DSN names, the first that answers.

Everything that a program reads and keeps comes from one server, the one whose change log it follows. Were the log read
from one and answers from another that lags behind it, what was read too early would be kept after its change was heard.
"""

from typing import Any

import asyncpg

from registry.database import reading
from registry.servers import Address, connect_first
from registry.setting_rules import hosts_of, primary_among
from registry.settings import RegistrySettings


class Nearest:
    """Connects to the chosen server. Everything raises DATABASE_AWAY."""

    def __init__(self, settings: RegistrySettings, dsn: str) -> None:
        self.chosen: Address | None = None
        self.is_apart = dsn != primary_among(settings.dsn)  # Whether it may be another than the one written to.
        self._settings = settings
        self._dsn = dsn
        self._hosts = hosts_of(dsn)
        self._followed = False

    async def follow(self, program: str) -> asyncpg.Connection:
        """A connection to the first that answers. From now on all is read there, until this is called again."""
        connection = await self._choose(program)
        self._followed = True
        return connection

    async def connect(self, program: str) -> asyncpg.Connection:
        """A connection to the server that is followed; to the first that answers where none is."""
        if not self._followed or self.chosen is None:
            return await self._choose(program)
        connection, _ = await connect_first(self._dsn, [self.chosen], **reading(self._settings, program))
        return connection

    async def _choose(self, program: str) -> asyncpg.Connection:
        how = reading(self._settings, program)
        if not self._hosts:
            return await asyncpg.connect(self._dsn, **how)
        connection, self.chosen = await connect_first(self._dsn, self._hosts, **how)
        return connection


class Reader:
    """One connection with the statements that read handles, connected when first needed."""

    def __init__(self, nearest: Nearest, program: str) -> None:
        self._nearest = nearest
        self._program = program
        self._address: Address | None = None
        self._connection: asyncpg.Connection | None = None
        self._statements: dict[str, asyncpg.prepared_stmt.PreparedStatement] = {}

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed() or self._address != self._nearest.chosen:
            await self.close()
            self._connection = await self._nearest.connect(self._program)
            self._address = self._nearest.chosen
        try:
            prepared = self._statements.get(statement)
            if prepared is None:
                prepared = self._statements[statement] = await self._connection.prepare(statement)
            return await prepared.fetch(*arguments)
        except BaseException:
            # Given up or refused half-way: whatever state the connection is in, the next read has a new one.
            await self.close()
            raise

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection, self._statements = self._connection, None, {}
            connection.terminate()


def nearest_of(settings: RegistrySettings) -> Nearest:
    """Where these settings have resolutions read."""
    return Nearest(settings, settings.nearest_dsn or settings.dsn)
