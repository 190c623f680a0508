"""From commit to the new answer: how long a resolver still gives the old one after a write was acknowledged.

`python -m bench.freshness [--writes N] [--keep]` prints percentiles in milliseconds and one line of JSON. Each
write is a transaction on one handle through registry.transaction; from the moment it was acknowledged a client asks the
resolver over HTTP, one question after the other, until it says the new text. Before each write the old answer is made
sure to be kept. Other names are asked for all the while, and with --load a bulk load's ranges are written beside. Not
measured: replicas that lag, several machines.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop

from bench.books import a_book
from bench.nodes import Client, a_node
from bench.surroundings import keep, surroundings
from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue

MILLI: Final = 1000.0
AIM: Final = 200.0  # Milliseconds, of the 99.9th percentile.
IDENTIFIERS: Final = 5_000
RANGE_LOG: Final = """
INSERT INTO change_log (kind, prefix_id, suffix, suffix_to) SELECT 2, prefix_id, 'A', 'Z' FROM prefix WHERE homed
"""
CHUNKS_A_SECOND: Final = 3


async def one_delay(store: Store, client: Client, name: str, text: str) -> float:
    """Milliseconds from the acknowledged commit to the first new answer."""
    await client.ask(name)
    async with begin(store, "bench") as transaction:
        record = await transaction.lock(Handle.from_text(name))
        assert record is not None
        kept = [value for value in record.values if value.index != 999]
        await transaction.replace(record, [*kept, HandleValue(999, "NOTE", text.encode())])
    committed = perf_counter()
    wanted = text.encode()
    while wanted not in (await client.ask(name))[1]:
        pass
    return (perf_counter() - committed) * MILLI


async def delays(dsn: str, port: int, names: list[str], writes: int) -> list[float]:
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    client = await Client.connect(port)
    chance = random.Random(1)
    try:
        return [await one_delay(store, client, chance.choice(names), f"write {number}") for number in range(writes)]
    finally:
        client.close()
        await store.close()


async def ask_on(port: int, names: list[str]) -> None:
    """Somebody else's questions, some two hundred a second."""
    client = await Client.connect(port)
    chance = random.Random(3)
    while True:
        await client.ask(chance.choice(names))
        await asyncio.sleep(0.005)


async def load_on(dsn: str) -> None:
    """The ranges that a bulk load would write, one chunk after the other over all prefixes."""
    store = Store(RegistrySettings(dsn=dsn), "bench")
    try:
        while True:
            async with store.connection() as connection:
                await connection.execute(RANGE_LOG)
            await asyncio.sleep(1 / CHUNKS_A_SECOND)
    finally:
        await store.close()


async def measure(writes: int, loading: bool, dsn: str) -> list[float]:
    async with a_book(IDENTIFIERS, dsn) as (address, names):
        with tempfile.TemporaryDirectory() as directory:
            async with a_node(address, Path(directory)) as node:
                beside = [asyncio.create_task(ask_on(node.port, names))]
                if loading:
                    beside.append(asyncio.create_task(load_on(address)))
                try:
                    return await delays(address, node.port, names, writes)
                finally:
                    for task in beside:
                        task.cancel()
                    await asyncio.wait(beside)


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.freshness", description="From commit to the new answer.")
    parser.add_argument("--writes", type=int, default=2000)
    parser.add_argument("--load", action="store_true", help="with the ranges of a bulk load beside")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    ordered = sorted(uvloop.run(measure(arguments.writes, arguments.load, arguments.dsn)))
    figures = {
        name: round(percentile(ordered, share), 2)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
    }
    for name, milliseconds in figures.items():
        print(f"{name:<6} {milliseconds:8.2f} ms")
    outcome = "met" if figures["p99.9"] < AIM else "missed"
    print(f"aim: p99.9 under {AIM:.0f} ms, {outcome}")
    measured = {"writes": arguments.writes, "load": arguments.load, "unit": "ms", **figures}
    report = {"program": "freshness", **where, **measured}
    print(json.dumps(report))
    if arguments.keep:
        print(keep("freshness-under-load" if arguments.load else "freshness", report), file=sys.stderr)


if __name__ == "__main__":
    main()
