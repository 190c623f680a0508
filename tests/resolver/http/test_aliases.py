"""Aliases over HTTP: the record of the target under the name asked for, whatever changes, and never in a circle."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from registry.value import HandleValue
from resolver.node import Node
from tests.resolver.http.lab import URL, Client, basic, lab, using

CAKE, BOX, FAR, SSCC = "88.118.1/CAKE", "88.118.1/BOX-LABEL", "88.118.1/FAR", "gs1/00/369012345678901239"
COST = HandleValue(2, "COST", b"12.5", permissions=0b1100)


def alias(target: str) -> tuple[HandleValue, ...]:
    return (HandleValue(1, "HS_ALIAS", target.encode()),)


HANDLES = {
    CAKE: (URL, COST),
    BOX: alias(CAKE),
    SSCC: alias("88.118.1/cake"),
    "88.118.1/TWICE": alias("(00)369012345678901239"),
    FAR: alias("10.5/elsewhere"),
    "88.118.1/NOWHERE": alias("88.118.1/NONE"),
    "88.118.1/NO-NAME": alias("1.2.156.007"),
    "88.118.1/A": alias("88.118.1/B"),
    "88.118.1/B": alias("88.118.1/A"),
}
NAMES = (BOX, SSCC, "(00)369012345678901239", "88.118.1/TWICE")


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES, plain_authentication=True) as node:
        yield node


def get(client: Client, name: str, query: str = "", **headers: str) -> Any:
    return client.ask("GET", f"/api/handles/{name}{query}", **headers)


def write(client: Client, name: str, *values: tuple[str, str]) -> Any:
    body = {"values": [{"index": index, "type": kind, "data": data} for index, (kind, data) in enumerate(values, 1)]}
    return client.ask("PUT", f"/api/handles/{name}", body, basic())


async def test_an_alias_gives_the_record_of_its_target_under_its_own_name(node: Node):
    def ask(client: Client) -> None:
        for query in ("", "?type=URL", "?auth=true", "?index=1"):
            target = get(client, CAKE, query).json
            for name in NAMES:
                for _ in range(4):  # Read, parsed, known, kept.
                    answer = get(client, name, query)
                    assert answer.status == 200
                    assert list(answer.json) == ["responseCode", "handle", "aliasOf", "values"]
                    assert answer.json == target | {"handle": name, "aliasOf": CAKE}

    await using(node, ask)


async def test_a_batch_gives_what_each_alias_alone_gives(node: Node):
    names = [*NAMES, CAKE, FAR, "88.118.1/NOWHERE", "88.118.1/A", "88.118.1/NO-NAME"]

    def ask(client: Client) -> None:
        for query in ("", "?type=URL", "?auth=true", "?ignore_aliases"):
            alone = [get(client, name, query).json for name in names]
            for _ in range(2):
                answer = client.ask("POST", f"/api/resolve{query}", names).json
                assert answer["results"] == alone, query

    await using(node, ask)


async def test_an_alias_itself_is_shown_to_who_asks_for_it(node: Node):
    def ask(client: Client) -> None:
        answer = get(client, BOX, "?ignore_aliases").json
        assert [(value["type"], value["data"]["value"]) for value in answer["values"]] == [("HS_ALIAS", CAKE)]
        assert "aliasOf" not in answer
        page = client.ask("GET", f"/{BOX}?noredirect&ignore_aliases")
        assert page.status == 200
        assert b"<b>BOX-LABEL</b>" in page.body

    await using(node, ask)


async def test_whoever_scans_an_alias_sees_the_page_of_what_it_stands_for(node: Node):
    def ask(client: Client) -> None:
        for name in NAMES:
            page = client.ask("GET", f"/{quote(name)}?noredirect&lang=en")
            assert page.status == 200
            assert b"<span>88.118.1/</span><wbr><b>CAKE</b>" in page.body
            shown = SSCC if name.startswith("(") else name
            assert f"Asked for as {shown}".encode() in page.body
        for name, status in ((FAR, 200), ("88.118.1/NOWHERE", 404), ("88.118.1/A", 508)):
            assert client.ask("GET", f"/{name}?noredirect").status == status

    await using(node, ask)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [(FAR, 200, 1), ("88.118.1/NO-NAME", 200, 1), ("88.118.1/NOWHERE", 404, 100), ("88.118.1/A", 508, 6)],
)
async def test_what_leads_nowhere_is_said(node: Node, name: str, status: int, code: int):
    def ask(client: Client) -> None:
        for _ in range(4):
            answer = get(client, name)
            assert (answer.status, answer.json["responseCode"]) == (status, code)
            assert code != 1 or answer.json["values"][0]["type"] == "HS_ALIAS"

    await using(node, ask)


async def test_changes_of_alias_and_target_are_seen_at_once(node: Node):
    def ask(client: Client) -> None:
        tags = set()
        for text in ("one", "two"):
            assert write(client, CAKE, ("DESC", text)).status == 200
            answer = get(client, BOX)
            assert answer.json["values"][0]["data"]["value"] == text
            tags.add(answer.headers["ETag"])
            assert get(client, BOX, If_None_Match=answer.headers["ETag"]).status == 304
        assert write(client, "88.118.1/OTHER", ("DESC", "other")).status == 201
        assert write(client, BOX, ("HS_ALIAS", "88.118.1/OTHER")).status == 200
        answer = get(client, BOX)
        assert answer.json["aliasOf"] == "88.118.1/OTHER"
        tags.add(answer.headers["ETag"])
        assert len(tags) == 3
        assert client.ask("DELETE", f"/api/handles/{BOX}", headers=basic()).status == 200
        assert get(client, BOX).status == 404
        assert get(client, CAKE).status == 200
        assert client.ask("DELETE", "/api/handles/88.118.1/CAKE", headers=basic()).status == 200
        assert get(client, "(00)369012345678901239").status == 404

    await using(node, ask)


async def test_two_aliases_of_one_second_have_two_tags(node: Node):
    def ask(client: Client) -> None:
        tags = [get(client, name).headers["ETag"] for name in (BOX, CAKE)]
        assert len(set(tags)) == 2

    await using(node, ask)


async def test_an_alias_of_itself_or_in_a_circle_is_refused_when_it_is_written(node: Node):
    def ask(client: Client) -> None:
        assert write(client, CAKE, ("HS_ALIAS", "88.118.1/cake")).json["responseCode"] == 202
        assert write(client, CAKE, ("HS_ALIAS", "(00)369012345678901239")).json["responseCode"] == 202
        assert write(client, CAKE, ("HS_ALIAS", "did:x")).json["responseCode"] == 102
        before = "CAKE"
        codes = []
        for number in range(5):
            codes.append(write(client, f"88.118.1/L{number}", ("HS_ALIAS", f"88.118.1/{before}")).json["responseCode"])
            before = f"L{number}"
        assert codes == [1, 1, 1, 1, 202]

    await using(node, ask)


async def test_private_values_of_the_target_stay_private(node: Node):
    def ask(client: Client) -> None:
        stranger = client.ask("GET", f"/api/handles/{BOX}?publicOnly=false")
        assert stranger.status == 401
        own = client.ask("GET", f"/api/handles/{BOX}", headers=basic())
        assert [value["type"] for value in own.json["values"]] == ["URL", "COST"]

    await using(node, ask)
