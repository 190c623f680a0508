"""Orders to a running node from its own machine: a socket in the data directory, open to the node's own user alone.

One line of JSON asks, one answers. The directory stands in the name as /proc/self/fd/N, because the names of sockets
are short and those of directories are not.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

NAME: Final = "control"
MAX_ORDER: Final = 4096  # Octets: a word and a language.
PATIENCE: Final = 600.0  # Seconds for an order: a rolling restart drains one process after the other.

Order = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class NoNode(Exception):
    """Nobody listens there."""


@asynccontextmanager
async def obeying(directory: Path, orders: Mapping[str, Order]) -> AsyncIterator[None]:
    """Carries out the named orders as long as the block runs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError, KeyError):
            asked = json.loads(await reader.readline())
            answer = await orders[asked["order"]](asked)
            writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
            await writer.drain()
        writer.close()

    with _named(directory) as path, socket.socket(socket.AF_UNIX) as listening:
        (directory / NAME).unlink(missing_ok=True)  # of a run that was killed: only one node has this directory
        listening.bind(path)
        (directory / NAME).chmod(0o600)
        server = await asyncio.start_unix_server(serve, sock=listening, limit=MAX_ORDER)
        try:
            yield
        finally:
            server.close()
            with contextlib.suppress(OSError):  # on a disk that can only be read the node stops in order, too
                (directory / NAME).unlink()


def order(directory: Path, name: str, **particulars: Any) -> Mapping[str, Any]:
    """What the node that runs with this data directory answers. Raises NoNode."""
    try:
        with _named(directory) as path, socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(PATIENCE)
            asking.connect(path)
            asking.sendall(json.dumps({"order": name, **particulars}).encode() + b"\n")
            with asking.makefile("rb") as answers:
                line = answers.readline()
    except OSError as error:
        raise NoNode(error.strerror or str(error)) from None
    if not line:
        raise NoNode("it ended before it answered")
    return dict(json.loads(line))


@contextlib.contextmanager
def _named(directory: Path) -> Iterator[str]:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{NAME}"
    finally:
        os.close(opened)
