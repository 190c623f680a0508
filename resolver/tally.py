"""Who asked for what, counted exactly: by prefix, protocol and source, and how much in each second.

The path of a cached answer can afford an increment in a plain dictionary and no more. Each protocol has a cell for each
address that asked, and a cell has two dictionaries from prefix to a number: content was shown, or was not. Once a
second the cells are taken and summed, and every few seconds what was summed goes to the book, where the workers of a
node add up. While the database is away it waits here, bounded; what a killed process had not handed over is lost, and
no more.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from itertools import islice
from time import time
from typing import Any, Final, Literal

import asyncpg

from registry.database import DATABASE_AWAY
from registry.handle import HandleKey
from registry.limits import Address, Allowance, Limits
from registry.prefix import PrefixTable
from registry.statistics import Counted, Pair, Statistics, add_pair, day_of

log = logging.getLogger(__name__)

Protocol = Literal["http", "https", "batch", "udp", "tcp", "tunnel", "dns"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("http", "https", "batch", "udp", "tcp", "tunnel", "dns")

FLUSH_INTERVAL: Final = 5.0  # Seconds between two hand-overs: what a kill may lose.
LAST_FLUSH: Final = 5.0  # Seconds for the last one; a database that is away is not waited for.
# Sources of one protocol that are told apart in a day: recursives and scanners are a few hundred. Counted by protocol,
# since addresses of datagrams can be made up and would push out those that cannot.
MAX_SOURCES: Final = 4096
# Rows that wait for the database: ten hours of 28 prefixes over three protocols. Then minutes become hours, and sources
# one.
MAX_WAITING: Final = 50_000
MAX_SECONDS: Final = 3600  # Seconds that wait; the least busy one gives way.
ROWS_AT_ONCE: Final = 5000  # Of each kind in one transaction.
OTHER: Final = ""  # The source of those that are not told apart.
_ELSEWHERE: Final = b""  # The prefix of names that are not here: strangers may make up as many as they like.
_IPV4: Final = 4  # Octets of an address.
_IPV6_NETWORK: Final = 8  # Octets of a /64: the hosts of one link.


class Cell:
    """What was asked from one address since the cells were last taken: how often, by key of the prefix; and what may
    still be, if that is limited."""

    __slots__ = ("allowance", "found", "missed")

    def __init__(self, allowance: Allowance | None = None) -> None:
        self.allowance = allowance
        self.found: dict[bytes, int] = {}
        self.missed: dict[bytes, int] = {}

    def count(self, prefix: bytes, *, found: bool, times: int = 1) -> None:
        counts = self.found if found else self.missed
        counts[prefix] = counts.get(prefix, 0) + times


class Cells(dict[Address, Cell]):
    """The cells of one protocol, by address. Nobody keeps one longer than for a burst: they are taken and forgotten."""

    __slots__ = ("_limits", "_protocol")

    def __init__(self, protocol: Protocol, limits: Limits) -> None:
        super().__init__()
        self._protocol = protocol
        self._limits = limits

    def __missing__(self, address: Address) -> Cell:
        if len(self) >= MAX_SOURCES and address != OTHER:
            return self[OTHER]  # Of so many strangers in a second none can be held to a limit of his own.
        cell = self[address] = Cell(self._limits.allowance(self._protocol, address))
        return cell


class Tally:
    """The counts of one worker. The hot path increments in a cell itself; everybody else calls `count`."""

    def __init__(
        self,
        prefixes: Callable[[], PrefixTable] = PrefixTable,
        clock: Callable[[], float] = time,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits = limits or Limits(prefixes)
        self.cells: dict[Protocol, Cells] = {protocol: Cells(protocol, limits) for protocol in PROTOCOLS}
        self._prefixes = prefixes
        self._clock = clock
        self._since = int(clock())
        self._minutes: dict[tuple[int, str, bytes], Pair] = {}
        self._sources: dict[tuple[int, str, bytes], Pair] = {}
        self._seconds: dict[int, int] = {}
        self._known: dict[Protocol, set[str]] = {protocol: set() for protocol in PROTOCOLS}
        self._sending: Counted | None = None

    def count(self, protocol: Protocol, address: Address, key: HandleKey, *, found: bool, times: int = 1) -> None:
        """Counts requests, and as many successes if content was shown."""
        prefix = key.partition(b"/")[0] if found or self._prefixes().of(key) is not None else _ELSEWHERE
        if times:
            self.cells[protocol][address].count(prefix, found=found, times=times)

    def count_later_success(self, protocol: Protocol, address: Address, key: HandleKey) -> None:
        """A request that was counted as one without success has become one: its asker has proved who he is."""
        cell = self.cells[protocol][address]
        prefix = key.partition(b"/")[0]
        cell.found[prefix] = cell.found.get(prefix, 0) + 1
        cell.missed[prefix] = cell.missed.get(prefix, 0) - 1

    def take(self) -> None:
        """Sums what was counted since the last time, all of it in the second that was then."""
        second, self._since = self._since, int(self._clock())
        day, total = day_of(second), 0
        if day != day_of(self._since):
            self._known = {protocol: set() for protocol in PROTOCOLS}
        for protocol, cells in self.cells.items():
            for address, cell in cells.items():
                if not cell.found and not cell.missed:
                    continue  # It sent nothing that could be counted, and takes nobody's place among the sources.
                source = self._source(protocol, address)
                for prefix, count in cell.found.items():
                    self._sum(second, day, protocol, source, prefix, (count, count))
                    total += count
                for prefix, count in cell.missed.items():
                    self._sum(second, day, protocol, source, prefix, (count, 0))
                    total += count
            cells.clear()
        if total:
            self._seconds[second] = self._seconds.get(second, 0) + total
            if len(self._seconds) > MAX_SECONDS:
                del self._seconds[min(self._seconds, key=self._seconds.__getitem__)]

    def counted(self) -> Counted | None:
        """What is to be handed over next: the same until `is_added` is told of it."""
        if self._sending is None and (self._minutes or self._sources or self._seconds):
            self._sending = Counted(_first(self._minutes), _first(self._sources), _first(self._seconds))
        return self._sending

    def is_added(self) -> None:
        self._sending = None

    def _sum(self, second: int, day: int, protocol: Protocol, source: str, prefix: bytes, pair: Pair) -> None:
        minute = second - second % (60 if len(self._minutes) < MAX_WAITING else 3600)
        add_pair(self._minutes, (minute, protocol, prefix), pair)
        add_pair(self._sources, (day, source if len(self._sources) < MAX_WAITING else OTHER, prefix), pair)

    def _source(self, protocol: Protocol, address: Address) -> str:
        source, known = source_of(address), self._known[protocol]
        if source in known:
            return source
        if len(known) >= MAX_SOURCES:
            return OTHER
        known.add(source)
        return source


class Asker:
    """One client of a protocol. For a burst of answers its cell is taken out of `cells` once."""

    __slots__ = ("_protocol", "_tally", "address", "cells")

    def __init__(self, tally: Tally, protocol: Protocol, address: Address) -> None:
        self._tally = tally
        self._protocol = protocol
        self.address = address
        self.cells = tally.cells[protocol]

    def count(self, key: HandleKey, *, found: bool) -> None:
        self._tally.count(self._protocol, self.address, key, found=found)


class Reporter:
    """Hands over what a worker has counted."""

    def __init__(self, tally: Tally, statistics: Statistics, interval: float = FLUSH_INTERVAL) -> None:
        self._tally = tally
        self._statistics = statistics
        self._interval = interval
        self._is_away = False

    async def take(self) -> None:
        """Takes once a second, as near to its end as the loop allows."""
        while True:
            await asyncio.sleep(1.0 - time() % 1.0)
            self._tally.take()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()

    async def close(self) -> None:
        """Hands over the rest, if the database is there."""
        self._tally.take()
        try:
            async with asyncio.timeout(LAST_FLUSH):
                await self.flush()
        except TimeoutError:
            self._is_away = True
        if self._is_away:
            log.warning("the last counts of resolutions are lost: the database cannot be reached")

    async def flush(self) -> None:
        """Hands over all that was taken, or as much as can be."""
        try:
            while (counted := self._tally.counted()) is not None:
                await self._statistics.add(counted)
                self._tally.is_added()
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:  # whatever it is, nothing is lost by trying again
            if not self._is_away:
                log.warning("counts of resolutions wait for the database: %s", error or type(error).__name__)
            self._is_away = True
        else:
            self._is_away = False


def source_of(address: Address) -> str:
    """What stands for an address in the counts: itself, or its /64; nothing for what is no address."""
    if isinstance(address, str):
        if ":" not in address:
            return address
        try:
            address = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
        except OSError:
            return OTHER
    if len(address) == _IPV4:
        return socket.inet_ntop(socket.AF_INET, address)
    return socket.inet_ntop(socket.AF_INET6, address[:_IPV6_NETWORK] + bytes(16 - _IPV6_NETWORK)) + "/64"


def _first(counts: dict[Any, Any]) -> dict[Any, Any]:
    """As many as go in one transaction, taken out."""
    return {key: counts.pop(key) for key in tuple(islice(counts, ROWS_AT_ONCE))}
