"""What befalls a node on one machine: each trouble begins, lasts, and ends, by itself or because somebody mends it."""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from bench.clock import Clock
from bench.disk import Disk
from bench.enterprise_node import MANNERS, RIGHT, EnterpriseNode
from bench.running import POSTGRES, REGISTRY, SUPERVISOR, WORKERS, Running

PULSE: Final = (0.18, 0.02)  # Seconds that a slow server stands, and works: a tenth of its speed.
STEP: Final = 3600  # Seconds by which a clock is set.
RESTARTED: Final = 0.5  # Seconds until systemd starts the node again (deploy/systemd/filament.service).


@dataclass(frozen=True, slots=True)
class Lab:
    """A node, that of an enterprise, and where there are such: the disk of its data and the clock that it follows."""

    node: Running
    enterprise: EnterpriseNode
    disk: Disk | None
    clock: Clock | None

    def environment(self, *, clock: bool) -> Mapping[str, str]:
        return self.clock.environment() if clock and self.clock is not None else {}


class Trouble(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str: ...

    def missing(self, lab: Lab) -> str:
        """Why it cannot be had here."""

    async def begin(self, lab: Lab) -> None: ...

    async def end(self, lab: Lab) -> None: ...


@dataclass(frozen=True, slots=True)
class Killed:
    """SIGKILL; the supervisor starts it again."""

    name: str
    victim: str

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        lab.node.signal(self.victim, signal.SIGKILL)

    async def end(self, lab: Lab) -> None:
        """It has begun already."""


@dataclass(frozen=True, slots=True)
class SupervisorKilled:
    """SIGKILL; as systemd does it (KillMode=mixed), what is left is killed too, and the node is started again."""

    name: str
    starting: list[asyncio.Task[None]] = field(default_factory=list)

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        for victim in (SUPERVISOR, POSTGRES):
            lab.node.signal(victim, signal.SIGKILL)
        self.starting.append(asyncio.create_task(self._start(lab.node)))

    async def end(self, lab: Lab) -> None:
        await self.starting.pop()

    @staticmethod
    async def _start(node: Running) -> None:
        await node.stop()
        await asyncio.sleep(RESTARTED)
        await node.start()


@dataclass(frozen=True, slots=True)
class Stopped:
    """Postgres shuts down in order, as when somebody upgrades it."""

    name: str

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        lab.node.signal(POSTGRES, signal.SIGINT)

    async def end(self, lab: Lab) -> None:
        """The supervisor has begun already to start it again."""


@dataclass(frozen=True, slots=True)
class Held:
    """Postgres, or another process, stands still: a machine that swaps, a disk that hangs, a paused virtual machine."""

    name: str
    victim: str

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        hold(lab.node, self.victim)

    async def end(self, lab: Lab) -> None:
        let_go(lab.node, self.victim)


@dataclass(frozen=True, slots=True)
class Slowed:
    """Postgres works a tenth of the time."""

    name: str
    pulses: list[asyncio.Task[None]] = field(default_factory=list)

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        self.pulses.append(asyncio.create_task(_pulse(lab.node)))

    async def end(self, lab: Lab) -> None:
        self.pulses.pop().cancel()
        let_go(lab.node, POSTGRES)


@dataclass(frozen=True, slots=True)
class Full:
    """Nothing more can be written to the disk, until somebody makes room."""

    name: str

    def missing(self, lab: Lab) -> str:
        return Disk.missing()

    async def begin(self, lab: Lab) -> None:
        assert lab.disk is not None
        lab.disk.fill()

    async def end(self, lab: Lab) -> None:
        assert lab.disk is not None
        lab.disk.free()


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """The kernel has turned the file system read-only. The operator stops the node, mends the disk, starts it."""

    name: str

    def missing(self, lab: Lab) -> str:
        return Disk.missing()

    async def begin(self, lab: Lab) -> None:
        assert lab.disk is not None
        lab.disk.break_down()

    async def end(self, lab: Lab) -> None:
        assert lab.disk is not None
        await lab.node.stop()
        await lab.disk.mend()
        await lab.node.start()


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The time of day is another, and then right again."""

    name: str
    seconds: int

    def missing(self, lab: Lab) -> str:
        return Clock.missing()

    async def begin(self, lab: Lab) -> None:
        assert lab.clock is not None
        lab.clock.step(self.seconds)

    async def end(self, lab: Lab) -> None:
        assert lab.clock is not None
        lab.clock.step(0)


@dataclass(frozen=True, slots=True)
class NoDescriptors:
    """The workers can open nothing more, be it a connection or a file."""

    name: str
    limits: dict[int, tuple[int, int]] = field(default_factory=dict)

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        for worker in WORKERS:
            if (process := lab.node.process(worker)) is not None:
                before = resource.prlimit(process, resource.RLIMIT_NOFILE)
                resource.prlimit(process, resource.RLIMIT_NOFILE, (_first_free(process), before[1]))
                self.limits[process] = before

    async def end(self, lab: Lab) -> None:
        while self.limits:
            process, before = self.limits.popitem()
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process, resource.RLIMIT_NOFILE, before)


@dataclass(frozen=True, slots=True)
class Misled:
    """The node of an enterprise answers in another manner than right."""

    manner: str

    @property
    def name(self) -> str:
        return f"enterprise: {self.manner}"

    def missing(self, lab: Lab) -> str:
        return ""

    async def begin(self, lab: Lab) -> None:
        await lab.enterprise.be(self.manner)

    async def end(self, lab: Lab) -> None:
        await lab.enterprise.be(RIGHT)


TROUBLES: Final[tuple[Trouble, ...]] = (
    Killed("worker killed", WORKERS[0]),
    Killed("registry killed", REGISTRY),
    Killed("Postgres killed", POSTGRES),
    SupervisorKilled("supervisor killed"),
    Stopped("Postgres stopped"),
    Held("Postgres stands still", POSTGRES),
    Slowed("Postgres slow"),
    Held("worker stands still", WORKERS[0]),
    Full("disk full"),
    ReadOnly("file system read-only"),
    NoDescriptors("no descriptors left"),
    *(Misled(manner) for manner in MANNERS if manner != RIGHT),
    ClockSet("clock an hour ahead", STEP),
    ClockSet("clock an hour behind", -STEP),
)


def hold(node: Running, victim: str) -> None:
    _signal_all(node, victim, signal.SIGSTOP)


def let_go(node: Running, victim: str) -> None:
    _signal_all(node, victim, signal.SIGCONT)


async def _pulse(node: Running) -> None:
    standing, working = PULSE
    while True:
        hold(node, POSTGRES)
        await asyncio.sleep(standing)
        let_go(node, POSTGRES)
        await asyncio.sleep(working)


def _signal_all(node: Running, victim: str, number: signal.Signals) -> None:
    """The process first, so that it begins no others meanwhile."""
    process = node.process(victim)
    if process is None:
        return
    for one in (process, *(_children(process) if victim == POSTGRES else ())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


def _children(process: int) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):
        yield from map(int, Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split())


def _first_free(process: int) -> int:
    """The least number that no open file of a process has: with it as the limit, nothing more can be opened."""
    taken = {int(path.name) for path in Path(f"/proc/{process}/fd").iterdir()}
    return next(number for number in range(len(taken) + 1) if number not in taken)
