"""A node at half of what it can answer, for long: does it take more memory, more descriptors, or more time?

`python -m bench.soak [--seconds 3600] [--keep]` starts Postgres, a registry and a resolver, measures what the resolver
answers at most (kept names over HTTP and UDP, some that are not registered, new ones all the time), and asks for half
of it, evenly. At the end of each stretch (a minute, or a twentieth of a shorter run) it looks at every process: memory
that is its own (PSS) and in all (RSS), and open descriptors; and at the stretch's 99th percentile. For each the slope
by least squares is printed, an hour, with its standard error: a leak is a slope of several errors. The first tenth is
not judged, for caches fill then. Generator, node and Postgres share the machine.
"""

import argparse
import asyncio
import json
import math
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.request import urlopen

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from bench.generator import Plan, Target, measure
from bench.identifiers import records
from bench.lab import Lab, a_lab
from bench.nodes import ask_all
from bench.pools import Request, native, resolution, write_pool
from bench.surroundings import keep, surroundings

NAMES: Final = 20_000
POOL: Final = 200_000
NEW: Final = 50  # One request in so many is for a name that is not registered.
SHARE: Final = 0.5  # Of what the node can answer.
STRETCH: Final = 60.0  # Seconds between two looks, at most.
STRETCHES: Final = 20  # Looks in a shorter run.
UNJUDGED: Final = 0.1  # Of the looks: the first ones.
HOUR: Final = 3600.0

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Slope:
    """What a figure grows by in an hour, and the standard error of that."""

    an_hour: float
    error: float


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """By least squares, through seconds and figures. Of less than three points no error can be told."""
    if len(points) < 3:
        return Slope(math.nan, math.nan)
    seconds, figures = zip(*points, strict=True)
    by_second, origin = statistics.linear_regression(seconds, figures)
    left = sum((figure - origin - by_second * second) ** 2 for second, figure in points)
    spread = sum((second - statistics.fmean(seconds)) ** 2 for second in seconds)
    error = math.sqrt(left / (len(points) - 2) / spread)
    return Slope(round(by_second * HOUR, 3), round(error * HOUR, 3))


def requests(names: Sequence[str], number: int = POOL) -> Iterator[Request]:
    """Half over HTTP, half over UDP."""
    for place, name in enumerate(islice(cycle(names), number)):
        if place % NEW == 0:
            yield resolution(f"{name}-z{place:x}", code=404)
        else:
            yield native(name, target=1) if place % 2 else resolution(name)


def look(processes: Mapping[str, int]) -> dict[str, float]:
    """Memory in MiB and descriptors of every process, by figure and name."""
    seen = {}
    for name, number in processes.items():
        rollup = Path(f"/proc/{number}/smaps_rollup").read_text("ascii")
        for figure in ("Rss", "Pss"):
            seen[f"{name} {figure.upper()} MiB"] = int(rollup.partition(f"\n{figure}:")[2].split()[0]) / 1024
        seen[f"{name} descriptors"] = float(len(list(Path(f"/proc/{number}/fd").iterdir())))
    return seen


def slopes(looks: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, Figures]:
    """Of each figure: its first and last value that are judged, and its slope."""
    judged = looks[math.ceil(len(looks) * UNJUDGED) :]
    told = {}
    for figure in judged[0][1] if judged else ():
        points = [(at, seen[figure]) for at, seen in judged]
        found = slope(points)
        told[figure] = {
            "first": round(points[0][1], 3),
            "last": round(points[-1][1], 3),
            "an_hour": found.an_hour,
            "error": found.error,
        }
    return told


async def figures_of(status_port: int, names: Iterable[str]) -> dict[str, float]:
    """Of a node's measurements those with these names, each summed over its labels."""

    def fetch() -> str:
        with urlopen(f"http://127.0.0.1:{status_port}/metrics", timeout=30) as response:  # our own node's address
            return str(response.read().decode())

    sums = dict.fromkeys(names, 0.0)
    for family in text_string_to_metric_families(await asyncio.to_thread(fetch)):
        for sample in family.samples:
            if sample.name in sums:
                sums[sample.name] += sample.value
    return sums


async def run(seconds: float) -> Figures:
    async with a_lab(NAMES) as lab:
        with tempfile.TemporaryDirectory() as made:
            names = [record.handle for record in records(NAMES)]
            pool = write_pool(Path(made) / "pool", requests(names))
            await ask_all(lab.node.port, names)
            targets = (Target("http", lab.node.port), Target("udp", lab.node.native_port, 8, 8))
            most = await measure(Plan(pool, targets, seconds=min(5.0, seconds / 4), servers=lab.servers))
            looks, wrong = await _soak(lab, pool, targets, most.rate * SHARE, seconds)
    return {
        "most": round(most.rate),
        "rate": round(most.rate * SHARE),
        **wrong,
        "slopes": slopes(looks),
        "looks": looks,
    }


async def _soak(
    lab: Lab, pool: Path, targets: Sequence[Target], rate: float, seconds: float
) -> tuple[list[tuple[float, dict[str, float]]], dict[str, int]]:
    processes = {"resolver": lab.node.process.pid, "registry": lab.registry}
    looks: list[tuple[float, dict[str, float]]] = []
    failed = {"sent": 0, "wrong": 0, "lost": 0}
    begun, stretch = monotonic(), min(STRETCH, seconds / STRETCHES)
    while (left := seconds - (monotonic() - begun)) > stretch / 2:
        measured = await measure(Plan(pool, targets, seconds=min(stretch, left), rate=rate))
        for name in failed:
            failed[name] += getattr(measured, name)
        seen = {**look(processes), "p99 us": measured.percentile(99)}
        looks.append((round(monotonic() - begun, 1), seen))
        print(json.dumps(looks[-1]), flush=True)
    return looks, failed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("--seconds", type=float, default=HOUR, help="(default: an hour)")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    asked = parser.parse_args()
    where = surroundings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # in order: processes and databases are taken away
    figures = uvloop.run(run(asked.seconds))
    report = {"program": "soak", **where, "seconds": asked.seconds, **figures}
    print(json.dumps(report, ensure_ascii=False))
    if asked.keep:
        print(keep("soak", report), file=sys.stderr)


if __name__ == "__main__":
    main()
