"""Tokens: what they are good for, from where, and until when."""

from datetime import timedelta
from ipaddress import ip_address

import pytest

from registry.enterprise import add_enterprise
from registry.errors import (
    AuthenticationFailed,
    HandleNotFound,
    InsufficientPermission,
    InvalidAdministrator,
    InvalidHandle,
    ProtocolFault,
)
from registry.registration import Registration
from registry.tokens import OVERLAP, Wanted
from registry.value import HandleValue
from tests.registry.books import URL, name

HERE = ip_address("192.0.2.7")
SECRET = HandleValue(300, "HS_SECKEY", b"secret", permissions=0b1100)


@pytest.fixture
async def enterprise(office):
    await add_enterprise(office.store, "化纤厂", "", "", "88.168.2", by="test")
    await add_enterprise(office.store, "化纤厂", "", "", "88.168.3", by="test")
    await add_enterprise(office.store, "织造厂", "", "", "88.168.4", by="test")
    return await office.standing.named("化纤厂")


def wanted(enterprise, *scopes, **more):
    return Wanted("MES", frozenset(scopes or {"registry.write", "read"}), enterprise, **more)


async def test_a_token_acts_for_its_enterprise_and_is_named_in_what_it_does(office, enterprise):
    issued = await office.tokens.issue(wanted(enterprise), by="test")
    by = await office.tokens.administrator(issued.token, HERE, "registry.write")
    registration = Registration(office.store, [])
    for prefix in ("88.168.2", "88.168.3"):
        await registration.put_record(name(f"{prefix}/A"), [URL], by)
    await registration.delete_record(name("88.168.2/A"), by)
    assert await office.value("SELECT changed_by FROM handle_history") == f"token:{issued.token_id}"
    for handle in ("88.168.4/A", "0.NA/88.168.2.1"):
        with pytest.raises(InvalidAdministrator):
            await registration.put_record(name(handle), [URL], by)


async def test_the_handle_of_a_prefix_is_written_with_the_scope_for_it_alone(office, enterprise):
    registration = Registration(office.store, [])
    for scopes, may in (({"registry.write"}, False), ({"registry.write", "administer"}, True)):
        issued = await office.tokens.issue(wanted(enterprise, *scopes), by="test")
        by = await office.tokens.administrator(issued.token, HERE, "registry.write")
        key = HandleValue(301, "HS_SECKEY", b"another", permissions=0b1100)
        if may:
            await registration.put_values(name("0.NA/88.168.2"), [key], by)
        else:
            with pytest.raises(InvalidAdministrator):
                await registration.put_values(name("0.NA/88.168.2"), [key], by)
        with pytest.raises(InvalidAdministrator):
            await registration.put_values(name("0.NA/88.168.4"), [key], by)


async def test_no_token_reads_a_secret_key(office, enterprise):
    issued = await office.tokens.issue(wanted(enterprise, "read", "administer", "registry.write"), by="test")
    by = await office.tokens.administrator(issued.token, HERE, "registry.write")
    reader = await office.tokens.administrator(issued.token, HERE, "read")
    registration = Registration(office.store, [])
    restricted = HandleValue(9, "NOTE", b"ours", permissions=0b1100)
    await registration.put_record(name("88.168.2/A"), [SECRET, restricted], by)
    for handle, index in (("88.168.2/A", 300), ("0.NA/88.168.2", 300)):
        record = await office.store.fetch(office.store.key_of(handle.encode()))
        with pytest.raises(InsufficientPermission):
            await registration.readable(record, reader, [record.at(index)])
    record = await office.store.fetch(office.store.key_of(b"88.168.2/A"))
    await registration.readable(record, reader, [restricted])


async def test_a_token_for_one_prefix_is_no_good_for_the_other_of_the_same_enterprise(office, enterprise):
    issued = await office.tokens.issue(wanted(enterprise, prefixes=("88.168.2", "88.168.4")), by="test")
    by = await office.tokens.administrator(issued.token, HERE, "registry.write")
    registration = Registration(office.store, [])
    await registration.put_record(name("88.168.2/A"), [URL], by)
    for handle in ("88.168.3/A", "88.168.4/A"):  # The latter was asked for, and is another's.
        with pytest.raises(InvalidAdministrator):
            await registration.put_record(name(handle), [URL], by)


async def test_a_token_is_refused_what_it_has_no_scope_for(office, enterprise):
    issued = await office.tokens.issue(wanted(enterprise, "stats"), by="test")
    await office.tokens.administrator(issued.token, HERE, "stats")
    for scope in ("read", "registry.write", "bulk", "administer", "operate", "review"):
        with pytest.raises(InsufficientPermission):
            await office.tokens.administrator(issued.token, HERE, scope)


async def test_a_token_is_accepted_from_its_networks_alone(office, enterprise):
    issued = await office.tokens.issue(wanted(enterprise, sources=("192.0.2.0/24", "2001:db8::1")), by="test")
    await office.tokens.administrator(issued.token, HERE, "read")
    await office.tokens.administrator(issued.token, ip_address("2001:db8::1"), "read")
    for source in (ip_address("192.0.3.7"), ip_address("2001:db8::2"), None):
        with pytest.raises(InsufficientPermission):
            await office.tokens.administrator(issued.token, source, "read")


async def test_a_token_ends_when_its_time_is_over_or_it_is_revoked(office, enterprise):
    first = await office.tokens.issue(wanted(enterprise, life=timedelta(days=1)), by="test")
    second = await office.tokens.issue(wanted(enterprise, life=timedelta(days=9)), by="test")
    office.clock.go_on(days=1, seconds=1)
    with pytest.raises(AuthenticationFailed):
        await office.tokens.administrator(first.token, HERE, "read")
    await office.tokens.administrator(second.token, HERE, "read")
    await office.tokens.revoke(second.token_id, by="test")
    with pytest.raises(AuthenticationFailed):
        await office.tokens.administrator(second.token, HERE, "read")
    with pytest.raises(HandleNotFound):
        await office.tokens.rotate(second.token_id, timedelta(days=9), by="test")


async def test_a_rotated_token_goes_on_for_a_moment(office, enterprise):
    former = await office.tokens.issue(wanted(enterprise), by="test")
    latter = await office.tokens.rotate(former.token_id, timedelta(days=9), by="test")
    for token in (former.token, latter.token):
        by = await office.tokens.administrator(token, HERE, "read")
        assert str(by) == f"token:{former.token_id}"
    office.clock.go_on(seconds=OVERLAP.total_seconds() + 1)
    await office.tokens.administrator(latter.token, HERE, "read")
    with pytest.raises(AuthenticationFailed):
        await office.tokens.administrator(former.token, HERE, "read")


async def test_a_list_shows_the_last_use_and_no_token(office, enterprise):
    issued = await office.tokens.issue(wanted(enterprise), by="test")
    (before,) = await office.tokens.listed(enterprise)
    assert before["last_used_at"] is None
    await office.tokens.administrator(issued.token, HERE, "read")
    (after,) = await office.tokens.listed(enterprise)
    assert (after["last_used_at"], after["last_source"]) == (office.clock.now, "192.0.2.7")
    assert issued.token not in str(after)
    assert await office.tokens.listed(None) == []
    stored = await office.value("SELECT row_to_json(t)::text FROM token AS t")
    assert issued.token not in stored


@pytest.mark.parametrize("token", ["", "x", "fil_", "fil_" + "A" * 43, "x" * 10_000, "\ud800"])
async def test_what_is_no_token_is_refused(office, enterprise, token):
    with pytest.raises(AuthenticationFailed):
        await office.tokens.administrator(token, HERE, "read")


@pytest.mark.parametrize(
    ("faulty", "refusal"),
    [
        ({"life": timedelta(0)}, ProtocolFault),
        ({"life": timedelta(days=400)}, ProtocolFault),
        ({"sources": ("nowhere",)}, ProtocolFault),
        ({"sources": ()}, ProtocolFault),
        ({"prefixes": ()}, ProtocolFault),
        ({"prefixes": ("a b",)}, InvalidHandle),
    ],
)
async def test_a_token_that_cannot_be_is_not_issued(office, enterprise, faulty, refusal):
    with pytest.raises(refusal):
        await office.tokens.issue(wanted(enterprise, **faulty), by="test")
    with pytest.raises(HandleNotFound):
        await office.tokens.issue(wanted(999), by="test")


async def test_a_token_of_the_node_is_good_for_every_prefix(office, enterprise):
    issued = await office.tokens.issue(wanted(None), by="test")
    by = await office.tokens.administrator(issued.token, HERE, "registry.write")
    registration = Registration(office.store, [])
    for prefix in ("88.168.2", "88.168.4"):
        await registration.put_record(name(f"{prefix}/A"), [URL], by)
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(name("0.NA/88.168.9"), [URL], by)
