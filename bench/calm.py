"""Clients that ask for kept answers at a calm, fixed rate, and what each answer cost in time: over HTTP, TCP and UDP.

`python -m bench.calm HTTP_PORT NATIVE_PORT RATE NAMES` writes a line for each request when it is over: the second by
the monotonic clock at which it was due, the transport, and how long it took from then, or -1 when it was not answered
right. A request is due at its time whether those before it were answered or not, so a node that stalls is charged
for all who waited. It ends with its standard input, which bench/flood.py holds.
"""

import asyncio
import itertools
import json
import sys
from asyncio import Queue
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

import uvloop

from bench.idle import IdleConnection
from bench.native_questions import question
from bench.nodes import Client

HOST: Final = "127.0.0.1"
CONNECTIONS: Final = 8  # Of each transport; a request waits for a free one, and its time goes on.
PATIENCE: Final = 5.0  # Seconds for one answer.
ASKED_AGAIN: Final = 0.5  # Seconds until a datagram is sent again, as the reference client does.

Ask = Callable[[str], Awaitable[bool]]


class HttpAsker:
    """A connection that is made again when it was lost."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client: Client | None = None

    async def ask(self, name: str) -> bool:
        if self._client is None:
            self._client = await Client.connect(self._port)
        status, body = await self._client.ask(name)
        return status == 200 and name.encode() in body

    def end(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class TcpAsker:
    """The same with the native protocol."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count(1)
        self._connection: IdleConnection | None = None

    async def ask(self, name: str) -> bool:
        if self._connection is None:
            self._connection = await IdleConnection.open(self._port)
        await self._connection.ask(name, next(self._numbers))
        return True

    def end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class UdpAsker(asyncio.DatagramProtocol):
    """A socket that asks again when it hears nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count(1)
        self._transport: asyncio.DatagramTransport | None = None
        self._expected = b""
        self._heard = asyncio.Event()
        self._right = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[8:12] == self._expected and not int.from_bytes(data[12:16], "big"):  # the first piece of an answer
            self._right = data[24:28] == b"\0\0\0\1"
            self._heard.set()

    async def ask(self, name: str) -> bool:
        if self._transport is None:
            place = (HOST, self._port)
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, remote_addr=place)
        assert self._transport is not None
        octets = question(name, next(self._numbers))
        self._expected = octets[8:12]
        self._heard.clear()
        while not self._heard.is_set():
            self._transport.sendto(octets)
            try:
                await asyncio.wait_for(self._heard.wait(), ASKED_AGAIN)
            except TimeoutError:
                continue
        return self._right

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


Asker = HttpAsker | TcpAsker | UdpAsker


async def ask_one(free: "Queue[Asker]", transport: str, name: str, due: float, out: TextIO) -> None:
    asker = await free.get()
    try:
        async with asyncio.timeout(PATIENCE):
            right = await asker.ask(name)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        asker.end()
        right = False
    finally:
        free.put_nowait(asker)
    out.write(f"{due:.6f} {transport} {monotonic() - due if right else -1:.6f}\n")


async def ask_all(http_port: int, native_port: int, rate: float, names: list[str], out: TextIO) -> None:
    queues: dict[str, Queue[Asker]] = {"http": Queue(), "tcp": Queue(), "udp": Queue()}
    for _ in range(CONNECTIONS):
        queues["http"].put_nowait(HttpAsker(http_port))
        queues["tcp"].put_nowait(TcpAsker(native_port))
        queues["udp"].put_nowait(UdpAsker(native_port))
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    begun = monotonic()
    async with asyncio.TaskGroup() as group:
        for number, (name, transport) in enumerate(zip(itertools.cycle(names), itertools.cycle(queues), strict=False)):
            due = begun + number / rate
            if (early := due - monotonic()) > 0:
                await asyncio.sleep(early)
            if ended.done():
                break
            due = min(due, monotonic())  # timers may be early by a part of a millisecond
            group.create_task(ask_one(queues[transport], transport, name, due, out))


def main() -> None:
    http_port, native_port, rate, names = sys.argv[1:]
    asked = json.loads(Path(names).read_text("utf-8"))
    uvloop.run(ask_all(int(http_port), int(native_port), float(rate), asked, sys.stdout))


if __name__ == "__main__":
    main()
