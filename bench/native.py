"""Rates of native resolutions over UDP and TCP, by a generator of our own (`bench/native_load.py`).

`python -m bench.native [--quick] [--keep]` prints a table and one line of JSON; --keep writes it to bench/results. One
worker in a process of its own answers what it keeps; the generator is one process on the same machine, so the rates are
those of the two together, and with two cores the generator may be the slower of them: the CPU that the worker used for
each answer is what the node costs. Not measured: networks, several workers, misses, TLS, other clients' software.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import uvloop

from bench.books import a_book
from bench.identifiers import records
from bench.native_load import ask_over_tcp, ask_over_udp
from bench.native_questions import Registered
from bench.nodes import BenchNode, a_node
from bench.surroundings import keep, surroundings

# Transport, connections, requests in flight on each.
SHAPES: Final = (
    ("udp", 1, 1),
    ("udp", 1, 16),
    ("udp", 8, 1),
    ("udp", 8, 16),
    ("tcp", 1, 1),
    ("tcp", 1, 16),
    ("tcp", 8, 1),
    ("tcp", 8, 16),
)
TRANSPORTS: Final[dict[str, Callable[..., Any]]] = {"udp": ask_over_udp, "tcp": ask_over_tcp}
RATE: Final = 1 << 34  # Octets a second to one network: the bound against floods is not what is measured.
MICRO: Final = 1e6

Figures = dict[str, Any]


async def one_shape(
    node: BenchNode, registered: Registered, transport: str, shape: tuple[int, int], seconds: float
) -> Figures:
    connections, in_flight = shape
    ask = TRANSPORTS[transport]
    await ask(node.native_port, registered, connections=connections, in_flight=in_flight, seconds=seconds / 5)
    before = node.cpu_seconds()
    tally, lasted = await ask(
        node.native_port, registered, connections=connections, in_flight=in_flight, seconds=seconds
    )
    used = node.cpu_seconds() - before
    answers = len(tally.seconds)
    centiles = quantiles(tally.seconds, n=1000)
    return {
        "transport": transport,
        "connections": connections,
        "in_flight": in_flight,
        "answers": answers,
        "answers_per_second": round(answers / lasted),
        "node_cpu_us": round(used / answers * MICRO, 2),
        "node_core": round(used / lasted, 2),
        "octets_per_answer": round(tally.octets / answers),
        "sampled": tally.sampled,
        "asked_again": tally.again,
        "milliseconds": {name: round(centiles[place] * 1000, 3) for name, place in CENTILES.items()},
    }


CENTILES: Final = {"p50": 499, "p99": 989, "p99.9": 998}


async def warm(node: BenchNode, registered: Registered) -> None:
    """Asks until everything is kept; datagrams that wait for a read may be asked again."""
    await ask_over_tcp(node.native_port, registered, connections=8, in_flight=8, seconds=2.0)


async def measure(count: int, names: int, seconds: float, dsn: str) -> list[Figures]:
    registered = {
        record.handle: frozenset((index, kind, text.encode()) for index, kind, text in record.values)
        for record, _ in zip(records(count), range(names), strict=False)
    }
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        async with a_book(count, dsn) as (address, _):
            print(f"{count} identifiers are there", file=sys.stderr)
            async with a_node(address, Path(directory), native_udp_rate=RATE) as node:
                await warm(node, registered)
                for transport, *shape in SHAPES:
                    figures.append(await one_shape(node, registered, transport, (shape[0], shape[1]), seconds))
                    print(line(figures[-1]), flush=True)
    return figures


def line(figures: Figures) -> str:
    shape = f"{figures['transport']}  {figures['connections']} × {figures['in_flight']} in flight"
    times = ", ".join(f"{name} {value} ms" for name, value in figures["milliseconds"].items())
    return (
        f"{shape:<24} {figures['answers_per_second']:>8,}/s   {figures['node_cpu_us']:>6} µs of the node's CPU each"
        f"   {times}   asked again {figures['asked_again']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.native", description="Rates of native resolutions.")
    parser.add_argument("--quick", action="store_true", help="a second for each shape, rough figures")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    arguments = parser.parse_args()
    where = surroundings()
    seconds = 1.0 if arguments.quick else 8.0
    figures = uvloop.run(measure(5_000, 2_000, seconds, arguments.dsn))
    report = {"program": "native", **where, "seconds": seconds, "names": 2_000, "shapes": figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("native", report), file=sys.stderr)


if __name__ == "__main__":
    main()
