"""Webhooks over a real connection: subscribing, and whose they are."""

import base64

import pytest

from registry.webhooks import Webhooks

URL = "https://example.com/hear"


async def ask(node, method, path, headers, body=None, **query):
    async with node.client.request(method, f"/api/webhooks{path}", params=query, headers=headers, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def add(node, headers, body, **query):
    return await ask(node, "POST", "", headers, body, **query)


async def test_the_secret_is_shown_once(node):
    status, added = await add(node, node.enterprise, {"url": URL}, prefix="88.168.2")
    assert (status, added["prefix"], added["url"]) == (201, "88.168.2", URL)
    assert len(base64.b64decode(added["secret"].removeprefix("whsec_"))) == 32
    _, shown = await ask(node, "GET", f"/{added['id']}", node.enterprise)
    _, (listed,) = await ask(node, "GET", "", node.enterprise, prefix="88.168.2")
    assert shown == listed == {name: value for name, value in added.items() if name != "secret"}


async def test_what_is_removed_is_gone(node):
    _, added = await add(node, node.enterprise, {"url": URL}, prefix="88.168.2")
    assert (await ask(node, "DELETE", f"/{added['id']}", node.enterprise))[0] == 200
    assert (await ask(node, "GET", f"/{added['id']}", node.enterprise))[0] == 404
    assert (await ask(node, "GET", "", node.enterprise, prefix="88.168.2"))[1] == []


async def test_nobody_learns_of_the_webhooks_of_others(node):
    _, of_enterprise = await add(node, node.enterprise, {"url": URL}, prefix="88.168.2")
    _, of_node = await add(node, node.operator, {"url": URL})
    assert of_node["prefix"] is None
    assert (await add(node, node.enterprise, {"url": URL}, prefix="88.168.1"))[0] == 403
    assert (await add(node, node.enterprise, {"url": URL}))[0] == 403
    assert (await add(node, {}, {"url": URL}, prefix="88.168.2"))[0] == 401
    assert (await ask(node, "GET", "", node.enterprise))[0] == 403
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/replay", {}),
        ("GET", "/dead-letters", None),
    ):
        assert (await ask(node, method, f"/{of_node['id']}{path}", node.enterprise, body))[0] == 404
        assert (await ask(node, method, f"/{of_enterprise['id']}{path}", {}, body))[0] == 401
        assert (await ask(node, method, f"/99999{path}", node.operator, body))[0] == 404
    assert len((await ask(node, "GET", "", node.operator))[1]) == 2


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"url": "http://127.0.0.1/"}, "webhook.address"),
        ({"url": "mailto:a@example.com"}, "webhook.url"),
        ({"url": URL, "cursor": "yesterday"}, "http.parameter"),
        ({"url": URL, "secret": "mine"}, "json.unknown_field"),
        ({}, "json.missing"),
    ],
)
async def test_a_refusal_names_the_rule_in_both_languages(node, body, rule):
    status, english = await add(node, node.enterprise, body, prefix="88.168.2")
    _, chinese = await add(node, node.enterprise | {"Accept-Language": "zh"}, body, prefix="88.168.2")
    assert (status, english["rule"], chinese["rule"]) == (400, rule, rule)
    assert english["detail"].isascii() or english["detail"] != chinese["detail"]


async def test_dead_letters_are_shown_and_sent_again(node):
    _, added = await add(node, node.enterprise, {"url": URL, "cursor": "oldest"}, prefix="88.168.2")
    webhooks = Webhooks(node.store)
    webhook = await webhooks.find(added["id"])
    for name in ("one", "two"):
        assert await webhooks.put_aside(webhook, webhook.cursor, name, 1, b'[{"id":"1-1"}]', "status 500")
    _, letters = await ask(node, "GET", f"/{added['id']}/dead-letters", node.enterprise)
    assert [(letter["messageId"], letter["events"]) for letter in letters] == [
        ("one", [{"id": "1-1"}]),
        ("two", [{"id": "1-1"}]),
    ]
    after = str(letters[0]["number"])
    _, rest = await ask(node, "GET", f"/{added['id']}/dead-letters", node.enterprise, after=after)
    assert [letter["messageId"] for letter in rest] == ["two"]
    status, shown = await ask(node, "POST", f"/{added['id']}/replay", node.enterprise, {"deadLetters": True})
    assert (status, shown["deadLetters"], shown["stopped"]) == (200, 2, False)
    assert (await webhooks.next_again(added["id"])).message_id == "one"
