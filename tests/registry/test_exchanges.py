"""What spans native messages, in the book: taken once, forgotten in time, and unreadable without the node's key."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from registry import exchanges as module
from registry.errors import ServerBusy
from registry.exchanges import LOWEST_ID, WINDOW, Exchanges, is_session_id
from tests.registry.books import open_book

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


async def rows(store, table: str) -> int:
    async with store.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")


async def test_numbers_are_taken_as_a_set_would_take_those_of_the_window(store):
    kept = Exchanges(store, b"secret")
    session_id = await kept.open_session(bytes(32), None, HOUR)
    chance = random.Random(7)
    seen: set[int] = set()
    at = 0
    for _ in range(600):
        number = max(0, at + chance.choice([0, 1, 1, 2, -1, -5, -WINDOW, 1 - WINDOW, 150, 300]))
        taken = await kept.spend(session_id, number)
        fresh = number not in seen and number > max(seen, default=-1) - WINDOW
        assert taken == fresh, (number, max(seen, default=-1))
        if taken:
            seen.add(number)
        at = max(at, number)


async def test_of_many_at_once_each_number_is_taken_once(store):
    kept, other = Exchanges(store, b"secret"), Exchanges(store, b"secret")
    session_id = await kept.open_session(bytes(32), None, HOUR)
    spent = await asyncio.gather(*[one.spend(session_id, n) for n in range(40) for one in (kept, other)])
    assert sum(spent) == 40


async def test_a_challenge_is_taken_once_by_whoever_comes_first(store):
    kept, other = Exchanges(store, b"secret"), Exchanges(store, b"secret")
    challenge_id = await kept.challenge(b"nonce", b"request")
    taken = await asyncio.gather(*[one.take_challenge(challenge_id) for one in (kept, other) * 4])
    (challenge,) = [one for one in taken if one is not None]
    assert (challenge.nonce, challenge.request, challenge.late) == (b"nonce", b"request", False)


async def test_a_late_answer_is_told_so_for_a_while_and_then_nobody_knows_it(store):
    clock = Clock()
    kept = Exchanges(store, b"secret", clock)
    late, gone = await kept.challenge(b"nonce", b"request"), await kept.challenge(b"nonce", b"request")
    clock.now += timedelta(seconds=61)
    assert (await kept.take_challenge(late)).late
    clock.now += timedelta(minutes=6)
    await kept.challenge(b"nonce", b"another")
    assert await kept.take_challenge(gone) is None


async def test_the_second_challenge_of_a_session_takes_the_place_of_the_first(store):
    kept = Exchanges(store, b"secret")
    session_id = await kept.open_session(bytes(32), None, HOUR)
    assert await kept.challenge(b"first", b"first", session_id) == session_id
    await kept.challenge(b"second", b"second", session_id)
    assert (await kept.take_challenge(session_id)).nonce == b"second"
    assert await kept.take_challenge(session_id) is None


async def test_a_session_lives_while_it_is_used_and_longer_once_it_is_proved(store):
    clock = Clock()
    kept = Exchanges(store, b"secret", clock)
    session_id = await kept.open_session(b"k" * 32, "301:0.NA/88.118.1", HOUR)
    session = await kept.find_session(session_id)
    assert (session.key, session.claimed, session.identity) == (b"k" * 32, "301:0.NA/88.118.1", None)
    clock.now += timedelta(minutes=4)
    assert await kept.spend(session_id, 1)
    clock.now += timedelta(minutes=4)
    assert await kept.authenticate(session_id, "301:0.NA/88.118.1")
    clock.now += timedelta(minutes=59)
    assert (await kept.find_session(session_id)).identity == "301:0.NA/88.118.1"
    clock.now += timedelta(minutes=2)
    assert await kept.find_session(session_id) is None
    assert not await kept.spend(session_id, 2)
    assert not await kept.authenticate(session_id, "301:0.NA/88.118.1")
    await kept.open_session(bytes(32), None, HOUR)
    assert await rows(store, "native_session") == 1


async def test_ids_of_both_kinds_never_meet_nor_those_that_clients_count_up(store):
    kept = Exchanges(store, b"secret")
    sessions = {await kept.open_session(bytes(32), None, HOUR) for _ in range(20)}
    challenges = {await kept.challenge(b"", b"") for _ in range(20)}
    assert all(is_session_id(number) for number in sessions)
    assert not any(is_session_id(number) for number in challenges)
    assert min(sessions | challenges) >= LOWEST_ID
    assert max(sessions | challenges) < 1 << 31
    assert not is_session_id(-1)


async def test_a_flood_of_openings_is_told_to_come_back(store, monkeypatch):
    monkeypatch.setattr(module, "MAX_OPENED", 3)
    clock = Clock()
    kept = Exchanges(store, b"secret", clock)
    for _ in range(3):
        await kept.challenge(b"", b"")
    with pytest.raises(ServerBusy):
        await kept.challenge(b"", b"")
    await kept.open_session(bytes(32), None, HOUR)  # is counted apart
    clock.now += timedelta(seconds=61)
    await kept.challenge(b"", b"")


async def test_rows_cannot_be_exchanged_for_one_another(store):
    kept = Exchanges(store, b"secret")
    one, other = [await kept.open_session(bytes((n,)) * 32, None, HOUR) for n in range(2)]
    async with store.connection() as connection:
        await connection.execute(
            "UPDATE native_session SET session_key = (SELECT session_key FROM native_session WHERE session_id = $1) "
            "WHERE session_id = $2",
            one,
            other,
        )
    assert await kept.find_session(other) is None
    assert await Exchanges(store, b"another node").find_session(one) is None
    assert await kept.find_session(one) is not None


async def test_answers_are_numbered_one_after_another(store):
    kept = Exchanges(store, b"secret")
    session_id = await kept.open_session(bytes(32), None, HOUR)
    assert [await kept.count_answers(session_id, count) for count in (1, 3, 1)] == [1, 2, 5]
