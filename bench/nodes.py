"""A resolver in a process of its own for a measurement, and connections that ask it as fast as it answers."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bench.ports import free_port

_LISTENING: Final = b"listening on port "
_TICK: Final = 1.0 / os.sysconf("SC_CLK_TCK")


class BenchNode:
    """One worker that listens on the loopback interface."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, native_port: int, status_port: int = 0) -> None:
        self.process = process
        self.port = port
        self.native_port = native_port
        self.status_port = status_port

    def cpu_seconds(self) -> float:
        """What the process has used, in user and kernel mode; its Postgres processes are not in it."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK


class Client:
    """One keep-alive connection with one request in flight."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1") -> "Client":
        return cls(*await asyncio.open_connection(host, port))

    async def ask(self, name: str, headers: str = "") -> tuple[int, bytes]:
        """The status and the body of the answer. Each of `headers` ends its line."""
        head, body = await self.exchange(name, headers=headers)
        return int(head[9:12]), body

    async def exchange(self, name: str, query: str = "", headers: str = "") -> tuple[bytes, bytes]:
        """The head, in small letters, and the body of the answer."""
        target = quote(name, safe="/:.-_~") + query
        self._writer.write(f"GET /api/handles/{target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return head, await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def a_node(dsn: str, directory: Path, **settings: object) -> AsyncIterator[BenchNode]:
    """A worker over a database; `settings` are those of [resolver]."""
    status_port = free_port()  # The node tells nobody which one it took for its status.
    environment = {
        **os.environ,
        "FILAMENT_REGISTRY_DSN": dsn,
        "FILAMENT_REGISTRY_DATA_DIRECTORY": str(directory),
        "FILAMENT_RESOLVER_LISTEN": "127.0.0.1",
        "FILAMENT_RESOLVER_PORT": "0",
        "FILAMENT_RESOLVER_NATIVE_PORT": "0",
        "FILAMENT_STATUS_PORT": str(status_port),
        **{f"FILAMENT_RESOLVER_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "resolver", "--workers", "1"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        node = BenchNode(process, *await _ports(process), status_port)
        client = await Client.connect(node.port)
        while (await client.ask("0.NA/none"))[0] == 503:  # noqa: ASYNC110  # another process tells us no event
            await asyncio.sleep(0.05)
        client.close()
        yield node
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _ports(process: asyncio.subprocess.Process) -> tuple[int, int]:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if _LISTENING in line:
            port, native_port, *_ = re.findall(rb"\d+", line.rpartition(_LISTENING)[2])
            return int(port), int(native_port)
    raise RuntimeError("the resolver ended before it listened")


async def ask_all(port: int, names: Iterable[str], connections: int = 32, headers: str = "") -> int:
    """Asks for each name once over several connections; returns how many answers were not 200."""
    remaining = iter(names)
    others = 0

    async def ask_some() -> None:
        nonlocal others
        client = await Client.connect(port)
        for name in remaining:
            status, _ = await client.ask(name, headers)
            others += status != 200
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(ask_some())
    return others
