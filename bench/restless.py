"""Clients that ask one node on and on, each in its own way, and count every question that was not answered.

Nothing is asked twice: a client whose connection ends before its answer came has failed, and so has a datagram whose
answer did not come. A connection that the node said it would close, or closed before the question, is opened anew.
"""

import asyncio
import itertools
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from bench.native_questions import question
from resolver.wire.codes import OpFlag
from resolver.wire.message import Message

PATIENCE: Final = 10.0  # Seconds; a client that waits longer for an answer has given up.
FOUND: Final = b'"responseCode":1,'
_NUMBERS: Final = itertools.count(1)
_KEEP: Final = int(OpFlag.KEEP_CONNECTION)


@dataclass(frozen=True, slots=True)
class Target:
    """A node on this machine, and what to ask for; every name is registered there."""

    port: int
    native_port: int
    names: Sequence[str]


@dataclass(slots=True)
class Count:
    """Questions by the way in which they were asked, and those without an answer by way and reason."""

    asked: Counter[str] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)


class Stream:
    """One connection; with `kept` for as long as it lasts, else for one question."""

    def __init__(self, target: Target, *, kept: bool) -> None:
        self._target = target
        self._kept = kept
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, name: str) -> None:
        if self._reader is None or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await self._connect()
        assert self._writer is not None
        try:
            stays = await self._exchange(name, self._reader, self._writer)
        except BaseException:
            self.close()
            raise
        if not (stays and self._kept):
            self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._target.port)

    async def _exchange(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on. HTTP/1.1 (RFC 9112)."""
        writer.write(f"GET /api/handles/{quote(name)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200 ") or FOUND not in body.replace(b" ", b""):
            raise ValueError(head.partition(b"\r\n")[0].decode())
        return b"connection: close" not in head


class SecuredStream(Stream):
    """The same over TLS."""

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return await asyncio.open_connection("127.0.0.1", self._target.port, ssl=context)


class NativeStream(Stream):
    """The native protocol, as its SDKs use it: a connection is kept until it ends."""

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._target.native_port)

    async def _exchange(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        number = next(_NUMBERS)
        request = Message.from_wire(question(name, number))
        writer.write(request._replace(op_flags=request.op_flags | _KEEP).to_wire())
        envelope = await reader.readexactly(20)
        _judge(envelope + await reader.readexactly(int.from_bytes(envelope[16:], "big")), number)
        return True


class Datagrams:
    """The native protocol over UDP. A datagram is sent once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", target.native_port))

    async def ask(self, name: str) -> None:
        loop, number = asyncio.get_running_loop(), next(_NUMBERS)
        await loop.sock_sendall(self._socket, question(name, number))
        _judge(await loop.sock_recv(self._socket, 65536), number)

    def close(self) -> None:
        self._socket.close()


def _judge(octets: bytes, number: int) -> None:
    answer = Message.from_wire(octets)
    if answer.request_id != number or answer.response_code != 1:
        raise ValueError(f"response code {answer.response_code}")


WAYS: Final[dict[str, Callable[[Target], Stream | Datagrams]]] = {
    "http, kept": lambda target: Stream(target, kept=True),
    "http, new": lambda target: Stream(target, kept=False),
    "https, kept": lambda target: SecuredStream(target, kept=True),
    "native tcp, kept": lambda target: NativeStream(target, kept=True),
    "native tcp, new": lambda target: NativeStream(target, kept=False),
    "native udp": Datagrams,
}


async def ask_on_and_on(
    target: Target, count: Count, enough: Callable[[], bool], clients: int = 2, pause: float = 0.0
) -> None:
    """So many clients of each way, with seconds between an answer and the next question, until it is enough."""
    names = itertools.cycle(target.names)
    async with asyncio.TaskGroup() as group:
        for way in WAYS:
            for _ in range(clients):
                group.create_task(_ask(way, target, names, count, enough, pause))


async def _ask(
    way: str, target: Target, names: "itertools.cycle[str]", count: Count, enough: Callable[[], bool], pause: float
) -> None:
    client = WAYS[way](target)
    try:
        while not enough():
            count.asked[way] += 1
            try:
                async with asyncio.timeout(PATIENCE):
                    await client.ask(next(names))
            except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
                count.failed[way, f"{type(error).__name__}: {error}"[:80]] += 1
            if pause:
                await asyncio.sleep(pause)
    finally:
        client.close()
