"""How long it takes to find handles by a value among many.

`python -m bench.search [--rows 10000000] [--keep]` fills a registry of its own with rows that hold a batch number, a
grade and a machine, declared searchable, and asks for them as `GET /api/search` does: pages of the cakes of one batch,
the batches chosen at random, by one asker at a time and by several.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import uvloop

from bench.books import a_book
from bench.surroundings import keep, surroundings
from registry.bulk import load
from registry.prefix import Prefix
from registry.search import declare, search
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin

PREFIX: Final = "88.168.7777"
OF_BATCH: Final = 1000  # Cakes of one batch: what a line spins in some hours.
MACHINES: Final = 48
SEARCHED: Final = ("BATCH", "MACHINE")
PAGE: Final = 100  # As the interface gives them when nobody says otherwise.
ROWS_OF_A_PIECE: Final = 5000

Figures = dict[str, Any]


def main() -> int:
    """Measures, and prints one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description="Measure search by a value.")
    parser.add_argument("--rows", type=int, default=10_000_000, help="(default: %(default)s)")
    parser.add_argument("--searches", type=int, default=2000, help="of each kind (default: %(default)s)")
    parser.add_argument("--askers", type=int, default=4, help="at once, in the second turn (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = {"program": "search", **surroundings(), **uvloop.run(_measure(asked))}
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("search", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace) -> Figures:
    async with a_book(0) as (dsn, _):
        store = Store(RegistrySettings(dsn=dsn, statement_timeout=60.0), "bench")
        await store.open()
        try:
            return await _searched(asked, store)
        finally:
            await store.close()


async def _searched(asked: argparse.Namespace, store: Store) -> Figures:
    async with begin(store, "bench") as transaction:
        await transaction.home(PREFIX)
    await store.load_prefixes()
    prefix = _prefix(store)
    for value_type in SEARCHED:
        await declare(store, prefix, value_type)
    begun = time.monotonic()
    report = await load(store, _rows(asked.rows), "ndjson", source="bench", load_key="bench", loaded_by="bench")
    loaded = time.monotonic() - begun
    async with store.connection() as connection:
        await connection.execute("ANALYZE handle", timeout=600)
    kinds = {}
    for askers in (1, asked.askers):
        for kind, ask in (("page_of_a_batch", _batch), ("page_of_a_machine", _machine)):
            kinds[f"{kind}_{askers}"] = await _times(asked, store, ask, askers)
            print(orjson.dumps({kind: kinds[f"{kind}_{askers}"], "askers": askers}).decode(), flush=True)
    return {"rows": report.created, "load_seconds": round(loaded, 1), "page": PAGE, **kinds}


async def _times(asked: argparse.Namespace, store: Store, ask: Any, askers: int) -> Figures:
    chance = random.Random(asked.rows)
    each = asked.searches // askers

    async def one() -> list[float]:
        times = []
        for _ in range(each):
            begun = time.monotonic()
            await ask(store, asked.rows, chance)
            times.append(time.monotonic() - begun)
        return times

    times = sorted(spent for some in await asyncio.gather(*(one() for _ in range(askers))) for spent in some)
    marks = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
    told = {name: round(times[int(len(times) * mark)] * 1000, 3) for name, mark in marks.items()}
    return {"searches": len(times), **told, "most_ms": round(times[-1] * 1000, 3)}


async def _batch(store: Store, rows: int, chance: random.Random) -> None:
    number = chance.randrange(max(1, rows // OF_BATCH))
    found = await search(store, _prefix(store), "BATCH", f"L{number:06}".encode(), limit=PAGE)
    assert len(found.handles) == min(PAGE, OF_BATCH, rows)


async def _machine(store: Store, rows: int, chance: random.Random) -> None:
    """Of one machine in one batch: the rarer value of the two."""
    name = f"W{chance.randrange(max(1, rows // OF_BATCH)):06}-{chance.randrange(MACHINES):02}"
    found = await search(store, _prefix(store), "MACHINE", name.encode(), limit=PAGE)
    assert found.handles


async def _rows(rows: int) -> AsyncIterator[bytes]:
    for first in range(0, rows, ROWS_OF_A_PIECE):
        yield b"".join(_row(number) for number in range(first, min(rows, first + ROWS_OF_A_PIECE)))


def _row(number: int) -> bytes:
    batch, cake = divmod(number, OF_BATCH)
    values = (("BATCH", f"L{batch:06}"), ("MACHINE", f"W{batch:06}-{cake % MACHINES:02}"), ("GRADE", "AA"))
    form = [{"index": index, "type": kind, "data": data} for index, (kind, data) in enumerate(values, 1)]
    return json.dumps({"handle": f"{PREFIX}/C.{number:09}", "values": form}).encode() + b"\n"


def _prefix(store: Store) -> Prefix:
    prefix = store.prefixes.find(PREFIX.encode())
    assert prefix is not None
    return prefix


if __name__ == "__main__":
    sys.exit(main())
