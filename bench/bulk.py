"""Rows a second from a file to committed rows, beside a raw COPY of the same rows into the same table; and the memory.

`python -m bench.bulk --rows 1000000` starts a Postgres of its own with the settings of a node. The ways take turns,
each in a fresh process and on an emptied table, so that a busy moment of the machine hits all of them. It does not
measure an upload over a network, a table that is larger than memory, or several loads at once.
"""

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uvloop

from bench.enterprises import ENTERPRISES
from bench.fitting import fitted
from bench.forms import BLOCKS, HEADERS
from bench.identifiers import records
from bench.surroundings import keep, surroundings
from registry.bulk import load
from registry.chunks import line_chunks
from registry.embedded import EmbeddedPostgres
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.settings import RegistrySettings
from registry.store import Store

WAYS = ("copy", "ndjson", "csv", "templated")
FORMS = {"templated": "ndjson"}  # The rows of "ndjson", each naming the template that it is held to.
PIECE = 1 << 18
COLUMNS = ("created_at", "prefix_id", "suffix", "spelling", "packed")

ADD_PREFIX = "INSERT INTO prefix (prefix, spelling, created_at) VALUES ($1, $1, $2)"
EMPTY = "TRUNCATE handle, handle_history, handle_count, change_log, import_batch, import_chunk, import_refusal"


def main() -> int:
    """Measures, prints a JSON line for each run and one for the whole, and keeps them among the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.bulk", description="Measure bulk loads.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the longer files (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way (default: %(default)s)")
    parser.add_argument("--postgres", default="wheel", help="wheel, system or a directory (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "FILE", "DSN"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(orjson.dumps(uvloop.run(_one(*asked.one))).decode())
        return 0
    figures = surroundings()
    with tempfile.TemporaryDirectory(prefix="filament-bench-") as directory:
        figures |= uvloop.run(_measure(asked, Path(directory)))
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("bulk", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace, directory: Path) -> dict[str, Any]:
    sizes = (max(1, asked.rows // 10), asked.rows)
    files = {(form, rows): made(directory, form, rows) for rows in sizes for form in WAYS[1:]}
    database = directory / "postgres"
    async with EmbeddedPostgres(database, binaries=find_binaries(asked.postgres)) as server:
        await migrate(server.dsn)
        connection = await asyncpg.connect(server.dsn)
        begun = datetime.now(UTC)
        await connection.executemany(ADD_PREFIX, [(one.prefix, begun) for one in ENTERPRISES])
        runs = []
        for turn in range(asked.rounds):
            for rows in sizes:
                for way in WAYS:
                    await connection.execute(EMPTY)
                    await connection.execute("CHECKPOINT")
                    file = files["ndjson" if way == "copy" else way, rows]
                    run = {"round": turn, "rows": rows} | await _in_a_process(way, file, server.dsn)
                    assert await connection.fetchval("SELECT count(*) FROM handle") == rows
                    print(orjson.dumps(run).decode(), flush=True)
                    runs.append(run)
        postgres = str(connection.get_server_version())
        await connection.close()
    return {"postgres": postgres, "rounds": asked.rounds, "runs": runs, "summary": _summary(runs, sizes)}


async def _in_a_process(way: str, file: Path, dsn: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.bulk", "--one", way, str(file), dsn]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{way} ended with status {process.returncode}")
    return dict(orjson.loads(out))


async def _one(way: str, file: str, dsn: str) -> dict[str, Any]:
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    if way == "copy":
        rows, seconds = await copy(store, file)
    else:
        form: Any = FORMS.get(way, way)
        report = await load(store, pieces(file), form, source=file, load_key=file, loaded_by="bench")
        assert report.refused == 0
        rows, seconds = report.lines, report.seconds
    await store.close()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    helper = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "way": way,
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds),
        "peak_mib": round(own),
        "peak_mib_of_helper": round(helper),
    }


async def copy(store: Store, file: str) -> tuple[int, float]:
    """One COPY of rows that are ready: what nothing that loads into this table can beat."""
    created_at = datetime.now(UTC).replace(microsecond=0)
    records_of_handles: list[tuple[Any, ...]] = []
    async for chunk in line_chunks(pieces(file), exact_suffixes=False):
        work, arguments = chunk.work()
        ready = work(*arguments)
        for run in ready.runs:
            prefix = store.prefixes.find(run.prefix_key)
            assert prefix is not None
            columns = (ready.suffixes, ready.spellings, ready.packed)
            records_of_handles += [
                (created_at, prefix.prefix_id, *row)
                for row in zip(*(column[run.start : run.end] for column in columns), strict=True)
            ]
    async with store.connection() as connection:
        begun = time.monotonic()
        await connection.copy_records_to_table("handle", records=records_of_handles, columns=COLUMNS, timeout=3600)
        return len(records_of_handles), time.monotonic() - begun


def made(directory: Path, form: str, rows: int) -> Path:
    """A file of so many rows."""
    file = directory / f"{rows}.{form}"
    with file.open("wb") as out:
        given = records(rows)
        if form == "templated":
            form, given = "ndjson", map(fitted, given)
        out.write(HEADERS[form])
        for _, block in BLOCKS[form](given):
            out.write(block)
    return file


async def pieces(file: str) -> AsyncIterator[bytes]:
    for piece in _read(file):
        yield piece


def _read(file: str) -> Iterator[bytes]:
    with open(file, "rb") as source:
        while piece := source.read(PIECE):
            yield piece


def _summary(runs: list[dict[str, Any]], sizes: tuple[int, ...]) -> dict[str, Any]:
    """Medians, and each way's ratio to the COPY of the same round."""
    summary: dict[str, Any] = {}
    for rows in sizes:
        of_size = [run for run in runs if run["rows"] == rows]
        copied = {run["round"]: run["rows_per_second"] for run in of_size if run["way"] == "copy"}
        for way in WAYS:
            mine = [run for run in of_size if run["way"] == way]
            summary[f"{way} {rows}"] = {
                "rows_per_second": round(statistics.median(run["rows_per_second"] for run in mine)),
                "of_copy": round(statistics.median(run["rows_per_second"] / copied[run["round"]] for run in mine), 2),
                "peak_mib": max(run["peak_mib"] for run in mine),
                "peak_mib_of_helper": max(run["peak_mib_of_helper"] for run in mine),
            }
    return summary


if __name__ == "__main__":
    sys.exit(main())
