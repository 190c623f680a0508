"""The schema: numbered SQL files, each applied once, in order, in its own transaction.

Several nodes may start at once, so a lock is held; it is polled, because a session that waits inside
pg_advisory_lock holds a snapshot that CREATE INDEX CONCURRENTLY would wait for in turn.
"""

import asyncio
import hashlib
import importlib.resources
import itertools
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg

from registry.servers import connect_primary
from registry.start_errors import SchemaMismatch

log = logging.getLogger(__name__)

LOCK: Final = 0x46494C4D  # "FILM": any number does, as long as no other program of the database uses it.
LOCK_POLL: Final = 0.2  # Seconds.
# What a migration's name begins with: safe under the program before it, or for when that is gone.
PRE: Final = "pre_"
POST: Final = "post_"
OLDEST_POSTGRES: Final = 15
OUTSIDE_TRANSACTION: Final = "-- migrate: no-transaction"

CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
  version int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL)
"""
APPLIED: Final = "SELECT version, name, sha256 FROM schema_migration ORDER BY version"
RECORD: Final = "INSERT INTO schema_migration (version, name, sha256, applied_at) VALUES ($1, $2, $3, $4)"
TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1)"
UNLOCK: Final = "SELECT pg_advisory_unlock($1)"
# Tables beside ours where none of ours is; what an extension brought belongs to it.
STRANGER: Final = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname LIMIT 1
"""
LEDGER_COLUMNS: Final = """
SELECT count(*) FROM pg_attribute
WHERE attrelid = to_regclass('schema_migration') AND attname IN ('version', 'name', 'sha256', 'applied_at')
"""
TABLE_EXISTS: Final = "SELECT to_regclass('schema_migration') IS NOT NULL"
NODE: Final = "SELECT exact_suffixes FROM node"
MAKE_NODE: Final = "INSERT INTO node (exact_suffixes, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The migrations that this program carries, in order."""
    folder = importlib.resources.files("registry") / "migrations"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return [Migration(int(entry.name[:4]), entry.name[5:-4], entry.read_text(encoding="utf-8")) for entry in files]


async def migrate(dsn: str, *, exact_suffixes: bool = False, post: bool = True) -> list[str]:
    """Brings the schema up to date and returns the names of what was applied. Raises SchemaMismatch.

    Without `post` as far as the program before this one can still work with it: to be called again when that is gone.
    """
    connection = await connect_primary(dsn)
    try:
        _check_postgres(connection)
        while not await connection.fetchval(TRY_LOCK, LOCK):  # noqa: ASYNC110  # what is awaited happens in Postgres
            await asyncio.sleep(LOCK_POLL)
        try:
            await _refuse_stranger(connection)
            await connection.execute(CREATE_TABLE)
            pending = _pending(await connection.fetch(APPLIED))
            if not post:
                pending = list(itertools.takewhile(lambda migration: not migration.name.startswith(POST), pending))
            for migration in pending:
                await _apply(connection, migration)
            await connection.execute(MAKE_NODE, exact_suffixes, datetime.now(UTC))
            await _check_node(connection, exact_suffixes)
            return [migration.name for migration in pending]
        finally:
            await connection.execute(UNLOCK, LOCK)
    finally:
        await connection.close()


async def check(connection: "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy", *, exact_suffixes: bool) -> None:
    """Refuses a database whose schema or fixed settings are not this program's. Raises SchemaMismatch."""
    _check_postgres(connection)
    if await _refuse_stranger(connection):
        raise SchemaMismatch("no-registry")
    pending = _pending(await connection.fetch(APPLIED))
    if any(not migration.name.startswith(POST) for migration in pending):
        raise SchemaMismatch("older-schema", version=pending[0].version, name=pending[0].name)
    await _check_node(connection, exact_suffixes)


async def _refuse_stranger(connection: "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy") -> bool:
    """Whether nobody has used the database yet; one that another program uses is refused."""
    if await connection.fetchval(TABLE_EXISTS):
        if await connection.fetchval(LEDGER_COLUMNS) != 4:
            raise SchemaMismatch("another-program", name="schema_migration")
        return False
    stranger = await connection.fetchval(STRANGER)
    if stranger is not None:
        raise SchemaMismatch("another-program", name=stranger)
    return True


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    row = (migration.version, migration.name, migration.sha256, datetime.now(UTC))
    log.info("applying migration %04d %s", migration.version, migration.name)
    if migration.sql.startswith(OUTSIDE_TRANSACTION):
        await connection.execute(migration.sql)
        await connection.execute(RECORD, *row)
        return
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(RECORD, *row)


def _pending(applied: list[asyncpg.Record]) -> list[Migration]:
    known = {migration.version: migration for migration in migrations()}
    for row in applied:
        migration = known.pop(row["version"], None)
        if migration is None and row["name"].startswith(PRE):
            continue  # a later program is being put in our place, or was taken back
        if migration is None:
            raise SchemaMismatch("newer-schema", version=row["version"], name=row["name"])
        if migration.sha256 != row["sha256"]:
            raise SchemaMismatch("another-build", version=row["version"], name=row["name"])
    return list(known.values())


async def _check_node(
    connection: "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy", exact_suffixes: bool
) -> None:
    made_with = await connection.fetchval(NODE)
    if made_with is not None and made_with != exact_suffixes:
        raise SchemaMismatch("exact-suffixes", made=str(made_with).lower(), asked=str(exact_suffixes).lower())


def _check_postgres(connection: "asyncpg.Connection | asyncpg.pool.PoolConnectionProxy") -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_POSTGRES:
        raise SchemaMismatch("old-postgres", found=version.major, oldest=OLDEST_POSTGRES)
