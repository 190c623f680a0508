"""A whole node with the Postgres it ships, in processes of its own, and where each of them is."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.lab import SETTINGS
from bench.ports import free_ports
from bench.writers import Places
from registry.data_directory import DataDirectory
from registry.embedded import EmbeddedPostgres, postgres_directory

PATIENCE: Final = 90.0  # Seconds for a node to come up.
POSTGRES, REGISTRY, SUPERVISOR = "postgres", "registry", "supervisor"
WORKERS: Final = ("worker 1", "worker 2")
ORPHANS: Final = 20.0  # Seconds for processes whose supervisor was killed to notice, and end.
LAST_WORDS: Final = 200  # Lines of its log that are kept.
_PROCESS: Final = re.compile(r"(registry|worker \d) is process (\d+)")


class Running:
    """A node, and the processes that it said it has. It may be started again, on the same ports."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are in its environment whenever it is started."""
        self.directory = directory
        self._settings = {**SETTINGS, **(settings or {})}
        self.port, self.native_port, registry = free_ports(3)
        self.places = Places(f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{registry}")
        self.pids: dict[str, int] = {}
        self.log: list[str] = []
        self._registry_port = registry
        self._up = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Returns when it is up."""
        self._up.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "resolver.cli", *self._line()),
            env={**os.environ, **self._settings, "LC_ALL": "en_GB.UTF-8", "PYTHONUTF8": "1", **(environment or {})},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        self.pids = {SUPERVISOR: process.pid}
        self._reading = asyncio.create_task(self._read(process.stderr))
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({up, self._reading}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not self._up.is_set():
            await self.stop()
            raise RuntimeError("the node did not come up:\n" + "\n".join(self.log))

    async def stop(self) -> None:
        """In order; one that has ended is only waited for."""
        if self._process is None or self._reading is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        await asyncio.wait({self._reading}, timeout=ORPHANS)

    def _line(self) -> list[str]:
        given = {
            "resolver.listen": "127.0.0.1",
            "resolver.port": self.port,
            "resolver.native_port": self.native_port,
            "resolver.workers": len(WORKERS),
            "registry.port": self._registry_port,
            "status.port": 0,
        }
        line = ["up", "--data-directory", str(self.directory)]
        return line + [word for name, value in given.items() for word in ("--set", f"{name}={value}")]

    async def _read(self, said: asyncio.StreamReader) -> None:
        while line := (await said.readline()).decode(errors="replace"):
            self.log.append(line.rstrip())
            del self.log[:-LAST_WORDS]
            if found := _PROCESS.search(line):
                self.pids[found[1]] = int(found[2])
            if "The node is up" in line:
                self._up.set()

    def process(self, name: str) -> int | None:
        """The process that has this name now."""
        if name != POSTGRES:
            return self.pids.get(name)
        cluster = DataDirectory(postgres_directory(self.directory)).cluster
        try:
            return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def signal(self, name: str, number: signal.Signals) -> bool:
        """To the process that has this name now; whether there is one."""
        process = self.process(name)
        if process is None:
            return False
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return False
        return True


@asynccontextmanager
async def a_book_at_rest(directory: Path) -> AsyncIterator[str]:
    """The database of a node that does not run."""
    async with EmbeddedPostgres(postgres_directory(directory)) as postgres:
        yield postgres.dsn
