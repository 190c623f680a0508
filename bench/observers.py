"""Clients of one node under a steady load who say of each question what they saw, and of each write whether it counts.

`python -m bench.observers WATCH` (JSON, as `Watch`) asks at a fixed rate over HTTP, TCP and UDP, for kept answers, for
answers that are read anew, and for names that the node asks an enterprise's node for, and writes meanwhile. A line for
each sending: way, when it was due by the monotonic clock, what was seen, how long it took. It ends with its standard
input; its last line is the writers' notes.

One name is written again and again with a number that grows, so that it is not kept for long. An answer that holds a
smaller number than was acknowledged `bound` seconds before the question, and does not say that it is old, is stale.
"""

import asyncio
import itertools
import random
import re
import sys
from asyncio import Queue
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

import aiohttp
import msgspec
import orjson
import uvloop

from bench.askers import BUSY, Asker, HttpAsker, Outcome, PassedOnAsker, TcpAsker, UdpAsker, seen
from bench.enterprise_node import PREFIX
from bench.writers import CUT_OFF, SILENT, Notes, Places, Write, a_session, answered, write_on

PASSED_ON: Final = "passed on"
CONNECTIONS: Final = 4  # For each way; a question waits for a free one, and its time goes on.
# For questions that are passed on: those that nobody answers wait for one another in the node, and not here.
PASSING_CONNECTIONS: Final = 64
PATIENCE: Final = 2.5  # Seconds for one answer: a little more than a node gives a read (`miss_deadline`).
WRITE_PATIENCE: Final = 5.0  # Seconds for one sending of a write; then it is sent again.
WRITE: Final = "write"
KEPT, ANEW, CHANGED = "kept", "anew", "changed"
STALE: Final = "stale"
BETWEEN_TICKS: Final = 0.2  # Seconds between two numbers.
TICKING: Final = 3  # Every so many questions are about the name whose number grows.
_NUMBER: Final = re.compile(rb"tick (\d+)")


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched."""

    host: str
    port: int
    native_port: int
    places: Places
    names: tuple[str, ...]
    ticking: str  # the name whose number grows
    rate: float = 160.0  # questions a second, over all ways
    writers: int = 2
    pause: float = 0.05  # seconds between two writes of one writer
    kept_bound: float = 2.5  # seconds by which a kept answer may be behind: `max_staleness`, and a look at the log
    anew_bound: float = 0.0  # seconds by which an answer read anew may be behind: the lag of a replica


WAYS: Final[Mapping[str, Callable[[Watch], Asker]]] = {
    "http kept": lambda watch: HttpAsker(watch.host, watch.port),
    "http, new connection, kept": lambda watch: HttpAsker(watch.host, watch.port, kept=False),
    "tcp kept": lambda watch: TcpAsker(watch.host, watch.native_port),
    "udp kept": lambda watch: UdpAsker(watch.host, watch.native_port),
    "http anew": lambda watch: HttpAsker(watch.host, watch.port, anew=True),
    "tcp anew": lambda watch: TcpAsker(watch.host, watch.native_port, anew=True),
    "udp anew": lambda watch: UdpAsker(watch.host, watch.native_port, anew=True),
    f"http {PASSED_ON}": lambda watch: PassedOnAsker(watch.host, watch.port),
}


class Ticks:
    """Which number was acknowledged when."""

    def __init__(self) -> None:
        self._acknowledged: list[float] = []

    def acknowledge(self) -> None:
        self._acknowledged.append(monotonic())

    def __len__(self) -> int:
        return len(self._acknowledged)

    def is_behind(self, octets: bytes, asked: float, bound: float) -> bool:
        """Whether an answer is older than it may be."""
        found = _NUMBER.search(octets)
        return found is not None and int(found[1]) < bisect_right(self._acknowledged, asked - bound)


class Observers:
    """Everybody who asks and writes."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._ticks = Ticks()
        self._notes = Notes()
        self._stop = asyncio.Event()

    async def run(self) -> Notes:
        async with a_session(WRITE_PATIENCE) as session, asyncio.TaskGroup() as group:
            for number in range(self._watch.writers):
                chance = random.Random(number)
                line = (session, self._watch.places, self._notes, chance, self._stop, _tell_write, self._watch.pause)
                group.create_task(write_on(*line))
            group.create_task(self._tick(session))
            await self._ask(group)
            self._stop.set()
        return self._notes

    async def _ask(self, group: asyncio.TaskGroup) -> None:
        free: dict[str, Queue[Asker]] = {way: Queue() for way in WAYS}
        for way, make in WAYS.items():
            for _ in range(PASSING_CONNECTIONS if way.endswith(PASSED_ON) else CONNECTIONS):
                free[way].put_nowait(make(self._watch))
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        names = itertools.cycle(self._watch.names)
        begun = monotonic()
        for number, way in enumerate(itertools.cycle(WAYS)):
            due = begun + number / self._watch.rate
            if (early := due - monotonic()) > 0:
                await asyncio.sleep(early)
            if ended.done():
                return
            name = next(names) if number // len(WAYS) % TICKING else self._watch.ticking
            if way.endswith(PASSED_ON):
                name = f"{PREFIX}/{number}"  # Never asked before, so nothing is kept of it.
            group.create_task(self._ask_one(free[way], way, name, min(due, monotonic())))

    async def _ask_one(self, free: "Queue[Asker]", way: str, name: str, due: float) -> None:
        asker = await free.get()
        asked = monotonic()
        outcome: str
        outcome, octets = await seen(asker, name, max(0.0, due + PATIENCE - asked))
        free.put_nowait(asker)
        bound = self._watch.anew_bound if way.endswith(ANEW) else self._watch.kept_bound
        if outcome is Outcome.ANSWERED and self._ticks.is_behind(octets, asked, bound):
            outcome = STALE
        _tell(f"{way} {CHANGED}" if name == self._watch.ticking else way, due, outcome, monotonic() - due)

    async def _tick(self, session: aiohttp.ClientSession) -> None:
        url = f"{self._watch.places.resolver}/api/handles/{self._watch.ticking}?overwrite=true"
        while not self._stop.is_set():
            text = f"tick {len(self._ticks) + 1}"
            body = orjson.dumps([{"index": 1, "type": "TICK", "data": text}])
            write = Write("tick", f"{id(self)} {text}", "PUT", url, body, "application/json", 1)
            status, _ = await answered(session, write, self._notes, _tell_write)
            if status >= 400:
                raise ValueError(f"{text}: {status}")
            self._ticks.acknowledge()
            await asyncio.sleep(BETWEEN_TICKS)


def _tell_write(sent: float, status: int) -> None:
    words = {CUT_OFF: Outcome.CUT_OFF, SILENT: Outcome.SILENT} | dict.fromkeys(BUSY, Outcome.REFUSED)
    _tell(WRITE, sent, words.get(status, Outcome.ANSWERED if status < 400 else Outcome.WRONG), monotonic() - sent)


def _tell(way: str, due: float, outcome: str, seconds: float) -> None:
    sys.stdout.buffer.write(orjson.dumps([way, due, outcome, seconds]) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    watch = msgspec.json.decode(sys.argv[1], type=Watch)
    notes = uvloop.run(Observers(watch).run())
    told = {"expected": notes.expected, "acknowledged": notes.acknowledged, "again": notes.again,
            "differing": notes.differing, "refused": notes.refused}  # fmt: skip
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")


if __name__ == "__main__":
    main()
