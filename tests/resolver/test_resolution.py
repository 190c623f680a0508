"""From a key to an answer, exact to the change."""

import asyncio
from time import time

import pytest

from registry.changes import Change, ChangeKind
from registry.errors import ResponseCode
from registry.handle import Handle
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix, PrefixTable
from registry.value import HandleValue
from resolver.answer import MISSING, NOT_RESPONSIBLE
from tests.resolver.books import Bench, bench, key, record

ENGINE = "88.1/ENGINE"
CHANGES = [
    Change(ChangeKind.HANDLE, key(ENGINE)),
    Change(ChangeKind.RANGE, key("88.1/A"), key("88.1/Z")),
    Change(ChangeKind.PREFIX, key("88.1/")),
    Change(ChangeKind.EVERYTHING),
]


async def put(made: Bench, name: str, version: int = 1) -> None:
    made.book.records[key(name)] = record(name, version=version)
    asker = made.ask(name)
    (await made.book.next_read()).answer()
    await asker


async def test_an_answer_that_was_read_is_given_again_without_a_read():
    async with bench() as made:
        await put(made, ENGINE)
        assert made.resolver.peek(key(ENGINE)) is await made.resolver.resolve(key("88.1/engine"))
        assert made.book.reads.empty()


async def test_an_absolute_time_to_live_is_not_promised_beyond_the_time_an_answer_is_kept():
    ends = int(time()) + 1000
    value = HandleValue(1, "URL", b"http://example.org/1", ttl=ends, ttl_absolute=True)
    async with bench() as made:
        made.book.records[key(ENGINE)] = PackedRecord(Handle.from_text(ENGINE), pack((value,), 0), 0, 1)
        asker = made.ask(ENGINE)
        (await made.book.next_read()).answer()
        assert 0 < (await asker).ttl <= 1000 - made.cache.found_ttl


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind.name)
async def test_an_answer_fetched_while_its_handle_changed_is_not_kept(change):
    async with bench() as made:
        made.book.records[key(ENGINE)] = record(ENGINE)
        asker = made.ask(ENGINE)
        read = await made.book.next_read()
        made.resolver.forget(change)
        read.answer()
        assert (await asker).record.version == 1  # the asker is served,
        assert made.resolver.peek(key(ENGINE)) is None  # the cache is not misled


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind.name)
async def test_who_asks_after_a_change_was_heard_is_not_served_by_a_read_from_before_it(change):
    async with bench(readers=2) as made:
        before = made.ask(ENGINE)
        old_read = await made.book.next_read()
        made.book.records[key(ENGINE)] = record(ENGINE)
        made.resolver.forget(change)
        after = made.ask(ENGINE)
        new_read = await made.book.next_read()
        new_read.answer()
        assert (await after).code == ResponseCode.SUCCESS
        old_read.answer()
        assert await before is MISSING
        assert made.resolver.peek(key(ENGINE)).code == ResponseCode.SUCCESS  # the late one did not take its place


async def test_a_change_of_another_handle_disowns_no_read():
    async with bench() as made:
        asker = made.ask(ENGINE)
        read = await made.book.next_read()
        made.resolver.forget(Change(ChangeKind.HANDLE, key("88.1/OTHER")))
        made.resolver.forget(Change(ChangeKind.RANGE, key("88.1/F"), key("88.1/Z")))
        read.answer()
        await asker
        assert made.resolver.peek(key(ENGINE)) is MISSING


async def test_a_name_that_waits_to_be_read_needs_no_second_read_after_a_change():
    async with bench(readers=1) as made:
        first = made.ask("88.1/A")
        read = await made.book.next_read()
        waiting = made.ask(ENGINE)
        await asyncio.sleep(0)
        made.resolver.forget(Change(ChangeKind.HANDLE, key(ENGINE)))
        made.book.records[key(ENGINE)] = record(ENGINE)
        read.answer()
        (await made.book.next_read()).answer()
        assert (await waiting).code == ResponseCode.SUCCESS
        assert made.resolver.peek(key(ENGINE)) is not None
        await first


async def test_an_authoritative_answer_is_read_anew_and_replaces_the_kept_one():
    async with bench(readers=2) as made:
        await put(made, ENGINE)
        made.book.records[key(ENGINE)] = record(ENGINE, version=2)
        assert made.resolver.peek(key(ENGINE)).record.version == 1
        asker = asyncio.create_task(made.resolver.resolve_authoritative(key(ENGINE)))
        (await made.book.next_read()).answer()
        assert (await asker).record.version == 2
        assert made.resolver.peek(key(ENGINE)).record.version == 2


async def test_an_authoritative_answer_does_not_come_from_a_read_that_began_before_it_was_asked_for():
    async with bench(readers=2) as made:
        early = made.ask(ENGINE)
        early_read = await made.book.next_read()
        made.book.records[key(ENGINE)] = record(ENGINE)
        authoritative = asyncio.create_task(made.resolver.resolve_authoritative(key(ENGINE)))
        (await made.book.next_read()).answer()
        assert (await authoritative).code == ResponseCode.SUCCESS
        early_read.answer()
        assert await early is MISSING
        assert made.resolver.peek(key(ENGINE)).code == ResponseCode.SUCCESS


async def test_nothing_is_kept_before_changes_are_heard():
    async with bench() as made:
        made.resolver.deafen()
        await put(made, ENGINE)
        assert made.resolver.peek(key(ENGINE)) is None
        assert made.resolver.staleness == 0.0
        assert not made.resolver.hearing


async def test_a_name_of_a_prefix_that_lives_elsewhere_costs_no_read_and_is_not_kept():
    async with bench() as made:
        assert await made.resolver.resolve(key("10.1/A")) is NOT_RESPONSIBLE
        assert made.book.reads.empty()
        made.book.prefixes = PrefixTable([Prefix(2, b"10.1", "10.1", True)])
        assert made.resolver.peek(key("10.1/A")) is None


async def test_kept_answers_are_stale_when_changes_were_not_heard_for_too_long():
    async with bench() as made:
        await put(made, ENGINE)
        made.now += 2.0
        assert (made.resolver.staleness, made.resolver.hearing) == (0.0, True)
        made.now += 1.0
        assert (made.resolver.staleness, made.resolver.hearing) == (3.0, False)
        assert made.resolver.peek(key(ENGINE)) is not None
        assert made.metrics.counts.stale == 1
        made.resolver.heard()
        assert made.resolver.staleness == 0.0


async def test_what_is_answered_is_counted_by_outcome():
    async with bench() as made:
        await put(made, ENGINE)
        made.resolver.peek(key(ENGINE))
        made.resolver.peek(key("10.1/A"))
        asker = made.ask("88.1/NONE")
        (await made.book.next_read()).answer()
        await asker
        counts = made.metrics.counts
        assert (counts.hits, counts.misses, counts.found, counts.not_found, counts.not_responsible) == (1, 2, 2, 1, 1)
