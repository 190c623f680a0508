"""Lists of handles and the prefixes that the node answers for."""

import pytest

from registry import registration as module
from registry.errors import (
    AuthenticationNeeded,
    InvalidAdministrator,
    InvalidHandle,
    OperationNotSupported,
    PrefixNotHomed,
    ProtocolFault,
)
from registry.store import Store
from registry.transaction import begin
from tests.registry.books import NODE, OWNER, PREFIX, STRANGER, URL, name, register


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
    assert await store.fetch(store.key_of(new.octets)), "its handles were kept"


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
