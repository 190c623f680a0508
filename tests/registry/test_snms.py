"""The interface of the national secondary-node software: its documented requests, and what it refuses."""

import json
import tomllib
from pathlib import Path

import pytest
from yarl import URL

from registry.enterprise import add_enterprise
from registry.passwords import Passwords
from registry.people import People
from registry.snms import name_of
from registry.tokens import Tokens
from tests.registry.companies import PASSWORD

CALLS = tomllib.loads((Path(__file__).parents[1] / "vectors/snms/requests.toml").read_text("utf-8"))["call"]
DOCUMENTED = ("88.101.5", "88.1021.150", "88.101.0042")
DATA, TEMPLATE = "/identityv2/data", "/snms/api/v5/template"
ITEM = {"name": "批号", "idType": "batch", "idIndex": 2000, "metadata": {"minLength": 1, "maxLength": 20}}
GRADE = {"name": "等级", "idType": "grade", "metadata": {"minLength": 1, "maxLength": 2}}
INDUSTRY = {"industryCategory": "C", "industrySpecific": "28", "industryTrade": "282", "industrySubclass": "2822"}


async def ask(node, method, target, by, body=None, **headers):
    """What is answered, whose status of HTTP is 200 whatever the envelope says."""
    octets = body if body is None or isinstance(body, str) else json.dumps(body)
    kind = {"Content-Type": "application/json"}
    async with node.client.request(
        method, URL(target, encoded=True), data=octets, headers=by | kind | headers
    ) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def log_in(node, name, role, enterprise_id=None):
    await People(node.store, Tokens(node.store), Passwords()).add(
        name, role, enterprise_id, by="test", password=PASSWORD
    )
    told = await ask(node, "POST", "/identity/token", {}, {"username": name, "password": PASSWORD})
    assert (told["status"], told["message"]) == (1, "success")
    return {"Authorization": f"Bearer {told['data']['token']}"}


async def member(node, prefix="88.168.2"):
    held = node.store.prefixes.find(prefix.encode())
    return await log_in(node, f"member-{prefix}", "member", held.enterprise_id)


def template(*items, version="cake", prefix="88.168.2", **more):
    return {"prefix": prefix, "version": version, "type": 2, "items": list(items), **INDUSTRY, **more}


def identifier(suffix, batch="B1", prefix="88.168.2", **more):
    value = {"index": 2000, "type": "batch", "data": {"format": "string", "value": batch}}
    return {"handle": f"{prefix}/{suffix}", "templateVersion": "cake", "value": [value | more]}


async def values(node, by, handle):
    shown = await ask(node, "GET", f"{DATA}/detail?handle={handle}", by)
    return {one["index"]: one["data"]["value"] for one in shown["data"]["value"]}


async def test_the_documented_requests_are_answered_as_documented(node):
    for prefix in DOCUMENTED:
        await add_enterprise(node.store, prefix, prefix, "", prefix, by="test")
    by = await log_in(node, "admin", "operator")
    for call in CALLS:
        answered = await ask(node, call["method"], call["target"], by, call.get("body"))
        assert answered == json.loads(call["answer"]), call["name"]


async def test_a_token_lasts_a_day_and_a_wrong_password_is_no_log_in(node):
    by = await member(node)
    async with node.store.connection() as connection:
        seconds = await connection.fetchval("SELECT extract(epoch FROM expires_at - created_at) FROM token")
    assert seconds == 24 * 60 * 60
    wrong = {"username": "member-88.168.2", "password": "not this one"}
    refused = await ask(node, "POST", "/identity/token", {}, wrong)
    assert (refused["status"], refused["data"]) == (-2, None)
    detail = f"{DATA}/detail?handle=88.168.2/A"
    assert (await ask(node, "GET", detail, {}))["status"] == -1
    assert (await ask(node, "GET", detail, {"Authorization": "Bearer fil_no"}))["status"] == -1
    assert (await ask(node, "GET", detail, by))["status"] == -2


async def test_refusals_are_in_the_readers_language_and_chinese_without_one(node):
    target = f"{DATA}/detail?handle=88.168.2/A"
    by = await member(node)
    assert "未注册" in (await ask(node, "GET", target, by))["message"]
    assert "not registered" in (await ask(node, "GET", target, by, **{"Accept-Language": "en"}))["message"]


async def test_nobody_writes_under_the_prefix_of_another(node):
    by = await member(node)
    theirs = template(ITEM, prefix="88.168.1")
    assert (await ask(node, "POST", TEMPLATE, by, theirs))["status"] == -3
    assert (await ask(node, "POST", TEMPLATE, node.operator, theirs))["status"] == 1
    one = identifier("A", prefix="88.168.1")
    assert (await ask(node, "POST", DATA, by, one))["status"] == -3
    assert (await ask(node, "POST", DATA, node.operator, one))["status"] == 1
    for method, target, body in (("PUT", DATA, identifier("A", "B2", "88.168.1")), ("DELETE", DATA, one)):
        assert (await ask(node, method, target, by, body))["status"] == -3
    told = await ask(node, "DELETE", f"{DATA}/batchDelete", by, {"handles": ["88.168.1/A"]})
    assert (told["status"], told["data"][0]["code"]) == (1, -3)
    assert (await values(node, by, "88.168.1/A"))[2000] == "B1"


async def test_every_call_that_writes_leaves_an_act(node):
    by = await member(node)
    calls = [
        ("POST", "/identity/token", {"username": "member-88.168.2", "password": PASSWORD}, "token.issued"),
        ("POST", TEMPLATE, template(ITEM), "template.published"),
        ("PUT", TEMPLATE, template(ITEM | {"required": True}), "template.published"),
        ("POST", DATA, identifier("A"), "handle.created"),
        ("PUT", DATA, identifier("A", "B2"), "handle.updated"),
        ("POST", f"{DATA}/batchCreate", [identifier("B")], "handle.created"),
        ("PUT", f"{DATA}/batchUpdate", [identifier("B", "B2")], "handle.updated"),
        ("DELETE", f"{DATA}/batchDelete", ["88.168.2/B"], "handle.deleted"),
        ("DELETE", DATA, {"handle": "88.168.2/A"}, "handle.deleted"),
    ]
    for method, target, body, act in calls:
        assert (await ask(node, method, target, by, body))["status"] == 1
        async with node.store.connection() as connection:
            assert await connection.fetchval("SELECT act FROM act ORDER BY seq DESC LIMIT 1") == act, target


async def test_one_of_several_is_refused_and_the_others_are_there(node):
    by = await member(node)
    await ask(node, "POST", TEMPLATE, by, template(ITEM))
    several = [identifier("A"), identifier("B", "x" * 21), identifier("A", "B2"), identifier("C", index=2001)]
    several += [{**identifier("D"), "templateVersion": "nothing"}, identifier("E")]
    told = await ask(node, "POST", f"{DATA}/batchCreate", by, several)
    assert [one["code"] for one in told["data"]] == [1, -2, -2, -2, -2, 1]
    assert (told["status"], told["data"][2]["handle"]) == (1, "88.168.2/A")
    assert (await values(node, by, "88.168.2/A"))[2000] == "B1"
    told = await ask(node, "PUT", f"{DATA}/batchUpdate", by, [identifier("A", "B3"), identifier("B", "B3")])
    assert [one["code"] for one in told["data"]] == [1, -2]
    assert (await values(node, by, "88.168.2/A"))[2000] == "B3"
    for count in (0, 2001):
        assert (await ask(node, "DELETE", f"{DATA}/batchDelete", by, ["88.168.2/A"] * count))["status"] == -2


async def test_an_update_leaves_what_this_interface_does_not_speak_of(node):
    by = await member(node)
    await ask(node, "POST", TEMPLATE, by, template(ITEM, {**GRADE, "idIndex": 2001}))
    one = identifier("A")
    one["value"].append({"index": 2001, "type": "grade", "data": {"format": "string", "value": "AA"}})
    await ask(node, "POST", DATA, by, one)
    load = {"handle": "88.168.2/B", "values": [{"index": 7, "type": "HS_SERV", "data": "0.SERV/1"}]}
    async with node.client.post(
        "/api/bulk", data=json.dumps(load), headers=node.enterprise | {"Content-Type": "application/x-ndjson"}
    ) as answer:
        assert (await answer.json())["created"] == 1
    for suffix in ("A", "B"):
        assert (await ask(node, "PUT", DATA, by, identifier(suffix, "B2")))["status"] == 1
    assert await values(node, by, "88.168.2/A") == {1001: "cake", 2000: "B2"}
    assert await values(node, by, "88.168.2/B") == {7: "0.SERV/1", 1001: "cake", 2000: "B2"}


async def test_a_member_of_a_range_is_shown_with_its_own_values(node):
    values_of_all = [{"index": 1, "type": "SERIAL", "data": "{serial}"}]
    doff = {"first": "88.168.2/D-01", "members": 96, "width": 2, "values": values_of_all}
    async with node.client.post("/api/ranges", json=doff, headers=node.enterprise) as answer:
        assert answer.status == 201, await answer.text()
    assert await values(node, node.enterprise, "88.168.2/D-96") == {1: "96"}
    refused = await ask(node, "GET", f"{DATA}/detail?handle=88.168.2/D-97", node.enterprise)
    assert refused["status"] == -2


async def test_items_are_disabled_and_added_and_identifiers_keep_fitting(node):
    by = await member(node)
    await ask(node, "POST", TEMPLATE, by, template(ITEM, {**GRADE, "required": True}))
    assert (await ask(node, "POST", TEMPLATE, by, template(ITEM)))["status"] == -2
    assert (await ask(node, "POST", DATA, by, identifier("A")))["status"] == -2
    disabled = {**GRADE, "idIndex": 2001, "state": 0}
    assert (await ask(node, "PUT", TEMPLATE, by, template(disabled, {**GRADE, "idType": "lot"})))["status"] == 1
    shown = await ask(node, "GET", f"{TEMPLATE}?prefix=88.168.2&version=cake", by)
    told = {one["idType"]: (one["idIndex"], one["state"]) for one in shown["data"]["items"]}
    assert told == {"batch": (2000, 1), "grade": (2001, 0), "lot": (2002, 1)}
    assert (await ask(node, "POST", DATA, by, identifier("A")))["status"] == 1
    for wrong in ({**GRADE, "idIndex": 2000}, GRADE, {**GRADE, "idIndex": 2009}, {**GRADE, "idIndex": 1000}):
        assert (await ask(node, "PUT", TEMPLATE, by, template(wrong)))["status"] == -2
    named = {"prefix": "88.168.2", "version": "cake"}
    assert (await ask(node, "DELETE", TEMPLATE, by, named))["status"] == 1
    assert (await ask(node, "GET", f"{TEMPLATE}?prefix=88.168.2&version=cake", by))["status"] == -2
    assert (await ask(node, "POST", DATA, by, identifier("B")))["status"] == -2
    assert (await ask(node, "PUT", DATA, by, identifier("A", "B2")))["status"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"industrySubclass": "9999"},
        {"industryCategory": "A"},
        {"type": 3},
        {"version": ""},
        {"version": "x" * 129},
        {"items": []},
        {"items": [{**ITEM, "metadata": {"type": "number", "minLength": 1, "maxLength": 2}}]},
        {"items": [{**ITEM, "metadata": {"minLength": 3, "maxLength": 2}}]},
        {"items": [ITEM, ITEM]},
        {"items": [{**ITEM, "idIndex": 1001}]},
    ],
)
async def test_a_template_that_cannot_be_is_refused(node, wrong):
    assert (await ask(node, "POST", TEMPLATE, node.operator, template(ITEM, prefix="88.168.1") | wrong))["status"] == -2


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": {"format": "base64", "value": "QQ=="}},
        {"auth": "7"},
        {"index": 1001},
        {"type": "grade"},
        {"data": "B1"},
    ],
)
async def test_a_value_that_this_interface_does_not_take_is_refused(node, wrong):
    by = await member(node)
    await ask(node, "POST", TEMPLATE, by, template(ITEM))
    assert (await ask(node, "POST", DATA, by, identifier("A", **wrong)))["status"] == -2


async def test_a_library_template_is_called_by_its_whole_name(node):
    name = "textile/batch@1"
    shown = await ask(node, "GET", f"{TEMPLATE}?prefix=88.168.2&version={name}", node.enterprise)
    assert (shown["status"], shown["data"]["version"]) == (1, name)
    assert (await ask(node, "PUT", TEMPLATE, node.enterprise, template(ITEM, version=name)))["status"] == -2


async def test_what_is_sent_again_under_a_key_is_answered_as_before_and_a_trial_does_nothing(node):
    by = await member(node)
    await ask(node, "POST", TEMPLATE, by, template(ITEM))
    assert (await ask(node, "POST", f"{DATA}?dryRun=true", by, identifier("A")))["status"] == 1
    several = [identifier("A"), identifier("A")]
    once = await ask(node, "POST", f"{DATA}/batchCreate", by, several, **{"Idempotency-Key": "k"})
    again = await ask(node, "POST", f"{DATA}/batchCreate", by, several, **{"Idempotency-Key": "k"})
    assert [one["code"] for one in once["data"]] == [1, -2]
    assert once == again
    assert await node.store.count(node.store.prefixes.find(b"88.168.2")) == 1
    assert (await ask(node, "POST", f"{DATA}/batchCreate", by, [], **{"Idempotency-Key": "k"}))["status"] == -2


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/identity/token/v1"),
        ("GET", "/api/identityv2/query/data?handle=88.168.2/A"),
        ("POST", "/snms/api/ent/apply"),
        ("GET", "/snms/api/template/v1"),
    ],
)
async def test_what_is_not_served_says_what_is(node, method, target):
    refused = await ask(node, method, target, {}, {})
    assert refused["status"] == -2
    assert target.partition("?")[0] in refused["message"]


def test_templates_called_alike_have_names_of_their_own():
    versions = ("1.0", "1-0", "1.0.0", "化纤", "", "A" * 128, "a" * 128)
    assert len({name_of(version) for version in versions}) == len(versions)
    assert max(map(len, map(name_of, versions))) <= 64
