"""The way to Postgres: one pool for writing and listing, and connections of one's own for reading.

The pool's convenience methods cost five times a prepared statement on an owned connection, so they serve where
a request costs a transaction anyway; the resolver's reads use `connect`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from registry.errors import HandleError, ServerBusy, ServerReadOnly
from registry.servers import CONNECT_TIMEOUT, Primary, connect_primary
from registry.settings import RegistrySettings

# Those who wait for a connection of the pool: more would wait longer than CONNECT_TIMEOUT, at ten transactions a second
# over each of ten connections.
MAX_WAITING: Final = 1000

# A standby: it can be read, and neither be written nor asked for challenges and sessions, which are not logged.
READ_ONLY = (asyncpg.ReadOnlySQLTransactionError, asyncpg.FeatureNotSupportedError)

# What a server says whose machine fails it: no room on its disk, no memory, a disk that cannot be read or written; of
# a file system that became read-only it says that it has no privilege.
MACHINE_FAILS = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError, asyncpg.InsufficientPrivilegeError)

# Transactions that the server gave up, so that nothing of them was done: of two that waited for each other, more often
# than a load tries a chunk again, or one that said nothing for too long, on a machine that has no time for us.
GIVEN_UP = (
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InFailedSQLTransactionError,
)

# What being away looks like from here: refused and lost connections, a server that starts or stops, a time-out,
# and one that lets us not in: a database that is being restored, a password that was changed on one side only.
DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg raises when the server's farewell crosses our question
    asyncpg.OperatorInterventionError,  # it starts, stops or was cancelled
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    *GIVEN_UP,
    *MACHINE_FAILS,  # too many connections, among others
    *READ_ONLY,
)


# Whether this session is the one of all programs of a database that does something; never on a standby.
LEAD = "SELECT CASE WHEN pg_is_in_recovery() THEN false ELSE pg_try_advisory_lock($1) END"


def refusal_of(away: BaseException) -> HandleError:
    """How a requester is told that the database is away, or that only for writing."""
    if isinstance(away, READ_ONLY):
        return ServerReadOnly("server.read_only")
    return ServerBusy("server.disk_full" if isinstance(away, asyncpg.DiskFullError) else "server.busy")


def _server_settings(settings: RegistrySettings, program: str) -> dict[str, str]:
    return {
        "application_name": f"filament {program}",
        "statement_timeout": str(int(settings.statement_timeout * 1000)),
        "idle_in_transaction_session_timeout": "60000",
        "jit": "off",
    }


async def open_pool(settings: RegistrySettings, program: str) -> asyncpg.Pool:
    """A pool for transactions. Raises what DATABASE_AWAY lists."""
    return await asyncpg.create_pool(
        connect=Primary(settings.dsn).connect,
        min_size=0,  # asyncpg would try to keep a floor while the database is away, with a traceback for each try
        max_size=settings.connections,
        timeout=CONNECT_TIMEOUT,
        command_timeout=settings.statement_timeout + 5,
        server_settings=_server_settings(settings, program),
    )


async def connect(settings: RegistrySettings, program: str, dsn: str = "") -> asyncpg.Connection:
    """A connection of one's own, for prepared reads: to the primary of these servers, or of those of another DSN.
    Raises what DATABASE_AWAY lists."""
    return await connect_primary(dsn or settings.dsn, **reading(settings, program))


def reading(settings: RegistrySettings, program: str) -> dict[str, Any]:
    """How a connection for prepared reads is made."""
    return {
        "timeout": CONNECT_TIMEOUT,
        "command_timeout": settings.statement_timeout + 5,
        # Reads name their rows by key: an index answers them, whatever the statistics of a young table say.
        "server_settings": _server_settings(settings, program)
        | {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"},
    }


class PoolQueue:
    """Who waits for a connection of a pool: so many, and not for ever. For all others the database is away."""

    def __init__(self, most: int = MAX_WAITING, patience: float = CONNECT_TIMEOUT) -> None:
        self._most = most
        self._patience = patience
        self._waiting = 0

    @asynccontextmanager
    async def connection(self, pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """Raises what DATABASE_AWAY lists."""
        if self._waiting >= self._most:
            raise asyncpg.TooManyConnectionsError("too many wait for a connection")
        self._waiting += 1
        try:
            connection = await pool.acquire(timeout=self._patience)
        finally:
            self._waiting -= 1
        try:
            yield connection
        finally:
            await pool.release(connection)
