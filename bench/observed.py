"""What observers of a node saw: by kind of question, for how long nobody was answered, and when all was calm again."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic
from typing import Any, Final

import msgspec
import orjson

from bench.askers import Outcome
from bench.observers import ANEW, KEPT, PASSED_ON, PATIENCE, WRITE, Watch
from bench.writers import Notes

KINDS: Final = (
    KEPT,
    ANEW,
    PASSED_ON,
    WRITE,
)  # Ways of asking that fare alike; what has just changed has to be read anew.
QUIET: Final = PATIENCE + 0.5  # Seconds without a complaint, after which a question that still waits complained too.
FAREWELL: Final = 120.0  # Seconds for writers to bring to an end what they have begun.


@dataclass(frozen=True, slots=True)
class Observation:
    way: str
    due: float
    outcome: str
    seconds: float

    @property
    def kind(self) -> str:
        return next((kind for kind in (KEPT, PASSED_ON, WRITE) if self.way.endswith(kind)), ANEW)

    @property
    def at(self) -> float:
        """When it was seen."""
        return self.due + self.seconds

    @property
    def is_calm(self) -> bool:
        return self.outcome == Outcome.ANSWERED


class Observed:
    """The process of the observers, and everything it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.all: list[Observation] = []
        self.notes = Notes()
        self._process = process
        self._reading = asyncio.create_task(self._read())

    async def busy(self) -> None:
        """Returns once every kind was answered, after which all is calm."""
        async with asyncio.timeout(FAREWELL):
            while {one.kind for one in self.all if one.is_calm} != set(KINDS):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.1)
        await self.calm_since(monotonic(), FAREWELL)

    async def end(self) -> None:
        """Afterwards the notes are there. Raises RuntimeError when the process failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._reading, FAREWELL)
        except TimeoutError:
            self._process.kill()
        if await self._process.wait():
            raise RuntimeError("the observers failed")

    async def calm_since(self, moment: float, longest: float) -> float | None:
        """Seconds after the moment until nobody had a complaint any more; None when that did not come in time."""
        while monotonic() < moment + longest:
            after = self.last_complaint(moment)
            if monotonic() - max(after, moment) > QUIET:
                return max(0.0, after - moment)
            await asyncio.sleep(0.1)
        return None

    def last_complaint(self, since: float) -> float:
        return max((one.at for one in self.all if one.at >= since and not one.is_calm), default=since)

    def between(self, begin: float, end: float) -> list[Observation]:
        return [one for one in self.all if begin <= one.at < end]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = orjson.loads(line)
            if isinstance(said, list):
                self.all.append(Observation(*said))
            else:
                said["acknowledged"] = Counter(said["acknowledged"])
                self.notes = Notes(**said)


@asynccontextmanager
async def observers(watch: Watch, *before: str) -> AsyncIterator[Observed]:
    """They run as long as the block, behind the words of another command where some are given."""
    process = await asyncio.create_subprocess_exec(
        *(*before, sys.executable, "-m", "bench.observers", orjson.dumps(msgspec.to_builtins(watch)).decode()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,  # the notes are one line
        env=os.environ,
    )
    observed = Observed(process)
    try:
        yield observed
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def by_kind(seen: Sequence[Observation], begin: float, end: float) -> dict[str, dict[str, Any]]:
    """How many saw what, and for how long no right answer came."""
    return {
        kind: {
            "seen": dict(Counter(one.outcome for one in seen if one.kind == kind)),
            "silence": round(silence((one for one in seen if one.kind == kind), begin, end), 2),
        }
        for kind in KINDS
    }


def silence(seen: Iterable[Observation], begin: float, end: float) -> float:
    """The longest time between two right answers."""
    right = sorted(one.at for one in seen if one.outcome in (Outcome.ANSWERED, Outcome.OLD))
    moments = [begin, *right, end]
    return max(after - before for before, after in pairwise(moments))
