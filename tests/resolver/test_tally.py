"""Counting in memory: what is taken adds up to what was counted, however much it is and however long it waits."""

import asyncio

import pytest

from registry.handle import HandleKey
from registry.prefix import Prefix, PrefixTable
from registry.statistics import Counted
from resolver import tally as module
from resolver.tally import MAX_SOURCES, OTHER, ROWS_AT_ONCE, Reporter, Tally, source_of
from tests.resolver.books import DEADLINE, key

NOON = 1_795_233_600  # 2026-11-21 12:00 in China
DAY = NOON - 12 * 3600
HERE = b"88.1"


class Clock:
    now = float(NOON)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tally(clock):
    table = PrefixTable([Prefix(1, HERE, "88.1", True)])
    return Tally(lambda: table, clock)


def taken(tally: Tally) -> list[Counted]:
    tally.take()
    parts = []
    while (counted := tally.counted()) is not None:
        parts.append(counted)
        tally.is_added()
    return parts


def test_a_request_is_counted_by_prefix_protocol_source_and_second(tally, clock):
    for found in (True, True, False):
        tally.count("http", "192.0.2.1", key("88.1/a"), found=found)
    tally.count("udp", "2001:db8:0:1::7", key("88.1/a"), found=True)
    clock.now += 1
    (counted,) = taken(tally)
    assert counted.minutes == {(NOON, "http", HERE): (3, 2), (NOON, "udp", HERE): (1, 1)}
    assert counted.sources == {(DAY, "192.0.2.1", HERE): (3, 2), (DAY, "2001:db8:0:1::/64", HERE): (1, 1)}
    assert counted.seconds == {NOON: 4}


def test_names_of_prefixes_that_are_not_here_are_one(tally):
    for number in range(100):
        tally.count("udp", "192.0.2.1", key(f"10.{number}/a"), found=False)
    tally.count("udp", "192.0.2.1", HandleKey(b""), found=False)
    (counted,) = taken(tally)
    assert counted.minutes == {(NOON, "udp", b""): (101, 0)}


def test_each_second_is_counted_by_itself(tally, clock):
    for requests in (1, 5, 0, 2):
        for _ in range(requests):
            tally.count("tcp", "192.0.2.1", key("88.1/a"), found=True)
        clock.now += 1
        tally.take()
    (counted,) = taken(tally)
    assert counted.seconds == {NOON: 1, NOON + 1: 5, NOON + 3: 2}


def test_a_success_that_comes_later_is_of_the_request_that_was_counted(tally):
    tally.count("tcp", "192.0.2.1", key("88.1/a"), found=False)
    tally.take()
    tally.count_later_success("tcp", "192.0.2.1", key("88.1/a"))
    (counted,) = taken(tally)
    assert counted.minutes == {(NOON, "tcp", HERE): (1, 1)}
    assert counted.seconds == {NOON: 1}


def test_sources_beyond_the_number_that_is_kept_are_one_until_the_next_day(tally, clock):
    for _ in range(2):
        for number in range(MAX_SOURCES + 50):
            tally.count("udp", f"10.0.{number >> 8}.{number & 255}", key("88.1/a"), found=True)
        tally.take()
    tally.count("http", "192.0.2.1", key("88.1/a"), found=True)
    counted = summed(taken(tally))
    assert len(counted.sources) == MAX_SOURCES + 2
    assert counted.sources[DAY, OTHER, HERE] == (100, 100)
    assert counted.sources[DAY, "192.0.2.1", HERE] == (1, 1)
    clock.now += 86_400
    tally.take()
    tally.count("udp", "192.0.2.9", key("88.1/a"), found=True)
    (counted,) = taken(tally)
    assert counted.sources == {(DAY + 86_400, "192.0.2.9", HERE): (1, 1)}


def test_who_sends_only_nonsense_takes_no_place_among_the_sources(tally):
    for number in range(MAX_SOURCES):
        tally.cells["udp"][bytes((10, 0, number >> 8, number & 255))]
    tally.take()
    for number in range(10):
        tally.count("udp", f"192.0.2.{number}", key("88.1/a"), found=True)
    tally.take()
    tally.cells["udp"]["192.0.2.99"]
    assert OTHER not in {source for part in taken(tally) for _, source, _ in part.sources}


def test_counts_that_wait_long_are_folded_and_none_is_lost(tally, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 30)
    monkeypatch.setattr(module, "MAX_SECONDS", 20)
    for minute in range(100):
        for number in range(2):
            tally.count("http", f"10.0.{minute}.{number}", key("88.1/a"), found=bool(number))
        clock.now = NOON + 60.0 * minute
        tally.take()
    (counted,) = taken(tally)
    assert len(counted.minutes) <= 30 + 2
    assert len(counted.sources) <= 30 + 1
    assert len(counted.seconds) == 20
    for pairs in (counted.minutes, counted.sources):
        assert [sum(column) for column in zip(*pairs.values(), strict=True)] == [200, 100]


def test_no_transaction_is_given_more_rows_than_it_can_bear(tally):
    for number in range(ROWS_AT_ONCE // MAX_SOURCES + 1):
        for source in range(MAX_SOURCES):
            protocol = module.PROTOCOLS[number]
            tally.count(protocol, f"10.{number}.{source >> 8}.{source & 255}", key("88.1/a"), found=True)
    parts = taken(tally)
    assert max(len(part.sources) for part in parts) == ROWS_AT_ONCE
    assert sum(len(part.sources) for part in parts) == 2 * MAX_SOURCES


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", OTHER),
        (":", OTHER),
        (bytes((192, 0, 2, 1)), "192.0.2.1"),
        (bytes.fromhex("20010db8000100020003000400050006"), "2001:db8:1:2::/64"),
    ],
)
def test_a_source_is_an_address_or_the_network_of_one_link(address, source):
    assert source_of(address) == source


class Book:
    """Refuses until it is told not to."""

    def __init__(self) -> None:
        self.away = True
        self.tried = asyncio.Event()
        self.added: list[Counted] = []

    async def add(self, counted: Counted) -> None:
        self.tried.set()
        if self.away:
            raise ConnectionError("away")
        self.added.append(counted)


async def test_counts_wait_for_the_database_and_are_handed_over_once(tally):
    book = Book()
    reporter = Reporter(tally, book, interval=0.01)
    tally.count("http", "192.0.2.1", key("88.1/a"), found=True)
    tally.take()
    running = asyncio.create_task(reporter.run())
    await asyncio.wait_for(book.tried.wait(), DEADLINE)
    tally.count("http", "192.0.2.1", key("88.1/a"), found=False)
    tally.take()
    book.away = False
    async with asyncio.timeout(DEADLINE):
        while len(book.added) < 2:  # noqa: ASYNC110  # the reporter tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    await reporter.close()
    assert summed(book.added).minutes == {(NOON, "http", HERE): (2, 1)}


async def test_the_last_counts_are_handed_over_at_the_end(tally):
    book = Book()
    book.away = False
    tally.count("http", "192.0.2.1", key("88.1/a"), found=True)
    await Reporter(tally, book).close()
    assert summed(book.added).minutes == {(NOON, "http", HERE): (1, 1)}


async def test_a_database_that_is_away_at_the_end_is_not_waited_for(tally, caplog):
    tally.count("http", "192.0.2.1", key("88.1/a"), found=True)
    await Reporter(tally, Book()).close()
    assert "the last counts of resolutions are lost" in caplog.text


def summed(parts: list[Counted]) -> Counted:
    minutes, sources, seconds = {}, {}, {}
    for part in parts:
        for sums, pairs in ((minutes, part.minutes), (sources, part.sources)):
            for place, (requests, successes) in pairs.items():
                before = sums.get(place, (0, 0))
                sums[place] = before[0] + requests, before[1] + successes
        for second, requests in part.seconds.items():
            seconds[second] = seconds.get(second, 0) + requests
    return Counted(minutes, sources, seconds)
