"""Writes with a definite outcome: sent again, of the version that was seen, or on trial."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry import receipts
from registry.minting import Minting
from registry.receipts import KEPT
from registry.suffixes import Minter
from resolver.node import Node
from tests.resolver.http.lab import Client, Reply, basic, lab
from tests.resolver.http.test_api import using

PATH = "/api/handles/88.118.1/CAKE"
FIRST = [{"index": 1, "type": "URL", "data": "http://example.org/1"}]
SECOND = [{"index": 1, "type": "URL", "data": "http://example.org/2"}]


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, plain_authentication=True) as node:
        yield node


def put(client: Client, values: list, query: str = "", **headers: str) -> Reply:
    return client.ask("PUT", PATH + query, values, basic(), **headers)


def data(client: Client) -> list:
    return [value["data"]["value"] for value in client.ask("GET", PATH + "?auth").json.get("values", [])]


async def test_a_write_that_is_sent_again_is_answered_as_the_first_time_and_made_once(node: Node):
    def use(client: Client) -> None:
        assert put(client, FIRST, Idempotency_Key="a").status == 201
        assert put(client, SECOND).status == 200
        again = put(client, FIRST, Idempotency_Key="a")
        assert (again.status, again.json) == (201, {"responseCode": 1, "handle": "88.118.1/CAKE"})
        assert data(client) == ["http://example.org/2"]
        assert put(client, FIRST).status == 200

    await using(node, use)


async def test_a_new_suffix_is_made_once_however_often_it_is_asked_for(node: Node):
    def use(client: Client) -> None:
        query = "?mintNewSuffix"
        minted = put(client, FIRST, query, Idempotency_Key="mint").json["handle"]
        assert minted.startswith("88.118.1/CAKE")
        assert put(client, FIRST, query, Idempotency_Key="mint").json["handle"] == minted
        assert put(client, FIRST, query, Idempotency_Key="mint-2").json["handle"] != minted

    await using(node, use)


async def test_a_key_that_named_another_request_is_refused_and_nothing_is_written(node: Node):
    def use(client: Client) -> None:
        assert put(client, FIRST, Idempotency_Key="a").status == 201
        refused = put(client, SECOND, Idempotency_Key="a")
        assert (refused.status, "Idempotency-Key" in refused.json["message"]) == (422, True)
        assert client.ask("DELETE", PATH, None, basic(), Idempotency_Key="a").status == 422
        assert data(client) == ["http://example.org/1"]
        assert put(client, FIRST, Idempotency_Key="x" * 256).status == 400

    await using(node, use)


async def test_of_equal_writes_at_once_one_is_made(node: Node):
    def use(client: Client) -> tuple[int, str]:
        written = put(client, FIRST, "?mintNewSuffix", Idempotency_Key="once")
        return written.status, written.json["handle"]

    outcomes = await asyncio.gather(*(using(node, use) for _ in range(8)))
    assert len(set(outcomes)) == 1
    assert outcomes[0][0] == 201

    def count(client: Client) -> int:
        listed = client.ask("GET", "/api/handles?prefix=88.118.1", None, basic()).json
        return sum(name.startswith("88.118.1/CAKE") for name in listed["handles"])

    assert await using(node, count) == 1


async def test_a_delete_that_is_sent_again_is_answered_as_the_first_time(node: Node):
    def use(client: Client) -> None:
        put(client, FIRST)
        for _ in range(2):
            assert client.ask("DELETE", PATH, None, basic(), Idempotency_Key="d").status == 200
        assert client.ask("DELETE", PATH, None, basic()).status == 404

    await using(node, use)


async def test_a_receipt_is_over_after_two_days_and_taken_out(node: Node):
    def use(client: Client) -> int:
        return put(client, FIRST, Idempotency_Key="a").status

    assert await using(node, use) == 201
    store = node.resolver.store
    async with store.connection() as connection:
        await connection.execute("UPDATE receipt SET made_at = $1", datetime.now(UTC) - KEPT)
    assert await using(node, use) == 200
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM receipt") == 1
        await connection.execute("UPDATE receipt SET made_at = $1", datetime.now(UTC) - KEPT)
        await receipts.trim(connection)
        assert await connection.fetchval("SELECT count(*) FROM receipt") == 0


async def test_only_the_version_that_was_seen_is_written_over(node: Node):
    def use(client: Client) -> None:
        put(client, FIRST)
        seen = client.ask("GET", PATH + "?auth").headers["ETag"]
        assert put(client, SECOND, If_Match=seen).status == 200
        refused = put(client, FIRST, If_Match=seen)
        assert (refused.status, "at version 2" in refused.json["message"]) == (412, True)
        assert client.ask("DELETE", PATH, None, basic(), If_Match=seen).status == 412
        assert put(client, FIRST, If_Match='"of another node"').status == 412
        assert data(client) == ["http://example.org/2"]
        assert client.ask("DELETE", PATH, None, basic(), If_Match="*").status == 200
        assert put(client, FIRST, If_Match="*").status == 412

    await using(node, use)


async def test_a_trial_says_what_the_write_would_and_leaves_nothing(node: Node):
    def use(client: Client) -> None:
        assert put(client, FIRST, "?dryRun").status == 201
        assert client.ask("GET", PATH + "?auth").status == 404
        assert put(client, FIRST, Idempotency_Key="a").status == 201
        assert put(client, SECOND, "?dryRun", Idempotency_Key="a").status == 200
        assert client.ask("DELETE", PATH + "?dryRun", None, basic()).status == 200
        assert data(client) == ["http://example.org/1"]
        for query in ("?dryRun&overwrite=false", "?overwrite=false"):
            assert put(client, SECOND, query).status == 409
        wrong = [{"index": 0, "type": "URL", "data": ""}]
        assert put(client, wrong, "?dryRun").json == put(client, wrong).json

    await using(node, use)


async def test_what_is_there_and_says_the_same_may_be_written_again(node: Node):
    def use(client: Client) -> None:
        assert put(client, FIRST, "?overwrite=same").status == 201
        before = client.ask("GET", PATH + "?auth").headers["ETag"]
        assert put(client, FIRST, "?overwrite=same").status == 200
        assert client.ask("GET", PATH + "?auth").headers["ETag"] == before
        assert put(client, SECOND, "?overwrite=same").status == 409
        assert data(client) == ["http://example.org/1"]

    await using(node, use)


async def test_a_minter_makes_the_whole_suffix_and_the_same_one_when_it_is_asked_again(node: Node):
    store = node.resolver.store
    prefix = store.prefixes.find(b"88.118.1")
    assert prefix is not None
    await Minting(store).set_minters(prefix, [Minter("cake", "C.{line}-{serial}", 4)], "test")

    def use(client: Client) -> None:
        path = "/api/handles/88.118.1/?minter=cake&line=A12"
        first = client.ask("PUT", path, FIRST, basic(), Idempotency_Key="first")
        assert (first.status, first.json["handle"]) == (201, "88.118.1/C.A12-0001")
        assert client.ask("PUT", path, FIRST, basic(), Idempotency_Key="first").json == first.json
        assert client.ask("PUT", path + "&dryRun", FIRST, basic()).json["handle"] == "88.118.1/C.A12-0002"
        assert client.ask("PUT", path, FIRST, basic()).json["handle"] == "88.118.1/C.A12-0002"
        assert client.ask("GET", "/api/handles/88.118.1/C.A12-0002").status == 200
        assert client.ask("PUT", "/api/handles/88.118.1/?minter=none", FIRST, basic()).status == 404

    await using(node, use)
