import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import sessions as module
from registry.errors import ServerBusy
from registry.sessions import CHALLENGE_LIFE, IDLE_LIFE, NONCE, Sessions
from tests.registry.books import open_book

OWNER = "301:0.NA/88.118.1"


class Clock:
    """Moves when it is told to."""

    def __init__(self):
        self.now = datetime(2026, 11, 21, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, span):
        self.now += span


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(store, clock):
    return Sessions(store, clock)


async def rows(store):
    async with store.connection() as connection:
        return await connection.fetch("SELECT * FROM session")


async def test_a_challenge_opened_by_one_worker_is_found_by_another(store, sessions, clock):
    challenge = await sessions.open()
    assert len(challenge.nonce) == NONCE
    assert challenge.identity is None
    assert await Sessions(store, clock).find(challenge.session_id) == challenge


async def test_no_two_challenges_are_alike(sessions):
    opened = await asyncio.gather(*(sessions.open() for _ in range(20)))
    assert len({session.session_id for session in opened}) == len({session.nonce for session in opened}) == 20


async def test_a_proved_session_stands_for_its_identity_on_every_worker(store, sessions, clock):
    challenge = await sessions.open()
    assert await sessions.authenticate(challenge.session_id, OWNER)
    found = await Sessions(store, clock).find(challenge.session_id)
    assert found.identity == OWNER
    assert found.nonce == challenge.nonce


async def test_a_session_opened_for_an_identity_needs_no_proof(sessions, clock):
    session = await sessions.open(OWNER)
    clock.forward(CHALLENGE_LIFE * 2)
    assert await sessions.find(session.session_id) == session


async def test_a_challenge_not_answered_in_time_is_gone(sessions, clock):
    challenge = await sessions.open()
    clock.forward(CHALLENGE_LIFE - timedelta(seconds=1))
    assert await sessions.find(challenge.session_id)
    clock.forward(timedelta(seconds=1))
    assert await sessions.find(challenge.session_id) is None
    assert not await sessions.authenticate(challenge.session_id, OWNER)
    assert not await sessions.end(challenge.session_id)


async def test_looking_at_a_challenge_gives_it_no_more_time(sessions, clock):
    challenge = await sessions.open()
    for _ in range(3):
        clock.forward(CHALLENGE_LIFE / 3)
        found = await sessions.find(challenge.session_id)
    assert found is None


async def test_a_session_in_use_lives_and_an_idle_one_ends(sessions, clock):
    session = await sessions.open(OWNER)
    for _ in range(5):
        clock.forward(IDLE_LIFE * 0.9)
        assert await sessions.find(session.session_id)
    clock.forward(IDLE_LIFE)
    assert await sessions.find(session.session_id) is None


async def test_a_session_ends_once(sessions):
    session = await sessions.open(OWNER)
    assert sorted(await asyncio.gather(*(sessions.end(session.session_id) for _ in range(5)))) == [False] * 4 + [True]
    assert await sessions.find(session.session_id) is None


async def test_the_table_does_not_hold_what_a_client_could_present(store, sessions):
    session = await sessions.open()
    (row,) = await rows(store)
    assert session.session_id not in row["session_id"]
    assert await sessions.find(row["session_id"]) is None


async def test_openings_remove_the_sessions_whose_time_is_over(store, sessions, clock):
    for _ in range(10):
        await sessions.open()
    clock.forward(CHALLENGE_LIFE)
    latest = await sessions.open()
    assert len(await rows(store)) == 1
    assert await sessions.find(latest.session_id)


async def test_a_purge_removes_all_that_is_over_and_nothing_else(store, sessions, clock):
    kept = await sessions.open(OWNER)
    for _ in range(25):
        await sessions.open()
    clock.forward(CHALLENGE_LIFE)
    assert await sessions.purge() == 25
    assert await sessions.purge() == 0
    assert await sessions.find(kept.session_id) == kept


async def test_a_flood_of_challenges_is_told_to_come_back_and_passes(sessions, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_CHALLENGES", 3)
    for _ in range(3):
        await sessions.open()
    with pytest.raises(ServerBusy):
        await sessions.open()
    clock.forward(CHALLENGE_LIFE)
    assert await sessions.open()


@given(session_id=st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
async def test_any_text_names_no_session(sessions, session_id):
    assert await sessions.find(session_id) is None


async def test_octets_that_are_no_text_name_no_session(sessions):
    assert await sessions.find("\udcff\udc00") is None
