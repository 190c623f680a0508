"""How long it takes to copy a node, to restore it, and to prove that it can be restored.

`python -m bench.restore [--rows 1000000] [--keep]` loads so many identifiers into a Postgres of its own, makes a backup
of it as `filament backup make` does, restores it into an empty directory as `filament restore` does, and runs
`filament backup verify`, which restores once more and compares sums, counts and a sample. Not measured: a disk that is
not the one of the node, and the log of many days after the backup.
"""

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from bench.bulk import ADD_PREFIX, made, pieces
from bench.enterprises import ENTERPRISES
from bench.surroundings import keep, surroundings
from registry import backups
from registry.bulk import load
from registry.embedded import EmbeddedPostgres, postgres_directory
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.restoring import prove, restore
from registry.settings import RegistrySettings
from registry.store import Store


async def measure(rows: int, directory: Path) -> dict[str, Any]:
    node, repository, programs = directory / "node", directory / "backups", find_binaries()
    async with EmbeddedPostgres(postgres_directory(node), binaries=programs) as server:
        settings = RegistrySettings(dsn=server.dsn, data_directory=str(node))
        await _fill(settings, made(directory, "ndjson", rows))
        begun = time.monotonic()
        backup = await backups.make(settings, programs, repository)
        copied = time.monotonic() - begun
    octets = sum(file.stat().st_size for file in repository.rglob("*") if file.is_file())
    begun = time.monotonic()
    await restore(repository, backup, directory / "restored", programs)
    restored = time.monotonic() - begun
    proof = await prove(repository, backup, programs)
    return {
        "rows": rows,
        "backup_seconds": round(copied, 1),
        "backup_octets": octets,
        "restore_seconds": round(restored, 1),
        "proof_seconds": round(proof.seconds, 1),
        "proved": {"files": proof.files, "handles": proof.handles, "sampled": proof.sampled},
    }


async def _fill(settings: RegistrySettings, file: Path) -> None:
    await migrate(settings.dsn)
    connection = await asyncpg.connect(settings.dsn)
    try:
        await connection.executemany(ADD_PREFIX, [(one.prefix, datetime.now(UTC)) for one in ENTERPRISES])
    finally:
        await connection.close()
    store = Store(settings, "bench")
    try:
        await load(store, pieces(str(file)), "ndjson", source=file.name, load_key=file.name, loaded_by="bench")
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.restore", description="Measure backup and restore.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="identifiers (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = {"program": "restore", **surroundings()}
    with tempfile.TemporaryDirectory(prefix="filament-bench-") as directory:
        figures |= uvloop.run(measure(asked.rows, Path(directory)))
    print(json.dumps(figures))
    if asked.keep:
        print(keep("restore", figures), file=sys.stderr)


if __name__ == "__main__":
    main()
