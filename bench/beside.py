"""Answers a second while a million identifiers are loaded in bulk, beside what they are when nothing is.

`python -m bench.beside [--rows 1000000] [--keep]` asks a node over a registry of its own for names that it keeps, and
for names that it has to read, without and with a load that another client sends meanwhile; the two take turns.
Generator, loader, resolver, registry and Postgres share the machine, so this is the worst place for it: on a machine
whose load comes from outside the loader's own part falls away.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import uvloop

from bench.chosen import chosen
from bench.forms import ndjson_blocks
from bench.generator import Plan, Target, measure
from bench.identifiers import SEED, Record
from bench.lab import Lab, a_lab
from bench.pools import resolution, write_pool
from bench.schedule import consignment, cut
from bench.surroundings import keep, surroundings

REGISTERED: Final = 1_000_000  # Of a registry of its own.
KEPT: Final = 100_000  # Names asked for again and again.
UNREAD: Final = 5_000  # Names of a measurement that are asked for once.
SECONDS: Final = 2.0  # Of one measurement.
LONGEST: Final = 1800.0  # Seconds for which a job is followed.
LOOK: Final = 0.2  # Seconds between two looks at it.
WAYS: Final = ("kept", "read")

Figures = dict[str, Any]


def main() -> int:
    """Measures, prints a JSON line for each round and one for the whole."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description="Measure reading beside a bulk load.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="to load in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="idle and loading (default: %(default)s)")
    parser.add_argument("--job", action="store_true", help="send a job instead of a load")
    parser.add_argument("--registered", type=int, default=REGISTERED, help="of a registry of its own")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = {"program": "beside", **surroundings(), **uvloop.run(_measure(asked))}
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("beside-job" if asked.job else "beside", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace) -> Figures:
    async with a_lab(asked.registered) as lab:
        with tempfile.TemporaryDirectory() as directory:
            rounds, loads = await _rounds(asked, lab, Path(directory))
    ratios = {
        f"{way}_to_idle": round(
            statistics.median(one["loading"][way]["rate"] / one["idle"][way]["rate"] for one in rounds), 3
        )
        for way in WAYS
    }
    return {
        "registered": asked.registered,
        "job": asked.job,
        "loaded": asked.rows,
        **ratios,
        "loads": loads,
        "rounds": rounds,
    }


async def _rounds(asked: argparse.Namespace, lab: Lab, directory: Path) -> tuple[list[Figures], list[Figures]]:
    kept = chosen(asked.registered, KEPT)
    unread = iter(chosen(asked.registered, 2 * UNREAD * asked.rounds, seed=SEED + 1))
    plan = _plan(lab, directory / "kept", kept, seconds=SECONDS)
    await measure(_plan(lab, directory / "kept", kept))  # once, so that they are kept
    rounds, loads = [], []
    for number in range(asked.rounds):
        one: Figures = {"round": number}
        _write(directory / "rows", asked.registered + number * asked.rows, asked.rows)
        for state in ("idle", "loading"):
            load = (
                asyncio.create_task((_job if asked.job else _load)(lab, directory / "rows"))
                if state == "loading"
                else None
            )
            if load is not None:
                await asyncio.sleep(SECONDS)  # The first chunk is prepared without the process that does the others.
            read = _plan(lab, directory / "read", list(islice(unread, UNREAD)))
            one[state] = {"kept": (await measure(plan)).to_json(), "read": (await measure(read)).to_json()}
            if load is not None:
                one["still_loading"] = not load.done()
                loads.append(await load)
        rounds.append(one)
        ratio = {way: round(one["loading"][way]["rate"] / one["idle"][way]["rate"], 3) for way in WAYS}
        print(orjson.dumps({"round": number, **ratio, "still_loading": one["still_loading"]}).decode(), flush=True)
    return rounds, loads


def _plan(lab: Lab, pool: Path, names: list[str], *, seconds: float = 0.0) -> Plan:
    write_pool(pool, map(resolution, names))
    target = Target("http", lab.node.port)
    return Plan(pool, (target,), seconds=seconds, once=not seconds, servers=lab.servers)


async def _load(lab: Lab, file: Path) -> Figures:
    """Sends a file to the registry; returns its report."""
    identity, _, key = lab.authorization.partition(": ")
    headers = {identity: key.strip(), "Content-Type": "application/x-ndjson"}
    address = f"http://127.0.0.1:{lab.registry_port}/api/bulk"
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        with file.open("rb") as body:
            async with client.post(address, data=body, headers=headers) as answer:
                answer.raise_for_status()
                report = await answer.json()
    return {name: report[name] for name in ("lines", "created", "refused", "seconds")}


async def _job(lab: Lab, file: Path) -> Figures:
    """The same as a job, which is followed to its end."""
    identity, _, key = lab.authorization.partition(": ")
    headers = {identity: key.strip(), "Content-Type": "application/x-ndjson"}
    begun = time.monotonic()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{lab.registry_port}", headers=headers) as client:
        with file.open("rb") as body:
            async with client.post("/api/jobs", data=body, timeout=aiohttp.ClientTimeout(total=None)) as answer:
                answer.raise_for_status()
                job = await answer.json()
        while job["finishedAt"] is None and time.monotonic() - begun < LONGEST:
            await asyncio.sleep(LOOK)
            async with client.get(f"/api/jobs/{job['job']}") as answer:
                job = await answer.json()
    return {name: job[name] for name in ("state", "lines", "created", "refused")} | {
        "seconds": time.monotonic() - begun
    }


def _write(file: Path, passed: int, rows: int) -> None:
    """Writes rows from further down the line than those that are there, or were loaded in the rounds before."""
    with file.open("wb") as out:
        out.writelines(block for _, block in ndjson_blocks(islice(_after(passed), rows)))


def _after(passed: int) -> Iterator[Record]:
    whole, _ = cut(passed)
    for number in count(whole + 1):
        yield from consignment(number, SEED)


if __name__ == "__main__":
    sys.exit(main())
