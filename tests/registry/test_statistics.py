"""Counts that many workers add to the same rows."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from registry.statistics import ZONE, Counted, Statistics, begin_of, day_of
from tests.registry.books import PREFIX

KEY = PREFIX.encode()
NOON = int(datetime(2026, 11, 21, 12, tzinfo=ZONE).timestamp())
BEGIN, END = datetime(2026, 11, 1, tzinfo=ZONE), datetime(2026, 12, 1, tzinfo=ZONE)
TODAY = datetime(2026, 11, 21, tzinfo=ZONE)


def counted(minute=NOON, requests=10, successes=7, *, protocol="http", prefix=KEY, source="192.0.2.1"):
    return Counted(
        {(minute, protocol, prefix): (requests, successes)},
        {(day_of(minute), source, prefix): (requests, successes)},
        {minute: requests},
    )


async def rows(store, aspect, period="day", prefix=None):
    read = await Statistics(store).read(aspect, period, BEGIN, END, prefix)
    return [(row.at, row.name, row.requests, row.successes) for row in read]


async def test_what_is_counted_is_in_its_minute_its_hour_and_its_day(store):
    await Statistics(store).add(counted(NOON + 3660))
    one = datetime(2026, 11, 21, 13, 1, tzinfo=ZONE)
    for period, at in (("minute", one), ("hour", one.replace(minute=0)), ("day", TODAY)):
        assert await rows(store, "prefix", period) == [(at, PREFIX, 10, 7)]
        assert begin_of(period, one + timedelta(seconds=59)) == at


async def test_every_aspect_adds_up_to_the_same(store):
    statistics = Statistics(store)
    for part in (
        counted(requests=10, successes=7, protocol="http", source="192.0.2.1"),
        counted(requests=5, successes=5, protocol="udp", source="192.0.2.2"),
        counted(requests=3, successes=0, protocol="udp", source="", prefix=b""),
        counted(requests=1, successes=0, protocol="udp", source="192.0.2.2", prefix=b"10.5000"),
    ):
        await statistics.add(part)
    assert await rows(store, "prefix") == [(TODAY, "", 4, 0), (TODAY, PREFIX, 15, 12)]
    assert await rows(store, "protocol") == [(TODAY, "http", 10, 7), (TODAY, "udp", 9, 5)]
    assert await rows(store, "system") == [(TODAY, "handle", 19, 12)]
    assert await rows(store, "source") == [
        (TODAY, "192.0.2.1", 10, 7),
        (TODAY, "192.0.2.2", 6, 5),
        (TODAY, "", 3, 0),
    ]
    own = store.prefixes.find(KEY)
    assert await rows(store, "source", prefix=own) == [(TODAY, "192.0.2.1", 10, 7), (TODAY, "192.0.2.2", 5, 5)]
    assert await rows(store, "protocol", prefix=own) == [(TODAY, "http", 10, 7), (TODAY, "udp", 5, 5)]


async def test_workers_that_add_to_the_same_rows_at_once_lose_nothing(store):
    workers = [Statistics(store) for _ in range(4)]

    async def add(worker, number):
        for turn in range(20):
            order = range(8) if (number + turn) % 2 else reversed(range(8))
            minutes = {(NOON + 60 * minute, "http", KEY): (1, 1) for minute in order}
            await worker.add(Counted(minutes, {}, {NOON: 8}))

    async with asyncio.TaskGroup() as group:
        for number, worker in enumerate(workers):
            group.create_task(add(worker, number))
    assert await rows(store, "prefix") == [(TODAY, PREFIX, 640, 640)]
    (busiest,) = await workers[0].busiest(BEGIN, END)
    assert busiest.requests == 640


async def test_the_busiest_second_of_each_day_is_that_of_all_workers(store):
    for _ in range(2):
        await Statistics(store).add(Counted(seconds={NOON: 50, NOON + 1: 99, NOON + 86_400: 3}))
    await Statistics(store).add(Counted(seconds={NOON: 120}))
    found = [(row.day, row.at, row.requests) for row in await Statistics(store).busiest(BEGIN, END)]
    noon = TODAY.replace(hour=12)
    tomorrow = timedelta(days=1)
    assert found == [(TODAY, noon, 220), (TODAY + tomorrow, noon + tomorrow, 6)]


@pytest.mark.parametrize("closing", ["before", "after"])
async def test_a_commit_that_was_not_heard_of_is_counted_once(store, closing):
    """Whether it came about or not: what looks lost is added again only if it is not there."""
    statistics = Statistics(store)
    deaf = DeafStore(store, closing)
    lost = Statistics(deaf)
    with pytest.raises(ConnectionError):
        await lost.add(counted())
    deaf.hears = True
    await lost.add(counted())
    assert await rows(store, "prefix") == [(TODAY, PREFIX, 10, 7)]
    await statistics.add(counted())
    assert await rows(store, "prefix") == [(TODAY, PREFIX, 20, 14)]


class DeafStore:
    """Its connections are lost just before a commit, or just after it."""

    def __init__(self, store, closing):
        self.hears = False
        self._store = store
        self._closing = closing
        self.prefixes = store.prefixes

    def connection(self):
        made = self._store.connection()
        return made if self.hears else _DeafConnection(made, self._closing)


class _DeafConnection:
    def __init__(self, made, closing):
        self._made = made
        self._closing = closing

    async def __aenter__(self):
        self._connection = await self._made.__aenter__()
        self.fetchval, self.execute = self._connection.fetchval, self._connection.execute
        return self

    async def __aexit__(self, *error):
        await self._made.__aexit__(None, None, None)

    def transaction(self):
        return _DeafTransaction(self._connection.transaction(), self._closing)


class _DeafTransaction:
    def __init__(self, transaction, closing):
        self._transaction = transaction
        self._closing = closing

    async def __aenter__(self):
        await self._transaction.start()

    async def __aexit__(self, *error):
        await (self._transaction.rollback() if self._closing == "before" else self._transaction.commit())
        raise ConnectionError("the connection was lost")


async def test_what_was_kept_long_enough_goes_and_each_days_busiest_second_stays(store):
    statistics = Statistics(store)
    await statistics.add(counted())
    await statistics.add(Counted(seconds={NOON: 1, NOON + 1: 500, NOON + 2: 2}))
    await statistics.trim(TODAY + timedelta(days=3))
    assert len(await rows(store, "prefix", "minute")) == 1
    assert await seconds(store) == [(NOON + 1, 500)]
    await statistics.trim(TODAY + timedelta(days=9))
    assert await rows(store, "prefix", "minute") == []
    assert len(await rows(store, "prefix", "hour")) == len(await rows(store, "source")) == 1
    await statistics.trim(TODAY + timedelta(days=1000))
    assert await rows(store, "prefix", "hour") == await rows(store, "source") == []
    assert await rows(store, "prefix", "day") == [(TODAY, PREFIX, 10, 7)]
    assert await seconds(store) == [(NOON + 1, 500)]


async def seconds(store):
    async with store.connection() as connection:
        found = await connection.fetch("SELECT at, requests FROM resolution_second ORDER BY at")
    return [(int(row["at"].timestamp()), row["requests"]) for row in found]


async def test_counts_that_the_server_refuses_leave_nothing_behind(store):
    statistics = Statistics(store)
    with pytest.raises(asyncpg.PostgresError):
        await statistics.add(Counted({(NOON, "http", KEY): (1, 1)}, {(NOON, "a\0b", KEY): (1, 1)}))
    assert await rows(store, "prefix") == []


def test_a_day_begins_at_midnight_in_china():
    evening = datetime(2026, 11, 20, 16, tzinfo=UTC)
    assert day_of(int(evening.timestamp())) == int(evening.timestamp())
    assert day_of(int(evening.timestamp()) - 1) == int((evening - timedelta(days=1)).timestamp())
