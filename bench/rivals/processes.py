"""Servers as processes that are measured: pinned to a core, held still while another is measured, their CPU counted."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.rivals.programs import Absent

START_SECONDS: Final = 120.0  # Filling a table with a million records takes a plain service half a minute.
STOP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers: its first process, and where it listens on the loopback interface."""

    pid: int
    port: int
    native_port: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What the servers are given: names that are kept, rows in the database, and where files may lie."""

    keys: int
    rows: int
    dsn: str
    directory: Path


def tree(pid: int) -> list[int]:
    """A process and all that descend from it; none when it is gone."""
    if not Path(f"/proc/{pid}").exists():
        return []
    children = (int(word) for task in _tasks(pid) for word in _words(Path(f"/proc/{pid}/task/{task}/children")))
    return [pid, *(one for child in list(children) for one in tree(child))]


def cpu_by_process(pid: int) -> dict[int, float]:
    """Seconds that a process and its descendants have used so far, in user and kernel mode (man 2 clock_getres)."""
    used = {}
    for one in tree(pid):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            used[one] = time.clock_gettime((~one << 3) | 2)
    return used


def pin(pid: int, cores: set[int]) -> None:
    """Every thread of a process and its descendants; what they start later inherits it."""
    for one in tree(pid):
        for task in _tasks(one):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(task, cores)


def hold(pid: int) -> None:
    """Stops a process and its descendants: nothing that another server's measurement could meet."""
    _signal(pid, signal.SIGSTOP)


def release(pid: int) -> None:
    _signal(pid, signal.SIGCONT)


@asynccontextmanager
async def running(
    command: Sequence[str | Path],
    port: int,
    environment: Mapping[str, str],
    directory: Path,
    *,
    datagrams: bool = False,
) -> AsyncIterator[int]:
    """Starts a server and waits until its port answers; gives its process id. Raises Absent when it ends first.

    One of datagrams only says "ready" on its standard output.
    """
    log = directory / f"{Path(command[0]).name}-{port}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), env=dict(environment), cwd=directory, stdout=output, stderr=output
        )
    try:
        await _until(process, log, (lambda: _said_ready(log)) if datagrams else (lambda: _answers(port)))
        yield process.pid
    finally:
        release(process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until(process: asyncio.subprocess.Process, log: Path, is_ready: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            raise Absent(f"{log.stem} ended: {_last_words(log) or process.returncode}")
        if is_ready():
            return
        await asyncio.sleep(0.05)
    raise Absent(f"{log.stem} did not listen within {START_SECONDS:.0f} s")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _said_ready(log: Path) -> bool:
    return log.read_bytes().startswith(b"ready")


def _last_words(log: Path) -> str:
    return "".join(log.read_text("utf-8", "replace").strip().splitlines()[-1:])


def _signal(pid: int, number: signal.Signals) -> None:
    for one in tree(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


def _tasks(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from map(int, os.listdir(f"/proc/{pid}/task"))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except OSError:
        return []
