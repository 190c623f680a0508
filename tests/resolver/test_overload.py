"""Overload: what is not kept is refused at once, what is kept is answered, and it ends by itself."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ResponseCode, ServerBusy
from resolver.misses import MAX_BATCH
from resolver.overload import CALM, LATE, LOOK, Overload
from tests.resolver.books import DEADLINE, bench, key, record

BOUND = 0.5


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watched() -> tuple[Overload, Clock]:
    clock = Clock()
    return Overload(BOUND, clock), clock


def look(overload: Overload, clock: Clock, *, waited: float = 0.0, late: float = 0.0, times: int = 1) -> None:
    for _ in range(times):
        clock.now += LOOK + late
        overload.look(waited, late)


def test_it_begins_when_the_oldest_name_has_waited_too_long_and_not_before():
    overload, clock = watched()
    look(overload, clock, waited=BOUND, times=100)
    assert not overload.on
    look(overload, clock, waited=BOUND + 0.01)
    assert overload.on
    assert overload.times == 1


def test_one_slow_turn_of_the_loop_is_no_overload_and_several_in_a_row_are():
    overload, clock = watched()
    look(overload, clock, late=5.0, times=LATE - 1)
    look(overload, clock)
    look(overload, clock, late=5.0, times=LATE - 1)
    assert not overload.on
    look(overload, clock, late=BOUND + 0.1)
    assert overload.on


def test_it_is_over_after_a_calm_while_and_goes_on_as_long_as_something_must_be_refused():
    overload, clock = watched()
    look(overload, clock, waited=1.0)
    for _ in range(100):
        overload.shed += 1
        look(overload, clock, times=int(CALM / LOOK) - 2)
    assert overload.on
    look(overload, clock, waited=BOUND * 0.6, times=100)  # what is late counts earlier than what begins it
    assert overload.on
    look(overload, clock, times=int(CALM / LOOK) + 1)
    assert not overload.on
    assert overload.times == 1


def test_beginning_and_end_are_logged_as_a_pair_with_cause_and_count(caplog: pytest.LogCaptureFixture):
    overload, clock = watched()
    with caplog.at_level(logging.WARNING, "resolver.overload"):
        look(overload, clock, waited=0.75)
        overload.shed += 7
        look(overload, clock, times=int(CALM / LOOK) + 2)
    begun, ended = [record.getMessage() for record in caplog.records]
    assert begun == "overload begins: names wait 0.75 s to be read; names that are not kept are refused at once"
    assert ended.endswith("s; 7 names were refused")


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.integers(0, 3)), max_size=200))
def test_whatever_happens_it_ends_when_all_is_calm_and_never_flaps_within_a_calm_while(looks):
    overload, clock = watched()
    turned: list[float] = []
    for waited, late, shed in looks:
        was = overload.on
        if overload.on:
            overload.shed += shed
        look(overload, clock, waited=waited, late=late)
        if was and not overload.on:
            assert clock.now - turned[-1] >= CALM
        if overload.on is not was:
            turned.append(clock.now)
    look(overload, clock, times=int(CALM / LOOK) + 2)
    assert not overload.on


async def test_in_overload_what_is_kept_is_answered_and_what_no_connection_is_free_for_is_refused():
    async with bench(readers=1) as made:
        made.book.records[key("88.1/KEPT")] = record("88.1/KEPT")
        kept = made.ask("88.1/KEPT")
        (await made.book.next_read()).answer()
        await kept
        made.misses.overload.on = True
        first = made.ask("88.1/A")  # a connection is free for it
        read = await made.book.next_read()
        with pytest.raises(ServerBusy) as refused:
            await asyncio.wait_for(made.resolver.resolve(key("88.1/B")), DEADLINE)
        assert refused.value.rule == "server.overload"
        equal = made.ask("88.1/A")  # asks for nothing more
        assert (await made.resolver.resolve(key("88.1/KEPT"))).code == ResponseCode.SUCCESS
        assert made.misses.overload.shed == 1
        read.answer()
        assert {answer.code for answer in await asyncio.gather(first, equal)} == {ResponseCode.HANDLE_NOT_FOUND}
        again = made.ask("88.1/B")
        (await made.book.next_read()).answer()
        await again


async def test_in_overload_as_many_names_are_read_as_free_connections_take_and_no_more():
    async with bench(readers=2, queue=10_000) as made:
        made.misses.overload.on = True
        askers = [made.ask(f"88.1/{number}") for number in range(3 * MAX_BATCH)]
        reads = [await made.book.next_read(), await made.book.next_read()]
        assert [len(read.keys) for read in reads] == [MAX_BATCH, MAX_BATCH]
        for read in reads:
            read.answer()
        await asyncio.wait(askers)
        assert sum(asker.exception() is not None for asker in askers) == MAX_BATCH == made.misses.overload.shed


async def test_names_that_wait_too_long_bring_about_an_overload_which_is_over_soon_after_them():
    async with bench(readers=1) as made:
        made.misses.overload.bound = 0.05
        watching = asyncio.create_task(made.misses.overload.watch(lambda: made.misses.waited))
        reading = made.ask("88.1/A")
        read = await made.book.next_read()
        waiting = made.ask("88.1/B")
        async with asyncio.timeout(DEADLINE):
            while not made.misses.overload.on:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0)
            read.answer()
            (await made.book.next_read()).answer()
            await asyncio.gather(reading, waiting)
            while made.misses.overload.on:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)
        watching.cancel()
