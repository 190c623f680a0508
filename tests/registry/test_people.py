"""People: who is let in, and who no more."""

import asyncio
from ipaddress import ip_address

import pytest

from registry.enterprise import add_enterprise
from registry.errors import (
    AuthenticationFailed,
    HandleAlreadyExists,
    HandleNotFound,
    InsufficientPermission,
    InvalidValue,
    ServerBusy,
)
from registry.grants import SCOPES, SCOPES_OF
from registry.passwords import MAX_WAITING, Passwords
from registry.people import CLOSED, MAX_FAILURES
from tests.registry.companies import PASSWORD

HERE = ip_address("192.0.2.7")


@pytest.fixture
async def enterprise(office):
    await add_enterprise(office.store, "化纤厂", "", "", "88.168.2", by="test")
    return await office.standing.named("化纤厂")


async def test_somebody_logs_in_for_a_shift_with_what_his_role_may(office, enterprise):
    await office.people.add("wang", "member", enterprise, by="test", password=PASSWORD)
    person, issued = await office.people.log_in("wang", PASSWORD)
    assert (person.name, person.role, person.enterprise_id) == ("wang", "member", enterprise)
    by = await office.tokens.administrator(issued.token, HERE, "read")
    assert str(by) == "person:wang"
    assert by.grant.scopes == SCOPES_OF["member"]
    assert by.grant.prefixes == {b"88.168.2"}
    office.clock.go_on(hours=12, seconds=1)
    with pytest.raises(AuthenticationFailed):
        await office.tokens.administrator(issued.token, HERE, "read")


async def test_a_made_password_is_told_once_and_no_password_is_stored(office, enterprise):
    _, told = await office.people.add("wang", "member", enterprise, by="test")
    assert len(told) == 16
    await office.people.log_in("wang", told)
    stored = await office.value("SELECT row_to_json(p)::text FROM person AS p")
    assert told not in stored
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored


async def test_the_same_password_is_stored_otherwise_each_time():
    passwords = Passwords()
    first, second = await passwords.stored(PASSWORD), await passwords.stored(PASSWORD)
    assert first != second
    assert await passwords.proves(PASSWORD, first)
    assert not await passwords.proves(PASSWORD + "x", first)
    assert not await passwords.proves(PASSWORD, None)
    assert not await passwords.proves("x" * 100_000, first)


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
async def test_a_password_too_short_or_too_long_is_refused(office, enterprise, password):
    with pytest.raises(InvalidValue):
        await office.people.add("wang", "member", enterprise, by="test", password=password)
    with pytest.raises(HandleNotFound):
        await office.people.find("wang")


async def test_a_flood_of_passwords_is_told_to_come_back():
    passwords = Passwords()
    outcomes = await asyncio.gather(
        *(passwords.proves("wrong password", None) for _ in range(MAX_WAITING + 8)), return_exceptions=True
    )
    assert outcomes.count(False) == MAX_WAITING
    assert sum(isinstance(outcome, ServerBusy) for outcome in outcomes) == 8


async def test_wrong_names_and_passwords_are_refused_alike(office, enterprise):
    await office.people.add("wang", "member", enterprise, by="test", password=PASSWORD)
    refusals = set()
    for name, password in (("wang", "wrong password"), ("nobody", PASSWORD), ("WANG", PASSWORD), ("", ""), ("'", "\0")):
        with pytest.raises(AuthenticationFailed) as refused:
            await office.people.log_in(name, password)
        refusals.add(str(refused.value))
    assert len(refusals) == 1


async def test_whoever_guesses_is_shut_out_for_a_while_with_the_right_password_too(office, enterprise):
    await office.people.add("wang", "member", enterprise, by="test", password=PASSWORD)
    for _ in range(MAX_FAILURES):
        with pytest.raises(AuthenticationFailed):
            await office.people.log_in("wang", "wrong password")
    with pytest.raises(AuthenticationFailed):
        await office.people.log_in("wang", PASSWORD)
    office.clock.go_on(seconds=CLOSED.total_seconds() + 1)
    await office.people.log_in("wang", PASSWORD)
    assert await office.value("SELECT failures FROM person") == 0


async def test_whoever_is_shut_out_or_given_another_password_is_logged_out(office, enterprise):
    await office.people.add("wang", "member", enterprise, by="test", password=PASSWORD)
    for change in ({"active": False}, {"password": PASSWORD + "2"}):
        await office.people.change(await office.people.find("wang"), active=True, password=PASSWORD, by="test")
        person, issued = await office.people.log_in("wang", PASSWORD)
        await office.people.change(person, **change, by="test")
        with pytest.raises(AuthenticationFailed):
            await office.tokens.administrator(issued.token, HERE, "read")
        with pytest.raises(AuthenticationFailed):
            await office.people.log_in("wang", PASSWORD)


async def test_another_role_counts_at_the_next_request(office, enterprise):
    person, _ = await office.people.add("wang", "administrator", enterprise, by="test", password=PASSWORD)
    _, issued = await office.people.log_in("wang", PASSWORD)
    await office.tokens.administrator(issued.token, HERE, "administer")
    await office.people.change(person, role="member", by="test")
    with pytest.raises(InsufficientPermission):
        await office.tokens.administrator(issued.token, HERE, "administer")


async def test_of_twenty_at_once_one_has_the_name(office, enterprise):
    outcomes = await asyncio.gather(
        *(office.people.add("wang", "member", enterprise, by="test", password=PASSWORD) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, HandleAlreadyExists) for outcome in outcomes) == 19


@pytest.mark.parametrize("role", ["operator", "reviewer", "regulator", "applicant", "", "god"])
async def test_an_enterprise_has_no_roles_of_the_node(office, enterprise, role):
    with pytest.raises(InvalidValue):
        await office.people.add("wang", role, enterprise, by="test", password=PASSWORD)


@pytest.mark.parametrize("role", ["administrator", "member", "applicant"])
async def test_the_node_has_no_roles_of_an_enterprise(office, role):
    with pytest.raises(InvalidValue):
        await office.people.add("wang", role, None, by="test", password=PASSWORD)


@pytest.mark.parametrize("name", ["", "ab", "A-B-C", "a b", "a/b", "a:b", "王芳", "x" * 65, "-abc"])
async def test_a_name_that_cannot_be_typed_everywhere_is_refused(office, name):
    with pytest.raises(InvalidValue):
        await office.people.add(name, "operator", None, by="test", password=PASSWORD)


async def test_a_regulator_looks_everywhere_and_changes_nothing(office, enterprise):
    await office.people.add("reg", "regulator", None, by="test", password=PASSWORD)
    _, issued = await office.people.log_in("reg", PASSWORD)
    for scope in SCOPES:
        if scope in ("read", "stats"):
            assert (await office.tokens.administrator(issued.token, HERE, scope)).grant.is_everywhere
        else:
            with pytest.raises(InsufficientPermission):
                await office.tokens.administrator(issued.token, HERE, scope)
