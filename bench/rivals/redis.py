"""Redis with every record in memory, asked with GET: a look-up by name without HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.ports import free_port
from bench.rivals import job
from bench.rivals.processes import Server, Task, running
from bench.rivals.programs import debian_package, environment_of

AT_ONCE: Final = 10_000  # Commands of a write while it is filled.
STORED: Final = b"+OK\r\n"


def command(*words: bytes) -> bytes:
    """In RESP, the protocol of Redis."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@asynccontextmanager
async def redis(task: Task) -> AsyncIterator[Server]:
    root = debian_package("redis-server")
    port = free_port()
    settings = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    program = (root / "usr/bin/redis-server", *settings)
    async with running(program, port, environment_of(root), task.directory) as pid:
        await _fill(port, task.keys)
        yield Server(pid, port)


async def _fill(port: int, keys: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for start in range(0, keys, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, keys))
        writer.write(b"".join(command(b"SET", job.name(one).encode(), job.body(one)) for one in numbers))
        said = await reader.readexactly(len(STORED) * len(numbers))
        if said != STORED * len(numbers):
            raise RuntimeError(f"Redis refused a record: {said[:100]!r}")
    writer.close()
