"""The same look-up in C over UDP, `udp_lookup.c`: what this machine allows whoever answers the native protocol."""

import asyncio
import shutil
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.ports import free_port
from bench.rivals import job
from bench.rivals.processes import Server, Task, running
from bench.rivals.programs import Absent, run
from registry.value import HandleValue
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from resolver.wire.query import HandleValues

SOURCE: Final = Path(__file__).with_name("udp_lookup.c")
EXPIRES: Final = 2_000_000_000  # Of every answer, seconds since 1970.
LENGTHS: Final = struct.Struct("<II")


@asynccontextmanager
async def udp_lookup(task: Task) -> AsyncIterator[Server]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Absent("there is no C compiler here")
    program, records, port = task.directory / "udp_lookup", task.directory / "udp_records", free_port(datagrams=True)
    run(compiler, "-O2", "-o", str(program), str(SOURCE), directory=task.directory)
    await asyncio.to_thread(_write, records, task.keys)
    command = (program, str(port), records)
    async with running(command, port, {}, task.directory, datagrams=True) as pid:
        yield Server(pid, port, port)


def _write(path: Path, keys: int) -> None:
    """Each name and the message that answers it; the program puts the request id into it."""
    with path.open("wb") as out:
        for name, answer in _answers(keys):
            out.write(LENGTHS.pack(len(name), len(answer)) + name + answer)


def _answers(keys: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(keys):
        name = job.name(number).encode()
        values = [
            HandleValue(index, kind, data.encode(), timestamp=job.WRITTEN_AT)
            for index, kind, data in job.values(number)
        ]
        body = HandleValues(name, tuple(values)).to_wire()
        yield name, Message(2, 11, 2, 11, 0, 0, 0, OpCode.RESOLUTION, 1, 0, 1, 0, 0, EXPIRES, body, b"").to_wire()
