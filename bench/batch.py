"""Identifiers a second through POST /api/resolve, none of them kept and then all of them.

`python -m bench.batch [--quick] [--keep]` prints a table and one line of JSON; --keep writes it to bench/results. One
worker in a process of its own is asked over loopback connections that each have one request in flight. The first pass
asks for every identifier once and has it read from Postgres, which runs on the same cores; the passes that follow ask
for what is kept. The counts at the end of every answer are looked at, and one answer in 16 is compared name by name and
value by value with what was registered; a wrong one ends the run. Not measured: networks, TLS, several workers.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final, cast

import orjson
import uvloop

from bench.books import a_book
from bench.identifiers import records
from bench.nodes import BenchNode, a_node
from bench.surroundings import keep, surroundings

SIZES: Final = (24, 96, 1000, 10_000)  # Handles of a request; a pallet's, a lorry's, and the most that are allowed.
UNCACHED_SIZE: Final = 1000
CONNECTIONS: Final = 2
SAMPLED: Final = 16
CACHE_MEGABYTES: Final = 2048  # Nothing is evicted.
MICRO: Final = 1e6
LAST_CHUNK: Final = b"\r\n0\r\n\r\n"  # Cannot stand inside JSON, which has no raw line breaks.

Registered = dict[str, list[tuple[int, str]]]
Figures = dict[str, Any]


class Asker(asyncio.Protocol):
    """One connection that sends a request and takes the octets of its answer, chunks and all."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._taken: list[bytes] = []
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._taken.append(data)
        end = data if len(data) >= len(LAST_CHUNK) else b"".join(self._taken[-8:])
        if end.endswith(LAST_CHUNK):
            self._answer.set_result(b"".join(self._taken))
            self._taken.clear()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the node hung up"))

    async def ask(self, request: bytes) -> bytes:
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


def request_of(names: Sequence[str]) -> bytes:
    body = orjson.dumps(names)
    head = (
        b"POST /api/resolve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return head % len(body) + body


def body_of(answer: bytes) -> bytes:
    """What the chunks of an answer hold."""
    body = bytearray()
    rest = answer.partition(b"\r\n\r\n")[2]
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        start = rest.index(b"\r\n") + 2
        body += rest[start : start + size]
        rest = rest[start + size + 2 :]
    return bytes(body)


def check(answer: bytes, names: Sequence[str], registered: Registered, *, whole: bool) -> None:
    """Raises RuntimeError for an answer that is not what it should be."""
    if b'"counts":{"found":%d,"notFound":0,"refused":0,"busy":0}}' % len(names) not in answer[-200:]:
        raise RuntimeError(f"not all were found: {answer[-200:]!r}")
    if not whole:
        return
    results = orjson.loads(body_of(answer))["results"]
    for name, result in zip(names, results, strict=True):
        values = [(value["index"], value["data"]["value"]) for value in result["values"]]
        if result["handle"] != name or values != registered[name]:
            raise RuntimeError(f"{name} was answered with {result}")


async def one_pass(node: BenchNode, registered: Registered, batches: Sequence[Sequence[str]]) -> Figures:
    """Asks for all batches, each once."""
    requests = iter([(request_of(names), names) for names in batches])
    octets, number, seconds = 0, 0, []

    async def ask_some() -> None:
        nonlocal octets, number
        _, asker = await asyncio.get_running_loop().create_connection(Asker, "127.0.0.1", node.port)
        for request, names in requests:
            begun = perf_counter()
            answer = await asker.ask(request)
            seconds.append(perf_counter() - begun)
            octets += len(answer)
            number += 1
            check(answer, names, registered, whole=number % SAMPLED == 0)
        asker.transport.close()

    used, begun = node.cpu_seconds(), perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(ask_some())
    lasted, used = perf_counter() - begun, node.cpu_seconds() - used
    identifiers = sum(map(len, batches))
    seconds.sort()
    return {
        "identifiers": identifiers,
        "identifiers_per_second": round(identifiers / lasted),
        "node_cpu_us": round(used / identifiers * MICRO, 3),
        "node_core": round(used / lasted, 2),
        "octets_each": round(octets / identifiers),
        "milliseconds": {
            name: round(seconds[int(len(seconds) * share)] * 1000, 2) for name, share in (("p50", 0.5), ("p99", 0.99))
        },
    }


def cut(names: Sequence[str], size: int, identifiers: int) -> list[list[str]]:
    """Batches of names drawn at random."""
    chance = random.Random(size)
    return [chance.choices(names, k=size) for _ in range(max(CONNECTIONS, identifiers // size))]


async def measure(count: int, identifiers: int, dsn: str) -> list[Figures]:
    figures: list[Figures] = []
    registered = {one.handle: [(index, text) for index, _, text in one.values] for one in records(count)}
    names = list(registered)
    random.Random(0).shuffle(names)
    once = [names[begin : begin + UNCACHED_SIZE] for begin in range(0, count, UNCACHED_SIZE)]

    def note(state: str, size: int, measured: Figures) -> None:
        figures.append({"state": state, "size": size, "connections": CONNECTIONS, **measured})
        print(line(figures[-1]), flush=True)

    with tempfile.TemporaryDirectory() as directory:
        async with a_book(count, dsn) as (address, _):
            print(f"{count} identifiers are there", file=sys.stderr)
            async with a_node(address, Path(directory), cache_megabytes=CACHE_MEGABYTES) as node:
                note("uncached", UNCACHED_SIZE, await one_pass(node, registered, once))
                for size in SIZES:
                    note("cached", size, await one_pass(node, registered, cut(names, size, identifiers)))
    return figures


def line(figures: Figures) -> str:
    return (
        f"{figures['state']:<9} {figures['size']:>6} at once {figures['identifiers_per_second']:>10,} identifiers/s   "
        f"{figures['node_cpu_us']:>7} µs of the node's CPU each   "
        + ", ".join(f"{name} {value} ms" for name, value in figures["milliseconds"].items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description="Identifiers a second in batches.")
    parser.add_argument("--quick", action="store_true", help="some seconds, rough figures")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    arguments = parser.parse_args()
    where = surroundings()
    count, identifiers = (10_000, 100_000) if arguments.quick else (200_000, 4_000_000)
    figures = uvloop.run(measure(count, identifiers, arguments.dsn))
    report = {"program": "batch", **where, "registered": count, "passes": figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("batch", report), file=sys.stderr)


if __name__ == "__main__":
    main()
