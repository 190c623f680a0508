"""The job's records in one Postgres three times over: the node's table, a plain service's, PowerDNS's own schema.

Rows are copied or generated inside the server, since how they got there is not measured. A data directory that is kept
is used again when it holds as many rows.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.rivals import job
from registry.handle import fold_whole
from registry.migrate import migrate
from registry.packing import pack
from registry.value import HandleValue

SERVICE: Final = "service"
POWERDNS: Final = "powerdns"
PREFIX: Final = """
INSERT INTO prefix (prefix, spelling, created_at) VALUES ($1, $1, $2) RETURNING prefix_id
"""
COLUMNS: Final = ("created_at", "prefix_id", "suffix", "packed")
RESOURCE: Final = "CREATE TABLE resource (handle text PRIMARY KEY, record jsonb NOT NULL)"
# The number's digits stand where the template has them.
RESOURCES: Final = """
INSERT INTO resource
SELECT replace($1, $3, lpad(n::text, $4, '0')), replace($2, $3, lpad(n::text, $4, '0'))::jsonb
FROM generate_series(0, $5 - 1) AS n
"""
DOMAIN: Final = "INSERT INTO domains (name, type) VALUES ($1, 'NATIVE') RETURNING id"
SOA: Final = """
INSERT INTO records (domain_id, name, type, content, ttl)
VALUES ($1, $2, 'SOA', $3, 3600)
"""
START_OF_AUTHORITY: Final = f"ns.{job.ZONE} hostmaster.{job.ZONE} 1 3600 600 604800 3600"
TEXTS: Final = """
INSERT INTO records (domain_id, name, type, content, ttl)
SELECT $6, replace($1, $3, lpad(n::text, $4, '0')), 'TXT', replace($2, $3, lpad(n::text, $4, '0')), 86400
FROM generate_series(0, $5 - 1) AS n
"""
# The zone carries no signatures, so nothing reads the indexes that its order needs; they are left out, in its favour.
# The index of names and types is made when the rows are there, and rows of our own need no check of their zone.
LIGHTER: Final = """
DROP INDEX rec_name_index, nametype_index, domain_id, recordorder;
ALTER TABLE records DROP CONSTRAINT domain_exists
"""
WITH_INDEX: Final = "CREATE INDEX nametype_index ON records (name, type)"
ESTIMATE: Final = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass($1)"
EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
MARK: Final = "9" * job.DIGITS  # Stands for the number in a template, and is none of the numbers.
LOAD_SECONDS: Final = 900.0


def database(dsn: str, name: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def fill(dsn: str, rows: int, powerdns_schema: Path | None) -> None:
    """Makes all three at once; PowerDNS's is left out when its package could not be had."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_fill_handles(dsn, rows))
        group.create_task(_fill_resources(await _made(dsn, SERVICE), rows))
        if powerdns_schema is not None:
            schema = await asyncio.to_thread(powerdns_schema.read_text, "utf-8")
            group.create_task(_fill_texts(await _made(dsn, POWERDNS), rows, schema))


async def _made(dsn: str, name: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval(EXISTS, name):
            await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return database(dsn, name)


async def _fill_handles(dsn: str, rows: int) -> None:
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        if await _has(connection, "handle", rows):
            return
        written = datetime.fromtimestamp(job.WRITTEN_AT, UTC)
        async with connection.transaction():
            await connection.execute("TRUNCATE handle, prefix")
            prefix_id = await connection.fetchval(PREFIX, job.PREFIX, written)
            made = _handles(rows, prefix_id, written)
            await connection.copy_records_to_table("handle", records=made, columns=COLUMNS, timeout=LOAD_SECONDS)
        await connection.execute("VACUUM (ANALYZE) handle", timeout=LOAD_SECONDS)
    finally:
        await connection.close()


def _handles(rows: int, prefix_id: int, written: datetime) -> Iterator[tuple[datetime, int, str, bytes]]:
    for number in range(rows):
        suffix = fold_whole(job.name(number).partition("/")[2].encode()).decode()
        values = [
            HandleValue(index, kind, data.encode(), timestamp=job.WRITTEN_AT)
            for index, kind, data in job.values(number)
        ]
        yield written, prefix_id, suffix, pack(values, job.WRITTEN_AT)


async def _fill_resources(dsn: str, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        if await _has(connection, "resource", rows):
            return
        template = job.body(int(MARK)).decode()
        arguments = (job.name(int(MARK)), template, MARK, job.DIGITS, rows)
        async with connection.transaction():
            await connection.execute("DROP TABLE IF EXISTS resource")
            await connection.execute(RESOURCE)
            await connection.execute(RESOURCES, *arguments, timeout=LOAD_SECONDS)
        await connection.execute("VACUUM (ANALYZE) resource", timeout=LOAD_SECONDS)
    finally:
        await connection.close()


async def _fill_texts(dsn: str, rows: int, schema: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        if await _has(connection, "records", rows):
            return
        content = " ".join(f'"{part}"' for part in job.txt(int(MARK)))
        async with connection.transaction():
            await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            await connection.execute(schema)
            await connection.execute(LIGHTER)
            domain = await connection.fetchval(DOMAIN, job.ZONE)
            await connection.execute(SOA, domain, job.ZONE, START_OF_AUTHORITY)
            arguments = (job.domain_name(int(MARK)), content, MARK, job.DIGITS, rows, domain)
            await connection.execute(TEXTS, *arguments, timeout=LOAD_SECONDS)
            await connection.execute(WITH_INDEX, timeout=LOAD_SECONDS)
        await connection.execute("VACUUM (ANALYZE) records", timeout=LOAD_SECONDS)
    finally:
        await connection.close()


async def _has(connection: "asyncpg.Connection[asyncpg.Record]", table: str, rows: int) -> bool:
    """Whether the table was filled with so many rows before; its statistics are near enough."""
    estimate: int = await connection.fetchval(ESTIMATE, table) or 0
    return abs(estimate - rows) <= rows // 100
