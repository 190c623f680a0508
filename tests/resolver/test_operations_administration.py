"""Handles written and listed and prefixes homed in the native protocol, by somebody who answers the challenge."""

import pytest

from registry.value import HandleValue
from resolver.wire.administration import HandleIndexes, HandleList, NamedHandle
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.query import HandleValues
from tests.registry.books import DESC, PREFIX_HANDLE, URL, register
from tests.registry.test_claims import signature
from tests.resolver.native import USUAL, Worker, answered, create, done, named, query, request, running_worker

OVERWRITE = int(OpFlag.OVERWRITE)


@pytest.fixture
async def worker(database_dsn):
    async with running_worker(database_dsn) as running:
        yield running


async def test_refusals_of_a_registration_come_before_the_question_who_asks(worker: Worker):
    await register(worker.store, "88.118.1/there", URL)
    assert (await worker.answer_to(create("99.999/zzz", URL))).response_code == 301
    assert (await worker.answer_to(create("88.118.1/\x07", URL))).response_code == 102
    assert (await worker.answer_to(create("88.118.1/a", HandleValue(0, "URL", b"")))).response_code == 202
    assert (
        await worker.answer_to(create("88.118.1/a", HandleValue(0, "URL", b""), version=(2, 4)))
    ).response_code == 201
    assert (await worker.answer_to(create("88.118.1/a", URL, URL))).response_code == 201
    assert (await worker.answer_to(create("88.118.1/there", URL))).response_code == 101
    assert (await worker.answer_to(named(OpCode.DELETE_HANDLE, "88.118.1/none"))).response_code == 402


async def test_values_are_added_modified_and_removed(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL)

    async def code_of(op_code: int, *values: HandleValue, flags: int = USUAL) -> tuple[int, bool]:
        asked = request(op_code, HandleValues(b"88.118.1/cake", values).to_wire(), flags=flags)
        answer = await worker.answer_to(asked)
        if answer.response_code == 402:
            (answer,) = await worker.ask(answered(answer))
        return answer.response_code, bool(answer.op_flags & OVERWRITE)

    changed = HandleValue(2, "DESC", b"changed")
    assert await code_of(OpCode.ADD_VALUES, DESC) == (1, False)
    assert await code_of(OpCode.ADD_VALUES, DESC) == (201, False)
    assert await code_of(OpCode.ADD_VALUES, changed, flags=USUAL | OVERWRITE) == (1, True)
    assert await code_of(OpCode.MODIFY_VALUES, DESC) == (1, False)
    assert await code_of(OpCode.MODIFY_VALUES, HandleValue(5, "URL", b"")) == (200, False)
    assert await code_of(OpCode.ADD_VALUES) == (202, False)
    removal = request(OpCode.REMOVE_VALUES, HandleIndexes(b"88.118.1/cake", (2,)).to_wire())
    assert (await done(worker, removal))[0].response_code == 1
    assert (await done(worker, removal))[0].response_code == 200
    answer = await worker.answer_to(query("88.118.1/cake"))
    assert [value.index for value in HandleValues.from_wire(answer.content).values] == [1]


async def test_a_signature_that_a_key_in_the_book_did_not_make_is_refused(worker: Worker):
    forged = signature(issuer=f"300:{PREFIX_HANDLE}", values=(URL,), sub="88.118.1/forged")
    (refused,) = await done(worker, create("88.118.1/forged", URL, forged))
    assert refused.response_code == 202
    assert f"is not signed by 300:{PREFIX_HANDLE}".encode() in refused.content


async def test_a_handle_is_replaced_minted_and_deleted(worker: Worker):
    (minted,) = await done(worker, create("88.118.1/m-", URL, flags=USUAL | OpFlag.MINT_SUFFIX))
    name = NamedHandle.from_wire(minted.content).handle.decode()
    assert name.startswith("88.118.1/m-")
    assert len(name) > len("88.118.1/m-") + 30
    (replaced,) = await done(worker, create(name, DESC, flags=USUAL | OVERWRITE))
    assert replaced.op_flags & OVERWRITE
    assert (await done(worker, named(OpCode.DELETE_HANDLE, name)))[0].response_code == 1
    assert (await worker.answer_to(query(name))).response_code == 100


async def test_a_long_list_comes_in_messages_of_fifty(worker: Worker):
    names = [f"88.118.1/N{number:03}" for number in range(120)]
    for name in names:
        await register(worker.store, name, URL)
    answers = await done(worker, named(OpCode.LIST_HANDLES, PREFIX_HANDLE))
    parts = [HandleList.from_wire(answer.content).handles for answer in answers]
    assert [len(part) for part in parts] == [50, 50, 20]
    assert [name.decode() for part in parts for name in part] == names
    assert [bool(answer.op_flags & OpFlag.CONTINUOUS) for answer in answers] == [True, True, False]
    assert len({answer.request_id for answer in answers}) == 1


async def test_prefixes_are_homed_listed_and_unhomed(worker: Worker):
    assert (await worker.answer_to(named(OpCode.HOME_PREFIX, "88.118.77/abc"))).response_code == 102
    assert (await done(worker, named(OpCode.HOME_PREFIX, "0.NA/88.118.77")))[0].response_code == 1
    await register(worker.store, "0.NA/88.118.77", URL)
    await register(worker.store, "0.NA/88.1180", URL)
    derived = (await done(worker, named(OpCode.LIST_DERIVED_PREFIXES, "0.NA/88.118")))[0]
    assert HandleList.from_wire(derived.content).handles == (b"0.NA/88.118.1", b"0.NA/88.118.77")
    homed = (await done(worker, named(OpCode.LIST_HOMED_PREFIXES, "/")))[0]
    assert b"0.NA/88.118.77" in HandleList.from_wire(homed.content).handles
    assert (await done(worker, named(OpCode.UNHOME_PREFIX, "0.NA/88.118.77")))[0].response_code == 1
    assert (await worker.answer_to(query("88.118.77/x"))).response_code == 301
