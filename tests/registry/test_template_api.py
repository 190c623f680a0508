"""Templates, rules of suffixes and minters over HTTP."""

from tests.registry.bulk_files import line
from tests.registry.interface import NDJSON

FORM = {
    "zh": "丝饼",
    "en": "cake",
    "industry": "C2822",
    "attributes": [
        {"index": 10, "type": "WEIGHT", "kind": "number", "zh": "重量", "en": "weight", "unit": "g", "required": True}
    ],
}
CAKE = "/api/templates/88.168.2/cake"


async def ask(node, method, path, headers, body=None, **more):
    async with node.client.request(method, path, json=body, headers=headers, **more) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_an_enterprise_saves_publishes_and_deprecates_a_template(node):
    assert await ask(node, "PUT", CAKE, node.enterprise, FORM) == (
        200, {"template": "88.168.2/cake@1", "state": "draft"})  # fmt: skip
    assert (await ask(node, "GET", f"{CAKE}@1", node.operator))[0] == 200
    status, published = await ask(node, "PATCH", f"{CAKE}@1", node.enterprise, {"state": "published"})
    assert (status, published["state"]) == (200, "published")
    _, shown = await ask(node, "GET", f"{CAKE}@1", node.enterprise)
    assert (shown["form"], shown["levels"]) == (FORM, ["C", "28", "282", "2822"])
    assert (await ask(node, "PUT", CAKE, node.enterprise, shown["form"]))[1]["template"] == "88.168.2/cake@2"
    assert (await ask(node, "PATCH", f"{CAKE}@1", node.enterprise, {"state": "deprecated"}))[1]["state"] == "deprecated"
    assert (await ask(node, "PATCH", f"{CAKE}@2", node.enterprise, {"state": "deprecated"}))[0] == 409


async def test_drafts_are_their_owners_and_what_is_published_is_everybodys(node):
    other = "/api/templates/88.168.1/box"
    assert (await ask(node, "PUT", other, node.operator, FORM))[0] == 200
    assert (await ask(node, "GET", f"{other}@1", node.enterprise))[0] == 403
    assert (await ask(node, "PUT", other, node.enterprise, FORM))[0] == 403
    assert (await ask(node, "PATCH", f"{other}@1", node.enterprise, {"state": "published"}))[0] == 403
    assert (await ask(node, "GET", "/api/templates?prefix=88.168.1", node.enterprise))[0] == 403
    assert (await ask(node, "GET", "/api/templates", {}))[0] == 401
    names = [one["template"] for one in (await ask(node, "GET", "/api/templates", node.enterprise))[1]]
    assert "88.168.1/box@1" not in names
    await ask(node, "PATCH", f"{other}@1", node.operator, {"state": "published"})
    listed = {one["template"]: one for one in (await ask(node, "GET", "/api/templates", node.enterprise))[1]}
    assert listed["88.168.1/box@1"]["levels"] == ["C", "28", "282", "2822"]
    assert listed["textile/poy@1"]["zh"] == "预取向丝丝饼"
    assert (await ask(node, "GET", f"{other}@1", node.enterprise))[0] == 200


async def test_a_template_that_is_refused_names_the_field_in_the_readers_language(node):
    wrong = {**FORM, "attributes": [{**FORM["attributes"][0], "minimum": 2, "maximum": 1}]}
    status, problem = await ask(node, "PUT", CAKE, node.enterprise | {"Accept-Language": "zh"}, wrong)
    assert (status, problem["culprit"]["path"]) == (400, "$.attributes[0].minimum")
    for body in ({}, {**FORM, "attributes": [{"index": "x"}]}, {**FORM, "more": 1}, []):
        assert (await ask(node, "PUT", CAKE, node.enterprise, body))[0] == 400
    assert (await ask(node, "PUT", "/api/templates/88.168.2/Cake", node.enterprise, FORM))[0] == 400
    assert (await ask(node, "GET", "/api/templates/88.168.2/cake@7", node.enterprise))[0] == 404
    assert (await ask(node, "GET", "/api/templates/88.168.2/%00%FF", node.enterprise))[0] == 404
    assert (await ask(node, "PATCH", f"{CAKE}@1", node.enterprise, {"state": "draft"}))[0] == 400


async def test_rules_of_suffixes_are_saved_when_their_samples_say_the_same(node):
    path = "/api/suffix-rules/88.168.2"
    rules = {"rules": [{"pattern": "C[0-9]+", "check": "none", "accepted": ["C1"], "refused": ["1"], "templates": []}]}
    assert await ask(node, "GET", path, node.enterprise) == (200, {"rules": []})
    assert await ask(node, "PUT", path, node.enterprise, rules) == (200, rules)
    assert await ask(node, "GET", path, node.operator) == (200, rules)
    wrong = {"rules": [{"pattern": "C[0-9]+", "accepted": ["1"]}]}
    status, problem = await ask(node, "PUT", path, node.enterprise, wrong)
    assert (status, problem["culprit"]["path"]) == (400, "$.rules[0].accepted[0]")
    assert await ask(node, "GET", path, node.enterprise) == (200, rules)
    assert (await ask(node, "PUT", "/api/suffix-rules/88.168.1", node.enterprise, rules))[0] == 403
    octets = line("88.168.2/C1", "x") + line("88.168.2/D1", "x")
    async with node.client.post("/api/bulk", data=octets, headers=node.enterprise | NDJSON) as answer:
        report = await answer.json()
    assert (report["created"], report["refusals"][0]["rule"]) == (1, "suffix.rule")
    assert await ask(node, "PUT", path, node.enterprise, {"rules": []}) == (200, {"rules": []})


async def test_a_rule_that_names_a_template_which_is_not_here_is_refused_by_name(node):
    async def save(*templates):
        rules = {"rules": [{"pattern": "C.*", "templates": templates}]}
        return await ask(node, "PUT", "/api/suffix-rules/88.168.2", chinese, rules)

    chinese, box = node.enterprise | {"Accept-Language": "zh"}, "/api/templates/88.168.1/box"
    assert (await save("*", "textile/poy", "textile/fdy"))[0] == 200
    await ask(node, "PUT", box, node.operator, FORM)
    for missing in ("textile/pyo", "88.168.2/cake", "88.168.99/cake", "88.168.1/box"):
        status, problem = await save("*", missing)
        assert (status, problem["culprit"]["path"]) == (400, "$.rules[0].templates[1]"), "a draft is its owner's alone"
        assert "没有这个模板" in problem["detail"]
        assert missing in problem["detail"]
    await ask(node, "PATCH", f"{box}@1", node.operator, {"state": "published"})
    await ask(node, "PUT", CAKE, node.enterprise, FORM)
    assert (await save("88.168.1/box", "88.168.2/cake", "TEXTILE/poy"))[0] == 200
    await ask(node, "PATCH", f"{box}@1", node.operator, {"state": "deprecated"})
    assert (await save("88.168.1/box"))[0] == 200


async def test_suffixes_are_reserved_for_a_line_and_remembered(node):
    minters = {"minters": [{"name": "cake", "layout": "C.{date}.{line}-{serial}", "width": 4, "radix": 36,
                            "check": "none"}]}  # fmt: skip
    assert await ask(node, "PUT", "/api/minters/88.168.2", node.enterprise, minters) == (200, minters)
    assert await ask(node, "GET", "/api/minters/88.168.2", node.enterprise) == (200, minters)
    wanted = {"minter": "cake", "line": "A12", "day": "2026-02-03", "count": 96}
    status, block = await ask(node, "POST", "/api/suffixes/88.168.2", node.enterprise, wanted)
    assert (status, block["first"], block["last"]) == (201, "C.20260203.A12-0001", "C.20260203.A12-002O")
    assert len(block["suffixes"]) == 96
    _, (reserved,) = await ask(node, "GET", "/api/suffixes/88.168.2", node.enterprise)
    assert (reserved["first"], reserved["count"], reserved["day"]) == ("C.20260203.A12-0001", 96, "2026-02-03")
    for wrong, status in (({"minter": "none"}, 404), ({"minter": "cake"}, 400), ({**wanted, "count": 0}, 400)):
        assert (await ask(node, "POST", "/api/suffixes/88.168.2", node.enterprise, wrong))[0] == status
    assert (await ask(node, "POST", "/api/suffixes/88.168.1", node.enterprise, wanted))[0] == 403
    assert (await ask(node, "GET", "/api/suffixes/88.168.1", node.enterprise))[0] == 403
