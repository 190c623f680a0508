"""How far a replica is behind its primary, and how soon a resolver that reads from it shows a write: at rest and under
a bulk load.

`python -m bench.replica [--rows 1000000] [--keep]` starts a primary, a replica that follows it, and one resolver that
reads and hears of changes there. For some seconds at rest, and then as long as a load of the primary takes, one handle
is written again and again and asked for until the new text is said; ten times a second it is asked where the primary
stands, and how long the replica takes to be there. Not measured: a network between them, more than one replica.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg
import uvloop

from bench.books import a_book
from bench.bulk import made
from bench.freshness import MILLI, one_delay, percentile
from bench.nodes import Client, a_node
from bench.surroundings import keep, surroundings
from registry.embedded import EmbeddedPostgres
from registry.handle import Handle
from registry.postgres_programs import find_binaries
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue

WRITTEN: Final = "88.168.1/REPLICA"  # No name of the demo's, so that the load says nothing of it.
LOOK: Final = 0.1  # Seconds between two looks at the replica.
GLANCE: Final = 0.001  # Seconds between two questions whether it is there.
AT_REST: Final = 20.0  # Seconds.
LIMIT: Final = 300.0  # Seconds for a load.
SHARES: Final = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
STANDS: Final = "SELECT pg_current_wal_lsn()::text"
BEHIND: Final = "SELECT greatest(0, pg_wal_lsn_diff($1::text::pg_lsn, pg_last_wal_replay_lsn()))::bigint"


@dataclass
class Seen:
    """Milliseconds from a write to its answer, milliseconds and octets that the replica was behind."""

    visible: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    octets: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        times = {"visible_ms": self.visible, "replica_behind_ms": self.late, "replica_behind_octets": self.octets}
        return {name: {"count": len(of), **_spread(sorted(of))} for name, of in times.items()}


def _spread(ordered: list[float]) -> dict[str, float]:
    return {name: round(percentile(ordered, share), 2) for name, share in SHARES}


async def measure(rows: int, at_rest: float) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        made_here = [tempfile.TemporaryDirectory(prefix="filament-replica-") for _ in range(2)]
        # A directory of the server's own: whom Postgres runs as may not enter one of ours.
        directory, following = (Path(stack.enter_context(one)) for one in made_here)
        dsn, _ = await stack.enter_async_context(a_book(0))
        file = await asyncio.to_thread(made, directory, "ndjson", rows)
        replica = await stack.enter_async_context(_a_replica(dsn, following))
        store = Store(RegistrySettings(dsn=dsn), "bench")
        await store.open()
        stack.push_async_callback(store.close)
        async with begin(store, "bench") as transaction:
            await transaction.create(Handle.from_text(WRITTEN), (HandleValue(1, "DESC", b"written again and again"),))
        os.environ["FILAMENT_REGISTRY_NEAREST_DSN"] = replica.dsn  # for the process that starts now
        node = await stack.enter_async_context(a_node(dsn, directory / "node"))
        rest, load = Seen(), Seen()
        async with _seeing(store, replica.dsn, node.port, rest):
            await asyncio.sleep(at_rest)
        async with _seeing(store, replica.dsn, node.port, load):
            loaded = await _load(file, dsn)
    return {"rows": rows, "rows_per_second": loaded, "at_rest": rest.figures(), "under_load": load.figures()}


@asynccontextmanager
async def _a_replica(primary: str, directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A copy of a server that follows it, with the settings of a node's own."""
    words = ("--dbname", primary, "--pgdata", str(directory / "cluster"), "--wal-method=stream", "--checkpoint=fast")
    process = await asyncio.create_subprocess_exec(
        *(str(find_binaries() / "pg_basebackup"), *words, "--write-recovery-conf")
    )
    if await process.wait():
        raise RuntimeError(f"pg_basebackup ended with status {process.returncode}")
    async with EmbeddedPostgres(directory, binaries=find_binaries()) as server:
        yield server


@asynccontextmanager
async def _seeing(store: Store, replica: str, port: int, seen: Seen) -> AsyncIterator[None]:
    """Writes and looks within the block."""
    looking = asyncio.create_task(_look(store.settings.dsn, replica, seen))
    writing = asyncio.create_task(_write(store, port, seen))
    try:
        yield
    finally:
        for task in (looking, writing):
            task.cancel()
        ends = await asyncio.gather(looking, writing, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _write(store: Store, port: int, seen: Seen) -> None:
    client = await Client.connect(port)
    try:
        while True:
            seen.visible.append(await one_delay(store, client, WRITTEN, f"write {len(seen.visible)}"))
    finally:
        client.close()


async def _look(primary: str, replica: str, seen: Seen) -> None:
    first, second = await asyncpg.connect(primary), await asyncpg.connect(replica)
    try:
        while True:
            stands, at = await first.fetchval(STANDS), perf_counter()
            behind = octets = await second.fetchval(BEHIND, stands)
            while behind:
                await asyncio.sleep(GLANCE)
                behind = await second.fetchval(BEHIND, stands)
            seen.octets.append(float(octets))
            seen.late.append((perf_counter() - at) * MILLI)
            await asyncio.sleep(LOOK)
    finally:
        first.terminate()
        second.terminate()


async def _load(file: Path, dsn: str) -> int:
    """Rows a second of a load in a process of its own."""
    words = (sys.executable, "-m", "bench.bulk", "--one", "ndjson", str(file), dsn)
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(LIMIT):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the load ended with status {process.returncode}")
    return int(json.loads(out)["rows_per_second"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.replica", description="How far a replica is behind.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the load (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=AT_REST, help="at rest (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    asked = parser.parse_args()
    where = surroundings()
    figures = {"program": "replica", **where, **uvloop.run(measure(asked.rows, asked.seconds))}
    print(json.dumps(figures))
    if asked.keep:
        print(keep("replica", figures), file=sys.stderr)


if __name__ == "__main__":
    main()
