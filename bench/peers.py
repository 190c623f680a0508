"""The same job on the node and on rivals, in one run: names resolved to their records, each server alone on one core.

`python -m bench.peers [--quick] [--keep]` prints a table and writes the ratios that matter beside the bar for each.
Servers are pinned to core 0, the generator to core 1, Postgres runs anywhere. All servers of a group are up, and all
but the one that is asked are stopped; they take turns in an order of chance, round by round, and a ratio is that of two
measurements of one round. Rivals come from package managers; one that cannot be had is named with the reason. Not
measured: networks, TLS, several workers, writes.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import uvloop

from bench.generator import Plan, Target, measure
from bench.rivals.comparison import compared, line, summed
from bench.rivals.contest import FIGURES, GROUPS, Contestant
from bench.rivals.powerdns import schema
from bench.rivals.processes import Server, Task, cpu_by_process, hold, pin, release, tree
from bench.rivals.programs import Absent
from bench.rivals.questions import write_pools
from bench.rivals.tables import fill
from bench.surroundings import keep, surroundings
from registry.embedded import EmbeddedPostgres
from registry.postgres_programs import find_binaries

SERVER_CORE: Final = 0
GENERATOR_CORE: Final = 1
ORDER: Final = [one.name for group in GROUPS for one in group]
PIECE: Final = 1 << 24
WARM: Final = 0.3  # Seconds of load before each measurement: connections, and what was forgotten while stopped.
# Nothing here is worth keeping over a power cut, and nothing may start to tidy up in the middle of a measurement.
POSTGRES: Final = {
    "fsync": "off",
    "wal_level": "minimal",  # Tables that are filled by the transaction that made them are not logged.
    "max_wal_senders": "0",
    "autovacuum": "off",
}


@dataclass(slots=True)
class Contest:
    """One run: what is asked, and what came of it."""

    rounds: int
    seconds: float
    task: Task
    postgres: int  # process id
    pools: Any
    runs: list[dict[str, Any]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    async def hold(self, group: Sequence[Contestant]) -> None:
        """All rounds of one group."""
        async with self._started(group) as servers:
            for turn in range(self.rounds):
                present = [one for one in group if one.start in servers]
                for contestant in random.Random(turn).sample(present, len(present)):
                    await self._ask(contestant, servers[contestant.start], turn)

    @asynccontextmanager
    async def _started(self, group: Sequence[Contestant]) -> AsyncIterator[dict[Any, Server]]:
        """The group's servers, each of them stopped until it is its turn."""
        async with AsyncExitStack() as stack:
            servers: dict[Any, Server] = {}
            tried = set()
            for contestant in group:
                if contestant.start in tried:
                    continue
                tried.add(contestant.start)
                try:
                    server = await stack.enter_async_context(contestant.start(self.task))
                except (Absent, RuntimeError) as reason:
                    self.absent[contestant.name] = str(reason)
                    print(f"{contestant.name} is absent: {reason}", file=sys.stderr)
                    continue
                pin(server.pid, {SERVER_CORE})
                hold(server.pid)
                stack.callback(release, server.pid)
                servers[contestant.start] = server
                print(f"{contestant.name} is ready", file=sys.stderr)
            yield servers

    async def _ask(self, contestant: Contestant, server: Server, turn: int) -> None:
        target = Target(contestant.protocol, contestant.port_of(server), contestant.connections, contestant.in_flight)
        release(server.pid)
        plan = Plan(
            self.pools[contestant.pool, turn],
            (target,),
            seconds=self.seconds,
            warm=WARM,
            core=GENERATOR_CORE,
            servers=tree(server.pid),
        )
        before = cpu_by_process(self.postgres)
        try:
            measured = await measure(plan)
        except RuntimeError as fault:
            self.absent[contestant.name] = f"round {turn}: {fault}"
            return
        finally:
            hold(server.pid)
        after = cpu_by_process(self.postgres)
        told = measured.to_json()
        del told["kinds"]  # one only: the same again
        run = {"name": contestant.name, "name_zh": contestant.chinese, "round": turn, **told}
        run["identifiers_per_cpu_second"] = measured.identifiers / measured.server_cpu if measured.server_cpu else 0.0
        # Of the load before the measurement too, hence not by the second.
        run["postgres_cpu"] = round(sum(used - before.get(pid, 0.0) for pid, used in after.items()), 4)
        self.runs.append(run)
        print(line(run), flush=True)


async def contest(asked: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Everything from an empty directory to the figures."""
    where = surroundings()
    data = Path(asked.data) if asked.data else directory / "postgres"
    data.mkdir(parents=True, exist_ok=True)
    async with EmbeddedPostgres(data, binaries=find_binaries(), settings=POSTGRES) as postgres:
        assert postgres.process is not None
        await fill(postgres.dsn, asked.rows, powerdns_schema())
        version = await settle(postgres.dsn)
        await asyncio.to_thread(read_through, data / "cluster" / "base")
        task = Task(asked.keys, asked.rows, postgres.dsn, directory)
        pools = write_pools(directory, asked.keys, asked.rows, asked.rounds)
        held = Contest(asked.rounds, asked.seconds, task, postgres.process.pid, pools)
        for group in GROUPS:
            await held.hold(group)
    settings = {name: getattr(asked, name) for name in ("keys", "rows", "rounds", "seconds")}
    return {
        "program": "peers",
        **where,
        "postgres": version,
        "settings": settings,
        "figures": compared(held.runs, FIGURES),
        "contestants": sorted(summed(held.runs), key=lambda one: ORDER.index(one["name"])),
        "absent": held.absent,
        "runs": sorted(held.runs, key=lambda run: ORDER.index(run["name"])),
    }


def powerdns_schema() -> Path | None:
    try:
        return schema()
    except Absent:
        return None  # Said again when it is to be started.


async def settle(dsn: str) -> str:
    """Writes out what was loaded; gives the version of the server."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CHECKPOINT")
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def read_through(directory: Path) -> None:
    """Leaves the files of a kept database in memory: whose table a disk would read first is no comparison."""
    for path in filter(Path.is_file, directory.rglob("*")):
        with path.open("rb", buffering=0) as file:
            while file.read(PIECE):
                pass


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="The node beside its rivals.")
    parser.add_argument("--quick", action="store_true", help="a minute: a tenth of the names, rough figures")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--keys", type=int, default=1_000_000, help="names that are kept (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=5_000_000, help="names in the database (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--data", help="a directory for the database, used again by the next run that names it")
    asked = parser.parse_args()
    if asked.quick:
        asked.keys, asked.rows, asked.rounds, asked.seconds = 100_000, 200_000, 5, 0.3
    if not 0 < asked.keys <= asked.rows or (os.cpu_count() or 1) < 2:
        parser.error("there must be as many rows as keys, and two cores")
    with tempfile.TemporaryDirectory(prefix="filament-peers-") as directory:
        report = uvloop.run(contest(asked, Path(directory)))
    for figure in report["figures"]:
        print(orjson.dumps(figure).decode())
    if asked.keep:
        print(keep("peers", report), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
