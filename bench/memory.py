"""Memory of a kept answer, and what a million of them cost a look-up and a collection.

`python -m bench.memory [--quick] [--keep]` prints a table and one line of JSON. Each kind of answer is measured in a
process of its own: the growth of its resident memory by answer, what the cache takes it for, one look-up in an order
that no cache line likes, the longest collection before and after the collector leaves them alone, memory and look-up
again with huge pages, and what comes back when the answers have expired. Not measured: sockets, and the memory of a
process that holds nothing.
"""

import argparse
import gc
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any, Final

from bench.identifiers import records
from bench.surroundings import keep, surroundings
from registry.handle import Handle, fold_whole
from registry.packing import PackedRecord, pack
from registry.value import HandleValue
from resolver.answer import found
from resolver.cache import Cache
from resolver.memory import ask_for_huge_pages, give_back_memory, huge_octets

WRITTEN_AT: Final = 1_750_000_000
BODY: Final = 408  # Octets of the whole body under a name of 27: the size that caches are compared by.
ENOUGH: Final = 1 << 40
TTL: Final = 300.0
LOOKED_UP: Final = 200_000
NANO: Final = 1e9
MILLI: Final = 1e3

Named = Iterator[tuple[str, list[tuple[int, str, str]]]]


def equal(count: int) -> Named:
    """Names of 27 octets, and values that make a body of 408."""
    for number in range(count):
        yield (
            f"88.168.10/P.{number:015}",
            [(1, "URL", f"https://id.example.com/{number:086}"), (2, "BATCH", "P24050101")],
        )


def lower_case(count: int) -> Named:
    """The same under names whose keys are other strings."""
    return ((name.replace("P", "p"), values) for name, values in equal(count))


def demo(count: int) -> Named:
    """The demo's records."""
    return ((record.handle, list(record.values)) for record in records(count))


KINDS: Final[Mapping[str, Callable[[int], Named]]] = {"equal": equal, "lower case": lower_case, "demo": demo}


def measure(kind: str, count: int) -> dict[str, Any]:
    """The figures of one kind; for a process that did nothing else before."""
    cache = Cache(ENOUGH, 10, TTL, TTL)
    fill(cache, KINDS[kind], 1000)  # What is made once is no part of an answer.
    cache = Cache(ENOUGH, 10, TTL, TTL)
    gc.collect()
    before = resident()
    begun = process_time()
    body = fill(cache, KINDS[kind], count)
    filled = process_time() - begun
    gc.collect()
    figures: dict[str, Any] = {
        "kind": kind,
        "answers": len(cache),
        "octets of a body": round(body),
        "octets each": round((resident() - before) / len(cache), 1),
        "octets each, as accounted": round(cache.octets / len(cache), 1),
        "fill, µs each": round(filled / len(cache) * 1e6, 1),
        "look-up, ns": look_up(cache, kind),
        "collection of everything, ms": collect(),
    }
    gc.freeze()
    figures["the same when they are left alone, ms"] = collect()
    in_small_ones = resident()
    ask_for_huge_pages()
    figures["share of huge pages"] = round((huge_octets() or 0) / resident(), 3)
    figures["octets more each, huge pages"] = round((resident() - in_small_ones) / len(cache), 1)
    figures["look-up, huge pages, ns"] = look_up(cache, kind)
    return figures | expire(cache, before)


def fill(cache: Cache, kind: Callable[[int], Named], count: int) -> float:
    """Puts answers as a miss does, and says how long their bodies are on average."""
    octets = 0
    for name, values in kind(count):
        handle = Handle.from_text(name)
        packed = pack([HandleValue(*one[:2], one[2].encode(), timestamp=WRITTEN_AT) for one in values], WRITTEN_AT)
        answer = found(PackedRecord(handle, packed, WRITTEN_AT, 1), 0)
        cache.put(fold_whole(name.encode()), answer)
        octets += len(answer.body(name))
    return octets / count


def look_up(cache: Cache, kind: str) -> float:
    """Nanoseconds of one hit, its key a string of its own."""
    names = [name.encode() for name, _ in KINDS[kind](len(cache))]
    chosen = random.Random(1).sample(names, min(LOOKED_UP, len(names)))
    del names
    best = float("inf")
    for _ in range(3):
        begun = process_time()
        for name in chosen:
            cache.get(fold_whole(name))
        best = min(best, process_time() - begun)
    return round(best / len(chosen) * NANO)


def collect() -> float:
    begun = process_time()
    gc.collect()
    return round((process_time() - begun) * MILLI, 1)


def expire(cache: Cache, before: int) -> dict[str, Any]:
    """What is left when all answers have expired and nobody asks for them, and the longest slice of the sweep."""
    grown = resident() - before
    cache.advance(TTL * 2)
    longest = 0.0
    while cache.sweeping:
        begun = process_time()
        cache.sweep()
        longest = max(longest, process_time() - begun)
    gc.collect()
    give_back_memory()
    left = max(0, resident() - before)
    return {
        "answers left when all have expired": len(cache),
        "share of the memory that came back": round(1 - left / grown, 3),
        "longest slice of the sweep, ms": round(longest * MILLI, 2),
    }


def resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="Memory of kept answers.")
    parser.add_argument("--quick", action="store_true", help="100,000 answers of each kind in place of a million")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    count = 100_000 if arguments.quick else 1_000_000
    figures = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as alone:
        for kind in KINDS:
            figures.append(alone.submit(measure, kind, count).result())
            for what, figure in figures[-1].items():
                print(f"{what:<40} {figure:>12}")
    report = {"program": "memory", **where, "figures": figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("memory", report), file=sys.stderr)


if __name__ == "__main__":
    main()
