"""Clients that ask for kept answers at a calm, fixed rate, and what each answer cost in time: over HTTP, TCP and UDP.

`python -m bench.calm HTTP_PORT NATIVE_PORT RATE NAMES` writes a line for each request when it is over: the second by
the monotonic clock at which it was due, the transport, and how long it took from then, or -1 when it was not answered
right. A request is due at its time whether those before it were answered or not, so a node that stalls is charged
for all who waited. It ends with its standard input, which bench/flood.py holds.
"""

import asyncio
import itertools
import json
import sys
from asyncio import Queue
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

import uvloop

from bench.askers import Asker, HttpAsker, Outcome, TcpAsker, UdpAsker, seen

HOST: Final = "127.0.0.1"
CONNECTIONS: Final = 8  # Of each transport; a request waits for a free one, and its time goes on.
PATIENCE: Final = 5.0  # Seconds for one answer.


async def ask_one(free: "Queue[Asker]", transport: str, name: str, due: float, out: TextIO) -> None:
    asker = await free.get()
    outcome, _ = await seen(asker, name, PATIENCE)
    free.put_nowait(asker)
    right = outcome is Outcome.ANSWERED
    out.write(f"{due:.6f} {transport} {monotonic() - due if right else -1:.6f}\n")


async def ask_all(http_port: int, native_port: int, rate: float, names: list[str], out: TextIO) -> None:
    queues: dict[str, Queue[Asker]] = {"http": Queue(), "tcp": Queue(), "udp": Queue()}
    for _ in range(CONNECTIONS):
        queues["http"].put_nowait(HttpAsker(HOST, http_port))
        queues["tcp"].put_nowait(TcpAsker(HOST, native_port))
        queues["udp"].put_nowait(UdpAsker(HOST, native_port))
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    begun = monotonic()
    async with asyncio.TaskGroup() as group:
        for number, (name, transport) in enumerate(zip(itertools.cycle(names), itertools.cycle(queues), strict=False)):
            due = begun + number / rate
            if (early := due - monotonic()) > 0:
                await asyncio.sleep(early)
            if ended.done():
                break
            due = min(due, monotonic())  # timers may be early by a part of a millisecond
            group.create_task(ask_one(queues[transport], transport, name, due, out))


def main() -> None:
    http_port, native_port, rate, names = sys.argv[1:]
    asked = json.loads(Path(names).read_text("utf-8"))
    uvloop.run(ask_all(int(http_port), int(native_port), float(rate), asked, sys.stdout))


if __name__ == "__main__":
    main()
