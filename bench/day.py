"""A factory day against a whole node, as fast as it can be answered; then the next day at a fixed rate.

`python -m bench.day [--quick] [--keep] [--directory DIR]` prints a table and one line of JSON. The day of
bench/factory.py resolves a million identifiers, more than half of them one by one over HTTP, and registers an eighth as
many through the registry, in the order in which things happen. It begins with a node that keeps nothing. The next day
comes at --rate requests a second whatever the node does, and the time of each answer counts from when it was due.
Generator, resolver, registry and Postgres share the machine. With --directory the registry is one that
`bench.registry_load` made, and what is registered stays in it. Not measured: networks, TLS, several resolvers, the
native protocol.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from bench.factory import Event, Kind, Scale, day
from bench.forms import ndjson_blocks
from bench.generator import Plan, Target, measure
from bench.hits import hit_ratios
from bench.identifiers import SEED, Record
from bench.lab import Lab, a_lab
from bench.pools import NOTHING, PLAIN, Request, batch, http_send, resolution, write_pool
from bench.surroundings import keep, surroundings
from resolver.cli.invocation import run as run_to_its_end

ASKING, LISTING, WRITING, LOADING = range(4)  # Targets of the plan.
# Many scanners, few systems that send lists; the registry takes two loads at a time.
CONNECTIONS: Final = {ASKING: 64, LISTING: 4, WRITING: 8, LOADING: 2}
CACHE_MEGABYTES: Final = 4096
RATE: Final = 10_000.0
NDJSON: Final = "application/x-ndjson"
NOT_FOUND: Final = 404
CREATED: Final = 201
SHOWN: Final = ("50", "99", "99.9")
NAMES: Final = (
    ("a day as fast as it goes", "混合负载日，尽快回放"),
    ("the next day at a fixed rate", "次日，固定速率"),
)
# Bar and stretch of issue 4.
SECONDS: Final = (60.0, 20.0)
P99_MILLISECONDS: Final = (10.0, 2.0)

Figures = dict[str, Any]


def requests(events: Iterable[Event], authorization: str) -> Iterator[Request]:
    """What is sent for each event. Only what is found counts as an identifier resolved."""
    arrived = [NOTHING]
    for place, (at, kind, names, missing, arrivals, records) in enumerate(events):
        after = arrived[arrivals]
        if records:
            arrived.append(place)
        if kind is Kind.REGISTRATION:
            yield registration(records[0], authorization, at, WRITING)
        elif kind is Kind.LOAD:
            yield _load(records, authorization, at)
        elif kind is Kind.LIST:
            yield batch(names, missing, at=at, after=after, target=LISTING, kind=kind)
        elif kind is Kind.MISSING:
            yield resolution(names[0], at=at, kind=kind, code=NOT_FOUND, identifiers=0)
        else:
            yield resolution(names[0], at=at, after=after, kind=kind)


def registration(record: Record, authorization: str, at: float = 0.0, target: int = 0) -> Request:
    """One identifier, new."""
    values = [
        {"index": index, "type": kind, "data": {"format": "string", "value": text}}
        for index, kind, text in record.values
    ]
    return http_send(
        "PUT",
        f"/api/handles/{quote(record.handle, safe=PLAIN)}",
        orjson.dumps({"values": values}),
        headers=authorization,
        code=CREATED,
        identifiers=0,
        at=at,
        target=target,
        kind=Kind.REGISTRATION,
    )


def _load(records: Iterable[Record], authorization: str, at: float) -> Request:
    rows = tuple(records)
    return http_send(
        "POST",
        "/api/bulk",
        b"".join(block for _, block in ndjson_blocks(iter(rows))),
        b'"created":%d,' % len(rows),
        form=NDJSON,
        headers=authorization,
        identifiers=0,
        at=at,
        target=LOADING,
        kind=Kind.LOAD,
    )


async def replay(lab: Lab, scale: Scale, directory: Path, *, rate: float = 0.0, speed: float = 0.0) -> Figures:
    """A day as fast as it goes, at a rate of requests, or so many times faster than it happened."""
    pool = await asyncio.to_thread(_pool, scale, directory / "day", lab.authorization)
    targets = [
        Target("http", lab.registry_port if number == LOADING else lab.node.port, connections)
        for number, connections in CONNECTIONS.items()
    ]
    order: dict[str, Any] = {"scheduled": True, "speed": speed} if speed else {"once": True, "rate": rate}
    async with hit_ratios(lab.node.status_port) as ratios:
        measured = await measure(Plan(pool, targets, check=1, servers=lab.servers, patience=60.0, **order))
    kinds = {kind.name.lower(): measured.kinds[kind].to_json() for kind in Kind}
    return {
        "registered_before": scale.registered,
        "registered": scale.to_register,
        **measured.to_json(),
        "kinds": kinds,
        "hit_ratio": ratios,
    }


def _pool(scale: Scale, path: Path, authorization: str) -> Path:
    return write_pool(path, requests(day(scale), authorization))


async def run(asked: argparse.Namespace) -> list[Figures]:
    """Two days that follow each other, the second at a rate."""
    figures = []
    async with a_lab(asked.registered, asked.directory, cache_megabytes=CACHE_MEGABYTES) as lab:
        registered = await lab.registered()
        print(f"{registered} identifiers are there", file=sys.stderr)
        with tempfile.TemporaryDirectory() as directory:
            scale = Scale(registered, asked.resolved, asked.seed)
            for rate in (0.0, asked.rate):
                english, chinese = NAMES[rate > 0]
                measured = await replay(lab, scale, Path(directory), rate=rate)
                figures.append({"name": english, "name_zh": chinese, "asked_rate": rate, **measured})
                print(lines(figures[-1]), flush=True)
                scale = replace(scale, registered=scale.registered + scale.to_register)
    return figures


def judged(days: Sequence[Figures]) -> list[Figures]:
    """The figures that have a bar. Less is better in both."""
    first, second = days
    reads = second["kinds"]["one"]["percentiles_us"]["99"] / 1000
    return [
        _figure("a whole day", "一整天的负载", "s", first["seconds"], SECONDS),
        _figure("p99 of single resolutions at a fixed rate", "固定速率下单条解析的 p99", "ms", reads, P99_MILLISECONDS),
        _figure(
            "p99 of all requests at a fixed rate",
            "固定速率下全部请求的 p99",
            "ms",
            second["percentiles_us"]["99"] / 1000,
        ),
    ]


def _figure(
    english: str, chinese: str, unit: str, value: float, bars: Sequence[float | None] = (None, None)
) -> Figures:
    bar, stretch = bars
    named = {"figure": english, "figure_zh": chinese, "unit": unit}
    return {**named, "median": value, "bar": bar, "stretch": stretch, "least": False}


def lines(figures: Figures) -> str:
    first = (
        f"{figures['name']}: {figures['identifiers']:,} identifiers resolved and {figures['registered']:,} registered "
        f"among {figures['registered_before']:,} in {figures['seconds']:.1f} s; "
        f"wrong {figures['wrong']}, lost {figures['lost']}"
    )
    kinds = [
        f"  {name:<13}{tally['answered']:>9,} requests   "
        + "   ".join(f"p{share} {tally['percentiles_us'][share] / 1000:8.2f} ms" for share in SHOWN)
        for name, tally in figures["kinds"].items()
    ]
    return "\n".join((first, *kinds))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description="A factory day, compressed.")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the day in a small registry")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--directory", type=Path, help="data directory of a registry that bench.registry_load made")
    parser.add_argument("--registered", type=int, default=0, help="identifiers of a registry of its own")
    parser.add_argument("--resolved", type=int, default=0, help="identifiers that are resolved in a day")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second of the second day")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    asked.registered = asked.registered or (20_000 if asked.quick else 1_000_000)
    asked.resolved = asked.resolved or (50_000 if asked.quick else 1_000_000)
    where = surroundings()
    days = run_to_its_end(run(asked))
    settings = {"seed": asked.seed, "rate": asked.rate, "cache_megabytes": CACHE_MEGABYTES}
    report = {"program": "day", **where, "settings": settings, "figures": judged(days), "runs": days}
    print(orjson.dumps(report).decode())
    if asked.keep:
        print(keep("day", report), file=sys.stderr)


if __name__ == "__main__":
    main()
