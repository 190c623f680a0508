"""Handles handed over from one enterprise to another: agreed to by both, done at once, and theirs from then on."""

import orjson
import pytest

from registry.authentication import Administrator
from registry.errors import HandleError
from registry.grants import SCOPES_OF, Grant
from registry.handle import Handle
from registry.registration import Registration
from registry.value import HandleValue, Reference
from tests.registry.interface import NDJSON, OPERATOR, basic

GIVER, TAKER = "88.168.2", "88.168.3"
VALUE = HandleValue(1, "GRADE", b"AA")


def line(suffix, data="AA"):
    form = {"handle": f"{GIVER}/{suffix}", "values": [{"index": 1, "type": "GRADE", "data": data}]}
    return orjson.dumps(form) + b"\n"


async def load(node, headers, body):
    async with node.client.post("/api/bulk", data=body, headers=headers | NDJSON) as answer:
        return await answer.json()


@pytest.fixture
async def sides(node):
    """The giver's and the taker's headers; the giver has three handles."""
    body = {"name": "织造厂", "prefix": TAKER}
    async with node.client.post("/api/enterprises", json=body, headers=node.operator) as answer:
        granted = await answer.json()
    await load(node, node.enterprise, line("A") + line("B") + line("C"))
    return node, node.enterprise, basic(granted["identity"], granted["secret_key"])


async def ask(node, method, path, headers, body=None, **query):
    async with node.client.request(method, f"/api/transfers{path}", headers=headers, json=body, params=query) as answer:
        return answer.status, await answer.json(content_type=None)


async def propose(node, headers, **more):
    body = {"giver": GIVER, "taker": TAKER, "handles": [f"{GIVER}/a", f"{GIVER}/B"]} | more
    return await ask(node, "POST", "", headers, body)


def of(prefix, **grant):
    """Somebody of an enterprise: with its key, or with a token."""
    if not grant:
        return Administrator(Reference(f"0.NA/{prefix}", 300))
    scopes = SCOPES_OF["administrator"]
    token = Grant("someone", scopes, frozenset({prefix.encode()}), scope="registry.write")
    return Administrator(Reference("", 0), token)


async def may_write(node, suffix, who):
    registration = Registration(node.store, [OPERATOR])
    value = HandleValue(1, "GRADE", b"AB")
    try:
        await registration.modify_values(Handle(GIVER, suffix), [value], who)
    except HandleError:
        return False
    await registration.modify_values(Handle(GIVER, suffix), [VALUE], who)
    return True


async def rights(node, suffix):
    """Who may change a handle: the giver and the taker, each with a key and with a token."""
    everybody = (of(GIVER), of(GIVER, token=True), of(TAKER), of(TAKER, token=True))
    return [await may_write(node, suffix, who) for who in everybody]


async def test_handles_go_over_when_both_have_agreed_and_at_no_other_time(sides):
    node, giver, taker = sides
    assert await rights(node, "A") == [True, True, False, False]
    status, proposed = await propose(node, giver)
    assert (status, proposed["state"], proposed["waitsFor"]) == (201, "proposed", TAKER)
    assert await rights(node, "A") == [True, True, False, False]
    assert (await ask(node, "POST", f"/{proposed['id']}/accept", giver))[0] == 403
    status, done = await ask(node, "POST", f"/{proposed['id']}/accept", taker)
    assert (status, done["state"], done["count"], done["waitsFor"]) == (200, "done", 2, None)
    assert [await rights(node, suffix) for suffix in "ABC"] == [
        [False, False, True, True],
        [False, False, True, True],
        [True, True, False, False],
    ]
    record = await node.store.fetch(node.store.key_of(f"{GIVER}/A".encode()))
    assert [value.type for value in record.values] == ["GRADE", "HS_ADMIN"]
    status, refused = await ask(node, "POST", f"/{proposed['id']}/accept", taker)
    assert (status, refused["rule"]) == (400, "transfer.decided")


async def test_what_was_asked_for_by_the_taker_waits_for_the_giver(sides):
    node, giver, taker = sides
    _, proposed = await propose(node, taker, handles=[], first=f"{GIVER}/B", last=f"{GIVER}/Z")
    assert proposed["waitsFor"] == GIVER
    assert (await ask(node, "POST", f"/{proposed['id']}/accept", taker))[0] == 403
    _, done = await ask(node, "POST", f"/{proposed['id']}/accept", giver)
    assert done["count"] == 2
    assert [await may_write(node, suffix, of(TAKER)) for suffix in "ABC"] == [False, True, True]


async def test_all_go_over_or_none(sides):
    node, giver, taker = sides
    _, proposed = await propose(node, giver, handles=[f"{GIVER}/A", f"{GIVER}/NONE"])
    assert (await ask(node, "POST", f"/{proposed['id']}/accept", taker))[0] == 404
    assert await rights(node, "A") == [True, True, False, False]
    assert (await ask(node, "GET", f"/{proposed['id']}", giver))[1]["state"] == "proposed"


async def test_what_is_handed_over_comes_home_by_another_transfer(sides):
    node, giver, taker = sides
    for one, other, giving, taking in ((GIVER, TAKER, giver, taker), (TAKER, GIVER, taker, giver)):
        _, proposed = await propose(node, giving, giver=one, taker=other)
        assert (await ask(node, "POST", f"/{proposed['id']}/accept", taking))[0] == 200
    assert await rights(node, "A") == [True, True, False, False]
    record = await node.store.fetch(node.store.key_of(f"{GIVER}/A".encode()))
    assert [value.type for value in record.values] == ["GRADE"]


async def test_nobody_gives_what_he_does_not_hold(sides):
    node, giver, taker = sides
    _, proposed = await propose(node, giver)
    await ask(node, "POST", f"/{proposed['id']}/accept", taker)
    _, again = await propose(node, giver)
    status, refused = await ask(node, "POST", f"/{again['id']}/accept", taker)
    assert (status, refused["rule"]) == (403, "transfer.not_held")


async def test_a_file_of_the_former_holder_changes_nothing_that_was_handed_over(sides):
    node, giver, taker = sides
    _, proposed = await propose(node, giver)
    await ask(node, "POST", f"/{proposed['id']}/accept", taker)
    report = await load(node, giver, line("A", "ZZ") + line("C", "ZZ"))
    assert (report["updated"], report["refused"]) == (1, 1)
    record = await node.store.fetch(node.store.key_of(f"{GIVER}/A".encode()))
    assert record.at(1).data == b"AA"


async def test_a_proposal_is_withdrawn_or_refused(sides):
    node, giver, taker = sides
    for side, word in ((giver, "withdrawn"), (taker, "refused")):
        _, proposed = await propose(node, giver)
        _, declined = await ask(node, "POST", f"/{proposed['id']}/decline", side)
        assert declined["state"] == word
        assert (await ask(node, "POST", f"/{proposed['id']}/accept", taker))[0] == 400
    assert await rights(node, "A") == [True, True, False, False]


async def test_only_the_two_sides_see_a_transfer(sides):
    node, giver, taker = sides
    _, proposed = await propose(node, giver)
    assert [one["id"] for one in (await ask(node, "GET", "", taker, prefix=TAKER))[1]] == [proposed["id"]]
    body = {"name": "第三方", "prefix": "88.168.4"}
    async with node.client.post("/api/enterprises", json=body, headers=node.operator) as answer:
        granted = await answer.json()
    stranger = basic(granted["identity"], granted["secret_key"])
    for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/decline")):
        assert (await ask(node, method, f"/{proposed['id']}{path}", stranger))[0] == 404
        assert (await ask(node, method, f"/{proposed['id']}{path}", {}))[0] == 401
    assert (await ask(node, "GET", "", stranger, prefix=TAKER))[0] == 403
    assert (await propose(node, stranger))[0] == 403


async def test_every_step_is_in_the_audit_log(sides):
    node, giver, taker = sides
    _, proposed = await propose(node, giver)
    await ask(node, "POST", f"/{proposed['id']}/accept", taker)
    async with node.store.connection() as connection:
        acts = await connection.fetch("SELECT act, by FROM act WHERE act LIKE 'transfer.%' ORDER BY at, act DESC")
    assert [tuple(row) for row in acts] == [
        ("transfer.proposed", f"300:0.NA/{GIVER}"),
        ("transfer.done", f"300:0.NA/{TAKER}"),
    ]


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"taker": GIVER}, "transfer.same"),
        ({"taker": "99.9"}, "prefix.not_homed"),
        ({"handles": [f"{GIVER}/A", f"{TAKER}/B"]}, "transfer.one_prefix"),
        ({"handles": [f"0.NA/{GIVER}"]}, "transfer.one_prefix"),
        ({"handles": []}, "json.field"),
        ({"first": f"{GIVER}/A", "last": f"{GIVER}/B"}, "json.field"),
        ({"note": "x" * 501}, "transfer.note"),
        ({"note": "a\0b"}, "transfer.note"),
        ({"handles": [f"{GIVER}/a\0b"]}, "handle.control_character"),
    ],
)
async def test_a_proposal_that_means_nothing_is_refused(sides, more, rule):
    node, giver, _ = sides
    status, refused = await propose(node, giver, **more)
    assert (status, refused["rule"]) == (400, rule)
