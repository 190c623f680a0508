"""How enterprises stand: what is answered and written meanwhile, and what is left in the end; and their limits."""

import asyncio
from ipaddress import ip_address

import pytest

from registry.authentication import Authenticator
from registry.bulk import load
from registry.enterprise import add_enterprise, list_enterprises
from registry.enterprise_standing import STEPS, Limits
from registry.errors import (
    AuthenticationFailed,
    HandleAlreadyExists,
    HandleNotFound,
    InsufficientPermission,
    InvalidAdministrator,
    InvalidValue,
    PrefixNotHomed,
    ProtocolFault,
    TooManyHandles,
    TooManyPrefixes,
    TooManyRequests,
)
from registry.registration import Registration
from registry.tokens import Wanted
from tests.registry.books import DESC, URL, name
from tests.registry.bulk_files import line
from tests.registry.companies import PASSWORD

HERE = ip_address("192.0.2.7")
WHY = {"by": "person:operator", "reason": "合同到期"}


@pytest.fixture
async def mill(office):
    """An enterprise with a key, and what it registers with."""
    granted = await add_enterprise(office.store, "化纤厂", "", "", "88.168.2", by="test")
    by = await Authenticator(office.store).by_password(granted.identity, granted.secret_key.encode())
    return await office.standing.named("化纤厂"), by, Registration(office.store, [])


async def test_a_suspended_enterprise_is_answered_and_writes_nothing_until_it_resumes(office, mill):
    enterprise, by, registration = mill
    await registration.put_record(name("88.168.2/A"), [URL], by)
    issued = await office.tokens.issue(Wanted("MES", frozenset({"read", "registry.write"}), enterprise), by="test")
    await office.standing.take(enterprise, "suspend", **WHY)
    assert await office.store.fetch(office.store.key_of(b"88.168.2/A")) is not None
    for write in (
        registration.put_record(name("88.168.2/B"), [URL], by),
        registration.put_record(name("88.168.2/A"), [DESC], by),
        registration.put_values(name("88.168.2/A"), [DESC], by),
        registration.delete_record(name("88.168.2/A"), by),
        registration.put_values(name("0.NA/88.168.2"), [DESC], by),
    ):
        with pytest.raises(InvalidAdministrator, match="suspended"):
            await write
    await registration.list_handles("88.168.2", by)
    await office.tokens.administrator(issued.token, HERE, "read")
    with pytest.raises(InsufficientPermission):
        await office.tokens.administrator(issued.token, HERE, "registry.write")
    await office.standing.take(enterprise, "resume", **WHY)
    await registration.put_record(name("88.168.2/B"), [URL], by)
    await office.tokens.administrator(issued.token, HERE, "registry.write")


async def test_whoever_left_is_let_in_no_more_and_leaves_no_personal_data(office):
    number = await office.apply("88.168.9")
    await office.applications.take(number, "approve", by="person:reviewer", reason="ok")
    account = await office.applications.applicant(number)
    person, logged_in = await office.people.log_in(account, PASSWORD)
    issued = await office.tokens.issue(Wanted("MES", frozenset({"read"}), person.enterprise_id), by="test")
    await office.standing.take(person.enterprise_id, "leave", **WHY)
    for token in (logged_in.token, issued.token):
        with pytest.raises(AuthenticationFailed):
            await office.tokens.administrator(token, HERE, "read")
    with pytest.raises(AuthenticationFailed):
        await office.people.log_in(account, PASSWORD)
    assert office.store.prefixes.of(office.store.key_of(b"88.168.9/A")) is None
    assert await office.value("SELECT personal FROM enterprise") is None
    assert await office.value("SELECT personal FROM application") is None
    assert await office.value("SELECT count(*) FROM evidence") == 0


async def test_every_step_is_possible_where_the_table_has_it_and_nowhere_else(office):
    ways = {"active": (), "suspended": ("suspend",), "left": ("leave",)}
    for place, (state, way) in enumerate(ways.items()):
        for step in ("suspend", "resume", "leave", "nonsense"):
            company = f"{state} {step}"
            await add_enterprise(office.store, company, "", "", f"88.168.{place}{len(step)}", by="test")
            enterprise = await office.standing.named(company)
            for before in way:
                await office.standing.take(enterprise, before, **WHY)
            if (state, step) in STEPS:
                assert await office.standing.take(enterprise, step, **WHY) == STEPS[state, step]
            else:
                with pytest.raises(ProtocolFault):
                    await office.standing.take(enterprise, step, **WHY)


async def test_a_step_has_a_reason_and_an_enterprise(office, mill):
    with pytest.raises(InvalidValue):
        await office.standing.take(mill[0], "suspend", by="test", reason=" ")
    with pytest.raises(HandleNotFound):
        await office.standing.take(999, "suspend", **WHY)
    with pytest.raises(HandleNotFound):
        await office.standing.limit(999, Limits(), by="test")


async def test_a_prefix_is_taken_back_when_nothing_is_left_under_it_and_is_somebody_elses_then(office, mill):
    granted = await add_enterprise(office.store, "纺纱厂", "", "", "88.168.5", by="test")
    former = (granted.identity, granted.secret_key.encode())
    by = await Authenticator(office.store).by_password(*former)
    enterprise, registration = await office.standing.named("纺纱厂"), mill[2]
    with pytest.raises(ProtocolFault):
        await office.standing.recycle("88.168.5", **WHY)
    await registration.put_record(name("88.168.5/A"), [URL], by)
    await registration.delete_record(name("88.168.5/A"), by)
    await office.standing.take(enterprise, "leave", **WHY)
    await office.standing.recycle("88.168.5", **WHY)
    assert [one.prefix for one in await list_enterprises(office.store)] == ["88.168.2"]
    with pytest.raises(PrefixNotHomed):
        await office.standing.recycle("88.168.5", **WHY)
    granted = await add_enterprise(office.store, "织造厂", "", "", "88.168.5", by="test")
    other = await Authenticator(office.store).by_password(granted.identity, granted.secret_key.encode())
    await registration.put_record(name("88.168.5/A"), [URL], other)
    with pytest.raises(AuthenticationFailed):
        await Authenticator(office.store).by_password(*former)


async def test_a_prefix_with_handles_is_not_taken_back(office, mill):
    enterprise, by, registration = mill
    await registration.put_record(name("88.168.2/A"), [URL], by)
    await office.standing.take(enterprise, "leave", **WHY)
    with pytest.raises(ProtocolFault):
        await office.standing.recycle("88.168.2", **WHY)
    with pytest.raises(HandleAlreadyExists):
        await add_enterprise(office.store, "织造厂", "", "", "88.168.2", by="test")


async def test_an_enterprise_registers_as_many_handles_as_it_may_and_not_one_more(office, mill):
    enterprise, by, registration = mill
    await office.standing.limit(enterprise, Limits(handles=10), by="test")
    outcomes = await asyncio.gather(
        *(registration.put_record(name(f"88.168.2/{number}"), [URL], by) for number in range(30)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, TooManyHandles) for outcome in outcomes) == 20
    assert await office.store.count(office.store.prefixes.find(b"88.168.2")) == 10
    done = next(number for number, outcome in enumerate(outcomes) if not isinstance(outcome, TooManyHandles))
    await registration.put_record(name(f"88.168.2/{done}"), [DESC], by)
    await registration.delete_record(name(f"88.168.2/{done}"), by)
    await registration.put_record(name("88.168.2/NEW"), [URL], by)
    with pytest.raises(TooManyHandles):
        await registration.put_record(name(f"88.168.2/{done}"), [URL], by)


async def test_a_load_that_goes_over_the_limit_ends_with_whole_chunks(office, mill):
    enterprise, _, _ = mill
    await office.standing.limit(enterprise, Limits(handles=10), by="test")

    async def rows():
        for number in range(11):
            yield line(f"88.168.2/{number}", "1")

    with pytest.raises(TooManyHandles):
        await load(office.store, rows(), "ndjson", source="a", load_key="a", loaded_by="test")
    assert await office.store.count(office.store.prefixes.find(b"88.168.2")) == 0


async def test_an_enterprise_registers_as_many_handles_a_minute_as_it_may(office, mill):
    enterprise, by, registration = mill
    await office.standing.limit(enterprise, Limits(rate=5), by="test")
    outcomes = await asyncio.gather(
        *(registration.put_record(name(f"88.168.2/{number}"), [URL], by) for number in range(30)),
        return_exceptions=True,
    )
    registered = sum(not isinstance(outcome, TooManyRequests) for outcome in outcomes)
    # Should a minute end meanwhile, the next one has room again.
    assert registered in (5, 10)
    assert await office.store.count(office.store.prefixes.find(b"88.168.2")) == registered


async def test_an_enterprise_has_as_many_prefixes_as_it_may(office, mill):
    enterprise, _, _ = mill
    await office.standing.limit(enterprise, Limits(prefixes=3), by="test")
    outcomes = await asyncio.gather(
        *(add_enterprise(office.store, "化纤厂", "", "", f"88.168.3{number}", by="test") for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, TooManyPrefixes) for outcome in outcomes) == 8
    assert len(await list_enterprises(office.store)) == 3


@pytest.mark.parametrize("limits", [Limits(handles=-1), Limits(rate=1 << 31), Limits(prefixes=-5)])
async def test_a_limit_that_cannot_be_is_refused(office, mill, limits):
    with pytest.raises(InvalidValue):
        await office.standing.limit(mill[0], limits, by="test")


async def test_another_enterprise_has_no_part_in_a_limit(office, mill):
    enterprise, _, registration = mill
    granted = await add_enterprise(office.store, "织造厂", "", "", "88.168.4", by="test")
    other = await Authenticator(office.store).by_password(granted.identity, granted.secret_key.encode())
    await office.standing.limit(enterprise, Limits(handles=0, rate=0), by="test")
    await registration.put_record(name("88.168.4/A"), [URL], other)
