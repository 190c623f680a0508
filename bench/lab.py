"""A whole node for a measurement: Postgres, a resolver and the registry, with an administrator whose key we know.

Over a data directory that is kept (`bench.registry_load` makes one) or over a registry of its own that is thrown away.
What is measured there is one resolver process; keys go over plain HTTP, which a node allows on its own machine only.
"""

import asyncio
import os
import re
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from bench.books import a_book
from bench.nodes import BenchNode, a_node
from registry.embedded import EmbeddedPostgres, postgres_directory
from registry.errors import HandleAlreadyExists
from registry.handle import Handle
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.record import check_values
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue, Permission

ADMINISTRATOR: Final = "300:0.NA/BENCH"
SECRET: Final = b"known-to-all"
_LISTENING: Final = re.compile(rb"the registry listens on .*:(\d+)")
COUNT: Final = """
SELECT coalesce(sum(registered), 0)::bigint FROM handle_count JOIN prefix USING (prefix_id) WHERE prefix LIKE '88.168.%'
"""
# The administrator of measurements may write everywhere, and says so over plain HTTP.
SETTINGS: Final[Mapping[str, str]] = {
    "FILAMENT_REGISTRY_ADMINISTRATORS": ADMINISTRATOR,
    "FILAMENT_REGISTRY_PLAIN_AUTHENTICATION": "true",
}


@dataclass(frozen=True, slots=True)
class Lab:
    """What runs."""

    dsn: str
    copied: int  # identifiers of the demo that came past the registry, and are in no count of its own
    node: BenchNode
    registry: int  # process id
    registry_port: int

    @property
    def servers(self) -> tuple[int, ...]:
        return self.node.process.pid, self.registry

    async def registered(self) -> int:
        """Identifiers of the demo that are there: the first so many of the line."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return self.copied + int(await connection.fetchval(COUNT))
        finally:
            await connection.close()

    @property
    def authorization(self) -> str:
        """The header line of the administrator."""
        identity = ADMINISTRATOR.replace(":", "%3A").encode()
        return f"Authorization: Basic {b64encode(identity + b':' + SECRET).decode()}\r\n"


@asynccontextmanager
async def a_lab(registered: int, directory: Path | None = None, **settings: object) -> AsyncIterator[Lab]:
    """With so many identifiers, or with those that a kept data directory holds. `settings` are those of [resolver]."""
    async with AsyncExitStack() as stack:
        if directory is None:
            dsn, _ = await stack.enter_async_context(a_book(registered))
        else:
            postgres = EmbeddedPostgres(postgres_directory(directory), binaries=find_binaries())
            dsn = (await stack.enter_async_context(postgres)).dsn
            await migrate(dsn)
        await add_administrator(dsn)
        own = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ.update(SETTINGS)  # for the processes that start now
        registry, port = await stack.enter_async_context(_a_registry(dsn, own))
        node = await stack.enter_async_context(a_node(dsn, own, **settings))
        yield Lab(dsn, 0 if directory else registered, node, registry, port)


async def add_administrator(dsn: str) -> None:
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    key = HandleValue(300, "HS_SECKEY", SECRET, permissions=Permission.ADMIN_READ | Permission.ADMIN_WRITE)
    try:
        async with begin(store, "bench") as transaction:
            await transaction.create(Handle("0.NA", "BENCH"), check_values((key,)))
    except HandleAlreadyExists:
        pass  # by a run before, over the same directory
    finally:
        await store.close()


@asynccontextmanager
async def _a_registry(dsn: str, directory: Path) -> AsyncIterator[tuple[int, int]]:
    own = {"DSN": dsn, "DATA_DIRECTORY": str(directory), "LISTEN": "127.0.0.1", "PORT": "0"}
    environment = {**os.environ, **{f"FILAMENT_REGISTRY_{name}": value for name, value in own.items()}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "registry", "serve"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        port = await _port(process.stderr)
        reading = asyncio.create_task(_read_on(process.stderr))  # ends when the process does
        yield process.pid, port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    await reading


async def _port(said: asyncio.StreamReader) -> int:
    while line := await said.readline():
        if (match := _LISTENING.search(line)) is not None:
            return int(match[1])
    raise RuntimeError("the registry ended before it listened")


async def _read_on(said: asyncio.StreamReader) -> None:
    """It says a line for each load, and would wait for ever with a full pipe."""
    while await said.read(1 << 16):
        pass
