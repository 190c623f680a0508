"""A node that is asked for ten times what it can answer: what it still answers, what it sheds, and when it is calm.

`python -m bench.overload [--seconds N] [--times 10] [--keep]` measures first what one worker answers at most of a mix:
names that it keeps and names that it does not, over HTTP and UDP. Then it is asked for so many times that rate, evenly,
whether answers come or not (bench/load.c), and good clients (bench/calm.py) ask for kept names meanwhile and after.
Printed: right answers a second of each kind, what was refused (503, 429, code 3), lost and wrong, the good clients'
99th percentile before, during and after, seconds until it is back within three times that of before, and how often the
node said that it was overloaded. Node and everybody else have a core each, where there are two. A generator on such a
machine cannot send ten times what a whole node answers, so the node is made smaller: its connections to the Postgres
that is started here stand still for six sevenths of the time (`database`), as on a disk that cannot keep up. Not
measured: networks, several workers; what the generator could not even send is told apart (`not_sent`).
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Final

import asyncpg
import uvloop

from bench.books import a_book
from bench.flood import OURS, RECOVERY, THEIRS, WITHIN, GoodClients, p99, pin, recovered
from bench.generator import Plan, Target, measure
from bench.measured import Measured
from bench.nodes import BenchNode, a_node, ask_all
from bench.pools import Request, native, resolution, write_pool
from bench.soak import figures_of
from bench.surroundings import keep, surroundings

NAMES: Final = 2_000
POOL: Final = 400_000  # Requests; from its end it is begun anew, long after names of its beginning were forgotten.
KINDS: Final = ("kept, HTTP", "not kept, HTTP", "kept, UDP", "not kept, UDP")
MIX: Final = (0, 0, 1, 2, 0, 3, 2, 1)  # Of eight requests three are for what nobody asked for before.
BUSY: Final = ("3", "429", "503")
SHOWN: Final = ("filament_overloads_total", "filament_overload_refusals_total", "filament_reads_total")

# Seconds for which the database stands still, longer than a node lets names wait (`overload_wait`), and works.
STANDING, WORKING = 0.6, 0.1
READERS: Final = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'filament resolver%'"

Figures = dict[str, Any]


def requests(names: list[str], number: int = POOL) -> Iterator[Request]:
    """The mix: HTTP is the first target, UDP the second. Names that are not kept are not registered either."""
    for place in range(number):
        kind = MIX[place % len(MIX)]
        name = names[place % len(names)]
        if kind == 0:
            yield resolution(name, kind=kind)
        elif kind == 1:
            yield resolution(f"{name}-x{place:x}", code=404, kind=kind)
        elif kind == 2:
            yield native(name, kind=kind, target=1)
        else:
            # Code 100 comes alone, without the name.
            yield replace(native(f"{name}-y{place:x}", code=100, kind=kind, target=1), marker=b"")


def targets(node: BenchNode) -> tuple[Target, ...]:
    return Target("http", node.port, 256), Target("udp", node.native_port, 32, 16)


def outcome(measured: Measured, asked: float) -> Figures:
    """What came of so many requests."""
    codes = {str(code): count for code, count in sorted(measured.codes.items())}
    shed = sum(codes.get(code, 0) for code in BUSY)
    return {
        "asked": round(asked),
        "not_sent": max(0, round(asked) - measured.sent),
        "right_a_second": {
            name: round(kind.right / measured.seconds) for name, kind in zip(KINDS, measured.kinds, strict=False)
        },
        "right": measured.right,
        "shed": shed,
        "unanswered": measured.lost,
        "wrong": max(0, measured.wrong - shed),
        "wrong_sample": measured.wrong_sample.decode("latin-1"),
        "codes": codes,
    }


async def run(seconds: float, times: float, dsn: str) -> Figures:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        async with a_book(NAMES, dsn) as (address, names), a_node(address, directory) as node:
            pin(node.process.pid, OURS)
            slow = (
                contextlib.nullcontext() if dsn else slowed(address)
            )  # Those of another machine are not ours to stop.
            (directory / "names.json").write_text(json.dumps(names), "utf-8")
            pool = write_pool(directory / "pool", requests(names))
            await ask_all(node.port, names)
            plan = Plan(pool, targets(node), seconds=max(1.0, seconds / 4), core=THEIRS, servers=(node.process.pid,))
            async with slow:
                most = await measure(plan)
                good = await GoodClients.start(node, directory / "names.json")
                try:
                    figures = await _overload(node, good, pool, seconds, times * most.rate)
                finally:
                    await good.end()
            database = "as it was given" if dsn else f"stands still for {STANDING} s of {STANDING + WORKING:.1f} s"
            return {"database": database, "capacity": round(most.rate), **figures}


@asynccontextmanager
async def slowed(dsn: str) -> AsyncIterator[None]:
    """The connections of resolvers to a database of this machine work for a part of the time only."""
    connection = await asyncpg.connect(dsn)
    pulse = asyncio.create_task(_pulse(connection))
    try:
        yield
    finally:
        pulse.cancel()
        await asyncio.wait({pulse})
        await connection.close()


async def _pulse(connection: asyncpg.Connection) -> None:
    while True:
        readers = [row["pid"] for row in await connection.fetch(READERS)]
        try:
            _signal(readers, signal.SIGSTOP)
            await asyncio.sleep(STANDING)
        finally:
            _signal(readers, signal.SIGCONT)
        await asyncio.sleep(WORKING)


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


async def _overload(node: BenchNode, good: GoodClients, pool: Path, seconds: float, rate: float) -> Figures:
    calm_from = monotonic() + 1.0
    await asyncio.sleep(1.0 + min(seconds, 10.0))
    before, begun = await figures_of(node.status_port, SHOWN), monotonic()
    plan = Plan(pool, targets(node), seconds=seconds, rate=rate, core=THEIRS, patience=1.0, servers=(node.process.pid,))
    measured = await measure(plan)
    ended = begun + seconds
    await asyncio.sleep(max(0.0, ended + RECOVERY - monotonic()))
    after = await figures_of(node.status_port, SHOWN)
    calm, during = good.between(calm_from, begun), good.between(begun + 0.5, ended)
    return {
        "rate_asked": round(rate),
        **outcome(measured, rate * measured.seconds),
        "good_asked": len(during),
        "good_unanswered": sum(one.seconds < 0 for one in during),
        "p99_ms": {"calm": p99(calm), "overload": p99(during)},
        "by_transport": {
            kind: p99([one for one in during if one.transport == kind]) for kind in ("http", "tcp", "udp")
        },
        "calm_after_seconds": recovered(good, ended, WITHIN * p99(calm)),
        "node": {name: after[name] - before[name] for name in SHOWN},
        "server_cpu": round(measured.server_cpu / measured.seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.overload")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the overload; 60 for figures to be published")
    parser.add_argument("--times", type=float, default=10.0, help="what the node can answer (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    asked = parser.parse_args()
    where = surroundings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # in order: processes and databases are taken away
    figures = uvloop.run(run(asked.seconds, asked.times, asked.dsn))
    report = {"program": "overload", **where, "seconds": asked.seconds, "times": asked.times, **figures}
    print(json.dumps(report, ensure_ascii=False))
    if asked.keep:
        print(keep("overload", report), file=sys.stderr)


if __name__ == "__main__":
    main()
