"""Applications: the ways that they may take, and what is left of those that were not granted."""

import asyncio
import dataclasses
from ipaddress import ip_address

import pytest

from registry.applications import OF_APPLICANTS, OF_REVIEWERS, STEPS
from registry.enterprise import add_enterprise, list_enterprises
from registry.errors import (
    HandleAlreadyExists,
    HandleNotFound,
    InsufficientPermission,
    InvalidAdministrator,
    InvalidHandle,
    InvalidValue,
    ProtocolFault,
)
from registry.evidence import MAX_FILES, MAX_OCTETS
from registry.personal import Personal
from registry.registration import Registration
from tests.registry.books import URL, name
from tests.registry.companies import ID_NUMBER, LEGAL_PERSON, PASSWORD, PDF, PHONE, application

HERE = ip_address("192.0.2.7")
WHY = {"by": "person:reviewer", "reason": "材料齐全"}


async def state_of(office, number):
    return (await office.applications.show(number))["state"]


async def token_of(office, number, *scopes):
    account = await office.applications.applicant(number)
    _, issued = await office.people.log_in(account, PASSWORD)
    return await office.tokens.administrator(issued.token, HERE, *scopes)


async def test_an_approved_applicant_administers_the_prefix_that_he_applied_for(office):
    number = await office.apply("88.168.9")
    before = await token_of(office, number, "apply")
    assert before.grant.prefixes == frozenset()
    assert await office.applications.take(number, "approve", **WHY) == "approved"
    by = await token_of(office, number, "registry.write")
    await Registration(office.store, []).put_record(name("88.168.9/A"), [URL], by)
    (enterprise,) = await list_enterprises(office.store)
    assert (enterprise.name, enterprise.prefix, enterprise.homed) == ("浙江澜丝化纤有限公司", "88.168.9", True)
    shown = await office.standing.show(enterprise.enterprise_id)
    assert shown["personal"]["legal_person"] == "沈**"
    assert [(one["step"], one["reason"]) for one in shown["decisions"]] == [("approve", "材料齐全")]


async def test_whoever_is_not_approved_registers_nothing(office):
    number = await office.apply()
    for step in (None, "reject"):
        if step is not None:
            await office.applications.take(number, step, **WHY)
        await token_of(office, number, "apply")
        with pytest.raises(InsufficientPermission):
            await token_of(office, number, "registry.write")
    assert await list_enterprises(office.store) == []


async def test_every_step_is_possible_where_the_table_has_it_and_nowhere_else(office):
    ways = {
        "submitted": (),
        "returned": ("return",),
        "approved": ("approve",),
        "rejected": ("reject",),
        "withdrawn": ("withdraw",),
    }
    for place, (state, way) in enumerate(ways.items()):
        for step in sorted(OF_REVIEWERS | OF_APPLICANTS):
            number = await office.apply(f"88.168.{place}{len(step)}{ord(step[2])}", f"企业 {state} {step}")
            for before in way:
                await office.applications.take(number, before, **WHY)
            if (state, step) in STEPS:
                assert await office.applications.take(number, step, **WHY) == STEPS[state, step]
            else:
                with pytest.raises(ProtocolFault):
                    await office.applications.take(number, step, **WHY)
                assert await state_of(office, number) == state


async def test_a_hundred_approvals_of_one_prefix_at_once_grant_it_once(office):
    numbers = [await office.apply("88.168.9", f"企业 {number}") for number in range(20)]
    outcomes = await asyncio.gather(
        *(office.applications.take(number, "approve", **WHY) for number in numbers for _ in range(5)),
        return_exceptions=True,
    )
    assert outcomes.count("approved") == 1
    assert all(isinstance(one, HandleAlreadyExists | ProtocolFault) for one in outcomes if one != "approved")
    assert len(await list_enterprises(office.store)) == 1
    assert await office.value("SELECT count(*) FROM enterprise") == 1, "the others left nothing behind"
    assert await office.value("SELECT count(*) FROM application WHERE state = 'submitted'") == 19


async def test_fifty_approvals_of_as_many_prefixes_at_once_are_all_granted(office):
    numbers = [await office.apply(f"88.168.{number}", f"企业 {number}") for number in range(50)]
    await asyncio.gather(*(office.applications.take(number, "approve", **WHY) for number in numbers))
    assert len({one.prefix for one in await list_enterprises(office.store)}) == 50


async def test_nobody_gets_into_an_enterprise_by_its_name(office):
    await add_enterprise(office.store, "织造厂", "", "", "88.168.4", by="test")
    number = await office.apply("88.168.9", "织造厂")
    with pytest.raises(HandleAlreadyExists):
        await office.applications.take(number, "approve", **WHY)
    assert await state_of(office, number) == "submitted"


async def test_an_administrator_applies_for_one_more_prefix(office):
    number = await office.apply("88.168.9")
    await office.applications.take(number, "approve", **WHY)
    person = await office.people.find(await office.applications.applicant(number))
    another = await office.applications.apply_again(application("88.168.10"), person.person_id, "person:him")
    await office.evidence.add(another, "a.pdf", PDF, by="test")
    await office.applications.take(another, "approve", **WHY)
    by = await token_of(office, number, "registry.write")
    assert by.grant.prefixes == {b"88.168.9", b"88.168.10"}


async def test_a_prefix_of_a_node_of_its_own_is_granted_and_not_answered_here(office):
    number = await office.apply("88.168.9", hosted=False)
    await office.applications.take(number, "approve", **WHY)
    (enterprise,) = await list_enterprises(office.store)
    assert not enterprise.homed
    assert await office.store.fetch(office.store.key_of(b"0.NA/88.168.9")) is not None
    other = await office.apply("88.168.9", "另一家企业", hosted=False)
    with pytest.raises(HandleAlreadyExists):
        await office.applications.take(other, "approve", **WHY)


async def test_nothing_is_approved_without_evidence(office):
    number = await office.applications.apply(application(), "applicant-0", PASSWORD)
    with pytest.raises(ProtocolFault):
        await office.applications.take(number, "approve", **WHY)
    assert await list_enterprises(office.store) == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001, "a\0b"])
async def test_a_reviewer_says_why(office, reason):
    number = await office.apply()
    for step in OF_REVIEWERS:
        with pytest.raises(InvalidValue):
            await office.applications.take(number, step, by="person:reviewer", reason=reason)


async def test_no_table_holds_personal_data_or_evidence_in_clear(office):
    number = await office.apply()
    await office.applications.take(number, "return", **WHY)
    for table in ("application", "evidence", "person", "decision", "enterprise"):
        text = await office.value(f"SELECT coalesce(string_agg(row_to_json(t)::text, ''), '') FROM {table} AS t")
        octets = await office.value(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} AS t")
        for secret in (LEGAL_PERSON, ID_NUMBER, PHONE, "a licence", PASSWORD, PDF.hex(), ID_NUMBER.encode().hex()):
            assert secret not in text
            assert secret not in octets


async def test_personal_data_are_masked_but_for_a_reviewer_whose_look_is_kept(office):
    number = await office.apply()
    shown = await office.applications.show(number)
    assert ID_NUMBER not in str(shown)
    assert ID_NUMBER not in str(await office.applications.listed())
    full = await office.applications.show(number, unmasked_for="person:reviewer")
    assert full["personal"]["id_number"] == ID_NUMBER
    decisions = (await office.applications.show(number))["decisions"]
    assert [(one["step"], one["decided_by"]) for one in decisions][1:] == [("look", "person:reviewer")]


@pytest.mark.parametrize("step", ["reject", "withdraw"])
async def test_of_what_was_not_granted_no_personal_data_and_no_evidence_stay(office, step):
    number = await office.apply()
    await office.applications.take(number, step, **WHY)
    assert await office.value("SELECT personal FROM application") is None
    assert await office.value("SELECT count(*) FROM evidence") == 0
    assert "personal" not in await office.applications.show(number)


async def test_evidence_comes_back_as_it_was_sent(office):
    number = await office.apply()
    found = await office.evidence.find(number, 1)
    assert (found.name, found.media_type, found.octets) == ("营业执照.pdf", "application/pdf", PDF)
    with pytest.raises(HandleNotFound):
        await office.evidence.find(number, 2)


async def test_evidence_is_bounded_in_kind_length_number_and_time(office):
    number = await office.apply()
    for octets in (b"", b"MZ\x90", b"<html>", b"%PDF-" + b"x" * MAX_OCTETS):
        with pytest.raises(InvalidValue):
            await office.evidence.add(number, "a", octets, by="test")
    for place in range(MAX_FILES - 1):
        added = await office.evidence.add(number, f"{place}", PDF, by="test")
        assert await office.evidence.add(number, f"{place}", PDF, by="test") == added, "it is there once"
    with pytest.raises(ProtocolFault):
        await office.evidence.add(number, "a", PDF, by="test")
    await office.applications.take(number, "withdraw", **WHY)
    with pytest.raises(ProtocolFault):
        await office.evidence.add(number, "a", PDF, by="test")
    with pytest.raises(HandleNotFound):
        await office.evidence.add(999, "a", PDF, by="test")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"name": ""}, InvalidValue),
        ({"name": "a\0b"}, InvalidValue),
        ({"credit_code": "91330483000000000X"}, InvalidValue),
        ({"prefix": "88"}, InvalidHandle),
        ({"prefix": "0.NA"}, InvalidHandle),
        ({"personal": Personal("", "1", "2", "3")}, InvalidValue),
        ({"personal": Personal("甲", "1" * 101, "2", "3")}, InvalidValue),
    ],
)
async def test_an_application_that_says_nonsense_is_refused_and_makes_no_account(office, changed, refusal):
    with pytest.raises(refusal):
        await office.applications.apply(dataclasses.replace(application(), **changed), "wang", PASSWORD)
    with pytest.raises(HandleNotFound):
        await office.people.find("wang")


async def test_a_taken_name_makes_no_application(office):
    await office.applications.apply(application(), "wang", PASSWORD)
    with pytest.raises(HandleAlreadyExists):
        await office.applications.apply(application(), "wang", PASSWORD)
    assert len(await office.applications.listed()) == 1


async def test_of_two_who_apply_with_one_name_at_once_one_gets_in(office):
    numbers = [await office.apply(f"88.168.{number}", "织造厂") for number in range(6)]
    outcomes = await asyncio.gather(
        *(office.applications.take(number, "approve", **WHY) for number in numbers), return_exceptions=True
    )
    assert outcomes.count("approved") == 1
    assert sum(isinstance(one, HandleAlreadyExists) for one in outcomes) == 5
    assert await office.value("SELECT count(*) FROM person WHERE enterprise_id IS NOT NULL") == 1


async def test_an_administrator_applies_for_no_other_enterprise(office):
    number = await office.apply("88.168.9")
    await office.applications.take(number, "approve", **WHY)
    person = await office.people.find(await office.applications.applicant(number))
    another = await office.applications.apply_again(application("88.168.10", "别家"), person.person_id, "person:him")
    await office.evidence.add(another, "a.pdf", PDF, by="test")
    with pytest.raises(InvalidAdministrator):
        await office.applications.take(another, "approve", **WHY)
    assert len(await list_enterprises(office.store)) == 1
