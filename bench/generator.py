"""The load generator as Python sees it: a pool of requests, a plan of how to send them, and what was measured.

    pool = write_pool(directory / "pool", (http_get(name) for name in names))
    measured = await measure(Plan(pool, (Target("http", port),), seconds=5.0, servers=(pid,)))
    measured.rate, measured.percentile(99), measured.per_cpu_second, measured.wrong

The generator itself is `bench/load.c`, compiled at its first use; without a compiler `bench/slow_load.py` does the same
slower and says so. Every answer's status is judged, and one in 16 is searched for the octets that it must hold.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import orjson

from bench.measured import Measured, joined

SOURCE: Final = Path(__file__).with_name("load.c")
FLAGS: Final = ("-O2", "-std=gnu11")
WATCHED: Final = 0.5  # Seconds between two looks at the memory of the servers.
LONGEST_LINE: Final = 1 << 24  # Octets; all histograms in one line of JSON.
NO_COMPILER: Final = "there is no working C compiler (cc): requests are sent by Python, several times slower"

SLOW: Final = (sys.executable, "-m", "bench.slow_load")

Protocol = Literal["http", "tcp", "udp", "redis", "dns"]


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and how it is asked. `in_flight` requests at once on each connection."""

    protocol: Protocol
    port: int
    connections: int = 64
    in_flight: int = 1
    host: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.protocol}:{self.host}:{self.port}:{self.connections}:{self.in_flight}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A closed loop, or an open one: evenly spaced at a `rate`, or `scheduled` at the times of the pool."""

    pool: Path
    targets: Sequence[Target]
    seconds: float = 0.0  # 0: the pool once
    rate: float = 0.0  # requests a second, of all processes together
    scheduled: bool = False
    speed: float = 1.0  # of the pool's times
    once: bool = False
    processes: int = 1
    core: int | None = None  # the generator's; with several processes the first of theirs
    warm: float = 0.0  # seconds of load that are not measured, before
    check: int = 16  # one answer in so many is searched for its marker
    spread: bool = False  # each connection from a network of its own, 127.0.N.1
    patience: float = 5.0  # seconds that the last answers are waited for
    servers: Sequence[int] = ()  # processes whose CPU and memory is measured


@cache
def program() -> tuple[str, ...]:
    """The command of the generator: compiled, or Python when that cannot be."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if sys.platform == "linux" and compiler is not None:
        try:
            return (str(_compiled(compiler)),)
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
    print(NO_COMPILER, file=sys.stderr)
    return SLOW


def _compiled(compiler: str) -> Path:
    """The program of this very source, made once."""
    name = hashlib.sha256(SOURCE.read_bytes() + " ".join((compiler, *FLAGS)).encode()).hexdigest()[:16]
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "filament" / f"load-{name}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
            made = Path(directory) / "load"
            subprocess.run([compiler, *FLAGS, "-o", str(made), str(SOURCE)], check=True)
            made.rename(kept)
    return kept


async def measure(plan: Plan, command: Sequence[str] = ()) -> Measured:
    """Runs a plan. Raises RuntimeError when the generator cannot: nobody listens, the pool is none."""
    command = command or await asyncio.to_thread(program)
    if plan.warm:
        await _run(command, plan, ("--seconds", str(plan.warm)))
    limits = [*(("--seconds", str(plan.seconds)) if plan.seconds else ("--once",)), *(("--once",) if plan.once else ())]
    if plan.scheduled:
        limits += ["--scheduled", "--speed", str(plan.speed)]
    elif plan.rate:
        limits += ["--rate", str(plan.rate)]
    return await _run(command, plan, limits)


async def _run(command: Sequence[str], plan: Plan, limits: Sequence[str]) -> Measured:
    async with AsyncExitStack() as stack:
        generators = [
            await stack.enter_async_context(_started(command, plan, part, limits)) for part in range(plan.processes)
        ]
        before, begun = cpu_seconds(plan.servers), time.monotonic()
        memory: list[tuple[float, int]] = []
        watch = asyncio.create_task(_watch_memory(plan.servers, memory))
        stack.callback(watch.cancel)
        outcomes = await asyncio.gather(*(one.communicate(b"go\n") for one in generators))
        used = cpu_seconds(plan.servers) - before
    for one, (_, fault) in zip(generators, outcomes, strict=True):
        if one.returncode:
            raise RuntimeError(fault.decode().strip())
    measured = joined([orjson.loads(out) for out, _ in outcomes])
    measured.server_cpu, measured.memory = used, [(round(at - begun, 2), octets) for at, octets in memory]
    return measured


@asynccontextmanager
async def _started(
    generator: Sequence[str], plan: Plan, part: int, limits: Sequence[str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A generator that has connected and waits for its line."""
    command = [*generator, str(plan.pool), *limits, "--part", str(part), "--parts", str(plan.processes)]
    command += ["--check", str(plan.check), "--patience", str(plan.patience), *(("--spread",) if plan.spread else ())]
    for target in plan.targets:
        command += ["--target", str(target)]
    if plan.core is not None:
        command += ["--core", str(plan.core + part)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE)
    try:
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError((await process.communicate())[1].decode().strip())
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def cpu_seconds(servers: Sequence[int]) -> float:
    """What the processes have used so far, in user and kernel mode, to the nanosecond (man 2 clock_getres)."""
    return sum(time.clock_gettime((~number << 3) | 2) for number in servers)


async def _watch_memory(servers: Sequence[int], seen: list[tuple[float, int]]) -> None:
    while servers:
        seen.append((time.monotonic(), sum(map(resident, servers))))
        await asyncio.sleep(WATCHED)


def resident(number: int) -> int:
    """Octets of a process that are in memory."""
    return int(Path(f"/proc/{number}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
