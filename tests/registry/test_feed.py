import asyncio
import random
from dataclasses import replace

import pytest

from registry.errors import HandleError, ProtocolFault
from registry.feed import STRIDE, Cursor, Feed
from registry.transaction import begin
from tests.registry.books import CHANGED, DESC, PREFIX, URL, name, read, register


@pytest.fixture
def feed(store):
    return Feed(store)


@pytest.fixture
def prefix(store):
    return store.prefixes.find(PREFIX.encode())


async def everything(feed, cursor, prefix=None, limit=1000):
    """All events behind a cursor, page by page, and the cursor behind them."""
    events = []
    while True:
        page = await feed.read(cursor, prefix, limit)
        events += page.events
        cursor = page.cursor
        if not page.more:
            return events, cursor


def told(events):
    return [(event.form["type"], event.form["data"].get("handle")) for event in events]


async def test_what_becomes_of_a_handle_is_told_in_order_with_its_registered_name(store, feed, prefix):
    cursor = await feed.now()
    await register(store, "88.118.1/Yarn-a", URL)
    async with begin(store, "test") as transaction:
        await transaction.replace(await transaction.lock(name("88.118.1/yarn-A")), (CHANGED, DESC))
    async with begin(store, "test") as transaction:
        await transaction.delete(await transaction.lock(name("88.118.1/yarn-A")))
    events, _ = await everything(feed, cursor, prefix)
    assert told(events) == [
        ("filament.handle.created", "88.118.1/Yarn-a"),
        ("filament.handle.updated", "88.118.1/Yarn-a"),
        ("filament.handle.deleted", "88.118.1/Yarn-a"),
    ]
    assert [event.form["data"]["version"] for event in events] == [1, 2, 3]
    assert {event.form["specversion"] for event in events} == {"1.0"}


async def test_a_cursor_goes_on_where_its_event_ends(store, feed, prefix):
    cursor = await feed.now()
    names = [f"88.118.1/{number}" for number in range(10)]
    for one in names:
        await register(store, one, URL)
    events, end = await everything(feed, cursor, prefix, limit=3)
    assert [event.form["subject"] for event in events] == names
    rest, _ = await everything(feed, Cursor.from_text(events[5].form["sequence"]), prefix)
    assert [event.form["subject"] for event in rest] == names[6:]
    assert (await everything(feed, end, prefix))[0] == []


async def test_readers_of_overlapping_transactions_hear_all_that_was_committed_in_one_order(store, feed):
    draw = random.Random(1)
    cursor = first = await feed.now()
    committed = []

    async def write(writer):
        for number in range(12):
            one = f"88.118.1/{writer}.{number}"
            try:
                async with begin(store, "test") as transaction:
                    await transaction.create(name(one), (URL,))
                    await asyncio.sleep(draw.random() / 50)
                    if draw.random() < 0.2:
                        raise LookupError
            except LookupError:
                continue
            committed.append(one)

    writing = asyncio.gather(*(write(writer) for writer in range(6)))
    heard = []
    while not writing.done():
        page = await feed.read(cursor, None, 7)
        heard += page.events
        cursor = page.cursor
        await asyncio.sleep(0)
    await writing
    heard += (await everything(feed, cursor))[0]
    assert sorted(event.form["subject"] for event in heard) == sorted(committed)
    again, _ = await everything(feed, first)
    assert [event.form["id"] for event in again] == [event.form["id"] for event in heard]


async def test_a_change_waits_for_transactions_that_may_come_before_it(store, feed):
    for one in ("88.118.1/SLOW", "88.118.1/FAST"):
        await register(store, one, URL)
    cursor = await feed.now()
    async with begin(store, "test") as slow:
        await slow.replace(await slow.lock(name("88.118.1/SLOW")), (CHANGED,))
        async with begin(store, "test") as fast:  # Counts nothing: a registration may wait for the counter of another.
            await fast.replace(await fast.lock(name("88.118.1/FAST")), (CHANGED,))
        assert (await everything(feed, cursor))[0] == []
    events, _ = await everything(feed, cursor)
    assert [event.form["subject"] for event in events] == ["88.118.1/SLOW", "88.118.1/FAST"]


async def test_the_oldest_cursor_begins_before_all_that_is_kept(store, feed):
    await register(store, "88.118.1/A", URL)
    events, _ = await everything(feed, await feed.oldest())
    assert ("filament.handle.created", "88.118.1/A") in told(events)
    assert told(events)[0][0] == "filament.prefix.changed"


async def test_a_cursor_of_one_prefix_passes_over_the_transactions_of_others(store, feed, prefix):
    cursor = await feed.now()
    async with store.connection() as connection:
        for _ in range(STRIDE + 2):
            await connection.execute("SELECT pg_current_xact_id()")
    page = await feed.read(cursor, prefix)
    assert page.cursor.transaction > cursor.transaction + STRIDE
    await register(store, "88.118.1/A", URL)
    assert told((await everything(feed, page.cursor, prefix))[0]) == [("filament.handle.created", "88.118.1/A")]
    assert await read(store, name("88.118.1/A"))


@pytest.mark.parametrize("text", ["", "1", "1-2-3", "1-2-3-zzzzzzzz", f"{1 << 63}-0-0-00000000", "-1-2-3-00000000"])
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ProtocolFault):
        Cursor.from_text(text)


async def test_a_cursor_of_another_history_or_from_before_the_log_is_refused(feed):
    now = await feed.now()
    assert Cursor.from_text(str(now)) == now
    for over in (replace(now, history=now.history ^ 1), replace(now, at=now.at - 48 * 3600)):
        with pytest.raises(HandleError, match="begin anew"):
            await feed.read(over, None)
