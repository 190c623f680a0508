"""How much was resolved, for reports: requests and successes by prefix, code system, protocol and source.

A request is an identifier that was asked for, a success one that content was found for and shown: what is not found,
refused or referred elsewhere is a request and no success. What is counted is added to its minute, its hour and its day
at once, so that no roll-up can be late or forgotten. Days are those of China, as the reports to the top node have them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Literal

import asyncpg

from registry.prefix import Prefix
from registry.schemes.systems import HANDLE, system_of
from registry.store import Store

Period = Literal["minute", "hour", "day"]
Aspect = Literal["prefix", "protocol", "system", "source"]

ZONE: Final = timezone(timedelta(hours=8), "China")  # No summer time.
_ZONE_SECONDS: Final = 8 * 3600
_DAY: Final = 86_400
ELSEWHERE: Final = 0  # Stands in place of a prefix's number for all prefixes that are not here.

# How long rows are kept; days are kept for ever. 28 enterprises asked over three protocols make 120,000 rows of minutes
# a day, and 2,000 of hours; thirteen months, so that a month can be held against the same of the year before.
MINUTES_KEPT: Final = timedelta(days=7)
HOURS_KEPT: Final = timedelta(days=400)
SOURCES_KEPT: Final = timedelta(days=400)
# Of older seconds only each day's busiest. A worker that was cut off from the database may still add to those kept.
SECONDS_KEPT: Final = timedelta(days=1)
MAX_ROWS: Final = 50_000  # Of one answer: a day of minutes of 28 prefixes.

TRANSACTION: Final = "SELECT pg_current_xact_id()::text"
STATUS: Final = "SELECT pg_xact_status($1::text::xid8)"
ADD_COUNTS: Final = """
INSERT INTO resolution_count AS c (period, at, prefix_id, system, protocol, requests, successes)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (period, at, prefix_id, system, protocol) DO UPDATE
SET requests = c.requests + excluded.requests, successes = c.successes + excluded.successes
"""
ADD_SOURCES: Final = """
INSERT INTO resolution_source AS s (day, prefix_id, source, requests, successes)
SELECT * FROM unnest($1::timestamptz[], $2::int[], $3::text[], $4::bigint[], $5::bigint[]) ORDER BY 1, 2, 3
ON CONFLICT (day, prefix_id, source) DO UPDATE
SET requests = s.requests + excluded.requests, successes = s.successes + excluded.successes
"""
ADD_SECONDS: Final = """
INSERT INTO resolution_second AS s (day, at, requests)
SELECT * FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[]) ORDER BY 1, 2
ON CONFLICT (day, at) DO UPDATE SET requests = s.requests + excluded.requests
"""
COUNTS: Final = """
SELECT c.at, CASE $5 WHEN 'prefix' THEN coalesce(p.spelling, '') WHEN 'protocol' THEN c.protocol ELSE c.system END
       AS name, sum(c.requests)::bigint AS requests, sum(c.successes)::bigint AS successes
FROM resolution_count AS c LEFT JOIN prefix AS p USING (prefix_id)
WHERE c.period = $1 AND c.at >= $2 AND c.at < $3 AND ($4::int IS NULL OR c.prefix_id = $4)
GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $6
"""
SOURCES: Final = """
SELECT day AS at, source AS name, sum(requests)::bigint AS requests, sum(successes)::bigint AS successes
FROM resolution_source WHERE day >= $1 AND day < $2 AND ($3::int IS NULL OR prefix_id = $3)
GROUP BY 1, 2 ORDER BY 1, requests DESC, 2 LIMIT $4
"""
BUSIEST: Final = """
SELECT DISTINCT ON (day) day, at, requests FROM resolution_second
WHERE day >= $1 AND day < $2 ORDER BY day, requests DESC, at
"""
TRIM: Final = "DELETE FROM resolution_count WHERE period = $1 AND at < $2"
TRIM_SOURCES: Final = "DELETE FROM resolution_source WHERE day < $1"
TRIM_SECONDS: Final = """
DELETE FROM resolution_second AS s USING
  (SELECT day, at, row_number() OVER (PARTITION BY day ORDER BY requests DESC, at) AS place FROM resolution_second) AS r
WHERE s.day = r.day AND s.at = r.at AND r.place > 1 AND s.at < $1
"""

Pair = tuple[int, int]
"""Requests and successes."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a worker has counted. Times are seconds since 1970, prefixes keys; the empty one is not this node's.

    `minutes` is by minute, protocol and prefix, `sources` by day, source and prefix, `seconds` the requests of each.
    """

    minutes: Mapping[tuple[int, str, bytes], Pair] = field(default_factory=dict)
    sources: Mapping[tuple[int, str, bytes], Pair] = field(default_factory=dict)
    seconds: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Count:
    """Requests and successes of one prefix, protocol, code system or source, in the period that began `at`."""

    at: datetime
    name: str
    requests: int
    successes: int


@dataclass(frozen=True, slots=True)
class BusiestSecond:
    """The second of a day in which most was asked for."""

    day: datetime
    at: datetime
    requests: int


class Statistics:
    """Adds what one worker counted, and reads what all have. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._doubtful: str | None = None  # The transaction whose commit was not heard of.

    async def add(self, counted: Counted) -> None:
        """Adds all of it, once. When it raises, it is to be called with the same again before anything else."""
        if not len(self._store.prefixes):
            await self._store.load_prefixes()
        async with self._store.connection() as connection:
            if self._doubtful is not None and await _is_committed(connection, self._doubtful):
                self._doubtful = None
                return
            self._doubtful = None
            async with connection.transaction():
                transaction = await connection.fetchval(TRANSACTION)
                await connection.execute(ADD_COUNTS, *_columns(self._count_rows(counted.minutes), 7))
                await connection.execute(ADD_SOURCES, *_columns(self._source_rows(counted.sources), 5))
                seconds = ((_time(day_of(at)), _time(at), requests) for at, requests in counted.seconds.items())
                await connection.execute(ADD_SECONDS, *_columns(seconds, 3))
                self._doubtful = transaction
        self._doubtful = None

    async def read(
        self, aspect: Aspect, period: Period, begin: datetime, end: datetime, prefix: Prefix | None = None
    ) -> list[Count]:
        """What was counted in periods from `begin` to before `end`, in order of time; sources are known by day alone.

        MAX_ROWS and one more at most.
        """
        prefix_id = None if prefix is None else prefix.prefix_id
        async with self._store.connection() as connection:
            if aspect == "source":
                rows = await connection.fetch(SOURCES, begin, end, prefix_id, MAX_ROWS + 1)
            else:
                rows = await connection.fetch(COUNTS, period, begin, end, prefix_id, aspect, MAX_ROWS + 1)
        return [Count(row["at"].astimezone(ZONE), row["name"], row["requests"], row["successes"]) for row in rows]

    async def busiest(self, begin: datetime, end: datetime) -> list[BusiestSecond]:
        """The busiest second of each day that began in this time."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(BUSIEST, begin, end)
        return [BusiestSecond(row["day"].astimezone(ZONE), row["at"].astimezone(ZONE), row["requests"]) for row in rows]

    async def trim(self, now: datetime) -> None:
        """Takes out what has been kept long enough."""
        async with self._store.connection() as connection:
            await connection.execute(TRIM, "minute", now - MINUTES_KEPT)
            await connection.execute(TRIM, "hour", now - HOURS_KEPT)
            await connection.execute(TRIM_SOURCES, now - SOURCES_KEPT)
            await connection.execute(TRIM_SECONDS, now - SECONDS_KEPT)

    def _count_rows(self, minutes: Mapping[tuple[int, str, bytes], Pair]) -> Iterable[Sequence[object]]:
        added: dict[tuple[Period, int, int, str], Pair] = {}
        for (minute, protocol, prefix), pair in minutes.items():
            prefix_id = self._prefix_id(prefix)
            places: tuple[tuple[Period, int], ...] = (
                ("minute", minute),
                ("hour", minute - minute % 3600),
                ("day", day_of(minute)),
            )
            for period, at in places:
                add_pair(added, (period, at, prefix_id, protocol), pair)
        for (period, at, prefix_id, protocol), pair in added.items():
            yield period, _time(at), prefix_id, self._system(prefix_id), protocol, *pair

    def _source_rows(self, sources: Mapping[tuple[int, str, bytes], Pair]) -> Iterable[Sequence[object]]:
        added: dict[tuple[int, int, str], Pair] = {}
        for (day, source, prefix), pair in sources.items():
            add_pair(added, (day, self._prefix_id(prefix), source), pair)
        for (day, prefix_id, source), pair in added.items():
            yield _time(day), prefix_id, source, *pair

    def _system(self, prefix_id: int) -> str:
        prefix = self._store.prefixes.by_id(prefix_id)
        return HANDLE if prefix is None else system_of(prefix.spelling)

    def _prefix_id(self, key: bytes) -> int:
        prefix = self._store.prefixes.find(key)
        return ELSEWHERE if prefix is None else prefix.prefix_id


def add_pair(sums: dict[Any, Pair], key: object, pair: Pair) -> None:
    before = sums.get(key, (0, 0))
    sums[key] = before[0] + pair[0], before[1] + pair[1]


def day_of(second: int) -> int:
    """When the day of a second began, both in seconds since 1970."""
    return second - (second + _ZONE_SECONDS) % _DAY


def begin_of(period: Period, at: datetime) -> datetime:
    """When the period began that a moment is in."""
    second = int(at.timestamp())
    begins = {"minute": second - second % 60, "hour": second - second % 3600, "day": day_of(second)}
    return _time(begins[period])


async def _is_committed(connection: asyncpg.pool.PoolConnectionProxy, transaction: str) -> bool:
    """Raises ConnectionError while the server is still at it."""
    try:
        status = await connection.fetchval(STATUS, transaction)
    except asyncpg.InvalidParameterValueError:
        return False  # Of a server that never came so far: the one that took over when ours was lost.
    if status == "in progress":
        raise ConnectionError("the transaction before this one has not ended")
    return bool(status == "committed")


def _columns(rows: Iterable[Sequence[object]], width: int) -> list[list[object]]:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The month of China that holds a moment: its beginning, and that of the next."""
    begin = moment.astimezone(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return begin, (begin + timedelta(days=31)).replace(day=1)
