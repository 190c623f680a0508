"""Connections over transports that keep what is written, and a resolver behind them that holds what is asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

from registry.changes import Change, ChangeKind
from registry.registration import Registration
from registry.settings import RegistrySettings
from resolver.listeners.http.app import HttpServer
from resolver.listeners.http.connection import Connection
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.trial import Recorder
from resolver.settings import ResolverSettings, Settings
from tests.resolver.books import Bench, bench, key, record

ENGINE = "88.1/ENGINE"
HELD = (ENGINE, "88.1/Gear.7", "88.1/发动机", "88.1/a%b", '88.1/"q"')
ABSENT = "88.1/NONE"
# Turns of the loop in which everything that can go on has gone on: nothing here waits for another process.
TURNS = 15
COLD_TURNS = 60  # When every name is read: some four turns each.


def question(name: str = ENGINE, headers: str = "") -> bytes:
    return f"GET /api/handles/{name} HTTP/1.1\r\nHost: node\r\n{headers}\r\n".encode()


async def turns(count: int = TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Line:
    """One connection of a server, and what it says."""

    def __init__(self, connection: Connection, **extra: object) -> None:
        self.connection = connection
        self.transport = Recorder(**extra)
        connection.connection_made(self.transport)

    async def say(self, *segments: bytes, after: int = TURNS) -> bytes:
        """What is answered to segments that are sent one after another, each `after` so many turns of the loop."""
        before = len(self.transport.written)
        for segment in segments:
            await turns(after)
            if not self.transport.closing:
                self.connection.data_received(segment)
        await turns(after)
        return self.transport.answers_from(before)

    async def hang_up(self) -> None:
        self.connection.connection_lost(None)
        await turns()


class Bout:
    """A server that takes the short way and one that does not, over one resolver."""

    def __init__(self, made: Bench, **limits: int) -> None:
        self.made = made
        self.metrics = made.metrics
        self.reading = asyncio.create_task(_answer_reads(made))  # Until it is cancelled, every read is answered.
        settings = Settings(RegistrySettings(), ResolverSettings(**limits))
        parts = Parts(
            made.resolver,
            Registration(made.book, []),
            *(None, None, settings, made.metrics, None, lambda: None, None, None, lambda: None, None, None),
        )
        self.long, self.short = HttpServer(parts), HttpServer(parts)

    async def converse(
        self, server: HttpServer, segments: Sequence[bytes], *, cold: bool = False
    ) -> tuple[bytes, bool, dict[str, int]]:
        """The answers, whether the connection was ended, and what was counted. When `cold`, nothing is kept before."""
        if cold:
            self.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        before = asdict(self.metrics.counts)
        observed = sum(self.metrics.latency.counts)
        line = Line(server())
        answers = await line.say(*segments, after=COLD_TURNS if cold else TURNS)
        closing = line.transport.closing
        await line.hang_up()
        counted = {name: count - before[name] for name, count in asdict(self.metrics.counts).items() if name != "ready"}
        return answers, closing, counted | {"observed": sum(self.metrics.latency.counts) - observed}


@asynccontextmanager
async def a_bout(**limits: int) -> AsyncIterator[Bout]:
    async with bench() as made:
        made.book.records |= {key(name): record(name, name) for name in HELD}
        bout = Bout(made, **limits)
        for name in (*HELD, ABSENT, f"{ENGINE}#x"):
            await made.resolver.resolve(key(name))
        await bout.short.shorten()
        try:
            yield bout
        finally:
            bout.reading.cancel()
            await asyncio.wait({bout.reading})


async def _answer_reads(made: Bench) -> None:
    while True:
        (await made.book.reads.get()).answer()
