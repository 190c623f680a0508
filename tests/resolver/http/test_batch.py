"""Many handles in one request: each result is the one that the handle alone would have."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from registry.errors import ProtocolFault
from registry.value import HandleValue
from resolver.listeners.http.batch import MAX_BODY, MAX_REQUESTS
from resolver.listeners.http.batch_forms import LINES, LIST, MAX_HANDLES, cut, names_of
from resolver.node import Node
from tests.resolver.http.lab import JSON, SECRET, TIMEOUT, URL, Client, basic, lab

PATH = "/api/resolve"
NDJSON = {"Content-Type": "application/x-ndjson"}
PRIVATE = replace(URL, index=2, type="COST", data=b"12.5", permissions=0b1100)
NOBODYS = replace(URL, index=3, type="SEED", data=b"x", permissions=0b0100)
MIXED, HIDDEN, SEALED, PLAIN = "88.118.1/MIXED", "88.118.1/HIDDEN", "88.118.1/SEALED", '88.118.1/涤纶 "A"'
HANDLES = {
    MIXED: (URL, PRIVATE),
    HIDDEN: (PRIVATE,),
    SEALED: (URL, NOBODYS),
    PLAIN: (URL, HandleValue(5, "DESC", "涤纶".encode())),
}
UNKNOWN, FOREIGN, EMPTY, TOO_LONG = "88.118.1/NONE", "10.5/A", "", "88.118.1/" + "x" * 2048
NAMES = [PLAIN, UNKNOWN, FOREIGN, EMPTY, MIXED, "88.118.1/read", TOO_LONG, HIDDEN, PLAIN, "88.118.1", SEALED]
STRANGER = basic("301:0.NA/88.118.2", SECRET)
QUERIES = (
    *("", "publicOnly=true", "publicOnly=false", "index=1", "index=2&index=3", "index=9", "type=URL", "auth=true"),
    *("type=COST&publicOnly=false", "index=1&publicOnly=false", "auth=true&index=2&publicOnly"),
)
MALFORMED = (
    ({"handle": PLAIN}, {}, 400, "$: is no array of handles"),
    ([PLAIN, 7], {}, 400, "$[1]: names no handle, got 7"),
    ([{"handle": 7}], {}, 400, "$[0]: names no handle"),
    (b"[", {}, 400, "the body is not JSON"),
    (b'["\\ud800"]', {}, 400, "the body is not JSON"),
    (b'"a/b"\n\n"a/c"', NDJSON, 400, "the body is not JSON: line 2"),
    (b'"a/b"\n{}\n', NDJSON, 400, "line 2: names no handle"),
    (b"a/b", {"Content-Type": "text/plain"}, 400, "Unsupported media type text/plain"),
    (["a/b"] * (MAX_HANDLES + 1), {}, 400, "more than 10000 handles"),
    (b'"a/b"\n' * (MAX_HANDLES + 1), NDJSON, 400, "more than 10000 handles"),
    (b" " * (MAX_BODY + 1), {}, 413, "the body is longer than"),
)
COUNTED = ("hits", "misses", "found", "not_found", "not_responsible", "busy", "errors", "stale")


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES) as node:
        yield node


async def using(node: Node, use: Callable[[Client], Any], *, tls: bool = False) -> Any:
    def run() -> Any:
        client = Client(node.port, tls=tls)
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


def counts_of(node: Node) -> dict[str, int]:
    return {name: getattr(node.metrics.counts, name) for name in COUNTED}


async def test_each_result_is_that_of_the_handle_alone_in_the_order_of_the_request(node: Node):
    def use(client: Client) -> None:
        for _ in ("read", "kept"):
            reply = client.ask("POST", PATH, NAMES)
            assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
            assert reply.json["responseCode"] == 1
            results = reply.json["results"]
            assert [one["handle"] for one in results] == NAMES
            assert [one["responseCode"] for one in results] == [1, 100, 301, 102, 1, 1, 102, 200, 1, 1, 1]
            for name, result in zip(NAMES, results, strict=True):
                if name not in (EMPTY, TOO_LONG):
                    alone = client.ask("GET", f"/api/handles/{quote(name)}").json
                    assert result == alone | {"handle": name}
            assert reply.json["counts"] == {"found": 6, "notFound": 2, "refused": 3, "busy": 0}

    await using(node, use)


async def test_refusals_are_told_in_the_language_of_the_reader(node: Node):
    reply = await using(node, lambda client: client.ask("POST", PATH, [FOREIGN], Accept_Language="zh"))
    assert reply.json["results"] == [{"responseCode": 301, "message": "该前缀不在本节点", "handle": FOREIGN}]
    assert reply.headers["Content-Language"] == "zh"


async def test_lines_are_answered_in_lines_and_with_the_counts_in_one_more(node: Node):
    lines = "".join(
        json.dumps(name if place % 2 else {"handle": name}) + "\r\n" for place, name in enumerate(NAMES)
    ).encode()

    def use(client: Client) -> None:
        reply = client.ask("POST", PATH, lines, NDJSON)
        assert reply.headers["Content-Type"] == "application/x-ndjson"
        whole = client.ask("POST", PATH, NAMES).json
        assert reply.body.endswith(b"\n")
        results = [json.loads(line) for line in reply.body[:-1].split(b"\n")]
        assert results == [*whole["results"], {"responseCode": 1, "counts": whole["counts"]}]
        assert client.ask("POST", PATH, lines, NDJSON, Accept="application/json").json == whole
        again = client.ask("POST", PATH, NAMES, Accept="text/html, application/x-ndjson;q=0.9")
        assert again.body == reply.body
        assert (
            client.ask("POST", PATH, lines, NDJSON, Accept="application/json, application/x-ndjson").body == again.body
        )

    await using(node, use)


async def test_nothing_asked_for_is_answered_with_nothing(node: Node):
    def use(client: Client) -> None:
        counts = {"found": 0, "notFound": 0, "refused": 0, "busy": 0}
        assert client.ask("POST", PATH, []).json == {"responseCode": 1, "results": [], "counts": counts}
        assert (
            client.ask("POST", PATH, b"\n", NDJSON).body
            == b'{"responseCode":1,"counts":%b}\n' % json.dumps(counts, separators=(",", ":")).encode()
        )

    await using(node, use)


async def test_what_is_no_list_of_handles_is_refused_with_the_rule(node: Node):
    def use(client: Client) -> None:
        for body, headers, status, message in MALFORMED:
            given = (JSON if isinstance(body, bytes) else {}) | headers
            reply = client.ask("POST", PATH, body, given)
            assert (reply.status, reply.json["responseCode"]) == (status, 4), message
            assert message in reply.json["message"]
            assert "handle" not in reply.json
            client.close()

    await using(node, use)


async def test_a_parameter_that_says_nothing_is_refused(node: Node):
    def use(client: Client) -> None:
        for query in ("index=no", "publicOnly=maybe", "auth=maybe"):
            reply = client.ask("POST", f"{PATH}?{query}", [PLAIN])
            assert (reply.status, reply.json["responseCode"]) == (400, 4)

    await using(node, use)


async def test_as_many_handles_as_are_allowed_come_back_in_their_order(node: Node):
    names = [MIXED if number % 3 else f"88.118.1/NONE-{number % 4000}" for number in range(MAX_HANDLES)]

    def use(client: Client) -> None:
        before = node.metrics.counts.reads
        for headers in ({}, NDJSON):
            body = names if not headers else "\n".join(map(json.dumps, names)).encode()
            reply = client.ask("POST", PATH, body, headers)
            if headers:
                *results, last = map(json.loads, reply.body.splitlines())
            else:
                results, last = reply.json["results"], reply.json
            assert [one["handle"] for one in results] == names
            assert last["counts"] == {"found": 6666, "notFound": 3334, "refused": 0, "busy": 0}
        assert node.metrics.counts.reads - before < 100

    await using(node, use)


async def test_heavy_records_come_whole_and_in_their_order(database_dsn: str, tmp_path: Path):
    heavy = {f"88.118.1/{name}": (replace(URL, data=name.encode() * 100_000),) for name in "ABC"}
    names = [name for name in (*heavy, UNKNOWN) for _ in range(40)]

    async with lab(database_dsn, tmp_path, heavy) as node:

        def use(client: Client) -> None:
            for query in ("", "?type=URL"):
                results = client.ask("POST", PATH + query, names).json["results"]
                assert [one["handle"] for one in results] == names
                for name, result in zip(names, results, strict=True):
                    texts = [value["data"]["value"] for value in result.get("values", ())]
                    assert texts == ([name[-1] * 100_000] if name in heavy else [])

        await using(node, use)


@given(st.lists(st.binary(max_size=9), max_size=30), st.integers(0, 20))
def test_an_answer_is_cut_into_what_it_was(parts: list[bytes], octets: int):
    pieces = list(cut(parts, octets))
    assert [part for piece in pieces for part in piece] == parts
    assert all(sum(map(len, piece[:-1])) <= octets for piece in pieces)


async def test_nobody_sees_more_or_less_in_a_batch_than_alone(node: Node):
    names = [MIXED, HIDDEN, SEALED, PLAIN, UNKNOWN, FOREIGN, "88.118.1"]

    def compare(client: Client, query: str, headers: dict[str, str]) -> None:
        batch = client.ask("POST", f"{PATH}?{query}", names, headers)
        alone = [client.ask("GET", f"/api/handles/{quote(name)}?{query}", headers=headers) for name in names]
        if headers == STRANGER:  # Whoever proves nothing is refused whatever he asks for.
            assert {(one.status, one.json["responseCode"]) for one in (batch, *alone)} == {(403, 406)}
            return
        shown = [(one["responseCode"], one.get("values")) for one in batch.json["results"]]
        assert shown == [(one.json["responseCode"], one.json.get("values")) for one in alone], (query, headers)
        assert batch.headers["Cache-Control"] == "private, no-store"

    def use(client: Client) -> None:
        for query in QUERIES:
            for headers in ({}, basic(), STRANGER):
                compare(client, query, headers)

    await using(node, use, tls=True)


async def test_each_handle_counts_as_if_it_had_been_asked_for_alone(node: Node):
    names = [PLAIN, PLAIN, UNKNOWN, UNKNOWN, FOREIGN, MIXED, EMPTY]

    def use(client: Client) -> None:
        for counted in ({"misses": 5, "hits": 0}, {"misses": 0, "hits": 5}):
            before = counts_of(node)
            client.ask("POST", PATH, names)
            after = counts_of(node)
            others = {"found": 3, "not_found": 2, "not_responsible": 1, "busy": 0, "errors": 0, "stale": 0}
            assert {name: after[name] - before[name] for name in COUNTED} == counted | others

    await using(node, use)


async def test_equal_handles_of_one_request_are_read_once(node: Node):
    before = sum(node.metrics.batch.counts), node.metrics.batch.total
    await using(node, lambda client: client.ask("POST", PATH, [PLAIN, PLAIN.lower(), PLAIN] * 20))
    assert (sum(node.metrics.batch.counts) - before[0], node.metrics.batch.total - before[1]) == (1, 1)


async def test_what_is_kept_is_answered_beside_what_cannot_be_read(database_dsn: str, tmp_path: Path):
    async with lab(database_dsn, tmp_path, HANDLES, miss_deadline=0.2) as node:
        await using(node, lambda client: client.ask("POST", PATH, [PLAIN]))
        connection = await asyncpg.connect(database_dsn)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE handle IN ACCESS EXCLUSIVE MODE")
                reply = await using(node, lambda client: client.ask("POST", PATH, [MIXED, PLAIN, UNKNOWN]))
        finally:
            await connection.close()
        assert reply.status == 200
        assert [one["responseCode"] for one in reply.json["results"]] == [3, 1, 3]
        assert reply.json["counts"] == {"found": 1, "notFound": 0, "refused": 0, "busy": 2}


async def test_stale_answers_are_marked_as_those_for_one_handle(database_dsn: str, tmp_path: Path):
    async with lab(database_dsn, tmp_path, HANDLES, poll_interval=10.0, max_staleness=1.0) as node:
        await using(node, lambda client: client.ask("POST", PATH, [PLAIN]))
        async with asyncio.timeout(TIMEOUT):
            while not node.resolver.staleness:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)
        reply = await using(node, lambda client: client.ask("POST", PATH, [PLAIN]))
        alone = await using(node, lambda client: client.ask("GET", f"/api/handles/{quote(PLAIN)}"))
        assert reply.headers["Warning"] == alone.headers["Warning"]
        assert int(reply.headers["Age"]) >= 1


async def test_scripts_of_any_page_may_read_an_answer(node: Node):
    reply = await using(node, lambda client: client.ask("POST", PATH, [PLAIN], Origin="https://example.org"))
    assert reply.headers["Access-Control-Allow-Origin"] == "https://example.org"


async def test_too_many_requests_at_a_time_are_refused_and_none_holds_its_place_for_ever(node: Node):
    def use(client: Client) -> None:
        waiting = [_begun(node.port) for _ in range(MAX_REQUESTS)]
        refused = client.ask("POST", PATH, [PLAIN])
        assert (refused.status, refused.json["responseCode"]) == (503, 3)
        assert client.ask("GET", f"/api/handles/{quote(PLAIN)}").status == 200
        for one in waiting[1:]:
            one.close()
        waiting[0].sendall(b'["a"]')
        head = waiting[0].recv(1 << 16)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
        waiting[0].close()

    await using(node, use)

    def served(client: Client) -> bool:
        return client.ask("POST", PATH, [PLAIN]).status == 200

    async with asyncio.timeout(TIMEOUT):
        while not await using(node, served):  # noqa: ASYNC110  # the node tells no client that a place is free
            await asyncio.sleep(0.01)


async def test_a_client_that_leaves_in_the_middle_leaves_no_fault_behind(node: Node):
    body = json.dumps([MIXED] * MAX_HANDLES).encode()

    def leave() -> None:
        with socket.create_connection(("127.0.0.1", node.port), TIMEOUT) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(_head(len(body)) + b"\r\n" + body)
            assert connection.recv(12) == b"HTTP/1.1 200"

    for _ in range(3):
        await asyncio.to_thread(leave)
    reply = await using(node, lambda client: client.ask("POST", PATH, [PLAIN]))
    assert reply.json["counts"]["found"] == 1


def _head(length: int) -> bytes:
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    ).encode()


def _begun(port: int) -> socket.socket:
    """A request that has been taken, and whose body is waited for."""
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    connection.sendall(_head(5) + b"Expect: 100-continue\r\n\r\n")
    assert connection.recv(1 << 12).startswith(b"HTTP/1.1 100 ")
    return connection


@given(st.one_of(st.binary(max_size=60), st.text(alphabet='[]{}",\n\\ aé0:handle', max_size=60).map(str.encode)))
def test_any_body_is_a_list_of_names_or_refused(body: bytes):
    for framing in (LIST, LINES):
        try:
            names = names_of(body, framing)
        except ProtocolFault:
            continue
        assert all(type(name) is str for name in names)


@given(st.lists(st.text(), max_size=20))
def test_names_are_read_as_they_were_written(names: list[str]):
    assert names_of(json.dumps(names).encode(), LIST) == names
    objects = [json.dumps({"handle": name}) for name in names]
    assert names_of("\n".join(objects).encode(), LINES) == names
    assert names_of("".join(f"{line}\n" for line in objects).encode(), LINES) == names
