"""GS1 Digital Links beside plain handles, in one run: a kept answer in memory, and a whole answer of a node over HTTP.

    python -m bench.digital_link [--quick] [--keep]

Kinds of questions take turns in short blocks, so that whatever else the machine does happens to all of them. The
whole is measured by the CPU time of the node's process; items that are not registered are answered by their product.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import uvloop

from bench.books import a_book
from bench.nodes import BenchNode, a_node
from bench.surroundings import keep, surroundings
from registry.handle import Handle, HandleKey, fold_whole
from registry.names import Names
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix, PrefixTable
from registry.schemes.check_digit import check_digit
from registry.schemes.gs1_digital_link import key_from_path
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.answer import MISSING, found
from resolver.cache import Cache
from resolver.listeners.http.manner import PLAIN
from resolver.listeners.http.ready import ReadyAnswers
from resolver.listeners.http.ready_links import ReadyLinks
from resolver.listeners.http.target import Destinations
from resolver.metrics import Metrics
from resolver.misses import Told
from resolver.settings import ResolverSettings
from resolver.tally import Cell

PRODUCTS: Final = 1000
VALUES: Final = (
    HandleValue(1, "URL", b"https://brand.example/products/garment?from=label"),
    HandleValue(2, "DESC", "涤纶针织短袖，白色，M 码".encode()),
)
HOMED: Final = PrefixTable((Prefix(1, b"88.1", "88.1", True), Prefix(2, b"GS1", "gs1", True)))
MICRO: Final = 1e6
CACHE, ENTRIES, TTL = 64 << 20, 100_000, 3600.0  # Room for all, for the whole measurement.
ROUNDS, QUICK_ROUNDS = 100, 10  # In memory.
BLOCKS, QUICK_BLOCKS = 60, 8  # Over HTTP, of each kind.
FORGOTTEN: Final = 3  # Blocks of each kind in which names are read and kinds of clients become known.
CONNECTIONS: Final = 8
DEADLINE: Final = 300.0  # Seconds for everything over HTTP.

Costs = dict[str, float]
"""Microseconds of one answer by kind of question."""


def gtin(number: int) -> str:
    payload = f"0695060{number:06}"
    return payload + check_digit(payload)


class Kept:
    """A source that knows of every name asked for whether it is registered; it keeps answers as a node does."""

    staleness = 0.0

    def __init__(self, store: Store) -> None:
        self.store = store
        self.cache = Cache(CACHE, ENTRIES, TTL, TTL)
        self.peek_fresh = self.cache.get
        self.still_gives = self.cache.still_gives

    def keep(self, name: str, values: Sequence[HandleValue] = ()) -> None:
        packed = PackedRecord(Handle.from_text(name), pack(values, 0), 0, 1)
        self.cache.put(fold_whole(name.encode()), found(packed, 0) if values else MISSING)

    def ask(self, key: HandleKey, told: Told) -> None:
        raise LookupError(key)


def in_memory(rounds: int) -> Costs:
    """Kept answers from octets to octets, without a connection."""
    store = Store(RegistrySettings(), "bench")
    store.prefixes = HOMED
    source = Kept(store)
    allowed = Destinations.of(ResolverSettings())
    links = ReadyLinks(source, allowed)
    ready = ReadyAnswers(source, Names(fold_whole, lambda: HOMED), Metrics(), links)
    handles, products, items = [], [], []
    for number in range(PRODUCTS):
        source.keep(f"88.1/GARMENT-{number}", VALUES)
        source.keep(f"gs1/01/{gtin(number)}", VALUES)
        handles.append(b"88.1/GARMENT-%d" % number)
        products.append(f"/01/{gtin(number)}".encode())
        items.append(f"/01/{gtin(number)}/10/LOT7/21/S{number}".encode())
        for level in key_from_path(items[-1][1:].decode()).levels()[:-1]:
            source.keep(str(level.handle))
    cell = Cell()

    def answer(every: Sequence[bytes], work: Callable[..., bytes | None]) -> None:
        for name in every:
            assert work(name, PLAIN, cell) is not None

    def make(every: Sequence[bytes]) -> None:
        for path in every:
            assert ReadyLinks(source, allowed).find(path) is not None

    def read(every: Sequence[str]) -> None:
        for path in every:
            key_from_path(path)

    return _fastest(
        {
            "handle": partial(answer, handles, ready.answer),
            "product": partial(answer, products, ready.answer_link),
            "item, by its product": partial(answer, items, ready.answer_link),
            "product, not remembered": partial(make, products),
            "item, read": partial(read, [item[1:].decode() for item in items]),
        },
        rounds,
    )


def _fastest(work: dict[str, Callable[[], None]], rounds: int) -> Costs:
    """The fastest round of each kind; the kinds take turns."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for kind, do in work.items():
            begun = perf_counter()
            do()
            best[kind] = min(best[kind], perf_counter() - begun)
    return {kind: seconds / PRODUCTS * MICRO for kind, seconds in best.items()}


async def over_http(blocks: int, dsn: str) -> Costs:
    """The node's CPU for a whole answer, the kernel's part of it included."""
    async with a_book(1, dsn) as (address, _):
        await _register(address)
        with tempfile.TemporaryDirectory() as directory:
            # What is not registered is kept all the while, as what is: no question is answered by a read.
            async with a_node(address, Path(directory), missing_ttl=3600) as node, asyncio.timeout(DEADLINE):
                return await _take_turns(node, blocks)


async def _register(dsn: str) -> None:
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    try:
        async with begin(store, "bench") as transaction:
            await transaction.home("gs1")
            await transaction.home("88.1")
        await store.load_prefixes()
        async with begin(store, "bench") as transaction:
            for number in range(PRODUCTS):
                await transaction.create(Handle("gs1", f"01/{gtin(number)}"), VALUES)
                await transaction.create(Handle("88.1", f"GARMENT-{number}"), VALUES)
    finally:
        await store.close()


async def _take_turns(node: BenchNode, blocks: int) -> Costs:
    kinds = {
        "handle": (200, [f"/api/handles/88.1/GARMENT-{number}" for number in range(PRODUCTS)]),
        "product": (307, [f"/01/{gtin(number)}" for number in range(PRODUCTS)]),
        "item, by its product": (307, [f"/01/{gtin(number)}/10/L/21/S{number}" for number in range(PRODUCTS)]),
    }
    costs: dict[str, list[float]] = {kind: [] for kind in kinds}
    # The same connections throughout: the first question on one takes the long way, whatever it asks for.
    connections = [await asyncio.open_connection("127.0.0.1", node.port) for _ in range(CONNECTIONS)]
    for block in range(blocks + FORGOTTEN):
        for kind, (status, targets) in kinds.items():
            before = _cpu(node)
            await _ask_all(connections, targets, status)
            if block >= FORGOTTEN:
                costs[kind].append((_cpu(node) - before) / len(targets) * MICRO)
    for _, writer in connections:
        writer.close()
    return {kind: median(each) for kind, each in costs.items()}


def _cpu(node: BenchNode) -> float:
    """Seconds, to the microsecond: the ticks of /proc/…/stat are too coarse for a block."""
    tasks = Path(f"/proc/{node.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text("ascii").split()[0]) for task in tasks) / 1e9


async def _ask_all(
    connections: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]], targets: Sequence[str], status: int
) -> None:
    remaining = iter(targets)

    async def ask_some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for target in remaining:
            writer.write(f"GET {target} HTTP/1.1\r\nHost: id.example\r\nAccept: */*\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
            assert int(head[9:12]) == status, head

    async with asyncio.TaskGroup() as group:
        for reader, writer in connections:
            group.create_task(ask_some(reader, writer))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.digital_link", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="some seconds, rough figures")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    figures = {
        "kept answer": in_memory(QUICK_ROUNDS if arguments.quick else ROUNDS),
        "over HTTP": uvloop.run(over_http(QUICK_BLOCKS if arguments.quick else BLOCKS, arguments.dsn)),
    }
    for place, costs in figures.items():
        for kind, microseconds in costs.items():
            ratio = microseconds / costs["handle"]
            print(f"{place}, {kind:<26} {microseconds:8.2f} µs {ratio:6.2f} of a plain handle")
    report = {"program": "digital_link", **where, "unit": "µs", "cpu": figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("digital_link", report), file=sys.stderr)


if __name__ == "__main__":
    main()
