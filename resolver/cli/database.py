"""The database of a node, for the time of one command.

With a DSN it is that one. Otherwise it is the embedded Postgres: the one that a running node has started on the same
data directory, or one that is started for the command and stopped after it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg

from registry.database import DATABASE_AWAY
from registry.embedded import EmbeddedPostgres, postgres_directory, running_dsn
from registry.embedded_errors import DataDirectoryInUse
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.prefix import Prefix
from registry.settings import RegistrySettings
from registry.store import Store
from resolver.cli.invocation import Failed, Invocation

# Seconds for which a node that has just been started may not be ready yet; a crash recovery takes longer, and says so.
STARTING: Final = 20.0
LOOK_INTERVAL: Final = 0.1


@asynccontextmanager
async def reachable(settings: RegistrySettings, invocation: Invocation) -> AsyncIterator[RegistrySettings]:
    """The settings with the address of a database that answers. Raises EmbeddedPostgresError."""
    if settings.dsn:
        yield settings
        return
    directory = postgres_directory(Path(settings.data_directory))
    server = EmbeddedPostgres(directory, binaries=find_binaries(settings.postgres_binaries))
    try:
        await server.start()
    except DataDirectoryInUse:
        dsn = await _of_running_node(directory)
        if dsn is None:
            raise
        invocation.say("database.shared", directory=directory)
        yield replace(settings, dsn=dsn)
        return
    try:
        yield replace(settings, dsn=server.dsn)
    finally:
        await server.stop()


@asynccontextmanager
async def opened(settings: RegistrySettings, invocation: Invocation) -> AsyncIterator[Store]:
    """The book, with its schema brought up to date where the database is the node's own."""
    async with reachable(settings, invocation) as found:
        if not settings.dsn:
            await migrate(found.dsn, exact_suffixes=found.exact_suffixes)
        store = Store(found, "command")
        await store.open()
        try:
            yield store
        finally:
            await store.close()


def prefix_of(store: Store, named: str) -> Prefix:
    """A prefix of the book. Raises Failed."""
    prefix = store.prefixes.find(store.key_of(f"{named}/".encode())[:-1])
    if prefix is None:
        raise Failed("stats.prefix", prefix=named)
    return prefix


async def _of_running_node(directory: Path) -> str | None:
    """The address of its server, once that answers and has our database: both take a moment at a first start."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        dsn = running_dsn(directory)
        if dsn is not None and await _has_database(dsn):
            return dsn
        await asyncio.sleep(LOOK_INTERVAL)
    return None


async def _has_database(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn)
    except (asyncpg.InvalidCatalogNameError, *DATABASE_AWAY):
        return False
    await connection.close()
    return True
