"""Who did what, in a chain that shows when somebody laid hands on it."""

import asyncio

import pytest

from registry.audit import SEALED_AT_ONCE, Head, list_acts, seal, verify
from registry.enterprise import add_enterprise
from registry.errors import HandleAlreadyExists, ProtocolFault
from registry.search import declare
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import DESC, OWNER, PREFIX, URL, name, register
from tests.registry.bulk_files import line, loaded
from tests.registry.interface import Node

CAKE = name("88.118.1/Cake")


async def acts_of(store: Store, prefix_id: int | None = None) -> list[tuple[str, str, str]]:
    """Who did what to what, oldest first."""
    await seal(store)
    return [(act.by, act.act, act.subject) for act in reversed(await list_acts(store, prefix_id))]


async def execute(store: Store, statement: str) -> None:
    async with store.connection() as connection:
        assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0")


@pytest.fixture
async def written(store: Store) -> Store:
    """A log of some acts, chained in two goes."""
    await register(store, "88.118.1/A", URL)
    await seal(store)
    for number in range(5):
        await register(store, f"88.118.1/B{number}", DESC)
    await seal(store)
    return store


async def test_every_write_leaves_an_act(store: Store):
    await seal(store)
    before = len(await acts_of(store))
    async with begin(store, str(OWNER)) as transaction:
        await transaction.create(CAKE, (URL,))
    async with begin(store, str(OWNER)) as transaction:
        await transaction.replace(await transaction.lock(CAKE), (DESC,))
    async with begin(store, str(OWNER)) as transaction:
        await transaction.delete(await transaction.lock(CAKE))
    who, subject = "301:0.NA/88.118.1", "88.118.1/Cake"
    assert (await acts_of(store))[before:] == [
        (who, "handle.created", subject),
        (who, "handle.updated", subject),
        (who, "handle.deleted", subject),
    ]
    newest = (await list_acts(store, None, limit=1))[0]
    assert (newest.detail, newest.program, newest.number) == ({"version": 3}, "test", before + 3)


async def test_prefixes_enterprises_types_and_loads_are_acts_too(store: Store):
    await add_enterprise(store, "化纤厂", "", "", "88.168.2", by="operator")
    prefix = store.prefixes.find(b"88.168.2")
    await declare(store, prefix, "BATCH", settling=0)
    await loaded(store, line("88.168.2/A", "x") + line("88.168.2/B", "y"))
    acts = await acts_of(store)
    assert ("operator", "enterprise.added", "化纤厂") in acts
    assert ("operator", "prefix.homed", "88.168.2") in acts
    assert ("filament enterprise searchable", "type.declared", "88.168.2") in acts
    assert ("300:0.NA/test", "load.begun", "test") in acts
    assert ("300:0.NA/test", "load.finished", "test") in await acts_of(store, prefix.prefix_id)


async def test_what_was_taken_back_leaves_no_act(store: Store):
    before = await acts_of(store)
    with pytest.raises(HandleAlreadyExists):
        async with begin(store, "test") as transaction:
            await transaction.create(CAKE, (URL,))
            await transaction.create(CAKE, (URL,))
    assert await acts_of(store) == before


async def test_acts_wait_for_transactions_that_may_come_before_them(store: Store):
    async with begin(store, "test") as transaction:
        for one in ("SLOW", "FAST"):
            await transaction.create(name(f"88.118.1/{one}"), (URL,))
    await seal(store)
    async with begin(store, "slow") as slow:
        await slow.delete(await slow.lock(name("88.118.1/SLOW")))
        async with begin(store, "fast") as fast:  # Counts nothing: it may wait for the counter of the other.
            await fast.replace(await fast.lock(name("88.118.1/FAST")), ())
        assert await seal(store) == 0
    assert await seal(store) == 2
    assert [by for by, _, _ in await acts_of(store)][-2:] == ["slow", "fast"]
    assert not (await verify(store)).fault


async def test_two_who_chain_at_once_make_one_chain(store: Store):
    await seal(store)
    before = (await verify(store)).head.number
    async with begin(store, "test") as transaction:
        for number in range(40):
            await transaction.create(name(f"88.118.1/C{number}"), (URL,))
    assert sum(await asyncio.gather(*(seal(store) for _ in range(4)))) == 40
    verdict = await verify(store)
    assert (verdict.fault, verdict.head.number) == ("", before + 40)


async def test_more_acts_than_are_chained_at_once_are_chained_one_after_another(store: Store):
    await seal(store)
    async with store.connection() as connection:
        await connection.execute(
            "INSERT INTO act (at, by, program, act, subject, detail) "
            "SELECT '2026-01-01 00:00Z', 'test', 'test', 'x', n::text, '{}' FROM generate_series(1, $1::int) AS n",
            SEALED_AT_ONCE + 5,
        )
    assert await seal(store) == SEALED_AT_ONCE + 5
    assert not (await verify(store)).fault


async def test_acts_from_before_a_restore_are_chained_as_well(store: Store):
    await seal(store)
    await register(store, "88.118.1/A", URL)
    await execute(store, "UPDATE act SET xid = '999999999999'")
    assert await seal(store) == 1
    assert not (await verify(store)).fault


@pytest.mark.parametrize(
    ("deed", "fault", "number"),
    [
        ("UPDATE audit SET by = 'somebody else' WHERE number = 4", "changed", 4),
        ("UPDATE audit SET detail = '{}' WHERE number = 4", "changed", 4),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE number = 4", "changed", 4),
        ("UPDATE audit SET prefix_id = NULL WHERE number = 4", "changed", 4),
        ("UPDATE audit SET chain = sha256(chain) WHERE number = 4", "changed", 4),
        ("DELETE FROM audit WHERE number = 4", "missing", 4),
        ("DELETE FROM audit WHERE number = 1", "missing", 1),
        ("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)", "cut", 8),
        ("INSERT INTO audit SELECT number + 8, at, by, program, act, prefix_id, subject, detail, chain FROM audit "
         "WHERE number = 1", "inserted", 9),
        ("INSERT INTO audit SELECT number - 9, at, by, program, act, prefix_id, subject, detail, chain FROM audit "
         "WHERE number = 1", "inserted", 1),
        ("UPDATE audit_head SET chain = sha256(chain)", "other", 8),
        ("DELETE FROM audit", "cut", 1),
    ],
)  # fmt: skip
async def test_what_somebody_did_to_the_log_is_found(written: Store, deed: str, fault: str, number: int):
    assert (await verify(written)).head.number == 8
    assert not (await verify(written)).fault
    await execute(written, deed)
    verdict = await verify(written)
    assert (verdict.fault, verdict.number) == (fault, number)


async def test_a_log_that_was_written_anew_from_its_beginning_is_found_by_a_head_that_was_noted_down(written: Store):
    noted = (await verify(written)).head
    assert not (await verify(written, Head.from_text(str(noted)))).fault
    # Somebody who takes all acts out, changes one, and has them chained again.
    async with written.connection() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO act (at, by, program, act, prefix_id, subject, detail) "
            "SELECT at, 'nobody', program, act, prefix_id, subject, detail FROM audit ORDER BY number"
        )
        await connection.execute("DELETE FROM audit")
        await connection.execute("UPDATE audit_head SET number = 0, chain = ''")
    await seal(written)
    assert not (await verify(written)).fault
    assert (await verify(written, noted)).fault == "other"
    longer = Head(noted.number + 1, noted.chain)
    assert (await verify(written, longer)).fault == "cut"


@pytest.mark.parametrize("text", ["", "x:00", "-1:00", "1:zz", "1:0", f"{10**18}:00"])
def test_what_is_no_head_is_refused(text: str):
    with pytest.raises(ProtocolFault):
        Head.from_text(text)


async def ask(node: Node, headers: dict[str, str], **query: str):
    async with node.client.get("/api/audit", params=query, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_operators_see_every_act_and_enterprises_those_on_their_prefix(node: Node):
    for text in ("88.168.1/X", "88.168.2/Y", "88.168.2/Z"):
        async with begin(node.store, "test") as transaction:
            await transaction.create(name(text), (HandleValue(1, "DESC", b"x"),))
    await seal(node.store)
    status, form = await ask(node, node.operator)
    assert (status, form["more"]) == (200, False)
    assert [act["subject"] for act in form["acts"]][:3] == ["88.168.2/Z", "88.168.2/Y", "88.168.1/X"]
    status, form = await ask(node, node.enterprise, prefix="88.168.2")
    assert {act["subject"] for act in form["acts"]} == {"88.168.2", "88.168.2/Y", "88.168.2/Z"}
    status, form = await ask(node, node.enterprise, prefix="88.168.2", limit="1")
    assert (form["more"], [act["subject"] for act in form["acts"]]) == (True, ["88.168.2/Z"])
    _, form = await ask(node, node.enterprise, prefix="88.168.2", limit="1", before=str(form["acts"][0]["number"]))
    assert [act["subject"] for act in form["acts"]] == ["88.168.2/Y"]


async def test_the_log_is_for_those_whom_it_concerns(node: Node):
    assert (await ask(node, {}))[0] == 401
    assert (await ask(node, node.enterprise))[0] == 403
    assert (await ask(node, node.enterprise, prefix="88.168.1"))[0] == 403
    assert (await ask(node, node.operator, prefix=PREFIX))[0] == 400
    for parameter, value in (("limit", "0"), ("limit", "1001"), ("before", "x"), ("before", "0")):
        assert (await ask(node, node.operator, **{parameter: value}))[0] == 400
