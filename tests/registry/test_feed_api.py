"""The change feed over a real connection."""

import asyncio

import orjson

from tests.registry.bulk_files import line
from tests.registry.interface import NDJSON

STREAM = {"Accept": "text/event-stream"}


async def load(node, *names):
    body = b"".join(line(name, "1") for name in names)
    async with node.client.post("/api/bulk", data=body, headers=node.operator | NDJSON) as answer:
        assert (await answer.json())["created"] == len(names)


async def page(node, headers, **query):
    async with node.client.get("/api/changes", params=query, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def heard(stream):
    """The next event of a stream: its id, type and data."""
    fields = {}
    while True:
        text = (await asyncio.wait_for(stream.content.readline(), 30)).decode().rstrip("\n")
        if text.startswith(":"):
            continue
        if not text and fields:
            return fields["id"], fields["event"], orjson.loads(fields["data"])
        name, _, value = text.partition(": ")
        if name:
            fields[name] = value


async def test_an_enterprise_hears_of_its_own_prefix_page_by_page(node):
    status, begin = await page(node, node.enterprise, prefix="88.168.2", cursor="now")
    assert (status, begin["events"], begin["more"]) == (200, [], False)
    await load(node, "88.168.2/A", "88.168.2/B")
    await load(node, "88.168.1/C")
    await load(node, "88.168.2/D")
    _, first = await page(node, node.enterprise, prefix="88.168.2", cursor=begin["cursor"], limit="1")
    assert first["more"]
    assert [(one["type"], one["data"]["from"], one["data"]["to"]) for one in first["events"]] == [
        ("filament.handles.loaded", "88.168.2/A", "88.168.2/B")
    ]
    _, second = await page(node, node.enterprise, prefix="88.168.2", cursor=first["cursor"])
    assert [one["data"]["from"] for one in second["events"]] == ["88.168.2/D"]


async def test_an_enterprise_hears_nothing_of_others(node):
    assert (await page(node, node.enterprise, prefix="88.168.1"))[0] == 403
    assert (await page(node, node.enterprise))[0] == 403
    assert (await page(node, {}, prefix="88.168.2"))[0] == 401
    status, all_of_them = await page(node, node.operator)
    assert status == 200
    assert {one["subject"] for one in all_of_them["events"]} >= {"88.168.1", "88.168.2"}


async def test_a_stream_that_broke_off_goes_on_behind_the_last_event_heard(node):
    _, begin = await page(node, node.operator, cursor="now")
    query = {"prefix": "88.168.2"}
    headers = node.enterprise | STREAM | {"Last-Event-ID": begin["cursor"]}
    async with node.client.get("/api/changes", params=query, headers=headers) as stream:
        assert stream.content_type == "text/event-stream"
        await load(node, "88.168.2/A")
        cursor, event, data = await heard(stream)
        assert (event, data["data"]["from"]) == ("filament.handles.loaded", "88.168.2/A")
    await load(node, "88.168.2/B")
    headers["Last-Event-ID"] = cursor
    async with node.client.get("/api/changes", params=query, headers=headers) as stream:
        assert (await heard(stream))[2]["data"]["from"] == "88.168.2/B"


async def test_a_parameter_that_means_nothing_is_named(node):
    for name, value in (("cursor", "yesterday"), ("limit", "0"), ("limit", "many")):
        status, problem = await page(node, node.operator, **{name: value})
        assert (status, problem["culprit"]["name"], problem["culprit"]["value"]) == (400, name, value)
