"""A registry of any size, loaded once and kept: how long that takes, and how many octets an identifier is.

`python -m bench.registry_load --directory DIR --rows 60000000` loads the demo's identifiers of 28 enterprises by the
way of every bulk load (`registry.bulk`), one load a core, each fed through a pipe by a process that makes the records;
making them is part of the time. Then the indexes are rebuilt, the rows counted, batches searched for. Broken off, the
same command goes on where it ended; done, it only counts and searches again. DIR is a node's data directory:
`filament up --data-directory DIR` serves it, and other programs of this package take it.
"""

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
import orjson
import uvloop

from bench.enterprises import ENTERPRISES
from bench.forms import ndjson_blocks
from bench.identifiers import SEED, records
from bench.schedule import consignment, cut
from bench.surroundings import keep, surroundings
from bench.vocabulary import BATCH
from registry.bulk import load
from registry.embedded import EmbeddedPostgres, postgres_directory
from registry.enterprise import add_enterprise, list_enterprises
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.search import MAX_FOUND, declare, search
from registry.settings import RegistrySettings
from registry.store import Store

FACTS: Final = "registry.json"  # In the directory: what it holds, once it is complete.
LOADED_BY: Final = "bench.registry_load"
PIECE: Final = 1 << 20  # Octets read from a pipe at once.
# Octets a row that must be free: heap and indexes as they are while loading, and the new index beside the old one.
OCTETS_A_ROW: Final = 330
OCTETS_BESIDE: Final = 12 << 30  # The write-ahead log at its largest, and room to breathe.
SEARCHES: Final = 200

SIZES: Final = """
SELECT pg_relation_size('handle') AS heap, pg_relation_size('handle_pkey') AS key,
       pg_relation_size('handle_keys') AS gin, pg_total_relation_size('handle') AS handle,
       pg_database_size(current_database()) AS database
"""
LOG_POSITION: Final = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"


@asynccontextmanager
async def registry_in(directory: Path, **settings: str) -> AsyncIterator[tuple[Store, int]]:
    """The registry that was loaded into a directory, served while the block lasts; and how many rows it has."""
    facts = directory / FACTS
    if not facts.exists():
        raise SystemExit(f"{directory} holds no complete registry: run `python -m bench.registry_load` first")
    async with _served(directory, **settings) as store:
        yield store, orjson.loads(facts.read_bytes())["rows"]


def main() -> int:
    """Loads, measures, prints one JSON line for each phase and one for the whole."""
    parser = argparse.ArgumentParser(prog="python -m bench.registry_load", description="Load a registry and keep it.")
    parser.add_argument("--directory", type=Path, required=True, help="data directory to load into")
    parser.add_argument("--rows", type=int, default=1_000_000, help="identifiers (default: %(default)s)")
    parser.add_argument("--loads", type=int, default=os.cpu_count() or 1, help="at once (default: one a core)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        return _make(asked)
    if asked.dsn:
        print(orjson.dumps(uvloop.run(_load_part(asked))).decode())
        return 0
    figures = surroundings() | uvloop.run(_whole(asked))
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep(f"registry-load-{asked.rows}", figures), file=sys.stderr)
    return 0


async def _whole(asked: argparse.Namespace) -> dict[str, Any]:
    asked.directory.mkdir(parents=True, exist_ok=True)
    facts = asked.directory / FACTS
    loaded = orjson.loads(facts.read_bytes()) if facts.exists() else None
    if loaded is None:
        _check_disk(asked.directory, asked.rows)
    elif loaded["rows"] != asked.rows:
        raise SystemExit(f"{asked.directory} holds {loaded['rows']:,} rows, not {asked.rows:,}: name another directory")
    async with _served(asked.directory) as store:
        figures = loaded or await _loaded(asked, store)
        if loaded is None:
            facts.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
        return figures | await _phase("search", _searched(store, asked.rows))


async def _loaded(asked: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Everything from an empty directory to a registry that can be asked."""
    begun = time.monotonic()
    figures: dict[str, Any] = {"rows": asked.rows, "loads": asked.loads, "seed": SEED}
    await _add_enterprises(store)
    async with store.connection() as connection:
        before = await connection.fetchval(LOG_POSITION)
    figures |= await _phase("load", _load_parts(asked, store))
    figures["sizes_loaded"] = await _sizes(store, asked.rows)
    figures |= await _phase("index", _run(store, "REINDEX TABLE handle"))
    figures |= await _phase("analyze", _run(store, "ANALYZE handle"))
    figures |= await _phase("count", _counted(store, asked.rows))
    figures["seconds"] = round(time.monotonic() - begun, 1)
    async with store.connection() as connection:
        figures["log_octets_a_row"] = round((await connection.fetchval(LOG_POSITION) - before) / asked.rows, 1)
    figures["sizes"] = await _sizes(store, asked.rows)
    # Not part of the load: they spare the first readers of each page the writing of what they learn about it, and the
    # server's end a long wait.
    return (
        figures
        | await _phase("vacuum", _run(store, "VACUUM handle"))
        | await _phase("checkpoint", _run(store, "CHECKPOINT"))
    )


async def _phase(name: str, work: Any) -> dict[str, Any]:
    begun = time.monotonic()
    outcome = {"seconds": 0.0} | (await work or {})
    outcome["seconds"] = round(time.monotonic() - begun, 1)
    print(orjson.dumps({name: outcome}).decode(), flush=True)
    return {name: outcome}


async def _add_enterprises(store: Store) -> None:
    there = {each.prefix for each in await list_enterprises(store)}
    for each in ENTERPRISES:
        if each.prefix not in there:
            await add_enterprise(store, each.name_zh, each.name_en, each.industry, each.prefix, by=LOADED_BY)
        prefix = store.prefixes.find(each.prefix.encode())
        assert prefix is not None
        if not prefix.searchable:
            await declare(store, prefix, BATCH[1])


async def _load_parts(asked: argparse.Namespace, store: Store) -> dict[str, Any]:
    command = [*_ourselves(asked), "--dsn", store.settings.dsn, "--loads", str(asked.loads)]
    processes = [
        await asyncio.create_subprocess_exec(*command, "--part", str(part), stdout=subprocess.PIPE)
        for part in range(asked.loads)
    ]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_outcome(process)) for process in processes]
    parts = [one.result() for one in running]
    seconds = max(part["seconds"] for part in parts)
    rows = sum(part["created"] for part in parts)
    if any(part["refused"] for part in parts):
        raise SystemExit(f"rows were refused: {parts}")
    return {"rows_a_second": round(rows / seconds), "parts": parts}


async def _outcome(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """What a load says at its end. It is ended when another one failed."""
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"a load ended with status {process.returncode}; run the same command again to go on")
    return dict(orjson.loads(out))


async def _load_part(asked: argparse.Namespace) -> dict[str, Any]:
    """One load, in a process of its own."""
    store = Store(RegistrySettings(dsn=asked.dsn), "bench")
    await store.open()
    command = [*_ourselves(asked), "--loads", str(asked.loads), "--part", str(asked.part), "--make"]
    maker = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, limit=PIECE)
    name = f"{SEED}-{asked.rows}-{asked.part}-of-{asked.loads}"

    async def pieces() -> AsyncIterator[bytes]:
        assert maker.stdout is not None
        while piece := await maker.stdout.read(PIECE):
            yield piece
        if await maker.wait():
            raise SystemExit(f"the process that makes records ended with status {maker.returncode}")

    report = await load(store, pieces(), "ndjson", source=name, load_key=name, loaded_by=LOADED_BY)
    await store.close()
    return {
        "seconds": round(report.seconds, 1),
        "created": report.created,
        "refused": report.refused,
        "skipped_chunks": report.skipped,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_mib_of_children": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def _make(asked: argparse.Namespace) -> int:
    """Writes the records of one part to standard output."""
    out = open(sys.stdout.fileno(), "wb", buffering=PIECE, closefd=False)  # noqa: SIM115  # lasts as long as we do
    out.writelines(block for _, block in ndjson_blocks(records(asked.rows, part=asked.part, parts=asked.loads)))
    out.flush()
    return 0


def _ourselves(asked: argparse.Namespace) -> list[str]:
    return [sys.executable, "-m", "bench.registry_load", "--directory", str(asked.directory), "--rows", str(asked.rows)]


async def _run(store: Store, statement: str) -> None:
    connection = await asyncpg.connect(store.settings.dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _counted(store: Store, rows: int) -> dict[str, Any]:
    """The counters of the registry against the rows themselves."""
    connection = await asyncpg.connect(store.settings.dsn)
    try:
        own = {each.prefix: each.handles for each in await list_enterprises(store)}
        ids = {prefix.prefix_id: prefix.spelling for prefix in store.prefixes.homed() if prefix.spelling in own}
        there = await connection.fetch("SELECT prefix_id, count(*) AS rows FROM handle WHERE state = 0 GROUP BY 1")
    finally:
        await connection.close()
    really = {ids[row["prefix_id"]]: row["rows"] for row in there if row["prefix_id"] in ids}
    if really != {prefix: count for prefix, count in own.items() if count} or sum(really.values()) != rows:
        raise SystemExit(f"{rows:,} rows asked for, {sum(really.values()):,} there, {sum(own.values()):,} counted")
    return {"rows": sum(really.values()), "enterprises": len(really)}


async def _searched(store: Store, rows: int) -> dict[str, Any]:
    """First pages of batches chosen by lot; each must hold the identifier that named the batch."""
    chance = Random(SEED)
    whole, _ = cut(rows)
    milliseconds: list[float] = []
    found: list[int] = []
    while len(found) < SEARCHES:
        named = [
            (record.handle, text)
            for record in consignment(chance.randrange(whole), SEED)
            for _, kind, text in record.values
            if kind == BATCH[1]
        ]
        if not named:
            continue
        handle, batch = chance.choice(named)
        prefix = store.prefixes.find(handle.partition("/")[0].encode())
        assert prefix is not None
        begun = time.perf_counter()
        page = await search(store, prefix, BATCH[1], batch.encode(), limit=100)
        milliseconds.append((time.perf_counter() - begun) * 1000)
        found.append(await _all_of(store, prefix, batch, handle) if len(found) < 10 else len(page.handles))
    milliseconds.sort()
    return {
        "searches": SEARCHES,
        "page": 100,
        "median_ms": round(statistics.median(milliseconds), 2),
        "p99_ms": round(milliseconds[SEARCHES * 99 // 100], 2),
        "worst_ms": round(milliseconds[-1], 2),
        "identifiers_of_ten_batches": found[:10],
    }


async def _all_of(store: Store, prefix: Any, batch: str, handle: str) -> int:
    handles: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await search(store, prefix, BATCH[1], batch.encode(), after=after, limit=MAX_FOUND)
        handles += page.handles
        after = page.cursor
    if handle not in handles:
        raise SystemExit(f"{handle} names {batch} and was not found by it")
    return len(handles)


async def _sizes(store: Store, rows: int) -> dict[str, Any]:
    async with store.connection() as connection:
        row = await connection.fetchrow(SIZES)
    assert row is not None
    return {name: round(octets / rows, 1) for name, octets in row.items()} | {"octets_of_handle": row["handle"]}


def _check_disk(directory: Path, rows: int) -> None:
    used = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    free, needed = shutil.disk_usage(directory).free, rows * OCTETS_A_ROW + OCTETS_BESIDE - used
    if free < needed:
        raise SystemExit(f"{needed / 2**30:.1f} GiB must be free at {directory}, {free / 2**30:.1f} GiB are")


@asynccontextmanager
async def _served(directory: Path, **settings: str) -> AsyncIterator[Store]:
    async with EmbeddedPostgres(postgres_directory(directory), binaries=find_binaries(), settings=settings) as server:
        await migrate(server.dsn)
        store = Store(RegistrySettings(dsn=server.dsn), "bench")
        await store.open()
        try:
            yield store
        finally:
            await store.close()


if __name__ == "__main__":
    sys.exit(main())
