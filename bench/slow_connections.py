"""Connections of the slow load generator: what is sent, and where an answer ends, for each protocol."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bench.pools import Request
from resolver.wire.datagram import Reassembly
from resolver.wire.envelope import ENVELOPE, TRUNCATED

GOOD: Final = {"http": 200, "tcp": 1, "udp": 1, "redis": 0, "dns": 0}
NIL, ERROR, EMPTY, MALFORMED = 1, 2, 16, 1023
DATAGRAMS: Final = ("udp", "dns")
ASKED_AGAIN: Final = 0.5  # Seconds that a datagram is waited for.
TRIES: Final = 3

Whole = tuple[int, int] | None
"""Octets and code of the answer at the beginning of a buffer; None while it is not whole."""


@dataclass(slots=True)
class Asked:
    """A request under way."""

    place: int
    request: Request
    due: int
    sent: int


def http_answer(octets: bytes) -> Whole:
    head, blank, _ = octets.partition(b"\r\n\r\n")
    if not blank:
        return None
    code, fields, end = int(head[9:12]), head.lower(), len(head) + 4
    if b"transfer-encoding: chunked" not in fields:
        end += int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return (end, code) if len(octets) >= end else None
    while (line := octets.find(b"\r\n", end)) > 0:
        size = int(octets[end:line], 16)
        end = line + 2 + size + 2
        if size == 0:
            return (end, code) if len(octets) >= end else None
    return None


def native_answer(octets: bytes) -> Whole:
    if len(octets) < ENVELOPE + 8:
        return None
    end = ENVELOPE + int.from_bytes(octets[16:20], "big")
    return (end, int.from_bytes(octets[24:28], "big")) if len(octets) >= end else None


def redis_answer(octets: bytes) -> Whole:
    line, ends, _ = octets.partition(b"\r\n")
    if not ends:
        return None
    end = len(line) + 2
    if line[:1] != b"$" or line == b"$-1":
        return end, {b"-": ERROR, b"$": NIL}.get(line[:1], 0)
    end += int(line[1:]) + 2
    return (end, 0) if len(octets) >= end else None


STREAMS: Final[dict[str, Callable[[bytes], Whole]]] = {"http": http_answer, "tcp": native_answer, "redis": redis_answer}


class Owner(Protocol):
    """Who is told what comes of requests."""

    def take(self, connection: "Connection", asked: Asked, code: int, octets: bytes) -> None: ...

    def lose(self, connection: "Connection", asked: Asked) -> None: ...

    def count_again(self) -> None: ...

    def fail(self, error: Exception) -> None: ...


class Connection(asyncio.Protocol, asyncio.DatagramProtocol):
    """One socket. Answers without request ids come in the order of the requests."""

    def __init__(self, owner: Owner, protocol: str) -> None:
        self._owner, self.protocol = owner, protocol
        self._transport: Any = None
        self._octets = b""
        self._asked: dict[int, Asked] = {}
        self._order: deque[int] = deque()
        self._last = 0
        self._reassembly = Reassembly(time.monotonic)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asked:
            self._owner.fail(exc or ConnectionError("the server hung up"))

    def ask(self, asked: Asked) -> None:
        self._last += 1
        number = self._last & 0xFFFF
        self._asked[number] = asked
        self._order.append(number)
        self._write(number, asked)
        if self.protocol in DATAGRAMS:
            asyncio.get_running_loop().call_later(ASKED_AGAIN, self._ask_again, number, asked, TRIES)

    def _write(self, number: int, asked: Asked) -> None:
        octets = asked.request.octets
        if self.protocol == "dns":
            octets = number.to_bytes(2, "big") + octets[2:]
        elif self.protocol in ("tcp", "udp"):
            octets = octets[:8] + number.to_bytes(4, "big") + octets[12:]
        (self._transport.sendto if self.protocol in DATAGRAMS else self._transport.write)(octets)

    def _ask_again(self, number: int, asked: Asked, tries: int) -> None:
        if self._asked.get(number) is not asked:
            return
        if tries == 1:
            del self._asked[number]
            self._owner.lose(self, asked)
            return
        self._owner.count_again()
        self._write(number, asked)
        asyncio.get_running_loop().call_later(ASKED_AGAIN, self._ask_again, number, asked, tries - 1)

    def data_received(self, data: bytes) -> None:
        self._octets += data
        while (whole := STREAMS[self.protocol](self._octets)) is not None:
            octets, self._octets = self._octets[: whole[0]], self._octets[whole[0] :]
            number = int.from_bytes(octets[8:12], "big") if self.protocol == "tcp" else self._order.popleft()
            self._answer(number, whole[1], octets)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.protocol == "dns":
            found = int.from_bytes(data[6:8], "big") > 0
            self._answer(int.from_bytes(data[:2], "big"), data[3] & 15 or (0 if found else EMPTY), data)
            return
        message = self._reassembly.add(data[8:12], data) if data[2] & TRUNCATED else data
        if message is not None:
            self._answer(int.from_bytes(data[8:12], "big"), int.from_bytes(message[24:28], "big"), message)

    def error_received(self, exc: Exception) -> None:
        self._owner.fail(exc)

    def _answer(self, number: int, code: int, octets: bytes) -> None:
        if (asked := self._asked.pop(number, None)) is not None:
            self._owner.take(self, asked, code, octets)
