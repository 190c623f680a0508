"""CPU of each stage of a cached and an uncached answer: where a change of the path shows first.

`python -m bench.cost [--quick] [--keep]` prints a table, then one line of JSON. Stages are measured alone, in this
process; the whole is measured on a resolver in a process of its own over loopback connections, by the CPU time that
it used, the kernel's part of it included. Not measured: Postgres's own CPU, TLS, several workers, and latency (see
freshness.py).
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from time import process_time
from typing import Final

import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.books import a_book
from bench.nodes import a_node, ask_all
from bench.surroundings import keep, surroundings
from registry.authentication import Authenticator
from registry.exchanges import Exchanges
from registry.handle import HandleKey
from registry.packing import PackedRecord
from registry.registration import Registration
from registry.routes import percent_decode
from registry.settings import RegistrySettings
from registry.site import ServerInfo, SiteInfo
from registry.store import Store
from resolver.answer import found
from resolver.cache import Cache
from resolver.listeners.http.batch_forms import LIST
from resolver.listeners.http.batch_names import heads_of, joined, keys_of
from resolver.listeners.http.manner import PLAIN
from resolver.listeners.http.ready import ReadyAnswers
from resolver.metrics import Metrics
from resolver.misses import Misses
from resolver.operations import Operations
from resolver.resolution import Resolver
from resolver.tally import Cell
from resolver.wire.message import Message
from resolver.wire.query import Query

MICRO: Final = 1e6
BATCHES: Final = (1, 16, 64)
BATCH: Final = 1000  # Names of a batch over HTTP.
LONG_WAY: Final = "Range: bytes=0-\r\n"  # Means nothing to the node, but is no ordinary question.
ENOUGH: Final = 1 << 30  # Octets of cache: nothing is evicted.

Costs = dict[str, float]
"""Microseconds of CPU by stage."""


def cost(work: Callable[[str], object], over: Sequence[str], rounds: int) -> float:
    """Microseconds of one call, the fastest of some rounds over the same names in an order that no cache line likes."""
    shuffled = random.Random(1).sample(over, len(over))
    best = float("inf")
    for _ in range(rounds):
        begun = process_time()
        for one in shuffled:
            work(one)
        best = min(best, process_time() - begun)
    return best / len(over) * MICRO


async def cost_of_awaiting(work: Callable[[int], Awaitable[object]], times: int) -> float:
    begun = process_time()
    for number in range(times):
        await work(number)
    return (process_time() - begun) / times * MICRO


async def stages(dsn: str, names: list[str], rounds: int) -> Costs:
    """Each stage alone."""
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    try:
        keys = {name: store.key_of(name.encode()) for name in names}
        packed = await _fetch_all(store, list(keys.values()))
        costs = _synchronous(store, keys, packed, rounds)
        for batch in BATCHES:
            costs[f"fetch, {batch} at once, each"] = await _fetch_cost(store, list(keys.values()), batch)
        return costs
    finally:
        await store.close()


def _synchronous(store: Store, keys: dict[str, HandleKey], packed: dict[HandleKey, PackedRecord], rounds: int) -> Costs:
    metrics = Metrics()
    cache = Cache(ENOUGH, 10, 300.0, 30.0)
    misses = Misses(store, metrics, readers=1, queue=10, deadline=1.0)
    resolver = Resolver(store, cache, misses, metrics)
    resolver.heard()
    answers = {name: found(packed[key], 0) for name, key in keys.items()}
    for name, key in keys.items():
        cache.put(key, answers[name])
    targets = {name: f"/api/handles/{name}" for name in keys}
    octets = {name: name.encode() for name in keys}
    ready = ReadyAnswers(resolver, resolver.names, metrics)
    cell = metrics.tally.cells["http"]["127.0.0.1"]
    names = list(keys)

    def put(name: str) -> None:
        cache.put(keys[name], answers[name])

    return {
        "decode target": cost(lambda name: percent_decode(targets[name][13:]), names, rounds),
        "key_of": cost(lambda name: store.key_of(name.encode()), names, rounds),
        "peek": cost(lambda name: resolver.peek(keys[name]), names, rounds),
        "ready": cost(lambda name: ready.answer(octets[name], PLAIN, cell), names, rounds),
        "body": cost(lambda name: answers[name].body(name), names, rounds),
        "unpack": cost(lambda name: packed[keys[name]].unpack(), names, rounds),
        "render": cost(lambda name: found(packed[keys[name]], 0), names, rounds),
        "keep": cost(put, names, rounds),
        **_batch(store, resolver, names, rounds),
        **_native(store, resolver, names, rounds),
    }


def _batch(store: Store, resolver: Resolver, names: list[str], rounds: int) -> Costs:
    """What each name of a batch costs before its answer is joined; its request and its socket are not in it."""
    chance = random.Random(3)
    batches = {str(number): chance.choices(names, k=BATCH) for number in range(max(1, len(names) // BATCH))}
    plain = {number: joined(batch) for number, batch in batches.items()}
    keys = {number: keys_of(batch, plain[number], store.key_of) or [] for number, batch in batches.items()}
    stages: dict[str, Callable[[str], object]] = {
        "batch: join": lambda number: joined(batches[number]),
        "batch: keys": lambda number: keys_of(batches[number], plain[number], store.key_of),
        "batch: peek": lambda number: resolver.peek_many(keys[number]),
        "batch: heads": lambda number: heads_of(batches[number], plain[number], LIST.between),
    }
    return {f"{stage}, each": cost(work, list(batches), rounds) / BATCH for stage, work in stages.items()}


def _native(store: Store, resolver: Resolver, names: list[str], rounds: int) -> Costs:
    """A cached answer in the native protocol, from octets to octets; its socket is not in it."""
    site = SiteInfo(1, (ServerInfo(1, IPv4Address("127.0.0.1"), b"", ()),))
    key = rsa.generate_private_key(65537, 2048)
    registration, authenticator = Registration(store, ()), Authenticator(store)
    operations = Operations(resolver, registration, authenticator, Exchanges(store, b"bench"), lambda: site, key)
    requests = {name: _asked(name) for name in names}
    messages = {name: Message.from_wire(octets) for name, octets in requests.items()}
    cell = Cell()

    def from_octets_to_octets(name: str) -> bytes:
        answer = operations.respond_now(Message.from_wire(requests[name]), "udp")
        assert answer is not None
        return answer.to_wire()

    return {
        "native: decode": cost(lambda name: Message.from_wire(requests[name]), names, rounds),
        "native: respond_now": cost(lambda name: operations.respond_now(messages[name], "udp"), names, rounds),
        "cached native answer, read": cost(from_octets_to_octets, names, rounds),
        "cached native answer": cost(lambda name: operations.ready(requests[name], cell), names, rounds),
    }


def _asked(name: str) -> bytes:
    """A query as the reference client writes it."""
    body = Query(name.encode()).to_wire()
    return Message(2, 11, 2, 11, 0, 1, 0, 1, 0, 0x19000000, 1, 0, 0, 0xFFFFFFFF, body, b"").to_wire()


async def _fetch_all(store: Store, keys: list[HandleKey]) -> dict[HandleKey, PackedRecord]:
    packed: dict[HandleKey, PackedRecord] = {}
    for start in range(0, len(keys), 256):
        packed |= await store.fetch_packed(keys[start : start + 256])
    return packed


async def _fetch_cost(store: Store, keys: list[HandleKey], batch: int) -> float:
    chance = random.Random(batch)
    times = max(50, min(2000, len(keys) // batch))

    async def fetch(_: int) -> object:
        return await store.fetch_packed(chance.sample(keys, batch))

    return await cost_of_awaiting(fetch, times) / batch


async def whole(dsn: str, names: list[str], requests: int) -> Costs:
    """Whole answers of a resolver process, over HTTP."""
    chance = random.Random(2)
    warm, cold = names[: len(names) // 4], names[len(names) // 4 :][:requests]
    with tempfile.TemporaryDirectory() as directory:
        async with a_node(dsn, Path(directory), cache_megabytes=1024) as node:

            async def measure(asked: list[str], expected: int, headers: str = "") -> float:
                before = node.cpu_seconds()
                others = await ask_all(node.port, asked, headers=headers)
                assert others == expected, f"{others} answers of {len(asked)} were not what they should be"
                return (node.cpu_seconds() - before) / len(asked) * MICRO

            await ask_all(node.port, warm)
            cached = await measure(chance.choices(warm, k=requests), 0)
            long_way = await measure(chance.choices(warm, k=requests), 0, LONG_WAY)
            uncached = await measure(cold, 0)
            absent = [f"{name}-absent" for name in warm[:1000]]
            await ask_all(node.port, absent)
            missing = await measure(chance.choices(absent, k=requests), requests)
    return {
        "HTTP answer, cached": cached,
        "HTTP answer, cached, long way": long_way,
        "HTTP answer, uncached": uncached,
        "HTTP answer, known missing": missing,
    }


async def measure(count: int, rounds: int, requests: int, dsn: str) -> Costs:
    async with a_book(count, dsn) as (address, names):
        print(f"{count} identifiers are there", file=sys.stderr)
        return await stages(address, names[: count // 2], rounds) | await whole(address, names, requests)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description="CPU per stage of an answer.")
    parser.add_argument("--quick", action="store_true", help="a few seconds, rough figures")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    count, rounds, requests = (4_000, 2, 2_000) if arguments.quick else (40_000, 3, 20_000)
    costs = uvloop.run(measure(count, rounds, requests, arguments.dsn))
    for stage, microseconds in costs.items():
        print(f"{stage:<28} {microseconds:8.2f} µs")
    report = {"program": "cost", **where, "identifiers": count, "unit": "µs", "cpu": costs}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("cost", report), file=sys.stderr)


if __name__ == "__main__":
    main()
