"""/api/handles as clients use it: what it answers beyond the captured exchanges, and what it refuses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from registry.value import HandleValue
from resolver.node import Node
from tests.resolver.http.lab import Client, basic, lab

Outcome = TypeVar("Outcome")

HANDLES = {
    "88.118.1/X": (
        HandleValue(1, "URL", b"http://example.org/x", ttl=60),
        HandleValue(2, "DESC", "涤纶".encode(), ttl=3600),
        HandleValue(3, "NOTE", b"hidden", permissions=0b1100),
        HandleValue(4, "NOTE", b"sealed", permissions=0b0000),
    ),
    "88.118.1/ONLY-HIDDEN": (HandleValue(1, "NOTE", b"hidden", permissions=0b1100),),
    "88.118.1/a%2Fb#c?d;e+f 工": (HandleValue(1, "URL", b"http://example.org/odd"),),
}
PATH = "/api/handles/88.118.1/X"


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES, plain_authentication=False) as node:
        yield node


async def using(node: Node, use: Callable[[Client], Outcome], *, tls: bool = False) -> Outcome:
    """What a client does with its connection, beside the loop of the node."""

    def run() -> Outcome:
        client = Client(node.port, tls=tls)
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


async def test_a_full_answer_and_a_filtered_one_each_have_a_validator_that_saves_the_body(node: Node):
    def use(client: Client) -> None:
        for path in (PATH, PATH + "?type=DESC", PATH + "?pretty", PATH + "?publicOnly=true"):
            first = client.ask("GET", path)
            assert first.status == 200
            again = client.ask("GET", path, If_None_Match=first.headers["ETag"])
            assert (again.status, again.body) == (304, b"")
            assert again.headers["ETag"] == first.headers["ETag"]
            other = client.ask("GET", path, If_None_Match='"another"')
            assert (other.status, other.body) == (200, first.body)
        assert client.ask("GET", PATH, If_None_Match="*").status == 304

    await using(node, use)


async def test_answers_may_be_kept_as_long_as_their_shortest_lived_value(node: Node):
    reply = await using(node, lambda client: client.ask("GET", PATH))
    assert reply.headers["Cache-Control"] == "max-age=60"
    assert reply.headers["Vary"] == "Authorization, Origin"
    assert "Age" not in reply.headers
    assert "Warning" not in reply.headers


async def test_head_has_the_headers_of_get_and_no_body(node: Node):
    def use(client: Client) -> None:
        for path in (PATH, "/api/handles/88.118.1/none", "/api/handles/99.9/none", "/api/site"):
            get, head = client.ask("GET", path), client.ask("HEAD", path)
            assert head.status == get.status
            assert head.body == b""
            assert head.headers["Content-Length"] == get.headers["Content-Length"]
            assert head.headers["Content-Type"] == get.headers["Content-Type"]

    await using(node, use)


ODD_NAMES = {
    "88.118.1/a%252Fb%23c%3Fd;e+f%20%E5%B7%A5": "88.118.1/a%2Fb#c?d;e+f 工",
    "88.118.1%2Fa%252fB#C%3fD%3be%2bf%20%e5%b7%a5": "88.118.1/a%2fB#C?D;e+f 工",
}


async def test_odd_characters_come_back_as_they_were_asked_for(node: Node):
    def use(client: Client) -> dict[str, str]:
        replies = {raw: client.ask("GET", f"/api/handles/{raw}").json for raw in ODD_NAMES}
        return {raw: reply["handle"] for raw, reply in replies.items() if reply["responseCode"] == 1}

    assert await using(node, use) == ODD_NAMES


NONSENSE = [
    ("/api/handles/", 400, 102, None),
    ("/api/handles/88.118.1/%ff", 404, 100, "88.118.1/�"),
    ("/api/handles/88.118.1/%00", 404, 100, "88.118.1/\0"),
    ("/api/handles/88.118.1/%4", 400, 4, None),
    ("/api/handles/88.118.1/" + "x" * 2048, 400, 102, None),
    ("/api/handles/" + "x" * 20, 404, 100, "x" * 20),
    ("/api/handles//", 400, 301, "/"),
    (PATH + "?index=x", 400, 4, None),
    (PATH + "?index=-1", 400, 4, None),
    (PATH + "?index=99999999999999999999", 400, 4, None),
    (PATH + "?publicOnly=perhaps", 400, 4, None),
    (PATH + "?" + "&" * 2000, 400, 4, None),
    ("/api/handles?prefix=", 400, 102, None),
    ("/api", 404, 100, "api"),
]


async def test_a_question_that_makes_no_sense_has_its_own_code(node: Node):
    def use(client: Client) -> Iterator[tuple[str, int, int, str | None]]:
        for path, *_ in NONSENSE:
            reply = client.ask("GET", path, Accept="application/json")
            yield path, reply.status, reply.json["responseCode"], reply.json.get("handle")

    assert await using(node, lambda client: list(use(client))) == NONSENSE


async def test_messages_are_in_the_language_of_the_reader(node: Node):
    def use(client: Client) -> None:
        chinese = client.ask("GET", "/api/handles/99.9/x", Accept_Language="zh-CN,zh;q=0.9,en;q=0.8")
        english = client.ask("GET", "/api/handles/99.9/x")
        assert chinese.json["message"] == "该前缀不在本节点"
        assert english.json["message"] == "That prefix doesn't live here"
        assert chinese.headers["Content-Language"] == "zh"
        assert "Accept-Language" in chinese.headers["Vary"]

    await using(node, use)


async def test_a_script_gets_only_characters_of_a_name_before_its_bracket(node: Node):
    reply = await using(node, lambda client: client.ask("GET", PATH + "?callback=a<b>();//&index=1"))
    assert reply.headers["Content-Type"] == "application/javascript;charset=utf-8"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.body.startswith(b'a_b______({"')


async def test_only_what_everybody_may_read_is_given_to_strangers(node: Node):
    def use(client: Client) -> None:
        for path in (PATH, PATH + "?index=1&index=2&index=3&index=4", PATH + "?type=NOTE&type=URL&type=DESC"):
            assert [value["index"] for value in client.ask("GET", path).json["values"]] == [1, 2]
        hidden = client.ask("GET", "/api/handles/88.118.1/ONLY-HIDDEN").json
        assert hidden == {"responseCode": 200, "values": [], "handle": "88.118.1/ONLY-HIDDEN"}
        assert client.ask("GET", PATH + "?publicOnly=false&type=URL").status == 200
        assert client.ask("GET", PATH + "?publicOnly=false").json["responseCode"] == 402
        assert client.ask("POST", PATH, {"publicOnly": False, "index": [3]}).json["responseCode"] == 402
        assert client.ask("POST", PATH, {"index": [1, 3]}).json["values"][0]["index"] == 1

    await using(node, use, tls=True)


async def test_what_is_not_for_everybody_is_kept_by_no_cache(node: Node):
    def use(client: Client) -> None:
        reply = client.ask("GET", PATH, headers=basic())
        assert [value["index"] for value in reply.json["values"]] == [1, 2, 3, 4]
        assert reply.headers["Cache-Control"] == "private, no-store"
        assert "ETag" not in reply.headers

    await using(node, use, tls=True)


async def test_an_administrator_of_another_prefix_reads_no_restricted_value(database_dsn: str, tmp_path: Path):
    handles = {**HANDLES, "0.NA/88.118.2": (HandleValue(300, "HS_SECKEY", b"other", permissions=0b1100),)}
    async with lab(database_dsn, tmp_path, handles) as node:

        def use(client: Client) -> None:
            other = basic("300:0.NA/88.118.2", b"other")
            assert client.ask("GET", PATH + "?type=URL", headers=other).status == 200
            refused = client.ask("GET", PATH, headers=other)
            assert (refused.status, refused.json["responseCode"]) == (403, 401)  # value 4 is for nobody
            refused = client.ask("GET", PATH + "?index=3", headers=other)
            assert (refused.status, refused.json["responseCode"]) == (403, 400)
            public = client.ask("GET", PATH + "?publicOnly", headers=other).json["values"]
            assert [value["index"] for value in public] == [1, 2]

        await using(node, use, tls=True)


async def test_what_was_written_is_answered_at_once(node: Node):
    def use(client: Client) -> None:
        path, value = "/api/handles/88.118.1/NEW", {"index": 1, "type": "DESC", "data": "0"}
        assert client.ask("GET", path).status == 404
        for text in "12345":
            assert client.ask("PUT", path, [value | {"data": text}], headers=basic()).status in {200, 201}
            assert client.ask("GET", path).json["values"][0]["data"]["value"] == text
        assert client.ask("DELETE", path, headers=basic()).status == 200
        assert client.ask("GET", path).status == 404
        assert client.ask("GET", path + "?auth").status == 404

    await using(node, use, tls=True)


async def test_a_prefix_is_answered_for_as_soon_as_it_is_homed_and_no_longer_than_it_is(node: Node):
    def use(client: Client) -> None:
        value, path = [{"index": 1, "type": "DESC", "data": "x"}], "/api/handles/88.118.7/A"
        assert client.ask("GET", path).json["responseCode"] == 301
        assert client.ask("POST", "/api/prefixes/0.NA/88.118.7", headers=basic()).status == 200
        assert client.ask("GET", path).json["responseCode"] == 100
        assert client.ask("PUT", path, value, headers=basic()).status == 201
        assert client.ask("GET", path).json["responseCode"] == 1
        assert client.ask("DELETE", "/api/prefixes/0.NA/88.118.7", headers=basic()).status == 200
        assert client.ask("GET", path).json["responseCode"] == 301

    await using(node, use, tls=True)


REFUSED_METHODS = [
    ("PATCH", PATH, 501, None),
    ("PROPFIND", "/api/site", 501, None),
    ("PUT", "/api/site", 405, "GET, HEAD, OPTIONS"),
    ("DELETE", "/api/handles", 405, "GET, HEAD, OPTIONS"),
    ("GET", "/api/sessions", 405, "POST, OPTIONS"),
    ("PUT", "/docs", 405, "GET, HEAD, OPTIONS"),
    ("POST", "/api/nothing", 404, None),
]


async def test_a_method_that_is_not_there_is_refused_with_those_that_are(node: Node):
    def use(client: Client) -> Iterator[tuple[str, str, int, str | None]]:
        for method, path, *_ in REFUSED_METHODS:
            reply = client.ask(method, path)
            assert reply.json["responseCode"] == 4
            yield method, path, reply.status, reply.headers["Allow"]

    assert await using(node, lambda client: list(use(client))) == REFUSED_METHODS


async def test_a_page_of_any_origin_may_read_answers_and_refusals(node: Node):
    def use(client: Client) -> None:
        for path in (PATH, PATH + "?index=1", "/api/handles/99.9/x", "/api/nothing", "/api/site"):
            reply = client.ask("GET", path, Origin="https://app.example")
            assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert client.ask("GET", PATH).headers["Access-Control-Allow-Origin"] is None

    await using(node, use)


async def test_a_body_that_is_no_json_or_too_long_changes_nothing(node: Node):
    def use(client: Client) -> None:
        long = client.ask("PUT", PATH, b"[" + b" " * (1 << 20) + b"]", basic() | {"Content-Type": "application/json"})
        assert (long.status, long.json["responseCode"]) == (413, 4)
        client.close()
        packed = client.ask("PUT", PATH, [], basic() | {"Content-Encoding": "gzip"})
        assert (packed.status, packed.json["responseCode"]) == (400, 4)
        for body in (
            b"",
            b"{",
            b"[1]",
            b'"x"',
            b"null",
            b"\xff",
            b"[" * 100_000,
            b'[{"index":1,"type":"A","data":{}}]',
        ):
            broken = client.ask("PUT", PATH, body, basic() | {"Content-Type": "application/json"})
            assert (broken.status, broken.json["responseCode"]) == (400, 4), body[:40]
        assert len(client.ask("GET", PATH).json["values"]) == 2

    await using(node, use, tls=True)


async def test_lists_are_given_page_by_page_and_never_longer_than_they_may_be(node: Node):
    def use(client: Client) -> None:
        def ask(query: str) -> dict:
            return client.ask("GET", f"/api/handles?prefix=88.118.1{query}", headers=basic()).json

        everything = ask("")["handles"]
        assert "88.118.1/X" in everything
        assert ask("&pageSize=0")["handles"] == []
        assert ask("&pageSize=0")["totalCount"] == str(len(everything))
        assert ask("&page=0&pageSize=2")["handles"] + ask("&page=1&pageSize=2")["handles"] == everything[:4]
        assert ask("&page=0")["pageSize"] == 1000
        assert ask("&pageSize=100001")["responseCode"] == 4

    await using(node, use, tls=True)


async def test_requests_are_timed_and_counted(node: Node):
    before = sum(node.metrics.latency.counts)
    await using(node, lambda client: [client.ask("GET", path) for path in (PATH, PATH, "/api/nothing")])
    assert sum(node.metrics.latency.counts) == before + 3
