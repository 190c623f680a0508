"""Rows a second of a job, from the file that was sent to its end, beside a load of the same rows, and a raw COPY.

`python -m bench.jobs --rows 1000000` starts a Postgres of its own with the settings of a node. Every row of the job
names a template and is held to it; those of the load name none. The ways take turns, each on an emptied table.
`bench.beside --job` measures what resolvers lose meanwhile.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import uvloop

from bench.bulk import ADD_PREFIX, EMPTY, copy, made, pieces
from bench.enterprises import ENTERPRISES
from bench.surroundings import keep, surroundings
from registry.authentication import Administrator
from registry.bulk import load
from registry.embedded import EmbeddedPostgres
from registry.job_files import JobFiles
from registry.job_runner import JobRunner
from registry.jobs import Jobs, Order
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.rights import Rights
from registry.settings import RegistrySettings
from registry.store import Store
from registry.value import Reference

OPERATOR: Final = Administrator(Reference("0.NA/0.NA", 300))
LONGEST: Final = 1800.0  # Seconds for which one job is waited for.
LOOK: Final = 0.05  # Seconds between two looks whether it has ended.


def main() -> int:
    """Measures, prints a JSON line for each run and one for the whole, and keeps them among the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description="Measure jobs.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the file (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way (default: %(default)s)")
    parser.add_argument("--postgres", default="wheel", help="wheel, system or a directory (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = surroundings()
    with tempfile.TemporaryDirectory(prefix="filament-bench-") as directory:
        figures |= uvloop.run(_measure(asked, Path(directory)))
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("jobs", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace, directory: Path) -> dict[str, Any]:
    file, plain = (made(directory, form, asked.rows) for form in ("templated", "ndjson"))
    async with EmbeddedPostgres(directory / "postgres", binaries=find_binaries(asked.postgres)) as server:
        await migrate(server.dsn)
        connection = await asyncpg.connect(server.dsn)
        await connection.executemany(ADD_PREFIX, [(one.prefix, datetime.now(UTC)) for one in ENTERPRISES])
        settings = RegistrySettings(
            dsn=server.dsn, data_directory=str(directory / "node"), administrators=(str(OPERATOR),)
        )
        store = Store(settings, "bench")
        await store.open()
        rounds = []
        for number in range(asked.rounds):
            one: dict[str, Any] = {"round": number}
            for way, work, source in (("copy", _copied, plain), ("load", _loaded, plain), ("job", _worked_off, file)):
                await connection.execute(EMPTY)
                await connection.execute("CHECKPOINT")
                one[way] = round(asked.rows / await work(store, source))
                assert await connection.fetchval("SELECT count(*) FROM handle") == asked.rows
            one |= {f"of_{way}": round(one["job"] / one[way], 3) for way in ("load", "copy")}
            print(orjson.dumps(one).decode(), flush=True)
            rounds.append(one)
        await store.close()
        await connection.close()
    ratios = {name: statistics.median(one[name] for one in rounds) for name in ("of_load", "of_copy")}
    return {"program": "jobs", "rows": asked.rows, **ratios, "rounds": rounds}


async def _copied(store: Store, file: Path) -> float:
    _, seconds = await copy(store, str(file))
    return seconds


async def _loaded(store: Store, file: Path) -> float:
    report = await load(store, pieces(str(file)), "ndjson", source=file.name, load_key=file.name, loaded_by="bench")
    assert report.refused == 0
    return report.seconds


async def _worked_off(store: Store, file: Path) -> float:
    """Seconds from the moment at which the file is kept to the end of the job."""
    jobs, files = Jobs(store), JobFiles(Path(store.settings.data_directory))
    received = await files.receive(pieces(str(file)))
    runner = asyncio.create_task(JobRunner(store, Rights(store, [str(OPERATOR)])).run())
    begun = time.monotonic()
    order = Order("register", "ndjson", file.name)
    key = f"{time.time_ns()}"
    job, _ = await jobs.add(order, OPERATOR, key, received, lambda number: files.number(received, number, "ndjson"))
    try:
        async with asyncio.timeout(LONGEST):
            while (job := await jobs.find(job.job_id)).finished_at is None:  # noqa: ASYNC110  # it tells us no event
                await asyncio.sleep(LOOK)
    finally:
        runner.cancel()
        await asyncio.wait({runner})
    assert job.state == "finished", job.fault
    assert (await jobs.tally(job)).refused == 0
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
