"""Many writers at once: whoever comes first, the book says one thing."""

import asyncio
import contextlib

import asyncpg
import pytest

from registry.admin import ALL_PERMISSIONS
from registry.errors import (
    HandleAlreadyExists,
    HandleError,
    InvalidAdministrator,
    ValueAlreadyExists,
)
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import (
    ADMIN,
    CHANGED,
    HX,
    OWNER,
    PREFIX,
    STRANGER,
    URL,
    admin,
    indexes,
    name,
    read,
    register,
)


async def test_one_of_many_registrations_at_once_creates_and_the_others_replace(store, registration):
    values = [HandleValue(1, "URL", f"http://example.org/{number}".encode()) for number in range(16)]
    written = await asyncio.gather(*(registration.put_record(HX, [value], OWNER) for value in values))
    assert sum(one.created for one in written) == 1
    assert (await read(store)).version == 16
    assert await registration.list_handles(PREFIX, OWNER) == (1, [str(HX)])


async def test_one_of_many_registrations_at_once_succeeds_without_overwriting(store, registration):
    outcomes = await asyncio.gather(
        *(registration.put_record(HX, [URL], OWNER, overwrite=False) for _ in range(16)), return_exceptions=True
    )
    assert sum(isinstance(outcome, HandleAlreadyExists) for outcome in outcomes) == 15
    assert (await read(store)).version == 1


async def test_values_added_at_once_are_all_there(store, registration):
    await registration.put_record(HX, [], OWNER)
    added = [registration.put_values(HX, [HandleValue(index, "A", b"x")], OWNER) for index in range(1, 17)]
    assert all(written.created for written in await asyncio.gather(*added))
    assert await indexes(store) == list(range(1, 17))
    assert (await read(store)).version == 17


async def test_a_value_added_at_once_by_many_is_added_once(store, registration):
    await registration.put_record(HX, [], OWNER)
    adds = (registration.put_values(HX, [URL], OWNER, overwrite=False) for _ in range(12))
    outcomes = await asyncio.gather(*adds, return_exceptions=True)
    assert sum(isinstance(outcome, ValueAlreadyExists) for outcome in outcomes) == 11
    assert (await read(store)).version == 2


async def test_a_right_taken_away_while_a_write_waits_is_gone_when_it_goes_on(store, registration):
    await register(store, str(HX), URL, admin(100, ALL_PERMISSIONS, STRANGER))
    async with begin(store, "test") as transaction:
        record = await transaction.lock(HX)
        waiting = asyncio.create_task(registration.put_values(HX, [CHANGED], STRANGER))
        await _until_somebody_waits(store)
        await transaction.replace(record, (URL, ADMIN))
    with pytest.raises(InvalidAdministrator):
        await waiting
    assert (await read(store)).values[0].data == URL.data


async def test_writers_of_every_kind_at_once_leave_a_record_and_a_count_that_agree(store, registration):
    async def write(number):
        handle = name(f"88.118.1/{number % 3}")
        operations = (
            lambda: registration.put_record(handle, [URL], OWNER),
            lambda: registration.put_values(handle, [HandleValue(number + 1, "A", b"x")], OWNER),
            lambda: registration.delete_values(handle, [1], OWNER),
            lambda: registration.delete_record(handle, OWNER),
        )
        with contextlib.suppress(HandleError):  # Whether a handle was there is a matter of who came first.
            await operations[number % 4]()

    await asyncio.gather(*(write(number) for number in range(60)))
    total, names = await registration.list_handles(PREFIX, OWNER)
    assert total == len(names)
    for text in names:
        assert (await read(store, name(text))).version >= 1


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def _until_somebody_waits(store):
    """Until another session of this database waits for a row that we hold."""
    connection = await asyncpg.connect(store.settings.dsn)
    try:
        async with asyncio.timeout(60):
            while not await connection.fetchval(WAITING):  # noqa: ASYNC110  # what is awaited happens in Postgres
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
