"""Memory of an idle native connection, and whether ten thousand of them are held.

`python -m bench.idle [--connections N] [--keep]` opens them to one worker in a process of its own, asks one question on
each, lets them rest and asks again on every one: each must still answer. What the worker's memory grew by is divided by
their number, after connecting and after asking. What the kernel's memory grew by is told apart, for both ends of each
connection together, as both are on this machine. Not measured: what others did to the kernel's memory meanwhile.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import uvloop

from bench.books import a_book
from bench.nodes import BenchNode, a_node
from bench.surroundings import keep, surroundings
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import ENVELOPE
from resolver.wire.message import Message
from resolver.wire.query import Query

AT_ONCE: Final = 200  # Connections that are being opened or asked at the same time.
REST: Final = 5.0  # Seconds between the two questions.
STAYING: Final = int(OpFlag.KEEP_CONNECTION)  # A connection that asks once and does not say this is closed soon.
SPARE: Final = 100  # Descriptors for everything that is no connection.


class IdleConnection:
    """One connection that is asked now and then."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "IdleConnection":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=4096))

    @property
    def is_open(self) -> bool:
        return not (self._writer.is_closing() or self._reader.at_eof())

    async def ask(self, name: str, number: int) -> None:
        """Raises ConnectionError when it is not answered, and ValueError for a wrong answer."""
        request = Message(2, 11, 2, 11, 0, number, 0, OpCode.RESOLUTION, 0, STAYING, 0xFFFF, 0, 0, 0,
                          Query(name.encode()).to_wire(), b"")  # fmt: skip
        self._writer.write(request.to_wire())
        try:
            head = await self._reader.readexactly(ENVELOPE)
            answer = Message.from_wire(head + await self._reader.readexactly(int.from_bytes(head[16:], "big")))
        except asyncio.IncompleteReadError:
            raise ConnectionError(f"connection {number} was closed") from None
        if answer.request_id != number or answer.response_code != 1:
            raise ValueError(f"connection {number} was answered {answer}")

    def close(self) -> None:
        self._writer.close()


async def each(numbers: Sequence[int], work: Any) -> float:
    """Does something for each number, some at once; returns the seconds it took."""
    begun = perf_counter()
    remaining = iter(numbers)

    async def some() -> None:
        for number in remaining:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())
    return perf_counter() - begun


async def hold(node: BenchNode, names: list[str], count: int) -> dict[str, Any]:
    numbers = range(count)
    connections: dict[int, IdleConnection] = {}

    async def open_one(number: int) -> None:
        connections[number] = await IdleConnection.open(node.native_port)

    async def ask_one(number: int) -> None:
        await connections[number].ask(names[number % len(names)], number)

    first = await IdleConnection.open(node.native_port)
    for number, name in enumerate(names):
        await first.ask(name, number)
    empty, kernel = resident(node), kernel_memory()
    opening = await each(numbers, open_one)
    connected = resident(node)
    asking = await each(numbers, ask_one)
    asked = resident(node)
    await asyncio.sleep(REST)
    with_sockets = kernel_memory() - kernel
    again = await each(numbers, ask_one)
    held = sum(connection.is_open for connection in connections.values())
    figures = {
        "connections": count,
        "held": held,
        "octets_each_connected": round((connected - empty) / count),
        "octets_each_after_a_question": round((asked - empty) / count),
        "resident_mib_before_and_after": [round(empty / 2**20, 1), round(asked / 2**20, 1)],
        "kernel_octets_each_both_ends": round(with_sockets / count),
        "seconds_to_open_ask_ask_again": [round(opening, 2), round(asking, 2), round(again, 2)],
    }
    for connection in (first, *connections.values()):
        connection.close()
    return figures


def resident(node: BenchNode) -> int:
    """Octets of memory that the node's process has."""
    status = Path(f"/proc/{node.process.pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def kernel_memory() -> int:
    """Octets that the kernel keeps for objects that it cannot give up, in all: sockets are among them."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("SUnreclaim:")) * 1024


async def measure(count: int, dsn: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        async with a_book(200, dsn) as (address, names), a_node(address, Path(directory)) as node:
            return await hold(node, names, count)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description="Memory of an idle native connection.")
    parser.add_argument("--connections", type=int, default=10_000, metavar="N")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if arguments.connections > most - SPARE:
        parser.error(f"this process may have {most} descriptors")
    where = surroundings()
    figures = uvloop.run(measure(arguments.connections, arguments.dsn))
    for name, figure in figures.items():
        print(f"{name:<32} {figure}", file=sys.stderr)
    report = {"program": "idle", **where, **figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("idle", report), file=sys.stderr)


if __name__ == "__main__":
    main()
