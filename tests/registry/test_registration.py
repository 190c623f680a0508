import pytest

from registry.errors import (
    AuthenticationNeeded,
    HandleAlreadyExists,
    HandleNotFound,
    InsufficientPermission,
    InvalidAdministrator,
    InvalidHandle,
    InvalidValue,
    PrefixNotHomed,
    ValueAlreadyExists,
    ValuesNotFound,
)
from registry.value import HandleValue
from tests.registry.books import (
    ADMIN,
    CHANGED,
    DESC,
    HX,
    NODE,
    OWNER,
    PREFIX,
    STRANGER,
    URL,
    indexes,
    name,
    read,
    register,
)

OTHER = HandleValue(50, "URL", b"http://example.org/50")


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
    await registration.readable(record, None, [URL])
    with pytest.raises(AuthenticationNeeded):
        await registration.readable(record, None)
    await registration.readable(record, OWNER)
    with pytest.raises(InvalidAdministrator):
        await registration.readable(record, STRANGER)
