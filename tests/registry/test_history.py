"""What handles said before, over a real connection."""

import orjson
import pytest

from registry.authentication import Administrator, identity_from_text
from registry.handle import Handle
from registry.registration import Registration
from registry.rest import values_from_json
from tests.registry.interface import OPERATOR, Node

CAKE = "88.168.2/Cake-1"
OPERATIONS = (
    [{"index": 1, "type": "GRADE", "data": "AA"}],
    [{"index": 1, "type": "GRADE", "data": "A"}, {"index": 2, "type": "BATCH", "data": "P1"}],
    [{"index": 2, "type": "BATCH", "data": "P1"}, {"index": 3, "type": "KEY", "data": "k", "permissions": "0000"}],
)


async def ask(node: Node, method: str, headers: dict[str, str], name: str = CAKE, **query: str):
    async with node.client.request(method, f"/api/history/{name}", params=query, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def written(node: Node) -> Node:
    """A handle that was written three times, deleted, and written once more."""
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(identity_from_text(OPERATOR))
    for values in OPERATIONS:
        await registration.put_record(Handle.from_text(CAKE), values_from_json(orjson.dumps(values))[1], by)
    await registration.delete_record(Handle.from_text(CAKE), by)
    await registration.put_record(Handle.from_text(CAKE), values_from_json(orjson.dumps(OPERATIONS[0]))[1], by)
    return node


async def test_every_version_is_listed_with_who_replaced_it(written: Node):
    status, listed = await ask(written, "GET", written.enterprise)
    assert (status, listed["handle"], listed["more"]) == (200, CAKE, False)
    assert [(one["version"], one["deleted"]) for one in listed["versions"]] == [
        (5, False), (4, True), (3, False), (2, False), (1, False)
    ]  # fmt: skip
    assert [one["replacedBy"] is None for one in listed["versions"]] == [True, False, False, False, False]
    for newer, older in zip(listed["versions"], listed["versions"][1:], strict=False):
        assert newer["since"] == older["until"]
    _, older = await ask(written, "GET", written.enterprise, CAKE.lower(), before="3")
    assert [one["version"] for one in older["versions"]] == [2, 1]


async def test_a_version_says_what_it_said_and_hides_what_nobody_may_read(written: Node):
    _, second = await ask(written, "GET", written.enterprise, version="2")
    assert [value["data"]["value"] for value in second["values"]] == ["A", "P1"]
    _, third = await ask(written, "GET", written.enterprise, version="3")
    assert [value["index"] for value in third["values"]] == [2]
    _, now = await ask(written, "GET", written.enterprise, at="2100-01-01")
    assert (now["version"], [value["data"]["value"] for value in now["values"]]) == (5, ["AA"])
    assert (await ask(written, "GET", written.enterprise, at="2001-01-01T00:00:00+08:00"))[0] == 404


async def test_the_difference_of_two_versions_names_what_was_added_removed_and_changed(written: Node):
    _, made = await ask(written, "GET", written.enterprise, version="2", since="1")
    assert [value["type"] for value in made["added"]] == ["BATCH"]
    assert made["removed"] == []
    assert [(one["from"][0]["data"]["value"], one["to"][0]["data"]["value"]) for one in made["changed"]] == [
        ("AA", "A")
    ]
    _, back = await ask(written, "GET", written.enterprise, version="1", since="2")
    assert [value["type"] for value in back["removed"]] == ["BATCH"]


async def test_a_version_is_restored_with_what_nobody_may_read(written: Node):
    status, restored = await ask(written, "POST", written.operator, version="3")
    assert (status, restored) == (200, {"handle": CAKE, "restored": 3, "version": 6})
    record = await written.store.fetch(written.store.key_of(CAKE.encode()))
    assert [(value.index, value.data) for value in record.values] == [(2, b"P1"), (3, b"k")]
    assert (await ask(written, "POST", written.operator, version="4"))[0] == 404


async def test_a_history_is_for_those_who_administer_the_prefix(written: Node):
    assert (await ask(written, "GET", {}))[0] == 401
    assert (await ask(written, "GET", written.enterprise, "88.168.1/X"))[0] == 403
    assert (await ask(written, "GET", written.enterprise, "88.168.2/NEVER"))[0] == 404
    for name, value in (("version", "0"), ("version", "x"), ("at", "yesterday"), ("before", "-1")):
        status, problem = await ask(written, "GET", written.enterprise, **{name: value})
        assert (status, problem["culprit"]["name"]) == (400, name)
