"""The load generator where there is no C compiler: the same arguments, the same pool, the same line of JSON as load.c.

It reaches a small part of the other's rate. Requests leave in the order of the pool whatever their target.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from bench.histogram import Histogram
from bench.pools import KINDS, NOTHING, Request, read_pool
from bench.slow_connections import DATAGRAMS, GOOD, MALFORMED, Asked, Connection

SAMPLE: Final = 256
SECOND: Final = 1_000_000_000


class Run:
    """One run of a pool, and what came of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._free: list[asyncio.Queue[Connection]] = []
        self._fault = asyncio.get_running_loop().create_future()
        self._kinds = [dict.fromkeys(("sent", "answered", "wrong", "lost", "identifiers"), 0) for _ in range(KINDS)]
        self._histograms = [Histogram() for _ in range(KINDS)]
        self._codes: Counter[int] = Counter()
        self._per_second: Counter[int] = Counter()
        self._unanswered: dict[int, asyncio.Event] = {}
        self._checked = self._latest = self._octets_in = self._octets_out = self._again = 0
        self._sample = b""
        self._sent_all = False
        self._answered = asyncio.Event()
        self._begun = self._ended = 0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for target in self._options.target:
            protocol, rest = target.split(":", 1)
            host, port, connections, in_flight = rest.rsplit(":", 3)
            free: asyncio.Queue[Connection] = asyncio.Queue()
            for number in range(int(connections)):
                made = Connection(self, protocol)
                if protocol in DATAGRAMS:
                    source = (f"127.0.{number + 1}.1", 0) if self._options.spread else None
                    await loop.create_datagram_endpoint(
                        lambda made=made: made,  # type: ignore[misc]  # mypy infers no lambda with a default
                        *(source, (host, int(port))),
                    )
                else:
                    await loop.create_connection(
                        lambda made=made: made,  # type: ignore[misc]  # mypy infers no lambda with a default
                        *(host, int(port)),
                    )
                for _ in range(int(in_flight)):
                    free.put_nowait(made)
            self._free.append(free)

    def fail(self, error: Exception) -> None:
        if not self._fault.done():
            self._fault.set_exception(error)

    def count_again(self) -> None:
        self._again += 1

    def lose(self, connection: Connection, asked: Asked) -> None:
        self._kinds[asked.request.kind]["lost"] += 1
        self._over(connection, asked)

    def take(self, connection: Connection, asked: Asked, code: int, octets: bytes) -> None:
        now, request = time.monotonic_ns(), asked.request
        kind = self._kinds[request.kind]
        kind["answered"] += 1
        self._codes[min(code, MALFORMED)] += 1
        self._octets_in += len(octets)
        self._ended = now
        if self._is_right(connection, request, code, octets):
            open_loop = self._options.rate or self._options.scheduled
            self._histograms[request.kind].record(now - (asked.due if open_loop else asked.sent))
            kind["identifiers"] += request.identifiers
            self._per_second[(now - self._begun) // SECOND] += request.identifiers
        else:
            kind["wrong"] += 1
            self._sample = self._sample or octets[:SAMPLE]
        self._over(connection, asked)

    def _is_right(self, connection: Connection, request: Request, code: int, octets: bytes) -> bool:
        if code != (request.code or GOOD[connection.protocol]):
            return False
        self._checked += bool(request.marker)
        return self._checked % self._options.check != 0 or request.marker in octets

    def _over(self, connection: Connection, asked: Asked) -> None:
        if asked.request.target:
            self._unanswered.pop(asked.place).set()
        self._free[asked.request.target].put_nowait(connection)
        if self._sent_all and not self._under_way():
            self._answered.set()

    async def send(self, pool: list[Request]) -> None:
        """All of it, and the answers too."""
        self._begun = self._ended = time.monotonic_ns()
        sending = asyncio.create_task(self._send(pool))
        await asyncio.wait({sending, self._fault}, return_when=asyncio.FIRST_COMPLETED)
        if self._fault.done():
            sending.cancel()
            self._fault.result()
        await sending
        self._sent_all = True
        if self._under_way():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), self._options.patience)
        for kind in self._kinds:
            kind["lost"] += kind["sent"] - kind["answered"] - kind["lost"]

    def _under_way(self) -> int:
        return sum(kind["sent"] - kind["answered"] - kind["lost"] for kind in self._kinds)

    async def _send(self, pool: list[Request]) -> None:
        stop = self._begun + int(self._options.seconds * SECOND) if self._options.seconds else None
        for place, request in self._order(pool):
            due = self._due(place, request)
            if stop is not None and due >= stop:
                return
            await asyncio.sleep(max(0.0, (due - time.monotonic_ns()) / SECOND))
            if request.after != NOTHING and (written := self._unanswered.get(request.after)):
                await written.wait()
            connection = await self._free[request.target].get()
            now = time.monotonic_ns()
            self._latest = max(self._latest, now - due)
            if request.target:
                self._unanswered[place] = asyncio.Event()
            self._kinds[request.kind]["sent"] += 1
            self._octets_out += len(request.octets)
            connection.ask(Asked(place, request, due, now))

    def _order(self, pool: list[Request]) -> Iterator[tuple[int, Request]]:
        place = 0
        while pool:
            for request in pool:
                if place % self._options.parts == self._options.part:
                    yield place, request
                place += 1
            if self._options.once:
                return

    def _due(self, place: int, request: Request) -> int:
        if self._options.rate:
            return self._begun + int(place / self._options.rate * SECOND)
        if self._options.scheduled:
            return self._begun + int(request.at / self._options.speed * SECOND)
        return time.monotonic_ns()

    def report(self) -> dict[str, Any]:
        seconds = (self._ended - self._begun) / SECOND
        return {
            "seconds": seconds,
            "cpu_seconds": time.process_time(),
            "octets_in": self._octets_in,
            "octets_out": self._octets_out,
            "again": self._again,
            "reconnects": 0,
            "latest_send_us": self._latest / 1000,
            "codes": {str(code): count for code, count in self._codes.items()},
            "wrong_sample": self._sample.hex(),
            "kinds": [
                kind | {"histogram": list(histogram.counts.items())}
                for kind, histogram in zip(self._kinds, self._histograms, strict=True)
            ],
            "per_second": [self._per_second[second] for second in range(int(seconds) + 1)],
        }


async def _main(options: argparse.Namespace) -> None:
    pool = list(read_pool(options.pool))
    run = Run(options)
    await run.connect()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await run.send(pool)
    print(orjson.dumps(run.report()).decode(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.slow_load")
    parser.add_argument("pool", type=Path)
    parser.add_argument("--target", action="append", required=True)
    for name in ("seconds", "rate"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--patience", type=float, default=5.0)
    for name, default in (("check", 16), ("part", 0), ("parts", 1), ("core", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name in ("once", "scheduled", "spread"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    options.once = options.once or options.scheduled
    try:
        asyncio.run(_main(options))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
