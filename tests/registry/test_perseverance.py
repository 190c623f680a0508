"""A write whose server is lost is made at the next one, and once.

Sessions are ended by `pg_terminate_backend`, which tells them what a server that stops tells them, and cut by a relay
in front of Postgres at the very COMMIT. The DSN names its server twice: the next primary is the former, which has what
was committed. That of Patroni is judged in tests/judges/test_patroni.py.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from registry.database import DATABASE_AWAY
from registry.perseverance import LOST, Perseverance
from registry.store import Store
from registry.transaction import begin
from registry.written import noting
from tests.registry.books import PREFIX, URL, name, open_book
from tests.registry.relays import Relay, a_relay
from tests.resolver.http.lab import PREFIX as LAB_PREFIX
from tests.resolver.http.lab import Client, basic, lab, using

HANDLE = name(f"{PREFIX}/LOT-1")
MADE = "SELECT count(*) FROM change_log WHERE suffix = $1"
# Sessions that have written something and are not done: before their COMMIT, within it, or just behind it.
END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL LIMIT 1
"""
BETWEEN = 0.25  # Seconds: whoever is cut off can write until the next is.
TIMEOUT = 60.0
VALUES = [{"index": 1, "type": "URL", "data": "http://example.org/"}]


@pytest.fixture
async def relay(database_dsn: str) -> AsyncIterator[Relay]:
    async with a_relay(database_dsn) as relay:
        yield relay


@pytest.fixture
async def book(relay: Relay) -> AsyncIterator[Store]:
    async with open_book(relay.dsn_with(relay)) as store:
        yield store


@pytest.fixture
async def other(database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session apart."""
    connection = await asyncpg.connect(database_dsn)
    yield connection
    await connection.close()


async def made(other: asyncpg.Connection) -> int:
    return int(await other.fetchval(MADE, HANDLE.suffix))


async def test_a_write_whose_session_is_ended_before_its_commit_is_made_once(book: Store, other: asyncpg.Connection):
    tries = 0

    async def write() -> int:
        nonlocal tries
        tries += 1
        async with begin(book, "test") as transaction:
            record = await transaction.create(HANDLE, (URL,))
            if tries == 1:
                await other.fetchval("SELECT pg_terminate_backend($1, 5000)", transaction.connection.get_server_pid())
        return record.version

    assert await book.perseverance.make(write) == 1
    assert (tries, await made(other)) == (2, 1)


@pytest.mark.parametrize("passes_on", [True, False])
async def test_a_commit_that_was_not_answered_is_looked_for(
    relay: Relay, book: Store, other: asyncpg.Connection, passes_on: bool
):
    tries = 0

    async def write() -> int:
        nonlocal tries
        tries += 1
        async with begin(book, "test") as transaction:
            if tries == 1:
                relay.cut_at_commit(passes_on=passes_on)
            return (await transaction.create(HANDLE, (URL,))).version

    assert await book.perseverance.make(write) == 1
    assert (tries, await made(other)) == (1 if passes_on else 2, 1)


async def test_a_commit_that_cannot_be_looked_for_is_not_made_again(relay: Relay, book: Store):
    """It wrote nothing in the change log."""
    tries = 0

    async def write() -> None:
        nonlocal tries
        tries += 1
        async with book.transaction() as connection:
            relay.cut_at_commit(passes_on=True)
            await connection.execute("DELETE FROM receipt")

    with pytest.raises(LOST):
        await book.perseverance.make(write)
    assert tries == 1


@pytest.mark.parametrize("commits", [True, False])
async def test_a_commit_on_its_way_is_waited_for(book: Store, other: asyncpg.Connection, commits: bool):
    with noting() as noted:
        noted.until = monotonic() + TIMEOUT
        transaction = other.transaction()
        await transaction.start()
        row = await other.fetchrow("INSERT INTO change_log (kind) VALUES (4) RETURNING xid::text::bigint AS xid, at")
        noted.logged = row["xid"], row["at"]
        looking = asyncio.create_task(book.perseverance.is_committed(noted, book.connection))
        done, _ = await asyncio.wait([looking], timeout=0.5)
        assert not done
        await (transaction.commit() if commits else transaction.rollback())
        assert await asyncio.wait_for(looking, TIMEOUT) is commits
        assert noted.is_final is commits


async def test_the_number_of_a_lost_transaction_that_another_has_is_not_taken_for_it(
    book: Store, other: asyncpg.Connection
):
    row = await other.fetchrow("INSERT INTO change_log (kind) VALUES (4) RETURNING xid::text::bigint AS xid, at")
    with noting() as noted:
        noted.until = monotonic() + TIMEOUT
        noted.logged = row["xid"], row["at"].replace(microsecond=(row["at"].microsecond + 1) % 1_000_000)
        assert not await book.perseverance.is_committed(noted, book.connection)
        assert not noted.is_final


async def test_what_was_committed_before_the_server_was_lost_is_not_written_again(
    book: Store, other: asyncpg.Connection
):
    async def write() -> None:
        async with begin(book, "test") as transaction:
            await transaction.create(HANDLE, (URL,))
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await book.perseverance.make(write)
    assert await made(other) == 1


@pytest.mark.parametrize(("dsn", "patience"), [("postgresql://h1/d", 10.0), ("postgresql://h1,h2/d", 0.05)])
async def test_a_write_fails_where_there_is_no_other_server_or_none_in_time(dsn: str, patience: float):
    tries = 0

    async def write() -> None:
        nonlocal tries
        tries += 1
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await Perseverance(dsn, patience).make(write)
    assert tries == 1


async def test_a_write_that_was_too_slow_is_not_made_again():
    async def write() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Perseverance("postgresql://h1,h2/d").make(write)
    assert not issubclass(TimeoutError, LOST), "it is an OSError, as what is said of a refused connection"


@pytest.mark.parametrize("is_named", [True, False])
async def test_no_request_fails_and_none_is_made_twice_while_sessions_are_ended_again_and_again(
    relay: Relay, other: asyncpg.Connection, tmp_path: Path, is_named: bool
):
    names = [f"w{number}" for number in range(40)]
    async with lab(relay.dsn_with(relay), tmp_path, plain_authentication=True) as node:

        async def write(some: list[str]) -> list[int]:
            def send(client: Client) -> list[int]:
                key = [{"Idempotency-Key": one} if is_named else {} for one in some]
                path = f"/api/handles/{LAB_PREFIX}/{{}}?overwrite=false"
                return [
                    client.ask("PUT", path.format(one), VALUES, basic() | named).status
                    for one, named in zip(some, key, strict=True)
                ]

            return await using(node, send)

        writing = asyncio.gather(*(write(names[first::4]) for first in range(4)))
        ended = 0
        while not writing.done():
            ended += len(await other.fetch(END))
            await asyncio.wait([writing], timeout=BETWEEN if ended else 0)
    assert ended
    answers = [status for each in await writing for status in each]
    assert answers == [201] * len(names), "a second one would be refused: it exists"
    versions = await other.fetch("SELECT version FROM handle WHERE suffix = ANY($1)", [one.upper() for one in names])
    assert [row["version"] for row in versions] == [1] * len(names)


async def test_an_ordinary_refusal_is_given_at_once(book: Store):
    tries = 0

    async def write() -> None:
        nonlocal tries
        tries += 1
        async with begin(book, "test") as transaction:
            await transaction.create(HANDLE, (URL,))
            raise asyncpg.QueryCanceledError("too slow")

    with pytest.raises(DATABASE_AWAY):
        await book.perseverance.make(write)
    assert tries == 1
