"""Handles put into states, over a real connection and a real book."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from registry.authentication import Administrator, identity_from_text
from registry.errors import HandleError
from registry.feed import Feed
from registry.handle import Handle
from registry.registration import Registration
from registry.search import declare, search
from registry.states import MAX_AT_ONCE, TIMER, expire
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.bulk_files import line, loaded, refusals
from tests.registry.interface import OPERATOR, Node

CAKE, BOX, NEW = "88.168.2/Cake-1", "88.168.2/Box-1", "88.168.2/New-1"
VALUES = (HandleValue(1, "GRADE", b"AA"), HandleValue(2, "BATCH", b"P1"))
RECALL = {"state": "revoked", "reason": "召回", "successor": BOX}
EXPIRE = """
UPDATE handle SET standing = jsonb_set(standing, '{expires}', to_jsonb($1::bigint)) WHERE standing ? 'expires'
"""


async def ask(node: Node, method: str, headers: dict[str, str], path: str = f"/{CAKE}", form: object = None):
    async with node.client.request(method, f"/api/state{path}", json=form, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def of(node: Node, name: str = CAKE):
    return await node.store.fetch(node.store.key_of(name.encode()))


@pytest.fixture
async def cakes(node: Node) -> Node:
    """Two handles that were written at an earlier time."""
    async with begin(node.store, "test") as transaction:
        for name in (CAKE, BOX):
            await transaction.create(Handle.from_text(name), VALUES)
    async with node.store.connection() as connection:
        await connection.execute("UPDATE handle SET created_at = created_at - interval '1 hour'")
    return node


async def test_a_revoked_handle_is_not_resolved_and_says_since_when_by_whom_and_why(cakes: Node):
    status, form = await ask(cakes, "PUT", cakes.enterprise, form=RECALL)
    assert (status, form["handle"], form["version"]) == (200, CAKE, 2)
    assert await of(cakes) is None
    (packed,) = (await cakes.store.fetch_packed([cakes.store.key_of(CAKE.encode())])).values()
    assert packed.is_closed
    status, seen = await ask(cakes, "GET", cakes.enterprise)
    assert status == 200
    assert {name: seen[name] for name in ("state", "reason", "successor", "by", "byOperator", "version")} == {
        **RECALL, "by": "300:0.NA/88.168.2", "byOperator": False, "version": 2
    }  # fmt: skip
    assert abs(datetime.fromisoformat(seen["since"]) - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_handle_that_is_not_resolved_is_still_counted_listed_and_found(cakes: Node):
    prefix = cakes.store.prefixes.find(b"88.168.2")
    await declare(cakes.store, prefix, "BATCH", settling=0)
    await ask(cakes, "PUT", cakes.enterprise, form=RECALL)
    prefix = cakes.store.prefixes.find(b"88.168.2")
    assert await cakes.store.count(prefix) == 2
    assert (await cakes.store.list_handles(prefix, 10))[0] == [BOX, CAKE]
    assert (await search(cakes.store, prefix, "BATCH", b"P1")).handles == [BOX, CAKE]


async def test_values_keep_their_times_through_states(cakes: Node):
    before = (await of(cakes)).values
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "frozen", "reason": "dispute"})
    assert (await of(cakes)).values == before
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "active"})
    assert (await of(cakes)).values == before


@pytest.mark.parametrize("state", ["frozen", "revoked", "expired"])
async def test_nobody_changes_a_handle_whose_state_keeps_it_as_it_is(cakes: Node, state: str):
    registration = Registration(cakes.store, [OPERATOR])
    by = Administrator(identity_from_text(OPERATOR))
    await ask(cakes, "PUT", cakes.enterprise, form={"state": state, "reason": "dispute"})
    for write in (
        registration.put_record(Handle.from_text(CAKE), VALUES[:1], by),
        registration.put_values(Handle.from_text(CAKE), (HandleValue(3, "X", b""),), by),
        registration.delete_values(Handle.from_text(CAKE), [1], by),
        registration.delete_record(Handle.from_text(CAKE), by),
    ):
        with pytest.raises(HandleError) as refused:
            await write
        assert refused.value.rule == "state.fixed"
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "active"})
    assert (await of(cakes)).version == 3
    await registration.delete_record(Handle.from_text(CAKE), by)
    assert (await ask(cakes, "GET", cakes.enterprise))[1]["state"] == "deleted"
    status, refused = await ask(cakes, "PUT", cakes.enterprise, form=RECALL)
    assert (status, refused["rule"]) == (404, "handle.not_found")


async def test_a_name_is_reserved_written_to_and_taken_into_use(node: Node):
    status, form = await ask(node, "PUT", node.enterprise, f"/{NEW}", {"state": "reserved", "reason": "line 7"})
    assert (status, form["state"]) == (201, "reserved")
    assert await of(node, NEW) is None
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(identity_from_text("300:0.NA/88.168.2"))
    with pytest.raises(HandleError) as refused:
        await registration.put_record(Handle.from_text(NEW), VALUES, by, overwrite=False)
    assert refused.value.rule == "handle.exists"
    await registration.put_record(Handle.from_text(NEW), VALUES, by)
    assert await of(node, NEW) is None
    status, form = await ask(node, "PUT", node.enterprise, f"/{NEW}", {"state": "active"})
    assert (status, form["version"]) == (200, 4)
    assert [value.type for value in (await of(node, NEW)).values] == ["GRADE", "BATCH"]


async def test_what_the_operator_froze_its_enterprise_does_not_free(cakes: Node):
    await ask(cakes, "PUT", cakes.operator, form={"state": "frozen", "reason": "court"})
    status, refused = await ask(cakes, "PUT", cakes.enterprise, form={"state": "active"})
    assert (status, refused["rule"]) == (403, "state.node")
    assert (await ask(cakes, "PUT", cakes.operator, form={"state": "active"}))[0] == 200


@pytest.mark.parametrize(
    ("form", "status", "rule"),
    [
        ({"state": "reserved", "reason": "x"}, 409, "state.next"),
        ({"state": "revoked"}, 400, "json.field"),
        ({"state": "gone", "reason": "x"}, 400, "json.field"),
        ({"state": "active", "expires": "2001-01-01"}, 400, "json.field"),
        ({"state": "active", "expires": "soon"}, 400, "json.field"),
        ({"state": "active", "unknown": 1}, 400, "json.unknown_field"),
    ],
)
async def test_what_cannot_be_is_refused_by_name_and_changes_nothing(cakes: Node, form, status, rule):
    answered, refused = await ask(cakes, "PUT", cakes.enterprise, form=form)
    assert (answered, refused["rule"]) == (status, rule)
    assert (await of(cakes)).version == 1


async def test_states_are_for_those_who_administer_the_handle(cakes: Node):
    assert (await ask(cakes, "PUT", {}, form=RECALL))[0] == 401
    assert (await ask(cakes, "GET", {}))[0] == 401
    async with begin(cakes.store, "test") as transaction:
        await transaction.create(Handle.from_text("88.168.1/X"), VALUES)
    assert (await ask(cakes, "PUT", cakes.enterprise, "/88.168.1/X", RECALL))[0] == 403
    assert (await ask(cakes, "GET", cakes.enterprise, "/88.168.1/X"))[0] == 403
    reserved = {"state": "reserved", "reason": "x"}
    assert (await ask(cakes, "PUT", cakes.enterprise, "/88.168.1/NEW", reserved))[0] == 403
    assert (await ask(cakes, "PUT", cakes.enterprise, f"/{NEW}", RECALL))[0] == 404
    assert (await ask(cakes, "PUT", cakes.operator, "/99.9/NEW", RECALL))[0] == 400


async def test_of_many_handles_all_are_put_into_a_state_or_none(cakes: Node):
    status, _ = await ask(cakes, "POST", cakes.enterprise, "", RECALL | {"handles": [CAKE, NEW]})
    assert status == 404
    assert (await of(cakes)).version == 1
    status, forms = await ask(cakes, "POST", cakes.enterprise, "", RECALL | {"handles": [CAKE, BOX]})
    assert (status, [form["handle"] for form in forms]) == (200, [BOX, CAKE])
    assert await of(cakes) is await of(cakes, BOX) is None
    many = {"handles": [CAKE] * (MAX_AT_ONCE + 1)}
    assert (await ask(cakes, "POST", cakes.enterprise, "", RECALL | many))[1]["rule"] == "batch.too_many"


async def test_a_handle_expires_when_its_time_is_over_and_not_before(cakes: Node):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    status, form = await ask(cakes, "PUT", cakes.enterprise, form={"state": "active", "expires": later})
    assert (status, form["expires"][:13]) == (200, later[:13])
    assert await expire(cakes.store) == 0
    async with cakes.store.connection() as connection:
        await connection.execute(EXPIRE, 1)
        await connection.execute("UPDATE handle_expiry SET at = $1", datetime(2001, 1, 1, tzinfo=UTC))
    assert await expire(cakes.store) == 1
    assert await expire(cakes.store) == 0
    _, seen = await ask(cakes, "GET", cakes.enterprise)
    assert (seen["state"], seen["by"], seen["version"]) == ("expired", TIMER, 3)


@pytest.mark.parametrize("form", [{"state": "active"}, RECALL])
async def test_who_takes_the_limit_away_keeps_a_handle_from_expiring(cakes: Node, form):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "active", "expires": later})
    await ask(cakes, "PUT", cakes.enterprise, form=form)
    async with cakes.store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM handle_expiry") == 0


async def test_an_expiry_of_what_is_not_there_any_more_is_forgotten(cakes: Node):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "active", "expires": later})
    async with cakes.store.connection() as connection:
        await connection.execute("UPDATE handle_expiry SET at = $1", datetime(2001, 1, 1, tzinfo=UTC))
        await connection.execute("UPDATE handle SET standing = NULL")
    assert await expire(cakes.store) == 0
    async with cakes.store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM handle_expiry") == 0
    assert (await of(cakes)).version == 2


async def test_a_load_leaves_what_is_fixed_as_it_is_and_says_so(cakes: Node):
    await ask(cakes, "PUT", cakes.enterprise, form=RECALL)
    await ask(cakes, "PUT", cakes.enterprise, f"/{NEW}", {"state": "reserved", "reason": "line 7"})
    file = line(CAKE, "another") + line(BOX, "another") + line(NEW, "first")
    report = await loaded(cakes.store, file)
    assert (report.created, report.updated, report.unchanged, report.refused) == (0, 2, 0, 1)
    assert await refusals(cakes.store) == [(1, "$.handle", "state.fixed")]
    assert await of(cakes) is None
    assert await of(cakes, NEW) is None
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "active"})
    assert [value.type for value in (await of(cakes)).values] == ["GRADE", "BATCH"]
    _, seen = await ask(cakes, "GET", cakes.enterprise, f"/{NEW}")
    assert seen["state"] == "reserved"


async def test_the_history_tells_states_and_reasons(cakes: Node):
    await ask(cakes, "PUT", cakes.enterprise, form=RECALL)
    await ask(cakes, "PUT", cakes.enterprise, form={"state": "active", "reason": "in error"})
    async with cakes.client.get(f"/api/history/{CAKE}", headers=cakes.enterprise) as answer:
        versions = orjson.loads(await answer.read())["versions"]
    assert [(one["state"], one.get("reason")) for one in versions] == [
        ("active", "in error"),
        ("revoked", "召回"),
        ("active", None),
    ]
    assert not any(one["deleted"] for one in versions)


async def test_the_feed_tells_that_a_state_was_chosen(cakes: Node):
    feed = Feed(cakes.store)
    cursor = await feed.now()
    await ask(cakes, "PUT", cakes.enterprise, form=RECALL)
    (event,) = (await feed.read(cursor, None)).events
    assert (event.form["type"], event.form["data"]) == ("filament.handle.state", {"handle": CAKE, "version": 2})


async def test_nobody_proves_himself_with_a_key_of_a_revoked_handle(cakes: Node):
    status, _ = await ask(cakes, "PUT", cakes.operator, "/0.NA/88.168.2", {"state": "revoked", "reason": "left"})
    assert status == 200
    assert (await ask(cakes, "GET", cakes.enterprise))[0] in (401, 403)


async def test_a_state_of_what_was_never_registered_is_not_found(node: Node):
    assert (await ask(node, "GET", node.enterprise, f"/{NEW}"))[0] == 404


async def test_the_state_of_another_version_than_was_seen_is_not_changed(cakes: Node):
    stale, seen = cakes.enterprise | {"If-Match": '"7"'}, cakes.enterprise | {"If-Match": '"1"'}
    frozen = {"state": "frozen", "reason": "test"}
    assert (await ask(cakes, "PUT", stale, form=frozen))[0] == 412
    assert (await ask(cakes, "PUT", seen, form=frozen))[1]["version"] == 2
    assert (await ask(cakes, "PUT", seen, form=frozen))[0] == 412
