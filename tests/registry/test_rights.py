import pytest

from registry import rights as module
from registry.admin import ALL_PERMISSIONS, AdminPermission, permissions_to_replace
from registry.authentication import Administrator
from registry.errors import InsufficientPermission, InvalidAdministrator, InvalidCredential
from registry.rights import MAX_DEPTH, Rights
from registry.value import HandleValue, Reference
from tests.registry.books import (
    DESC,
    NODE,
    OWNER,
    PREFIX_HANDLE,
    STRANGER,
    URL,
    admin,
    group,
    name,
    open_book,
    register,
)

MODIFY, REMOVE, ADD = AdminPermission.MODIFY_VALUE, AdminPermission.REMOVE_VALUE, AdminPermission.ADD_VALUE
MODIFY_ADMIN = AdminPermission.MODIFY_ADMINISTRATOR
REMOVE_ADMIN = AdminPermission.REMOVE_ADMINISTRATOR
ADD_ADMIN = AdminPermission.ADD_ADMINISTRATOR
HELD = "88.118.1/HELD"
SOMEBODY = Administrator(Reference("88.118.1/KEYS", 7))


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture
def rights(store):
    return Rights(store, [str(NODE)])


async def held(store, *values):
    """A handle that is registered with these values, as it is read back."""
    await register(store, HELD, *values)
    return await store.fetch(store.key_of(HELD.encode()))


async def test_a_right_is_granted_to_the_key_that_hs_admin_names(store, rights):
    record = await held(store, admin(100, MODIFY, SOMEBODY))
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert not await rights.may(record, SOMEBODY, REMOVE)
    assert not await rights.may(record, Administrator(Reference("88.118.1/KEYS", 8)), MODIFY)


async def test_an_administrator_is_the_same_in_any_spelling(store, rights):
    record = await held(store, admin(100, MODIFY, Reference("88.118.1/keys", 7)))
    assert await rights.may(record, SOMEBODY, MODIFY)


async def test_index_zero_names_every_key_of_a_handle(store, rights):
    record = await held(store, admin(100, MODIFY, Reference("88.118.1/KEYS", 0)))
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert not await rights.may(record, OWNER, MODIFY)


async def test_all_that_is_needed_stands_in_one_value(store, rights):
    record = await held(store, admin(100, MODIFY, SOMEBODY), admin(101, REMOVE, SOMEBODY))
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert await rights.may(record, SOMEBODY, REMOVE)
    assert not await rights.may(record, SOMEBODY, MODIFY | REMOVE)


async def test_a_kind_of_hs_admin_grants_as_hs_admin_does(store, rights):
    value = admin(100, MODIFY, SOMEBODY)
    record = await held(store, HandleValue(100, "hs_admin.local", value.data))
    assert await rights.may(record, SOMEBODY, MODIFY)


async def test_the_administrators_of_the_prefix_have_no_say_over_a_handle_that_names_its_own(store, rights):
    record = await held(store, admin(100, ALL_PERMISSIONS, SOMEBODY))
    assert not await rights.may(record, OWNER, MODIFY)


async def test_a_handle_that_names_no_administrator_is_its_prefixs(store, rights):
    record = await held(store, URL)
    assert await rights.may(record, OWNER, MODIFY)
    assert not await rights.may(record, STRANGER, MODIFY)


async def test_an_hs_admin_value_that_cannot_be_read_grants_nothing_and_still_counts(store, rights):
    record = await held(store, HandleValue(100, "HS_ADMIN", b"\x0f"))
    assert not await rights.may(record, OWNER, MODIFY)
    assert await rights.may(record, NODE, MODIFY)


async def test_the_administrators_of_the_node_may_everything(store):
    rights = Rights(store, ["0:0.na/0.na", "9:88.118.1/OPERATOR"])
    record = await held(store, admin(100, MODIFY, SOMEBODY))
    for by in (NODE, Administrator(Reference("88.118.1/operator", 9))):
        assert await rights.may(record, by, AdminPermission(ALL_PERMISSIONS))
        await rights.check_create(name("88.118.1/NEW"), by)
    assert not rights.is_of_node(Administrator(Reference("88.118.1/operator", 8)))


@pytest.mark.parametrize("text", ["", "0.NA/0.NA", "admin:0.NA/0.NA"])
def test_a_setting_that_names_no_administrator_is_refused(text):
    with pytest.raises(InvalidCredential):
        Rights(None, [text])


# Groups


async def test_a_group_in_another_handle_is_asked(store, rights):
    await register(store, "88.118.1/TEAM", group(1, OWNER.identity, SOMEBODY.identity))
    record = await held(store, admin(100, MODIFY, Reference("88.118.1/TEAM", 1)))
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert not await rights.may(record, STRANGER, MODIFY)


async def test_groups_that_hold_each_other_come_to_an_end(store, rights):
    await register(store, "88.118.1/A", group(1, Reference("88.118.1/B", 1), Reference("88.118.1/A", 1)))
    await register(store, "88.118.1/B", group(1, Reference("88.118.1/A", 1), SOMEBODY.identity))
    record = await held(store, admin(100, MODIFY, Reference("88.118.1/A", 1)))
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert not await rights.may(record, STRANGER, MODIFY)


async def chain(store, length):
    """Groups each of which holds the next; the last one holds somebody."""
    for number in range(length):
        last = number == length - 1
        member = SOMEBODY.identity if last else Reference(f"88.118.1/G{number + 1}", 1)
        await register(store, f"88.118.1/G{number}", group(1, member))
    return await held(store, admin(100, MODIFY, Reference("88.118.1/G0", 1)))


async def test_groups_are_followed_as_deep_as_allowed(store, rights):
    assert await rights.may(await chain(store, MAX_DEPTH - 1), SOMEBODY, MODIFY)


async def test_groups_are_followed_no_deeper(store, rights):
    assert not await rights.may(await chain(store, MAX_DEPTH), SOMEBODY, MODIFY)


async def test_a_member_of_a_long_group_is_found_though_no_more_groups_are_read_than_allowed(
    store, rights, monkeypatch
):
    monkeypatch.setattr(module, "MAX_READ", 5)
    others = [Reference(f"88.118.1/OTHER{number}", 1) for number in range(500)]
    await register(store, "88.118.1/TEAM", group(1, *others, SOMEBODY.identity))
    record = await held(store, admin(100, MODIFY, Reference("88.118.1/TEAM", 1)))
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert not await rights.may(record, STRANGER, MODIFY)


async def test_what_a_group_names_by_nonsense_is_passed_over(store, rights):
    members = [Reference("", 1), Reference("x" * 3000, 1), Reference("9.9/elsewhere", 1), SOMEBODY.identity]
    await register(store, "88.118.1/TEAM", group(1, *members), HandleValue(2, "HS_VLIST", b"\xff\xff\xff\xff"), DESC_3)
    teams = [admin(99 + index, MODIFY, Reference("88.118.1/TEAM", index)) for index in (1, 2, 3, 4)]
    record = await held(store, *teams)
    assert await rights.may(record, SOMEBODY, MODIFY)
    assert not await rights.may(record, STRANGER, MODIFY)


DESC_3 = HandleValue(3, "DESC", b"no group")


async def test_a_value_that_is_no_group_lends_its_right_to_nobody(store, rights):
    await register(store, "88.118.1/TEAM", HandleValue(1, "DESC", group(1, SOMEBODY.identity).data))
    record = await held(store, admin(100, MODIFY, Reference("88.118.1/TEAM", 1)))
    assert not await rights.may(record, SOMEBODY, MODIFY)


# Registering


async def test_whoever_may_create_handles_of_a_prefix_registers_them(rights):
    await rights.check_create(name("88.118.1/NEW"), OWNER)
    with pytest.raises(InvalidAdministrator) as refusal:
        await rights.check_create(name("88.118.1/NEW"), STRANGER)
    assert "300:0.NA/88.118.2" in str(refusal.value)
    assert "create handles" in str(refusal.value)
    assert "创建标识" in refusal.value.text("zh")


async def test_a_derived_prefix_is_registered_by_the_prefix_that_it_derives_from(rights):
    await rights.check_create(name("0.NA/88.118.1.5"), OWNER)
    for derived in ("0.NA/88.118.1.5.6", "0.NA/88.118.3", "0.NA/20"):
        with pytest.raises(InvalidAdministrator):
            await rights.check_create(name(derived), OWNER)


async def test_a_prefix_whose_handle_is_not_here_takes_registrations_from_the_node_only(store, rights):
    await rights.check_create(name("88.118.3/NEW"), NODE)
    with pytest.raises(InvalidAdministrator):
        await rights.check_create(name("88.118.3/NEW"), OWNER)


# Replacing


def write_protected(index, data):
    return HandleValue(index, "URL", data, permissions=0b1010)


async def test_a_replacement_needs_every_right_that_its_differences_need(store, rights):
    record = await held(store, URL, admin(100, ADD | MODIFY, SOMEBODY))
    changed = HandleValue(1, "URL", b"http://example.org/changed")
    await rights.check_replace(record, (changed, DESC, record.at(100)), SOMEBODY)
    with pytest.raises(InvalidAdministrator):
        await rights.check_replace(record, (record.at(100),), SOMEBODY)  # removes one
    with pytest.raises(InvalidAdministrator):
        await rights.check_replace(record, (URL, admin(100, ALL_PERMISSIONS, SOMEBODY)), SOMEBODY)


async def test_whoever_may_add_administrators_may_replace_all(store, rights):
    record = await held(store, URL, admin(100, ADD_ADMIN, SOMEBODY))
    await rights.check_replace(record, (), SOMEBODY)


async def test_whoever_may_delete_and_register_again_may_replace_all(store, rights):
    record = await held(store, write_protected(1, b"a"), admin(100, AdminPermission.DELETE_HANDLE, OWNER))
    await rights.check_replace(record, (write_protected(1, b"b"),), OWNER)


async def test_deleting_alone_is_not_replacing(store, rights):
    record = await held(store, URL, admin(100, AdminPermission.DELETE_HANDLE, SOMEBODY))
    with pytest.raises(InvalidAdministrator):
        await rights.check_replace(record, (), SOMEBODY)


async def test_nobody_modifies_a_value_that_is_read_only(store, rights):
    record = await held(store, write_protected(1, b"a"), admin(100, MODIFY | REMOVE, SOMEBODY))
    with pytest.raises(InsufficientPermission):
        await rights.check_replace(record, (write_protected(1, b"b"), record.at(100)), SOMEBODY)
    await rights.check_replace(record, (record.at(100),), SOMEBODY)  # removing it is another right


async def test_writing_what_stands_there_needs_an_administrator_still(store, rights):
    record = await held(store, URL, admin(100, AdminPermission.LIST_HANDLES, SOMEBODY))
    await rights.check_replace(record, record.values, SOMEBODY)
    with pytest.raises(InvalidAdministrator):
        await rights.check_replace(record, record.values, STRANGER)


# Reading

PRIVATE = HandleValue(2, "DESC", b"private", permissions=0b1100)
SEALED = HandleValue(3, "DESC", b"sealed", permissions=0b0000)


async def test_a_restricted_value_is_read_by_whoever_may(store, rights):
    reader = admin(100, AdminPermission.AUTHORIZED_READ, SOMEBODY)
    record = await held(store, URL, PRIVATE, reader)
    await rights.check_read(record, record.values, SOMEBODY)
    await rights.check_read(record, [URL], STRANGER)
    with pytest.raises(InvalidAdministrator):
        await rights.check_read(record, [PRIVATE], STRANGER)


async def test_a_value_that_nobody_may_read_is_read_by_the_node_only(store, rights):
    record = await held(store, SEALED, admin(100, ALL_PERMISSIONS, SOMEBODY))
    with pytest.raises(InsufficientPermission):
        await rights.check_read(record, record.values, SOMEBODY)
    await rights.check_read(record, record.values, NODE)


async def test_a_secret_key_is_read_through_the_group_that_administers_it(store, rights):
    record = await store.fetch(store.key_of(PREFIX_HANDLE.encode()))
    await rights.check_read(record, record.values, OWNER)
    with pytest.raises(InvalidAdministrator):
        await rights.check_read(record, record.values, STRANGER)


# Differences

ADMIN = admin(1, ALL_PERMISSIONS, SOMEBODY)
ORDINARY = HandleValue(1, "DESC", b"ordinary")


@pytest.mark.parametrize(
    ("before", "after", "needed"),
    [
        ((), (), 0),
        ((URL, DESC), (DESC, URL), 0),
        ((URL,), (HandleValue(1, "URL", URL.data, timestamp=99),), 0),
        ((), (URL,), ADD),
        ((URL,), (), REMOVE),
        ((URL,), (ORDINARY,), MODIFY),
        ((URL,), (HandleValue(1, "URL", URL.data, ttl=5),), MODIFY),
        ((URL,), (HandleValue(1, "URL", URL.data, permissions=15),), MODIFY),
        ((), (ADMIN,), ADD_ADMIN),
        ((ADMIN,), (), REMOVE_ADMIN),
        ((ADMIN,), (admin(1, 1, SOMEBODY),), MODIFY_ADMIN),
        ((ORDINARY,), (ADMIN,), REMOVE | ADD_ADMIN),
        ((ADMIN,), (ORDINARY,), REMOVE_ADMIN | ADD),
        ((URL,), (DESC,), REMOVE | ADD),
    ],
)
def test_each_difference_needs_its_right(before, after, needed):
    assert permissions_to_replace(before, after) == needed
