"""A backup made into a data directory again, as it was at its end or at any later moment, and the proof that it can be.

What is restored is a cluster of its own: the node that runs is never touched. The proof restores into a directory that
is thrown away, and compares sums, counts and a sample of handles, version by version, with what the backup says.
"""

import asyncio
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg

from registry import backups
from registry.backups import Backup, BackupFailed
from registry.embedded import EmbeddedPostgres, postgres_directory
from registry.identity import BOOK
from registry.migrate import check

ARCHIVE: Final = "filament_wal"  # In the cluster while it is restored: its account can read it there, whoever made it.
PARTIAL: Final = ".partial"
LOOK_INTERVAL: Final = 0.2

IN_RECOVERY: Final = "SELECT pg_is_in_recovery()"
EXACT: Final = "SELECT exact_suffixes FROM node"
# What counters say, and what is there.
COUNTED: Final = """
SELECT p.spelling,
       coalesce((SELECT sum(c.registered) FROM handle_count AS c WHERE c.prefix_id = p.prefix_id), 0)::bigint AS said,
       (SELECT count(*) FROM handle AS h WHERE h.prefix_id = p.prefix_id AND h.state <> 1) AS found
FROM prefix AS p ORDER BY p.spelling
"""
# A handle that was written again before the backup ended has the version of its beginning in its history.
AS_SAMPLED: Final = """
SELECT s.number FROM unnest($1::text[], $2::text[], $3::int[], $4::bytea[]) WITH ORDINALITY
  AS s(prefix, suffix, version, sum, number)
JOIN prefix AS p ON p.prefix = s.prefix
WHERE EXISTS (SELECT FROM handle AS h WHERE h.prefix_id = p.prefix_id AND h.suffix = s.suffix
                AND h.version = s.version AND sha256(h.packed) = s.sum)
   OR EXISTS (SELECT FROM handle_history AS o WHERE o.prefix_id = p.prefix_id AND o.suffix = s.suffix
                AND o.version = s.version AND sha256(o.packed) = s.sum)
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared."""

    files: int
    prefixes: int
    handles: int
    sampled: int
    seconds: float


async def restore(
    repository: Path, backup: Backup, data_directory: Path, programs: Path, until: datetime | None = None
) -> None:
    """Into a data directory that holds no database yet. Raises BackupFailed, EmbeddedPostgresError, OSError."""
    place = postgres_directory(data_directory)
    if (place / "cluster").exists():
        raise BackupFailed(f"{place} holds a database already: restore into a new data directory")
    await asyncio.to_thread(_unpack, repository, backup, data_directory, place / "cluster")
    settings = {"restore_command": f"cp {ARCHIVE}/%f %p", "recovery_target_timeline": "latest"}
    if until is not None:
        settings |= {"recovery_target_time": until.isoformat(), "recovery_target_action": "promote"}
    (place / "cluster" / "recovery.signal").touch()
    async with EmbeddedPostgres(place, binaries=programs, settings=settings) as server:
        connection = await asyncpg.connect(server.dsn)
        try:
            while await connection.fetchval(IN_RECOVERY):  # noqa: ASYNC110  # what is awaited happens in Postgres
                await asyncio.sleep(LOOK_INTERVAL)
        finally:
            await connection.close()
    await asyncio.to_thread(shutil.rmtree, place / "cluster" / ARCHIVE)


def _unpack(repository: Path, backup: Backup, data_directory: Path, cluster: Path) -> None:
    source = repository / backups.BASE / backup.name
    refuse_changed(source, backup)
    data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster.mkdir(mode=0o700, parents=True)
    for archive, target in (
        (backups.FILES, data_directory),
        ("base.tar.gz", cluster),
        ("pg_wal.tar.gz", cluster / "pg_wal"),
    ):
        with tarfile.open(source / archive, "r:gz") as packed:
            packed.extractall(target, filter="data")
    received = cluster / ARCHIVE
    received.mkdir(mode=0o700)
    for segment in sorted((repository / backups.WAL).glob("0*")):
        whole = received / segment.name.removesuffix(PARTIAL)
        if segment.name.partition(".")[0] >= backup.first_segment and not whole.exists():
            shutil.copyfile(segment, whole)


def refuse_changed(source: Path, backup: Backup) -> None:
    """Raises BackupFailed for a backup whose files are not those that were written."""
    found = backups.sums_of(source)
    for name, expected in backup.sums.items():
        if found.get(name) != expected:
            raise BackupFailed(f"{source / name} is not what was written: its sum differs")


async def prove(repository: Path, backup: Backup, programs: Path) -> Proof:
    """Restores into a directory that is thrown away, and compares. Raises BackupFailed for what differs."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    made = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="filament-proof-"))
    try:
        await restore(repository, backup, made, programs)
        async with EmbeddedPostgres(postgres_directory(made), binaries=programs) as server:
            connection = await asyncpg.connect(server.dsn)
            try:
                prefixes, handles = await _compare(connection, backup)
            finally:
                await connection.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, made, ignore_errors=True)
    return Proof(len(backup.sums), prefixes, handles, len(backup.sample), loop.time() - began)


async def _compare(connection: asyncpg.Connection, backup: Backup) -> tuple[int, int]:
    await check(connection, exact_suffixes=bool(await connection.fetchval(EXACT)))
    if (found := await connection.fetchval(BOOK)) != backup.registry:
        raise BackupFailed(f"the registry is {found} and not {backup.registry}")
    counted = await connection.fetch(COUNTED)
    for row in counted:
        if row["said"] != row["found"]:
            raise BackupFailed(f"{row['spelling']}: {row['found']} handles, and counters say {row['said']}")
    for spelling in backup.registered:
        if spelling not in {row["spelling"] for row in counted}:
            raise BackupFailed(f"the prefix {spelling} is missing")
    sample = backup.sample
    columns = ([one.prefix for one in sample], [one.suffix for one in sample], [one.version for one in sample])
    same = await connection.fetch(AS_SAMPLED, *columns, [bytes.fromhex(one.sum) for one in sample])
    missing = set(range(1, len(sample) + 1)) - {row["number"] for row in same}
    if missing:
        one = sample[min(missing) - 1]
        raise BackupFailed(f"{len(missing)} handles differ; the first is {one.prefix}/{one.suffix}")
    return len(counted), sum(row["found"] for row in counted)
