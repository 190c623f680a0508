"""Work on other threads: so much at a time, and so much waiting."""

import asyncio
import threading

import pytest

from registry.aside import Aside
from registry.errors import ServerBusy


async def test_so_many_are_done_at_a_time_so_many_wait_and_the_others_are_refused():
    aside, go, most = Aside(4, at_once=2), threading.Event(), [0, 0]
    lock = threading.Lock()

    def work(number: int) -> int:
        with lock:
            most[0] += 1
            most[1] = max(most)
        assert go.wait(30)
        with lock:
            most[0] -= 1
        return number

    tasks = [asyncio.create_task(aside.do(work, number)) for number in range(4)]
    async with asyncio.timeout(30):
        while most[0] < 2:  # noqa: ASYNC110  # threads count, and tell nobody
            await asyncio.sleep(0)
    with pytest.raises(ServerBusy):
        await aside.do(work, 5)
    go.set()
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3]
    assert most == [0, 2]
    assert await aside.do(work, 6) == 6, "what is over must not be counted"


async def test_work_that_fails_or_is_given_up_leaves_its_place():
    aside = Aside(1, at_once=1)

    def fails() -> None:
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):  # nothing else can raise one
            await aside.do(fails)
    waiting = asyncio.create_task(aside.do(threading.Event().wait, 0.001))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await aside.do(int) == 0


async def test_who_waits_too_long_for_a_turn_is_refused_and_leaves_the_place():
    aside, go = Aside(2, at_once=1, patience=0.05), threading.Event()
    first = asyncio.create_task(aside.do(go.wait, 30))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        with pytest.raises(ServerBusy):
            await aside.do(go.wait, 30)
    go.set()
    assert await first
    assert await aside.do(int, "7") == 7
