"""How long a walk along links takes: a batch of yarn with its cakes, boxes and pallets, forward, backward, listed.

The book is one of its own, filled by bulk loads through the same code as any other; how fast that was is shown too,
beside the same rows without links. A walk is measured inside the process that makes it: no HTTP, no rights.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from bench.surroundings import keep, surroundings
from registry.bulk import load
from registry.embedded import EmbeddedPostgres
from registry.enterprise import add_enterprise
from registry.handle import Handle
from registry.migrate import migrate
from registry.postgres_programs import find_binaries
from registry.prefix import Prefix
from registry.recall import recall_rows
from registry.relations import Direction
from registry.settings import RegistrySettings
from registry.store import Store
from registry.trace import MAX_PAGE, Walk, recalled, traced

PREFIX: Final = "88.168.1"
CAKES_A_BOX, BOXES_A_PALLET = 6, 8
DEADLINE: Final = 600.0  # Seconds of the whole: a machine that needs more is not measured but waited for.


def rows(cakes: int, *, linked: bool) -> list[bytes]:
    """The batch and what came of it; the same values without links under names of their own."""
    head = "" if linked else "plain-"
    boxes, pallets = -(-cakes // CAKES_A_BOX), -(-cakes // CAKES_A_BOX // BOXES_A_PALLET)
    made = [_row(f"{head}batch", ["made from", f"{head}chips"], linked=linked)]
    made += [
        _row(
            f"{head}cake{n}", ["made from", f"{head}batch", "packed in", f"{head}box{n // CAKES_A_BOX}"], linked=linked
        )
        for n in range(cakes)
    ]
    made += [
        _row(f"{head}box{n}", ["packed in", f"{head}pallet{n // BOXES_A_PALLET}"], linked=linked) for n in range(boxes)
    ]
    return [*made, *(_row(f"{head}pallet{n}", [], linked=linked) for n in range(pallets))]


def _row(suffix: str, said: list[str], *, linked: bool) -> bytes:
    pairs = zip(said[::2], said[1::2], strict=True)
    values = [{"index": 1, "type": "GRADE", "data": "AA"}] + [
        {"index": index, "type": name.replace(" ", "_").upper() if linked else name, "data": f"{PREFIX}/{other}"}
        for index, (name, other) in enumerate(pairs, 2)
    ]
    return orjson.dumps({"handle": f"{PREFIX}/{suffix}", "values": values}, option=orjson.OPT_APPEND_NEWLINE)


async def measure(cakes: int, rounds: int) -> dict[str, Any]:
    async with a_store() as store:
        figures: dict[str, Any] = {"cakes": cakes, "load_rows_per_second": {}}
        for name, linked in (("plain", False), ("linked", True)):
            made = rows(cakes, linked=linked)
            begun = time.monotonic()
            report = await load(
                store, _pieces(made), "ndjson", source=name, load_key=name, loaded_by="bench", may_write=_anything
            )
            assert (report.created, report.refused) == (len(made), 0), report
            figures["load_rows_per_second"][name] = round(len(made) / (time.monotonic() - begun))
        figures["seconds"] = await _walks(store, cakes, rounds)
        return figures


async def _walks(store: Store, cakes: int, rounds: int) -> dict[str, float]:
    batch = Walk(Handle(PREFIX, "batch"), Direction.FORWARD)
    cake = Walk(Handle(PREFIX, "cake0"), Direction.BACKWARD)
    pallet = Walk(Handle(PREFIX, "pallet0"), Direction.BACKWARD, depth=2)

    async def whole() -> None:
        assert len(await recalled(store, batch)) > cakes

    async def listed() -> None:
        found = await recalled(store, batch)
        _ = [piece async for piece in recall_rows(store, found, ("GRADE",), lambda _, value: True)]

    async def first_page() -> None:
        assert (await traced(store, batch, limit=1000)).cursor is not None

    async def all_pages() -> None:
        cursor: str | None = ""
        while cursor is not None:
            cursor = (await traced(store, batch, cursor, MAX_PAGE)).cursor

    async def backward() -> None:
        assert len((await traced(store, cake)).handles) == 2

    async def of_a_pallet() -> None:
        assert len((await traced(store, pallet)).handles) == BOXES_A_PALLET * (CAKES_A_BOX + 1)

    walks = {
        "batch_forward": whole,
        "batch_as_recall_list": listed,
        "batch_first_page": first_page,
        "batch_all_pages": all_pages,
        "cake_backward": backward,
        "pallet_backward": of_a_pallet,
    }
    return {name: await _median(walk, rounds) for name, walk in walks.items()}


async def _median(walk: Callable[[], Awaitable[None]], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.monotonic()
        await walk()
        taken.append(time.monotonic() - begun)
    return round(statistics.median(taken), 4)


@asynccontextmanager
async def a_store() -> AsyncIterator[Store]:
    directory = Path(tempfile.mkdtemp(prefix="filament-bench-"))
    try:
        async with EmbeddedPostgres(directory, binaries=find_binaries()) as server:
            await migrate(server.dsn)
            store = Store(RegistrySettings(dsn=server.dsn), "bench")
            try:
                await store.open()
                await add_enterprise(store, "化纤厂", "Fibre", "", PREFIX, by="bench")
                yield store
            finally:
                await store.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, directory)


async def _pieces(made: list[bytes]) -> AsyncIterator[bytes]:
    for first in range(0, len(made), 1000):
        yield b"".join(made[first : first + 1000])


async def _anything(_: Prefix) -> bool:
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cakes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    figures = {"surroundings": surroundings()}
    figures |= asyncio.run(asyncio.wait_for(measure(arguments.cakes, arguments.rounds), DEADLINE))
    print(orjson.dumps(figures).decode(), flush=True)
    if arguments.keep:
        keep("trace", figures)


if __name__ == "__main__":
    main()
