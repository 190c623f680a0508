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
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
import uvloop

from bench.factory import Event, Kind, Scale, day
from bench.forms import ndjson_blocks
from bench.generator import Plan, Target, measure
from bench.identifiers import SEED, Record
from bench.lab import Lab, a_lab
from bench.measured import Measured
from bench.pools import NOTHING, PLAIN, Request, batch, http_send, resolution, write_pool
from bench.surroundings import keep, surroundings

ASKING, WRITING, LOADING = range(3)  # Targets of the plan.
CONNECTIONS: Final = {ASKING: 64, WRITING: 8, LOADING: 2}  # The registry takes two loads at a time.
CACHE_MEGABYTES: Final = 4096
RATE: Final = 10_000.0
NDJSON: Final = "application/x-ndjson"
NOT_FOUND: Final = 404
CREATED: Final = 201
SHOWN: Final = ("50", "99", "99.9")

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
            yield batch(names, missing, at=at, after=after, kind=kind)
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


async def replay(lab: Lab, scale: Scale, directory: Path, *, rate: float = 0.0, speed: float = 0.0) -> Measured:
    """A day as fast as it goes, at a rate of requests, or so many times faster than it happened."""
    pool = await asyncio.to_thread(_pool, scale, directory / "day", lab.authorization)
    ports = {ASKING: lab.node.port, WRITING: lab.node.port, LOADING: lab.registry_port}
    targets = [Target("http", ports[number], connections) for number, connections in CONNECTIONS.items()]
    order: dict[str, Any] = {"scheduled": True, "speed": speed} if speed else {"once": True, "rate": rate}
    return await measure(Plan(pool, targets, check=1, servers=lab.servers, patience=60.0, **order))


def _pool(scale: Scale, path: Path, authorization: str) -> Path:
    return write_pool(path, requests(day(scale), authorization))


def figures_of(scale: Scale, measured: Measured) -> Figures:
    kinds = {kind.name.lower(): measured.kinds[kind].to_json() for kind in Kind}
    return {
        "registered_before": scale.registered,
        "registered": scale.to_register,
        **measured.to_json(),
        "kinds": kinds,
    }


async def run(asked: argparse.Namespace) -> list[Figures]:
    """Two days that follow each other, the second at a rate."""
    figures = []
    async with a_lab(asked.registered, asked.directory, cache_megabytes=CACHE_MEGABYTES) as lab:
        registered = await lab.registered()
        print(f"{registered} identifiers are there", file=sys.stderr)
        with tempfile.TemporaryDirectory() as directory:
            scale = Scale(registered, asked.resolved, asked.seed)
            for rate in (0.0, asked.rate):
                measured = await replay(lab, scale, Path(directory), rate=rate)
                figures.append({"asked_rate": rate, **figures_of(scale, measured)})
                print(lines(figures[-1]), flush=True)
                scale = replace(scale, registered=scale.registered + scale.to_register)
    return figures


def lines(figures: Figures) -> str:
    rate = figures["asked_rate"]
    how = f"a day at {rate:,.0f} requests/s" if rate else "a day as fast as it goes"
    first = (
        f"{how}: {figures['identifiers']:,} identifiers resolved and {figures['registered']:,} registered among "
        f"{figures['registered_before']:,} in {figures['seconds']:.1f} s; "
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
    days = uvloop.run(run(asked))
    report = {"program": "day", **where, "seed": asked.seed, "cache_megabytes": CACHE_MEGABYTES, "days": days}
    print(orjson.dumps(report).decode())
    if asked.keep:
        print(keep("day", report), file=sys.stderr)


if __name__ == "__main__":
    main()
