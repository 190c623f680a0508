"""Connections that ask natively as fast as they are answered: so many requests in flight on each, and never more.

Every answer's request id and response code are looked at; one in SAMPLE is read whole and compared with what was
registered. A datagram that nobody answers is asked again after a while and counted, so that the loop goes on.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from bench.native_questions import Questions, Registered, WrongAnswer
from resolver.wire.datagram import Reassembly
from resolver.wire.envelope import ENVELOPE, TRUNCATED

SAMPLE: Final = 64
ASKED_AGAIN: Final = 0.5  # Seconds; what the reference client waits for its first datagram.


@dataclass(slots=True)
class Tally:
    """What came of the requests; `seconds` holds how long each answer took."""

    seconds: list[float] = field(default_factory=list)
    octets: int = 0
    sampled: int = 0
    again: int = 0


class Asker:
    """Requests in flight on one socket. Whoever carries them calls `answered`; `write` is where they go."""

    def __init__(self, questions: Questions, in_flight: int, tally: Tally) -> None:
        self.finished = asyncio.get_running_loop().create_future()
        self._questions = questions
        self._in_flight = in_flight
        self._tally = tally
        self._asked: dict[int, tuple[str, bytes, float]] = {}
        self._last_id = 0
        self._ends_at = 0.0

    def write(self, octets: bytes) -> None:
        raise AssertionError("each transport has its own")

    def begin(self, seconds: float) -> None:
        self._ends_at = perf_counter() + seconds
        for _ in range(self._in_flight):
            self._ask()

    def answered(self, octets: bytes) -> None:
        """★ Takes a whole message. Its bounds are known, so its fields have their places."""
        now = perf_counter()
        asked = self._asked.pop(int.from_bytes(octets[8:12], "big"), None)
        if asked is None:
            return  # asked twice, answered twice
        name, _, asked_at = asked
        tally = self._tally
        tally.seconds.append(now - asked_at)
        tally.octets += len(octets)
        try:
            if octets[24:28] != b"\0\0\0\1":
                raise WrongAnswer(f"{name}: response code {int.from_bytes(octets[24:28], 'big')}")
            if len(tally.seconds) % SAMPLE == 0:
                self._questions.check(name, octets)
                tally.sampled += 1
        except WrongAnswer as error:
            self.fail(error)
            return
        if now < self._ends_at:
            self._ask()
        elif not self._asked and not self.finished.done():
            self.finished.set_result(None)

    def ask_again(self) -> None:
        """Writes once more what nobody answered in time."""
        overdue = perf_counter() - ASKED_AGAIN
        for request_id, (name, octets, asked_at) in tuple(self._asked.items()):
            if asked_at < overdue:
                self._tally.again += 1
                self._asked[request_id] = name, octets, perf_counter()
                self.write(octets)

    def fail(self, error: Exception) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)

    def _ask(self) -> None:
        self._last_id += 1
        name, octets = self._questions.next(self._last_id)
        self._asked[self._last_id] = name, octets, perf_counter()
        self.write(octets)


class TcpAsker(Asker, asyncio.Protocol):
    """One connection."""

    def __init__(self, questions: Questions, in_flight: int, tally: Tally) -> None:
        super().__init__(questions, in_flight, tally)
        self._transport: asyncio.Transport | None = None
        self._octets = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(exc or ConnectionError("the node closed the connection"))

    def data_received(self, data: bytes) -> None:
        octets = self._octets + data if self._octets else data
        start = 0
        while len(octets) - start >= ENVELOPE:
            end = start + ENVELOPE + int.from_bytes(octets[start + 16 : start + 20], "big")
            if end > len(octets):
                break
            self.answered(octets[start:end])
            start = end
        self._octets = octets[start:]

    def write(self, octets: bytes) -> None:
        assert self._transport is not None
        self._transport.write(octets)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


class UdpAsker(Asker, asyncio.DatagramProtocol):
    """One socket."""

    def __init__(self, questions: Questions, in_flight: int, tally: Tally) -> None:
        super().__init__(questions, in_flight, tally)
        self._transport: asyncio.DatagramTransport | None = None
        self._reassembly = Reassembly(perf_counter)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[2] & TRUNCATED:
            # Each request counts as a peer of its own: the bound on messages begun is for strangers.
            whole = self._reassembly.add(data[8:12], data)
            if whole is None:
                return
            data = whole
        self.answered(data)

    def error_received(self, exc: Exception) -> None:
        self.fail(exc)

    def write(self, octets: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(octets)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


async def ask_over_tcp(
    port: int, registered: Registered, *, connections: int, in_flight: int, seconds: float
) -> tuple[Tally, float]:
    """What came of it, and how long it took. Raises WrongAnswer, ConnectionError."""
    loop, tally = asyncio.get_running_loop(), Tally()
    askers: list[TcpAsker | UdpAsker] = []
    for number in range(connections):
        asker = TcpAsker(Questions(registered, number), in_flight, tally)
        await loop.create_connection(
            lambda asker=asker: asker,  # type: ignore[misc]  # mypy infers no lambda with a default
            *("127.0.0.1", port),
        )
        askers.append(asker)
    return tally, await _run(askers, seconds)


async def ask_over_udp(
    port: int, registered: Registered, *, connections: int, in_flight: int, seconds: float
) -> tuple[Tally, float]:
    """Each socket stands in a network of its own, 127.0.N.1: the node bounds what it sends to one network."""
    loop, tally = asyncio.get_running_loop(), Tally()
    askers: list[TcpAsker | UdpAsker] = []
    for number in range(connections):
        asker = UdpAsker(Questions(registered, number), in_flight, tally)
        source = (f"127.0.{number + 1}.1", 0)
        await loop.create_datagram_endpoint(
            lambda asker=asker: asker,  # type: ignore[misc]  # mypy infers no lambda with a default
            local_addr=source,
            remote_addr=("127.0.0.1", port),
        )
        askers.append(asker)
    return tally, await _run(askers, seconds)


async def _run(askers: Sequence[TcpAsker | UdpAsker], seconds: float) -> float:
    begun = perf_counter()
    for asker in askers:
        asker.begin(seconds)
    again = asyncio.create_task(_ask_again([asker for asker in askers if isinstance(asker, UdpAsker)]))
    try:
        async with asyncio.timeout(seconds + 10):
            await asyncio.gather(*(asker.finished for asker in askers))
        return perf_counter() - begun
    finally:
        again.cancel()
        for asker in askers:
            asker.finished.cancel()
            asker.close()


async def _ask_again(askers: Sequence[UdpAsker]) -> None:
    while True:
        await asyncio.sleep(ASKED_AGAIN / 2)
        for asker in askers:
            asker.ask_again()
