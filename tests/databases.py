"""A migrated database that each test finds as if it had just been made, at a tenth of what making one costs.

After a test, whoever is still connected is cut off, rows are taken out and those of the migrations put back. A
database whose tables a test has changed is dropped, and the next test gets a new one. Each test knows it by another
name, so that a process which outlives its test finds nobody.
"""

from io import BytesIO
from typing import Final, Protocol
from uuid import uuid4

import asyncpg

from registry.migrate import migrate

# Relations with their columns, constraints, and settings of the database: what no test may leave changed.
SHAPE: Final = """
SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
  SELECT concat_ws(':', c.oid, c.relname, a.attname, a.atttypid, a.attnotnull) AS part
  FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
  WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(':', oid, conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(':', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
  UNION ALL SELECT setconfig::text FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
    WHERE d.datname = current_database()) AS parts
"""
TABLES: Final = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
SEQUENCES: Final = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
RESTART: Final = """
SELECT setval(format('%I', sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""
CUT_OFF: Final = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = $1"


class Server(Protocol):
    """What is asked of the server that it is at."""

    def dsn_of(self, database: str) -> str: ...

    async def execute(self, statement: str, *arguments: object) -> str: ...


class Database:
    """Lent to one test at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._name = ""
        self._shape = ""
        self._filled: dict[str, bytes] = {}
        self._sequences: dict[str, int] = {}

    async def lend(self) -> str:
        """Its name until it is given back."""
        if not self._name:
            await self._make()
        return await self._rename()

    async def take_back(self) -> None:
        await self._server.execute(CUT_OFF, self._name)
        connection = await asyncpg.connect(self._server.dsn_of(self._name))
        try:
            is_whole = await connection.fetchval(SHAPE) == self._shape
            if is_whole:
                await self._clean(connection)
        finally:
            await connection.close()
        if not is_whole:
            await self.drop()

    async def drop(self) -> None:
        if self._name:
            await self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
            self._name = ""

    async def _make(self) -> None:
        self._name = f"made_{uuid4().hex}"
        await self._server.execute(f"CREATE DATABASE {self._name}")
        await migrate(self._server.dsn_of(self._name))
        connection = await asyncpg.connect(self._server.dsn_of(self._name))
        try:
            self._shape = await connection.fetchval(SHAPE)
            for table in await _filled(connection):
                rows = BytesIO()
                await connection.copy_from_table(table, output=rows)
                self._filled[table] = rows.getvalue()
            self._sequences = {name: last for name, last in await connection.fetch(SEQUENCES) if last is not None}
        finally:
            await connection.close()

    async def _rename(self) -> str:
        before, self._name = self._name, f"test_{uuid4().hex}"
        await self._server.execute(f"ALTER DATABASE {before} RENAME TO {self._name}")
        return self._name

    async def _clean(self, connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            if filled := await _filled(connection):
                await connection.execute(f"TRUNCATE {', '.join(filled)} CASCADE")
            await connection.execute(RESTART)
            for table, rows in self._filled.items():
                await connection.copy_to_table(table, source=BytesIO(rows))
            for name, last in self._sequences.items():
                await connection.execute("SELECT setval($1::text::regclass, $2)", name, last)


async def _filled(connection: asyncpg.Connection) -> list[str]:
    """The tables that have rows."""
    tables = [table for (table,) in await connection.fetch(TABLES)]
    asked = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
    return [table for (table,) in await connection.fetch(asked)]
