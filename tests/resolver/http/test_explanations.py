"""?explain adds to an answer how it came about, and changes nothing else of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from registry.value import HandleValue
from resolver.node import Node
from tests.resolver.http.lab import URL, Client, basic, lab, using

PRIVATE = HandleValue(2, "COST", b"12.5", permissions=0b1100)
HANDLES = {
    "oid/1.2.156.5": (URL, PRIVATE),
    "88.118.1/LABEL": (HandleValue(1, "HS_ALIAS", b"1.2.156.5"),),
}


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES, plain_authentication=True) as node:
        yield node


def told(form: Any) -> list[str]:
    return [step["step"] for step in form["explanation"]["steps"]]


async def test_each_step_of_an_answer_is_told_with_its_time(node: Node):
    def ask(client: Client) -> None:
        for book in (["book"], []):
            answer = client.ask("GET", "/api/handles/urn:oid:1.2.156.5?explain")
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert told(answer.json) == ["read", "route", "cache", *book, "filter", "answer"]
        read, route, cache, filtered, last = answer.json["explanation"]["steps"]
        assert (read["system"], read["handle"]) == ("oid", "oid/1.2.156.5")
        assert "OID" in read["why"]
        assert (route["prefix"], route["here"], cache["outcome"], filtered["shown"]) == ("oid", True, "found", 1)
        assert last["status"] == 200
        assert sum(step["microseconds"] for step in answer.json["explanation"]["steps"]) > 0
        way = client.ask("GET", "/api/handles/88.118.1/LABEL?explain").json
        assert told(way) == ["read", "route", "cache", "book", "alias", "cache", "filter", "answer"]

    await using(node, ask)


@pytest.mark.parametrize("name", ["urn:oid:1.2.156.5", "88.118.1/LABEL", "88.118.1/NONE", "10.5/x", "1.2.156.007", "x"])
@pytest.mark.parametrize("query", ["", "type=URL", "index=9", "publicOnly=false"])
async def test_the_answer_is_the_one_that_is_given_without(node: Node, name: str, query: str):
    def ask(client: Client) -> None:
        for headers in ({}, basic()):
            path = f"/api/handles/{quote(name, safe='/:')}?{query}"
            plain = client.ask("GET", path, headers=headers)
            explained = client.ask("GET", f"{path}&explain=true", headers=headers)
            form = explained.json
            assert form.pop("explanation")["microseconds"] > 0
            assert (explained.status, form) == (plain.status, plain.json)

    await using(node, ask)


async def test_one_name_of_a_batch_is_explained_and_several_are_refused(node: Node):
    def ask(client: Client) -> None:
        plain = client.ask("POST", "/api/resolve", ["1.2.156.5"]).json
        one = client.ask("POST", "/api/resolve?explain", ["1.2.156.5"]).json
        assert told(one["results"][0])[0] == "read"
        del one["results"][0]["explanation"]
        assert one == plain
        assert client.ask("POST", "/api/resolve?explain", ["a/b", "a/c"]).status == 400

    await using(node, ask)


async def test_a_refusal_is_explained_in_the_language_of_the_reader(node: Node):
    def ask(client: Client) -> None:
        answer = client.ask("GET", "/api/handles/2.999.1?explain", Accept_Language="zh").json
        assert "根弧" in answer["explanation"]["steps"][0]["why"]
        refused = client.ask("GET", "/api/handles/did:x:y?explain").json
        assert refused["explanation"]["steps"][-1]["rule"] == "did.method"

    await using(node, ask)
