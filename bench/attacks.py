"""What strangers may do to a node, each for so many seconds and then no more; bench/flood.py starts them one by one.

`python -m bench.attacks NAME HTTP_PORT NATIVE_PORT SECONDS NAMES` writes one line of JSON about what it did. Strangers
come from networks of their own, 127.0.N.0/24, with a few addresses in each; the good clients stand in 127.0.0.0/24.
"""

import asyncio
import contextlib
import errno
import itertools
import json
import os
import random
import resource
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import uvloop

from bench.native_questions import question
from bench.nodes import Client

NETWORKS: Final = 16
CONNECTIONS_A_SECOND: Final = 2_000
HELD: Final = 8_000  # Connections that the flood keeps open; the oldest gives way to a new one.
SLOW: Final = 1_000  # Connections to each port that say an octet a second.
DATAGRAMS_A_SECOND: Final = 20_000  # Of each kind: nonsense, and queries under others' addresses.
BURST: Final = 32  # Datagrams between two looks at the clock.
ASKERS: Final = 256  # Connections that each ask for a name that is not kept, one after another.
OVERLOAD: Final = 40_000  # Datagrams a second that ask for such names: ten times the misses answered when calm.

Figures = dict[str, Any]


def sources() -> Iterator[tuple[str, int]]:
    return itertools.cycle([(f"127.0.{network}.{host}", 0) for network in range(1, NETWORKS + 1) for host in (7, 99)])


def connected(port: int, source: tuple[str, int]) -> socket.socket:
    """A connection that is being made."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.bind(source)
    with contextlib.suppress(BlockingIOError):
        connection.connect(("127.0.0.1", port))
    return connection


def crowd(http_port: int, native_port: int, seconds: float, names: list[str]) -> Figures:
    """Connections that say nothing, to both ports, thousands a second."""
    held: deque[socket.socket] = deque()
    begun, made, failed, places = monotonic(), 0, 0, sources()
    while (elapsed := monotonic() - begun) < seconds:
        while made + failed < elapsed * CONNECTIONS_A_SECOND:
            try:
                held.append(connected(http_port if made % 2 else native_port, next(places)))
                made += 1
            except OSError as error:
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EMFILE}:
                    raise
                failed += 1
            if len(held) > HELD:
                held.popleft().close()
        sleep(0.005)
    for connection in held:
        connection.close()
    return {"connections_made": made, "connections_not_made": failed}


def slow(http_port: int, native_port: int, seconds: float, names: list[str]) -> Figures:
    """Connections that say an octet of a request's head each second, and are made again when they are ended."""
    head = f"GET /api/handles/{names[0]} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".encode() + b"y" * 1000
    said = {http_port: head, native_port: question(names[0], 1)[:-1]}
    places, ended, number, due = sources(), 0, 0, 0.0
    open_: list[tuple[socket.socket, int, int]] = []
    begun = last = monotonic()
    while (now := monotonic()) - begun < seconds:
        while len(open_) < min(2 * SLOW, (now - begun) * CONNECTIONS_A_SECOND):
            port = (http_port, native_port)[len(open_) % 2]
            open_.append((connected(port, next(places)), port, 0))
        due, last = due + (now - last) * len(open_), now
        while due >= 1.0:  # one after another, not all at once
            due, number = due - 1.0, (number + 1) % len(open_)
            connection, port, place = open_[number]
            if _says(connection, said[port][place : place + 1]):
                open_[number] = connection, port, place + 1
            else:
                connection.close()
                ended += 1
                open_[number] = connected(port, next(places)), port, 0
        sleep(0.005)
    for connection, _, _ in open_:
        connection.close()
    return {"connections": len(open_), "ended_by_the_node": ended}


def _says(connection: socket.socket, octets: bytes) -> bool:
    """Whether a connection takes an octet more, and was not ended."""
    try:
        connection.send(octets)
        return connection.recv(1000) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


class Datagrams:
    """Sockets in all networks, what was sent from them and what came back."""

    def __init__(self, port: int) -> None:
        self.sent = self.heard = self.octets_sent = self.octets_heard = 0
        self._selector = selectors.DefaultSelector()
        self._sockets = []
        for place in itertools.islice(sources(), 2 * NETWORKS):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setblocking(False)
            made.bind(place)
            made.connect(("127.0.0.1", port))
            self._selector.register(made, selectors.EVENT_READ)
            self._sockets.append(made)

    def send_for(self, seconds: float, rate: float, make: Callable[[int], bytes]) -> Figures:
        begun = monotonic()
        while (elapsed := monotonic() - begun) < seconds:
            due = int(elapsed * rate) - self.sent
            for _ in range(min(due, BURST)):
                octets = make(self.sent)
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    self._sockets[self.sent % len(self._sockets)].send(octets)
                self.sent += 1
                self.octets_sent += len(octets)
            self._hear()
            if due < BURST:
                sleep(0.001)
        sleep(0.2)
        self._hear()
        return {
            "datagrams_a_second": round(self.sent / seconds),
            "octets_sent": self.octets_sent,
            "answers": self.heard,
            "octets_heard": self.octets_heard,
            "octets_out_per_octet_in": round(self.octets_heard / max(1, self.octets_sent), 3),
        }

    def _hear(self) -> None:
        for key, _ in self._selector.select(0):
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                while octets := key.fileobj.recv(65_536):  # type: ignore[union-attr]  # sockets were registered
                    self.heard += 1
                    self.octets_heard += len(octets)


def nonsense(http_port: int, native_port: int, seconds: float, names: list[str]) -> Figures:
    """Datagrams of chance, and messages cut short: nothing at all may come back."""
    whole = question(names[0], 1)

    def make(number: int) -> bytes:
        return os.urandom(40 + number % 400) if number % 2 else whole[: 20 + number % (len(whole) - 20)]

    return Datagrams(native_port).send_for(seconds, DATAGRAMS_A_SECOND, make)


def reflection(http_port: int, native_port: int, seconds: float, names: list[str]) -> Figures:
    """Queries for what gives the longest answers, as if the networks of the addresses had sent them."""
    asked = [question(name, number) for number, name in enumerate(names)]
    return Datagrams(native_port).send_for(seconds, DATAGRAMS_A_SECOND, lambda number: asked[number % len(asked)])


def misses(http_port: int, native_port: int, seconds: float, names: list[str]) -> Figures:
    """Names that nobody asked for before: over HTTP as fast as they are refused, over UDP at a rate far beyond that."""
    child = os.fork()
    if child == 0:
        uvloop.run(_ask_for_unkept(http_port, seconds, names))
        os._exit(0)
    chance = random.Random(2)

    def make(number: int) -> bytes:
        return question(f"{chance.choice(names)}-{number:x}", number & 0x7FFFFFFF)

    figures = Datagrams(native_port).send_for(seconds, OVERLOAD, make)
    os.waitpid(child, 0)
    return figures


async def _ask_for_unkept(port: int, seconds: float, names: list[str]) -> None:
    ends_at, numbers = monotonic() + seconds, itertools.count()

    async def ask() -> None:
        while monotonic() < ends_at:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                async with asyncio.timeout(ends_at - monotonic() + 1):
                    client = await Client.connect(port)
                    while monotonic() < ends_at:
                        number = next(numbers)
                        await client.ask(f"{names[number % len(names)]}-h{number:x}")
                    client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(ASKERS):
            group.create_task(ask())


ATTACKS: Final = {attack.__name__: attack for attack in (crowd, slow, nonsense, reflection, misses)}


def main() -> None:
    name, http_port, native_port, seconds, names = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asked = json.loads(Path(names).read_text("utf-8"))
    print(json.dumps(ATTACKS[name](int(http_port), int(native_port), float(seconds), asked)))


if __name__ == "__main__":
    main()
