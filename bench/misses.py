"""Answers a second to names that nobody asked for before, out of a registry that is larger than memory.

`python -m bench.misses --directory DIR [--keep]` takes a registry that `bench.registry_load` made. Each name is asked
for once, so every answer is read from Postgres; names come from all over the table, one from each consignment, so that
hardly two share a page. Where the registry would fit into memory, memory is held until half of it does not; --fits
leaves memory be, and so do registries below 8 GiB, which are not what is measured here. One by one over HTTP, then in
batches of 100. Generator, resolver and Postgres share the machine. It says how much memory was left, and does not tell
what another disk would do.
"""

import argparse
import mmap
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import uvloop

from bench.chosen import chosen
from bench.generator import Plan, Target, measure
from bench.lab import Lab, a_lab
from bench.pools import Request, batch, resolution, write_pool
from bench.surroundings import keep, surroundings

BATCH: Final = 100  # Names of a list.
LEFT: Final = 0.5  # Of the table and its indexes: what stays free to keep them in.
LEAST_LEFT: Final = 4 << 30  # Octets that stay free in any case: with less the programs themselves would be starved.
SIZE: Final = "SELECT pg_total_relation_size('handle')"

Figures = dict[str, Any]


def main() -> int:
    """Measures, prints a JSON line for each round and one for the whole."""
    parser = argparse.ArgumentParser(prog="python -m bench.misses", description="Measure answers that are not kept.")
    parser.add_argument("--directory", type=Path, required=True, help="data directory of bench.registry_load")
    parser.add_argument("--names", type=int, default=20_000, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="after one that does not count (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--readers", type=int, default=4, help="connections to Postgres (default: %(default)s)")
    parser.add_argument("--fits", action="store_true", help="hold no memory")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = {"program": "misses", **surroundings(), **uvloop.run(_measure(asked))}
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("misses", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace) -> Figures:
    async with a_lab(0, asked.directory, readers=asked.readers) as lab:
        octets, registered = await _size(lab.dsn), await lab.registered()
        names = chosen(registered, 2 * asked.names * (asked.rounds + 1), each=1)
        asked.names = len(names) // (2 * (asked.rounds + 1))  # A small registry has fewer consignments.
        wanted = int(octets * LEFT) if not asked.fits and octets * LEFT >= LEAST_LEFT else 0
        with _memory_left(wanted) as left, tempfile.TemporaryDirectory() as directory:
            rounds = [one async for one in _rounds(asked, lab, names, Path(directory))]
    counted = rounds[1:]
    return {
        "registered": registered,
        "readers": asked.readers,
        "octets_of_handle": octets,
        "octets_of_memory_left": left,
        "exceeds_memory": octets > left,
        "singly_a_second": round(statistics.median(one["singly"]["rate"] for one in counted)),
        "in_batches_a_second": round(statistics.median(one["batches"]["identifier_rate"] for one in counted)),
        "wrong": sum(one[way]["wrong"] + one[way]["lost"] for one in rounds for way in ("singly", "batches")),
        "rounds": rounds,
    }


async def _rounds(asked: argparse.Namespace, lab: Lab, names: list[str], directory: Path) -> Any:
    remaining = iter(names)
    for number in range(asked.rounds + 1):
        one: Figures = {"round": number}
        for way, connections in (("singly", asked.connections), ("batches", 4)):
            taken = [next(remaining) for _ in range(asked.names)]
            pool = write_pool(directory / way, _requests(way, taken))
            plan = Plan(pool, (Target("http", lab.node.port, connections),), once=True, servers=lab.servers)
            one[way] = (await measure(plan)).to_json()
        rates = {"singly": one["singly"]["rate"], "in_batches": one["batches"]["identifier_rate"]}
        print(orjson.dumps({"round": number} | rates).decode(), flush=True)
        yield one


def _requests(way: str, names: list[str]) -> Iterator[Request]:
    if way == "singly":
        yield from map(resolution, names)
    else:
        yield from (batch(names[start : start + BATCH]) for start in range(0, len(names), BATCH))


async def _size(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval(SIZE))
    finally:
        await connection.close()


@contextmanager
def _memory_left(octets: int) -> Iterator[int]:
    """Holds memory until no more than so many octets are left to keep pages of files in; 0 holds none."""
    surplus = _available() - octets if octets else 0
    if surplus <= 0:
        yield _available()
        return
    with mmap.mmap(-1, surplus, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for start in range(0, surplus, mmap.PAGESIZE):
            held[start] = 1  # Memory is taken when it is written to.
        yield _available()


def _available() -> int:
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


if __name__ == "__main__":
    sys.exit(main())
