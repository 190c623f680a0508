"""The database of a node: whether it is there, is the right one, and how far its clock is from ours."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from registry.database import DATABASE_AWAY
from registry.embedded import postgres_directory, running_dsn
from registry.identity import recognise
from registry.migrate import check, migrations
from registry.servers import connect_primary
from registry.settings import RegistrySettings
from registry.start_errors import StartRefused
from resolver.diagnosis.finding import BAD, GOOD, Finding

NOW: Final = "SELECT clock_timestamp()"
ROLE: Final = "SELECT pg_is_in_recovery()"
COUNTS: Final = """
SELECT (SELECT count(*) FROM prefix WHERE homed)::int AS prefixes,
       (SELECT coalesce(sum(registered), 0) FROM handle_count)::bigint AS handles
"""
# Any handle that is there, to ask for.
SOME_HANDLE: Final = """
SELECT p.spelling || '/' || coalesce(h.spelling, h.suffix) FROM prefix AS p
JOIN handle AS h ON h.prefix_id = p.prefix_id WHERE p.homed AND h.state = 0 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Book:
    """What was found of the book, and what others need: a handle that is there, and how far its clock is ahead."""

    findings: list[Finding]
    handle: str | None = None
    ahead: float | None = None


async def look(settings: RegistrySettings) -> Book:
    directory = postgres_directory(Path(settings.data_directory))
    dsn = settings.dsn or running_dsn(directory)
    if not dsn:
        return Book([Finding("database", BAD, "database.not_running", {"directory": str(directory)})])
    try:
        connection = await connect_primary(dsn)
    except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
        return Book([_away(error)])
    try:
        return await _look(connection, dsn, settings)
    except DATABASE_AWAY as error:
        return Book([_away(error)])
    finally:
        await connection.close()


async def _look(connection: asyncpg.Connection, dsn: str, settings: RegistrySettings) -> Book:
    began = time.perf_counter()
    now = await connection.fetchval(NOW)
    took = time.perf_counter() - began
    ahead = (now - datetime.now(UTC)).total_seconds() + took / 2
    version = connection.get_server_version()
    told = {
        "version": f"{version.major}.{version.minor}",
        "role": "standby" if await connection.fetchval(ROLE) else "primary",
        "milliseconds": took * 1000,
    }
    findings = [Finding("database", GOOD, "database.reached", told)]
    try:
        await check(connection, exact_suffixes=settings.exact_suffixes)
        findings.append(Finding("schema", GOOD, "schema.current", {"version": migrations()[-1].version}))
        await recognise(dsn, Path(settings.data_directory))
    except StartRefused as error:
        part = "registry" if len(findings) > 1 else "schema"
        return Book([*findings, Finding(part, BAD, "refused", {"error": error})], None, ahead)
    counts = await connection.fetchrow(COUNTS)
    assert counts is not None
    findings.append(Finding("registry", GOOD, "registry.known", dict(counts)))
    return Book(findings, await connection.fetchval(SOME_HANDLE), ahead)


def _away(error: BaseException) -> Finding:
    return Finding("database", BAD, "database.away", {"reason": str(error) or type(error).__name__})
