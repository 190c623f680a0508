"""Many handles written as one, and looked at before they are written."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from resolver.node import Node
from tests.resolver.http.lab import Client, Reply, basic, lab
from tests.resolver.http.test_api import using

PREFIX = "88.118.1"


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, plain_authentication=True) as node:
        yield node


def saying(text: str) -> list:
    return [{"index": 1, "type": "URL", "data": f"http://example.org/{text}"}]


def one(operation: str, suffix: str, **more: object) -> dict:
    return {"operation": operation, "handle": f"{PREFIX}/{suffix}", **more}


def write(client: Client, *operations: dict, query: str = "", **headers: str) -> Reply:
    return client.ask("POST", "/api/transactions" + query, {"operations": operations}, basic(), **headers)


def check(client: Client, operation: str, *suffixes: str) -> list[dict]:
    form = {"handles": [f"{PREFIX}/{suffix}" for suffix in suffixes], "operation": operation}
    return client.ask("POST", "/api/check", form, basic()).json["results"]


def says(client: Client, suffix: str) -> str | None:
    values = client.ask("GET", f"/api/handles/{PREFIX}/{suffix}?auth").json.get("values")
    return values[0]["data"]["value"].rpartition("/")[2] if values else None


async def test_several_writes_are_made_together_each_with_its_outcome(node: Node):
    def use(client: Client) -> None:
        write(client, one("create", "B", values=saying("b")), one("create", "D", values=saying("d")))
        reply = write(
            client,
            one("create", "C", values=saying("c")),
            one("replace", "B", values=saying("b2")),
            one("upsert", "A", values=saying("a")),
            one("delete", "D"),
            one("putValues", "A", values=[{"index": 2, "type": "DESC", "data": "x"}]),
        )
        assert reply.status == 200
        results = [(result["created"], result["version"]) for result in reply.json["results"]]
        assert results[:4] == [(True, 1), (False, 2), (True, 1), (False, 1)]
        assert results[4] == (True, 2)
        assert [says(client, suffix) for suffix in "ABCD"] == ["a", "b2", "c", None]

    await using(node, use)


async def test_of_several_writes_none_is_made_when_one_cannot_be_and_it_is_named(node: Node):
    def use(client: Client) -> None:
        write(client, one("create", "B", values=saying("b")))
        for culprit, status in (
            (one("create", "B", values=saying("other")), 409),
            (one("replace", "Z", values=saying("z")), 412),
            (one("delete", "Z"), 404),
            (one("upsert", "B", values=saying("b2"), version=7), 412),
            (one("create", "Y", values=[{"index": 0, "type": "URL", "data": ""}]), 400),
        ):
            refused = write(client, one("create", "A", values=saying("a")), culprit)
            assert (refused.status, refused.json["operation"]) == (status, 1)
            assert refused.json["handle"] == culprit["handle"]
            assert refused.json["message"]
        assert [says(client, suffix) for suffix in "AB"] == [None, "b"]
        same = write(client, one("create", "B", values=saying("b"), same=True))
        assert (same.status, same.json["results"][0]["version"]) == (200, 1)

    await using(node, use)


async def test_a_transaction_is_made_once_under_its_key_and_taken_back_on_trial(node: Node):
    def use(client: Client) -> None:
        create = one("create", "A", values=saying("a"))
        assert write(client, create, query="?dryRun").status == 200
        assert says(client, "A") is None
        first = write(client, create, Idempotency_Key="t")
        assert write(client, create, Idempotency_Key="t").json == first.json
        assert write(client, create).status == 409
        refused = write(client, create, query="?dryRun", Idempotency_Key="u")
        assert refused.json == write(client, create, Idempotency_Key="u").json

    await using(node, use)


async def test_transactions_over_the_same_handles_wait_for_each_other_and_all_are_made(node: Node):
    names = [f"H{number}" for number in range(24)]

    def use(order: list[str]) -> int:
        async_client = Client(node.port)
        try:
            for turn in range(4):
                operations = [one("upsert", name, values=saying(f"{order[0]}{turn}")) for name in order]
                if (status := write(async_client, *operations).status) != 200:
                    return status
            return 200
        finally:
            async_client.close()

    orders = (names, names[::-1], names[12:] + names[:12], names[::2] + names[1::2])
    assert await asyncio.gather(*(asyncio.to_thread(use, order) for order in orders)) == [200] * 4


async def test_strangers_and_what_cannot_be_read_are_refused(node: Node):
    def use(client: Client) -> None:
        assert client.ask("POST", "/api/transactions", {"operations": [one("delete", "A")]}).status == 401
        assert client.ask("POST", "/api/check", {"handles": []}).status == 401
        assert write(client).status == 400
        assert write(client, {"operation": "move", "handle": "x"}).status == 400
        assert (
            write(client, one("create", "A", values=saying("a")), {"operation": "delete", "handle": ""}).status == 400
        )
        many = [one("delete", "A")] * 2001
        assert write(client, *many).status == 400
        assert says(client, "A") is None

    await using(node, use)


async def test_names_are_looked_at_before_they_are_written(node: Node):
    def use(client: Client) -> None:
        write(client, one("create", "A", values=saying("a")), one("create", "B", values=saying("b")))
        write(client, one("upsert", "B", values=saying("b2")))
        there, missing = check(client, "create", "B", "Z")
        assert (there["exists"], there["state"], there["version"], there["allowed"]) == (True, "active", 2, False)
        assert (missing["exists"], missing["state"], missing["version"], missing["allowed"]) == (False, None, 0, True)
        assert [result["allowed"] for result in check(client, "delete", "A", "Z")] == [True, False]
        assert [result["allowed"] for result in check(client, "upsert", "A", "Z")] == [True, True]
        form = {"handles": ["99.9/A", "", f"0.NA/{PREFIX}.1"], "operation": "create"}
        foreign = client.ask("POST", "/api/check", form, basic()).json["results"]
        assert [result["responseCode"] for result in foreign[:2]] == [301, 102]
        assert all(result["message"] for result in foreign if not result["allowed"])
        form = {"handles": [f"{PREFIX}/N{number}" for number in range(10_000)]}
        many = client.ask("POST", "/api/check", form, basic()).json["results"]
        assert len(many) == 10_000
        assert all(result["allowed"] for result in many)
        form["handles"].append("x/y")
        assert client.ask("POST", "/api/check", form, basic()).status == 400

    await using(node, use)
