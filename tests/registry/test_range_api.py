"""Ranges over a real connection."""

import pytest

from tests.registry.interface import Node

FIRST = "88.168.2/Cake-001"
VALUES = [
    {"index": 1, "type": "URL", "data": "https://yarn.example/{suffix}"},
    {"index": 2, "type": "KEY", "data": "k", "permissions": "0000"},
]
DOFF = {"first": FIRST, "members": 96, "width": 3, "values": VALUES}


async def ask(node: Node, method: str, headers, path: str = "", body=None, **query: str):
    async with node.client.request(method, f"/api/ranges{path}", params=query, headers=headers, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def found(node: Node, name: str):
    return await node.store.fetch(node.store.key_of(name.encode()))


async def test_a_range_is_registered_shown_changed_and_deleted(node: Node):
    assert await ask(node, "POST", node.enterprise, body=DOFF) == (201, {"first": FIRST, "version": 1})
    status, shown = await ask(node, "GET", node.enterprise, "/88.168.2/cake-007")
    assert status == 200
    assert (shown["handle"], shown["position"]) == ("88.168.2/Cake-007", 7)
    assert (shown["first"], shown["last"], shown["members"]) == (FIRST, "88.168.2/Cake-096", 96)
    assert [value["index"] for value in shown["values"]] == [1], "what nobody may read is not shown"
    changed = [{"index": 1, "type": "GRADE", "data": "AA"}]
    assert await ask(node, "PUT", node.enterprise, "/88.168.2/Cake-050", changed) == (
        200,
        {"first": FIRST, "version": 2},
    )
    assert [value.text for value in (await found(node, "88.168.2/Cake-007")).values] == ["AA"]
    _, listed = await ask(node, "GET", node.enterprise, prefix="88.168.2")
    assert [(one["first"], one["version"]) for one in listed["ranges"]] == [(FIRST, 2)]
    assert (await ask(node, "DELETE", node.enterprise, "/88.168.2/Cake-050"))[0] == 200
    assert (await ask(node, "GET", node.enterprise, "/88.168.2/Cake-050"))[0] == 404
    assert await found(node, "88.168.2/Cake-007") is None


async def test_a_write_that_was_named_is_made_once(node: Node):
    named = node.enterprise | {"Idempotency-Key": "doff 17"}
    for _ in range(2):
        assert await ask(node, "POST", named, body=DOFF) == (201, {"first": FIRST, "version": 1})
    assert (await ask(node, "POST", named, body=DOFF | {"members": 95}))[0] == 422
    assert (await ask(node, "POST", node.enterprise, body=DOFF))[0] == 409


async def test_a_trial_says_what_the_write_would_and_writes_nothing(node: Node):
    trial = {"dryRun": "true"}
    assert await ask(node, "POST", node.enterprise, body=DOFF, **trial) == (201, {"first": FIRST, "version": 1})
    assert await found(node, FIRST) is None
    assert (await ask(node, "POST", node.enterprise, body=DOFF))[0] == 201
    assert (await ask(node, "DELETE", node.enterprise, f"/{FIRST}", **trial))[0] == 200
    assert await found(node, FIRST) is not None


async def test_a_range_is_written_at_the_version_that_was_seen(node: Node):
    await ask(node, "POST", node.enterprise, body=DOFF)
    for condition, status in (('"2"', 412), ("W/x", 412), ("*", 200), ('"1"', 200)):
        stated = node.enterprise | {"If-Match": condition}
        assert (await ask(node, "PUT", stated, f"/{FIRST}", VALUES))[0] == status


async def test_an_enterprise_has_nothing_to_do_with_the_ranges_of_others(node: Node):
    others = DOFF | {"first": "88.168.1/Cake-001"}
    assert (await ask(node, "POST", node.operator, body=others))[0] == 201
    assert (await ask(node, "POST", node.enterprise, body=DOFF | {"first": "88.168.1/Tube-001"}))[0] == 403
    assert (await ask(node, "GET", node.enterprise, "/88.168.1/Cake-001"))[0] == 403
    assert (await ask(node, "GET", node.enterprise, prefix="88.168.1"))[0] == 403
    assert (await ask(node, "PUT", node.enterprise, "/88.168.1/Cake-001", VALUES))[0] == 403
    assert (await ask(node, "DELETE", node.enterprise, "/88.168.1/Cake-001"))[0] == 403
    assert (await ask(node, "GET", {}, "/88.168.1/Cake-001"))[0] == 401


@pytest.mark.parametrize(
    ("changes", "status", "rule"),
    [
        ({"members": 0}, 400, "json.field"),
        ({"members": 10**30}, 400, "json.field"),
        ({"members": 1000}, 400, "range.members"),
        ({"width": 4}, 400, "range.serial"),
        ({"radix": 16}, 400, "json.field"),
        ({"first": "88.168.2/Cake-\u0000001"}, 400, "handle.control_character"),
        ({"first": "88.999.9/Cake-001"}, 400, "prefix.not_homed"),
        ({"values": [{"index": 1, "type": "HS_SIGNATURE", "data": "x"}]}, 400, None),
        ({"values": "x"}, 400, "json.field"),
    ],
)
async def test_a_refusal_names_the_rule(node: Node, changes, status, rule):
    answered, problem = await ask(node, "POST", node.enterprise | {"Accept-Language": "zh"}, body=DOFF | changes)
    assert answered == status
    assert rule is None or problem["rule"] == rule


async def test_the_feed_tells_of_ranges(node: Node):
    async def events(**query):
        async with node.client.get("/api/changes", params=query, headers=node.enterprise) as answer:
            return await answer.json()

    begin = await events(prefix="88.168.2", cursor="now")
    await ask(node, "POST", node.enterprise, body=DOFF)
    await ask(node, "PUT", node.enterprise, f"/{FIRST}", VALUES[:1])
    await ask(node, "DELETE", node.enterprise, f"/{FIRST}")
    told = (await events(prefix="88.168.2", cursor=begin["cursor"]))["events"]
    assert [one["type"] for one in told] == [
        "filament.prefix.changed", "filament.range.created", "filament.range.updated", "filament.range.deleted"
    ]  # fmt: skip
    assert (told[1]["data"]["from"], told[1]["data"]["to"]) == ("88.168.2/CAKE-001", "88.168.2/CAKE-096")


async def test_the_history_of_a_member_is_that_of_its_range_until_it_is_changed_itself(node: Node):
    async def history(name: str, **query: str):
        async with node.client.get(f"/api/history/{name}", params=query, headers=node.enterprise) as answer:
            return answer.status, await answer.json(content_type=None)

    await ask(node, "POST", node.enterprise, body=DOFF)
    await ask(node, "PUT", node.enterprise, f"/{FIRST}", [{"index": 1, "type": "GRADE", "data": "{position}"}])
    status, listed = await history("88.168.2/cake-007")
    assert (status, listed["handle"], [one["version"] for one in listed["versions"]]) == (
        200,
        "88.168.2/Cake-007",
        [2, 1],
    )
    _, first = await history("88.168.2/Cake-007", version="1")
    assert [value["data"]["value"] for value in first["values"]] == ["https://yarn.example/Cake-007"]
    _, now = await history("88.168.2/Cake-007", at="2100-01-01")
    assert (now["version"], now["values"][0]["data"]["value"]) == (2, "7")
    assert (await history("88.168.2/Cake-097"))[0] == 404
