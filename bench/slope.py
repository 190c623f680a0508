"""What an answer costs in registries of several sizes: the rate of kept answers and their p99, side by side.

`python -m bench.slope --directories DIR DIR … [--keep]` takes registries that `bench.registry_load` made, starts a node
over each, and lets them take turns: as many answers as one connection a request gives, then the p99 at a fixed rate.
The nodes that wait for their turn only look for changes. Generator, resolvers and Postgres share the machine.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from bench.chosen import chosen
from bench.generator import Plan, Target, measure
from bench.lab import Lab, a_lab
from bench.pools import resolution, write_pool
from bench.surroundings import keep, surroundings

KEPT: Final = 50_000  # Names asked for again and again; the smallest registry has more.
SECONDS: Final = 2.0  # Of one measurement.
RATE: Final = 10_000.0  # Requests a second at which the p99 is taken.

Figures = dict[str, Any]


def main() -> int:
    """Measures, prints a JSON line for each turn and one for the whole."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.slope", description="Measure what the size of a registry costs."
    )
    parser.add_argument("--directories", type=Path, nargs="+", required=True, help="data directories, smallest first")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second for the p99 (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = {"program": "slope", **surroundings(), **uvloop.run(_measure(asked))}
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("slope", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace) -> Figures:
    async with AsyncExitStack() as stack:
        labs = [await stack.enter_async_context(a_lab(0, directory)) for directory in asked.directories]
        pools = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sizes = [await lab.registered() for lab in labs]
        for lab, size in zip(labs, sizes, strict=True):
            pool = write_pool(pools / str(size), map(resolution, chosen(size, KEPT)))
            await measure(Plan(pool, (Target("http", lab.node.port),), once=True))  # so that they are kept
        turns = [
            await _turn(lab, size, pools / str(size), asked.rate, number)
            for number in range(asked.rounds)
            for lab, size in zip(labs, sizes, strict=True)
        ]
    return {"rate": asked.rate, "summary": _summary(turns, sizes), "turns": turns}


async def _turn(lab: Lab, size: int, pool: Path, rate: float, number: int) -> Figures:
    plan = Plan(pool, (Target("http", lab.node.port),), seconds=SECONDS, servers=lab.servers)
    fastest = await measure(plan)
    paced = await measure(Plan(plan.pool, plan.targets, seconds=SECONDS, rate=rate, servers=lab.servers))
    turn = {"round": number, "registered": size, "fastest": fastest.to_json(), "paced": paced.to_json()}
    shown = {"rate": round(fastest.rate), "p99_us": paced.percentile(99), "wrong": fastest.wrong + paced.wrong}
    print(orjson.dumps({"round": number, "registered": size, **shown}).decode(), flush=True)
    return turn


def _summary(turns: list[Figures], sizes: list[int]) -> dict[str, Figures]:
    """Medians, and the rate of each size in proportion to the smallest one's of the same round."""
    summary: dict[str, Figures] = {}
    smallest = {turn["round"]: turn["fastest"]["rate"] for turn in turns if turn["registered"] == sizes[0]}
    for size in sizes:
        mine = [turn for turn in turns if turn["registered"] == size]
        summary[str(size)] = {
            "rate": round(statistics.median(turn["fastest"]["rate"] for turn in mine)),
            "of_smallest": round(
                statistics.median(turn["fastest"]["rate"] / smallest[turn["round"]] for turn in mine), 3
            ),
            "p99_us": statistics.median(turn["paced"]["percentiles_us"]["99"] for turn in mine),
            "wrong": sum(turn[way]["wrong"] + turn[way]["lost"] for turn in mine for way in ("fastest", "paced")),
        }
    return summary


if __name__ == "__main__":
    sys.exit(main())
