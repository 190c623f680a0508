"""The servers that a DSN names, each tried for a time of its own.

asyncpg gives all of them one time together, and ends at the first that refuses: a machine that says nothing, or a
Postgres that is starting, would hide those behind it.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from registry.setting_rules import hosts_of, primary_among

log = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 10.0  # Seconds; a reachable server answers in milliseconds, an unreachable one never does.
HOST_TIMEOUT: Final = 3.0  # Seconds for one of several, so that three are tried in the time of one.
REFUSED: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Address = tuple[str, int]


async def connect_first(dsn: str, addresses: Sequence[Address], **options: Any) -> tuple[asyncpg.Connection, Address]:
    """A connection to the first of several servers that gives one. Raises what the last one said, or did not say."""
    refused: BaseException = ConnectionError()
    for host, port in addresses:
        try:
            async with asyncio.timeout(HOST_TIMEOUT):
                return await asyncpg.connect(dsn, host=host, port=port, **options), (host, port)
        except REFUSED as error:
            log.debug("the database at %s:%s gives no connection: %r", host, port, error)
            refused = error
    raise refused


class Primary:
    """The one of a DSN's servers that is written to; where it was last is looked first."""

    def __init__(self, dsn: str) -> None:
        self._dsn = primary_among(dsn)
        self._addresses = hosts_of(self._dsn)

    async def connect(self, *_: Any, **options: Any) -> asyncpg.Connection:
        """As asyncpg.connect, in the place of which a pool calls it."""
        options = {"timeout": CONNECT_TIMEOUT, **options}
        if not self._addresses:
            return await asyncpg.connect(self._dsn, **options)
        connection, found = await connect_first(self._dsn, self._addresses, **options)
        self._addresses.sort(key=lambda address: address != found)
        return connection


async def connect_primary(dsn: str, **options: Any) -> asyncpg.Connection:
    """One connection to the server that is written to."""
    return await Primary(dsn).connect(**options)
