"""How long a pallet with its 48 cakes takes in one answer, and a truck with some 1,500: first asked for, and kept.

    python -m bench.tree [--quick] [--keep]

A node of its own over a book of its own is asked over HTTP, one question at a time: the client's time, and the CPU of
the node's process. First every tree is asked for once, when the node keeps nothing of it; then the same again, kept. A
kept plain handle is asked in between, so that what else the machine does happens to it too.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import orjson
import uvloop

from bench.nodes import BenchNode, a_node
from bench.surroundings import keep, surroundings
from bench.trace import PREFIX, a_store
from registry.bulk import load
from registry.prefix import Prefix

CAKES: Final = 48  # Of a pallet.
PALLETS: Final = 31  # Of a truck: 1,488 cakes.
TRUCKS, QUICK_TRUCKS = 8, 2
ROUNDS, QUICK_ROUNDS = 10, 2  # Of what is kept.
WARM: Final = 10  # Trees asked for and not counted: the first question to a node and to Postgres costs more.
DEADLINE: Final = 300.0  # Seconds for everything.
MILLI: Final = 1e3

Figures = dict[str, dict[str, float]]


def rows(trucks: int) -> Iterable[bytes]:
    for truck in range(trucks):
        yield _row(f"truck{truck}", "")
        for pallet in range(PALLETS):
            name = f"pallet{truck}-{pallet}"
            yield _row(name, f"truck{truck}")
            yield from (_row(f"cake{truck}-{pallet}-{cake}", name) for cake in range(CAKES))


def _row(suffix: str, inside: str) -> bytes:
    said = [("GRADE", "AA"), ("NET_WEIGHT_G", "11953"), ("MADE_AT", "2025-06-18T20:21:00+08:00")]
    said += [("PACKED_IN", f"{PREFIX}/{inside}")] if inside else []
    values = [{"index": index, "type": name, "data": text} for index, (name, text) in enumerate(said, 1)]
    return orjson.dumps({"handle": f"{PREFIX}/{suffix}", "values": values}, option=orjson.OPT_APPEND_NEWLINE)


async def measure(trucks: int, rounds: int) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE), a_store() as store:
        made = [*rows(trucks)]
        report = await load(
            store, _pieces(made), "ndjson", source="tree", load_key="tree", loaded_by="bench", may_write=_anything
        )
        assert (report.created, report.refused) == (len(made), 0), report
        with tempfile.TemporaryDirectory() as directory:
            async with a_node(store.settings.dsn, Path(directory)) as node:
                return {"trucks": trucks, "handles": len(made), "answers": await _ask_trees(node, trucks, rounds)}


async def _ask_trees(node: BenchNode, trucks: int, rounds: int) -> Figures:
    half = trucks // 2  # The pallets of some trucks, and the others whole: no tree is a part of another one's.
    pallets = [f"/api/tree/{PREFIX}/pallet{truck}-{pallet}" for truck in range(half) for pallet in range(PALLETS)]
    whole = [f"/api/tree/{PREFIX}/truck{truck}" for truck in range(half, trucks)]
    plain = [f"/api/handles/{PREFIX}/pallet0-0"] * WARM
    asker = await Asker.connect(node)
    await asker.ask(pallets[:WARM] + plain, 1)
    figures = {
        "pallet, first asked for": await asker.ask(pallets[WARM:], CAKES + 1),
        "truck, first asked for": await asker.ask(whole, PALLETS * (CAKES + 1) + 1),
        "handle, kept": await asker.ask(plain * rounds, 1),
        "pallet, kept": await asker.ask(pallets * rounds, CAKES + 1),
        "truck, kept": await asker.ask(whole * rounds, PALLETS * (CAKES + 1) + 1),
    }
    asker.close()
    return figures


class Asker:
    """One connection, one question at a time."""

    def __init__(self, node: BenchNode, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._node = node
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, node: BenchNode) -> "Asker":
        return cls(node, *await asyncio.open_connection("127.0.0.1", node.port, limit=1 << 24))

    async def ask(self, targets: Sequence[str], least: int) -> dict[str, float]:
        """Milliseconds and octets of an answer; each has to name so many handles at least."""
        taken, octets = [], 0
        before = _cpu(self._node)
        for target in targets:
            begun = perf_counter()
            self._writer.write(f"GET {target} HTTP/1.1\r\nHost: id.example\r\n\r\n".encode())
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            body = await self._reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            taken.append(perf_counter() - begun)
            octets += len(body)
            assert head.startswith(b"http/1.1 200"), head
            assert body.count(b'"handle":') >= least, target
        cpu = (_cpu(self._node) - before) / len(targets)
        return {
            "answers": len(targets),
            "median_ms": round(median(taken) * MILLI, 3),
            "slowest_ms": round(max(taken) * MILLI, 3),
            "cpu_ms": round(cpu * MILLI, 3),
            "octets": round(octets / len(targets)),
        }

    def close(self) -> None:
        self._writer.close()


def _cpu(node: BenchNode) -> float:
    """Seconds, to the microsecond: the ticks of /proc/…/stat are too coarse for a few answers."""
    tasks = Path(f"/proc/{node.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text("ascii").split()[0]) for task in tasks) / 1e9


async def _pieces(made: list[bytes]) -> AsyncIterator[bytes]:
    for first in range(0, len(made), 1000):
        yield b"".join(made[first : first + 1000])


async def _anything(_: Prefix) -> bool:
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tree", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two trucks, rough figures")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    quick = arguments.quick
    figures = uvloop.run(measure(QUICK_TRUCKS if quick else TRUCKS, QUICK_ROUNDS if quick else ROUNDS))
    for kind, one in figures["answers"].items():
        print(f"{kind:<26} {one['median_ms']:8.2f} ms  {one['cpu_ms']:8.2f} ms of CPU  {one['octets']:9,} octets")
    report = {"program": "tree", **where, **figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("tree", report), file=sys.stderr)


if __name__ == "__main__":
    main()
