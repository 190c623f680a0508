import asyncio
import contextlib

import asyncpg
import pytest

from registry import registration as module
from registry.admin import ALL_PERMISSIONS
from registry.errors import (
    AuthenticationNeeded,
    HandleAlreadyExists,
    HandleError,
    HandleNotFound,
    InsufficientPermission,
    InvalidAdministrator,
    InvalidHandle,
    InvalidValue,
    OperationNotSupported,
    PrefixNotHomed,
    ProtocolFault,
    ValueAlreadyExists,
    ValuesNotFound,
)
from registry.registration import Registration
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import DESC, NODE, OWNER, PREFIX, STRANGER, URL, admin, name, open_book, register

HX = name("88.118.1/HX")
CHANGED = HandleValue(1, "URL", b"http://example.org/changed")
OTHER = HandleValue(50, "URL", b"http://example.org/50")
ADMIN = admin(100, ALL_PERMISSIONS, OWNER)


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture
def registration(store):
    return Registration(store, [str(NODE)])


async def read(store, handle=HX):
    return await store.fetch(store.key_of(handle.octets))


async def indexes(store, handle=HX):
    return [value.index for value in (await read(store, handle)).values]


async def changes(store):
    async with store.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM change_log")


# Whole records


async def test_a_new_handle_is_created_and_an_old_one_replaced(store, registration):
    created = await registration.put_record(HX, [DESC, URL], OWNER)
    replaced = await registration.put_record(name("88.118.1/hx"), [CHANGED], OWNER)
    assert (created.created, replaced.created) == (True, False)
    assert [value.index for value in created.record.values] == [1, 2]
    assert str(replaced.handle) == "88.118.1/hx", "the answer has the spelling asked for"
    assert str((await read(store)).handle) == "88.118.1/HX", "the book has the spelling registered"
    assert (await read(store)).values[0].data == CHANGED.data


async def test_a_handle_may_have_no_values(store, registration):
    assert (await registration.put_record(HX, [], OWNER)).created
    assert (await read(store)).values == ()


async def test_writing_what_stands_there_changes_nothing(store, registration):
    await registration.put_record(HX, [URL, ADMIN], OWNER)
    before, heard = await read(store), await changes(store)
    written = await registration.put_record(HX, [ADMIN, URL], OWNER)
    assert not written.created
    assert written.record == before == await read(store)
    assert await changes(store) == heard


async def test_without_overwriting_a_handle_is_registered_once(store, registration):
    await registration.put_record(HX, [URL], OWNER)
    with pytest.raises(HandleAlreadyExists):
        await registration.put_record(HX, [CHANGED], OWNER, overwrite=False)
    assert (await read(store)).values[0].data == URL.data


async def test_a_deleted_handle_is_created_anew(store, registration):
    await registration.put_record(HX, [URL], OWNER)
    await registration.delete_record(HX, OWNER)
    assert (await registration.put_record(HX, [DESC], OWNER, overwrite=False)).created
    assert (await read(store)).version == 3


async def test_a_minted_handle_has_a_suffix_of_its_own(store, registration):
    first = await registration.put_record(name("88.118.1/pre-"), [URL], OWNER, mint=True)
    second = await registration.put_record(name("88.118.1/pre-"), [URL], OWNER, mint=True)
    third = await registration.put_record(name("88.118.1/"), [URL], OWNER, mint=True)
    assert str(first.handle).startswith("88.118.1/pre-")
    assert len({first.handle, second.handle, third.handle}) == 3
    assert await read(store, first.handle)
    assert await read(store, third.handle)


@pytest.mark.parametrize("by", [None, OWNER])
@pytest.mark.parametrize(
    ("handle", "values", "refusal"),
    [
        ("99.999/abc", [URL], PrefixNotHomed),
        ("99.999/\x00", [HandleValue(0, "A", b"")], PrefixNotHomed),
        ("88.118.1/", [HandleValue(0, "A", b"")], InvalidHandle),
        ("88.118.1/a\x00b", [URL], InvalidHandle),
        ("88.118.1/new", [URL, HandleValue(0, "A", b"")], InvalidValue),
        ("88.118.1/new", [URL, CHANGED], ValueAlreadyExists),
    ],
)
async def test_faults_of_a_registration_are_told_before_anybody_is_asked_who_he_is(
    registration, by, handle, values, refusal
):
    with pytest.raises(refusal):
        await registration.put_record(name(handle), values, by)


async def test_a_registration_that_is_in_order_is_challenged(store, registration):
    with pytest.raises(AuthenticationNeeded):
        await registration.put_record(HX, [URL], None)
    assert await read(store) is None
    await register(store, str(HX), URL)
    with pytest.raises(AuthenticationNeeded):
        await registration.put_record(HX, [CHANGED], None)
    with pytest.raises(HandleAlreadyExists):
        await registration.put_record(HX, [CHANGED], None, overwrite=False)


async def test_a_stranger_registers_and_replaces_nothing(store, registration):
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(HX, [URL], STRANGER)
    await register(store, str(HX), URL)
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(HX, [CHANGED], STRANGER)
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(HX, [URL], STRANGER)
    assert (await read(store)).version == 1


async def test_the_history_says_who_wrote(store, registration):
    await registration.put_record(HX, [URL], OWNER)
    await registration.put_record(HX, [CHANGED], NODE)
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT changed_by FROM handle_history") == str(NODE)


# Single values


async def test_values_are_added_and_modified_and_the_others_stay(store, registration):
    await registration.put_record(HX, [URL, DESC], OWNER)
    assert not (await registration.put_values(HX, [OTHER, CHANGED], OWNER)).created
    record = await read(store)
    assert [(value.index, value.data) for value in record.values] == [
        (1, CHANGED.data),
        (2, DESC.data),
        (50, OTHER.data),
    ]
    assert (await registration.put_values(HX, [HandleValue(51, "URL", b"x")], OWNER)).created


async def test_values_that_are_there_are_kept_without_overwriting(store, registration):
    await registration.put_record(HX, [URL], OWNER)
    with pytest.raises(ValueAlreadyExists) as refusal:
        await registration.put_values(HX, [OTHER, CHANGED], OWNER, overwrite=False)
    assert str(refusal.value) == "Index conflict for 1"
    assert await indexes(store) == [1]
    assert (await registration.put_values(HX, [OTHER], OWNER, overwrite=False)).created


@pytest.mark.parametrize(
    ("handle", "values", "by", "refusal"),
    [
        ("99.9/a", [URL], None, PrefixNotHomed),
        ("88.118.1/HX", [], None, InvalidValue),
        ("88.118.1/HX", [HandleValue(0, "A", b"")], None, InvalidValue),
        ("88.118.1/HX", [URL, CHANGED], None, ValueAlreadyExists),
        ("88.118.1/HX", [OTHER], None, AuthenticationNeeded),
        ("88.118.1/NONE", [OTHER], None, AuthenticationNeeded),
        ("88.118.1/NONE", [OTHER], OWNER, HandleNotFound),
        ("88.118.1/HX", [OTHER], STRANGER, InvalidAdministrator),
    ],
)
async def test_values_are_refused_in_the_order_of_the_reference(store, registration, handle, values, by, refusal):
    await register(store, str(HX), URL)
    with pytest.raises(refusal):
        await registration.put_values(name(handle), values, by)
    assert await indexes(store) == [1]


async def test_a_read_only_value_is_modified_by_nobody(store, registration):
    await register(store, str(HX), HandleValue(1, "URL", b"fixed", permissions=0b1010))
    for by in (OWNER, NODE):
        with pytest.raises(InsufficientPermission):
            await registration.put_values(HX, [CHANGED], by)
    await registration.put_values(HX, [OTHER], OWNER)
    await registration.delete_values(HX, [1], OWNER)
    assert await indexes(store) == [50]


async def test_a_value_that_the_public_may_write_is_written_by_administrators_only(store, registration):
    await register(store, str(HX), HandleValue(1, "URL", b"open", permissions=0b1111))
    with pytest.raises(AuthenticationNeeded):
        await registration.put_values(HX, [CHANGED], None)
    with pytest.raises(InvalidAdministrator):
        await registration.put_values(HX, [CHANGED], STRANGER)


async def test_a_record_does_not_grow_beyond_what_a_message_carries(store, registration):
    await registration.put_record(HX, [HandleValue(1, "A", bytes(200_000))], OWNER)
    with pytest.raises(InvalidValue):
        await registration.put_values(HX, [HandleValue(2, "A", bytes(100_000))], OWNER)
    assert await indexes(store) == [1]


async def test_values_are_removed_all_or_none(store, registration):
    await registration.put_record(HX, [URL, DESC, OTHER], OWNER)
    with pytest.raises(ValuesNotFound):
        await registration.delete_values(HX, [1, 51], OWNER)
    assert await indexes(store) == [1, 2, 50]
    await registration.delete_values(HX, [1, 50], OWNER)
    assert await indexes(store) == [2]


# Deleting


@pytest.mark.parametrize(
    ("handle", "by", "refusal"),
    [
        ("99.9/a", None, PrefixNotHomed),
        ("88.118.1/NONE", None, AuthenticationNeeded),
        ("88.118.1/HX", None, AuthenticationNeeded),
        ("88.118.1/NONE", STRANGER, HandleNotFound),
        ("88.118.1/HX", STRANGER, InvalidAdministrator),
    ],
)
async def test_deleting_asks_first_who_is_there(store, registration, handle, by, refusal):
    await register(store, str(HX), URL)
    with pytest.raises(refusal):
        await registration.delete_record(name(handle), by)
    with pytest.raises(refusal):
        await registration.delete_values(name(handle), [1], by)
    assert await indexes(store) == [1]


async def test_a_deleted_handle_is_gone_and_not_counted(store, registration):
    await registration.put_record(HX, [URL], OWNER)
    await registration.delete_record(HX, OWNER)
    assert await read(store) is None
    assert await registration.list_handles(PREFIX, OWNER) == (0, [])
    with pytest.raises(HandleNotFound):
        await registration.delete_record(HX, OWNER)


# Reading


async def test_restricted_values_are_read_after_a_challenge_only(store, registration):
    await register(store, str(HX), URL, HandleValue(2, "DESC", b"private", permissions=0b1100))
    record = await read(store)
    await registration.check_read(record, None, [URL])
    with pytest.raises(AuthenticationNeeded):
        await registration.check_read(record, None)
    await registration.check_read(record, OWNER)
    with pytest.raises(InvalidAdministrator):
        await registration.check_read(record, STRANGER)


# Lists


async def test_a_list_is_given_in_pages_in_order_of_keys(store, registration):
    for number in (3, 1, 2, 5, 4):
        await register(store, f"88.118.1/item{number}", URL)
    assert await registration.list_handles(PREFIX, OWNER) == (5, [f"88.118.1/item{number}" for number in range(1, 6)])
    assert await registration.list_handles("0.na/88.118.1", OWNER, 1, 2) == (5, ["88.118.1/item3", "88.118.1/item4"])
    assert await registration.list_handles(PREFIX, OWNER, 99, 50) == (5, [])
    assert await registration.list_handles(PREFIX, OWNER, 10**30, 2) == (5, [])
    assert await registration.list_handles(PREFIX, OWNER, 0, 0) == (5, [])


async def test_a_list_that_is_too_long_is_asked_for_in_pages(store, registration, monkeypatch):
    monkeypatch.setattr(module, "MAX_LISTED", 2)
    for number in range(3):
        await register(store, f"88.118.1/{number}", URL)
    with pytest.raises(ProtocolFault):
        await registration.list_handles(PREFIX, OWNER)
    with pytest.raises(ProtocolFault):
        await registration.list_handles(PREFIX, OWNER, 0, 3)
    assert await registration.list_handles(PREFIX, OWNER, 1, 2) == (3, ["88.118.1/2"])


@pytest.mark.parametrize(
    ("prefix", "by", "refusal"),
    [
        ("88.118.1/HX", OWNER, InvalidHandle),
        ("", OWNER, InvalidHandle),
        ("99.99", None, AuthenticationNeeded),
        ("99.99", OWNER, PrefixNotHomed),
        ("88.118.1", None, AuthenticationNeeded),
        ("88.118.1", STRANGER, InvalidAdministrator),
    ],
)
async def test_lists_are_refused_in_the_order_of_the_reference(registration, prefix, by, refusal):
    with pytest.raises(refusal):
        await registration.list_handles(prefix, by)


# Prefixes


async def test_a_homed_prefix_is_answered_for_until_it_is_unhomed(store, registration):
    await registration.home_prefix("0.NA/88.118.55", NODE)
    assert await registration.homed_prefixes(NODE) == ["0.NA/0.NA", "0.NA/88.118.1", "0.NA/88.118.55"]
    new = name("88.118.55/a")
    await registration.put_record(new, [URL], NODE)
    await registration.unhome_prefix("88.118.55", NODE)
    assert await registration.homed_prefixes(NODE) == ["0.NA/0.NA", "0.NA/88.118.1"]
    with pytest.raises(PrefixNotHomed):
        await registration.put_record(new, [URL], NODE)
    await registration.home_prefix("88.118.55", NODE)
    assert await read(store, new), "its handles were kept"


async def test_homing_a_prefix_again_changes_nothing(store, registration):
    await registration.home_prefix(PREFIX, NODE)
    assert await registration.homed_prefixes(NODE) == ["0.NA/0.NA", "0.NA/88.118.1"]


async def test_who_follows_the_change_log_hears_of_a_prefix(store, registration):
    await registration.home_prefix("88.118.55", NODE)
    await registration.unhome_prefix("88.118.55", NODE)
    async with store.connection() as connection:
        rows = await connection.fetch(
            "SELECT kind FROM change_log JOIN prefix USING (prefix_id) WHERE prefix = '88.118.55'"
        )
    assert [row["kind"] for row in rows] == [3, 3]


@pytest.mark.parametrize(
    ("prefix", "by", "refusal"),
    [
        ("88.118.77/abc", None, InvalidHandle),
        ("88.1", None, InvalidHandle),
        ("a b", None, InvalidHandle),
        ("88.118.77", None, AuthenticationNeeded),
        ("88.118.77", OWNER, InvalidAdministrator),
    ],
)
async def test_prefixes_are_homed_by_the_node_only(registration, prefix, by, refusal):
    with pytest.raises(refusal):
        await registration.home_prefix(prefix, by)


@pytest.mark.parametrize(
    ("prefix", "by", "refusal"),
    [
        ("88.118.77", NODE, PrefixNotHomed),
        ("0.na/0.na", NODE, OperationNotSupported),
        ("88.118.1", None, AuthenticationNeeded),
        ("88.118.1", OWNER, InvalidAdministrator),
    ],
)
async def test_prefixes_are_unhomed_by_the_node_only(registration, prefix, by, refusal):
    with pytest.raises(refusal):
        await registration.unhome_prefix(prefix, by)


async def test_only_the_node_is_told_which_prefixes_are_homed(registration):
    with pytest.raises(AuthenticationNeeded):
        await registration.homed_prefixes(None)
    with pytest.raises(InvalidAdministrator):
        await registration.homed_prefixes(OWNER)


async def test_a_prefix_that_another_process_homed_is_known_at_the_first_write(store, registration):
    other = Store(store.settings, "another process")
    await other.open()
    try:
        async with begin(other, "test") as transaction:
            await transaction.home("88.118.66")
        assert (await registration.put_record(name("88.118.66/a"), [URL], NODE)).created
    finally:
        await other.close()


async def test_loading_in_bulk_takes_the_right_to_create_and_to_delete(store, registration):
    prefix = store.prefixes.find(b"88.118.1")
    assert await registration.may_load(prefix, OWNER)
    assert await registration.may_load(prefix, NODE)
    assert not await registration.may_load(prefix, STRANGER)


# Many at once


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
        async with asyncio.timeout(10):
            while not await connection.fetchval(WAITING):  # noqa: ASYNC110  # what is awaited happens in Postgres
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
