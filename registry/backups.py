"""Backups of a node: the whole cluster as Postgres's own programs copy it, and the files of the data directory.

    base/20261122T101500Z/  base.tar.gz, pg_wal.tar.gz, backup_manifest, files.tar.gz and backup.json, which says what
                            is in them: sums of the files, and what the book held when the backup began
    wal/                    Postgres's log, where `follow` receives it: any moment since can be restored

A backup that was never restored is a hope: `registry.restoring` restores one and compares.
"""

import asyncio
import hashlib
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from registry.embedded import DIRECTORY
from registry.identity import BOOK
from registry.servers import connect_primary
from registry.settings import RegistrySettings

BASE: Final = "base"
WAL: Final = "wal"
FILES: Final = "files.tar.gz"
DESCRIPTION: Final = "backup.json"
UNFINISHED: Final = ".unfinished"
SLOT: Final = "filament_backup"  # Keeps the log for whoever receives it, as far as max_slot_wal_keep_size lets it.
SAMPLE: Final = 1000  # Handles whose values are compared after a restore.
BLOCK: Final = 1 << 20
# What is made anew, or belongs to the process that runs: sockets, locks, names that were asked for.
LEFT_OUT: Final = frozenset({DIRECTORY, "control", "supervisor.lock"})

COUNTS: Final = """
SELECT p.spelling, coalesce(sum(c.registered), 0)::bigint AS registered
FROM prefix AS p LEFT JOIN handle_count AS c USING (prefix_id) GROUP BY p.spelling ORDER BY p.spelling
"""
# A share of the pages, so that a book of any size gives so many in a moment; small books are taken whole.
SAMPLED: Final = """
SELECT p.prefix, h.suffix, h.version, sha256(h.packed) AS sum
FROM handle AS h TABLESAMPLE SYSTEM ($1) JOIN prefix AS p USING (prefix_id) LIMIT $2
"""
ROWS: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'handle'::regclass"
FIRST_SEGMENT: Final = "SELECT pg_walfile_name(pg_current_wal_lsn())"


class BackupFailed(Exception):
    """What a program of Postgres said, or what is missing."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A handle as it was when the backup began: its key, its version and the sum of its values."""

    prefix: str
    suffix: str
    version: int
    sum: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What backup.json says."""

    name: str
    registry: str
    made_at: str
    first_segment: str
    sums: Mapping[str, str]
    registered: Mapping[str, int]
    sample: tuple[Sampled, ...] = field(default=(), repr=False)


async def make(settings: RegistrySettings, programs: Path, repository: Path) -> Backup:
    """Copies the running cluster of `settings.dsn`. Raises BackupFailed, OSError and what DATABASE_AWAY lists."""
    now = datetime.now(UTC)
    name = now.strftime("%Y%m%dT%H%M%SZ")
    unfinished = repository / BASE / (name + UNFINISHED)
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        before = await _before(settings.dsn)
        program = (str(programs / "pg_basebackup"), "--dbname", settings.dsn, "--pgdata", str(unfinished))
        await run(*program, "--format=tar", "--gzip", "--wal-method=stream", "--checkpoint=fast", "--no-password")
        await asyncio.to_thread(_keep_files, Path(settings.data_directory), unfinished / FILES)
        sums = await asyncio.to_thread(sums_of, unfinished)
        backup = msgspec.convert({**before, "name": name, "made_at": now.isoformat(), "sums": sums}, Backup)
        _write(unfinished / DESCRIPTION, msgspec.json.format(msgspec.json.encode(asdict(backup))))
        os.replace(unfinished, repository / BASE / name)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return backup


async def _before(dsn: str) -> dict[str, object]:
    connection = await connect_primary(dsn)
    try:
        rows = await connection.fetchval(ROWS)
        share = 100.0 if rows <= SAMPLE * 10 else 100.0 * SAMPLE * 10 / rows
        sampled = await connection.fetch(SAMPLED, share, SAMPLE)
        return {
            "registry": await connection.fetchval(BOOK),
            "first_segment": await connection.fetchval(FIRST_SEGMENT),
            "registered": {row["spelling"]: row["registered"] for row in await connection.fetch(COUNTS)},
            "sample": [Sampled(row["prefix"], row["suffix"], row["version"], row["sum"].hex()) for row in sampled],
        }
    finally:
        await connection.close()


async def follow(dsn: str, programs: Path, repository: Path) -> None:
    """Receives the log as it is written, until cancelled. Raises BackupFailed."""
    (repository / WAL).mkdir(mode=0o700, parents=True, exist_ok=True)
    program = (str(programs / "pg_receivewal"), "--dbname", dsn, "--slot", SLOT, "--no-password")
    await run(*program, "--create-slot", "--if-not-exists")
    await run(*program, "--directory", str(repository / WAL), "--synchronous")


def all_in(repository: Path) -> list[Backup]:
    """From the oldest to the newest."""
    directories = sorted((repository / BASE).glob("*")) if (repository / BASE).is_dir() else []
    return [read(directory) for directory in directories if (directory / DESCRIPTION).is_file()]


def read(directory: Path) -> Backup:
    return msgspec.json.decode((directory / DESCRIPTION).read_bytes(), type=Backup)


def prune(repository: Path, keep: int) -> list[str]:
    """Removes all but the newest backups, and the log that only those needed. The names of what is gone."""
    backups = all_in(repository)
    gone, kept = backups[:-keep], backups[-keep:]
    for backup in gone:
        shutil.rmtree(repository / BASE / backup.name)
    for segment in (repository / WAL).glob("0*") if kept else ():
        if segment.name.partition(".")[0] < kept[0].first_segment:
            segment.unlink()
    return [backup.name for backup in gone]


def sums_of(directory: Path) -> dict[str, str]:
    """SHA-256 of each file but the description."""
    return {file.name: sum_of(file) for file in sorted(directory.iterdir()) if file.name != DESCRIPTION}


def sum_of(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _keep_files(data_directory: Path, file: Path) -> None:
    """The node's keys and what else it keeps beside its database."""
    with tarfile.open(file, "w:gz") as archive:
        for entry in sorted(data_directory.iterdir()) if data_directory.is_dir() else ():
            if entry.name not in LEFT_OUT and not entry.is_socket():
                archive.add(entry, entry.name)


def _write(file: Path, octets: bytes) -> None:
    with open(file, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
        target.write(octets)
        target.flush()
        os.fsync(target.fileno())


async def run(*command: str) -> None:
    """A program of Postgres to its end. Raises BackupFailed with its last words."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    except BaseException:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        raise BackupFailed(f"{Path(command[0]).name}: {said.decode(errors='replace').strip()[-1000:]}")
