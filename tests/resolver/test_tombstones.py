"""What is said of handles that are not resolved in their state: over HTTP, short way and long, and natively."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from registry.handle import Handle
from registry.packing import PackedRecord, pack
from registry.settings import RegistrySettings
from registry.standing import Standing, State, Wish
from registry.states import anything, put
from registry.store import Store
from registry.value import HandleValue
from resolver.answer import GONE, NOT_YET, found
from resolver.listeners.http.handles import NO_VALUES
from resolver.node import Node
from resolver.wire.query import HandleValues
from resolver.wire.refusal import Refusal
from tests.registry.books import DESC, URL, register
from tests.resolver.cores import core
from tests.resolver.http.lab import Client, lab
from tests.resolver.native import query, running_worker

NOW = 1_750_000_000
GONE_NAME, KEPT = "88.118.1/Gone", "88.118.1/Kept"
RECALL = Wish(State.REVOKED, "召回", KEPT)


async def place(store: Store, name: str, wish: Wish) -> None:
    await put(store, [Handle.from_text(name)], wish, by="test", of_node=True, allow=anything)


def packed(standing: Standing, *values: HandleValue) -> PackedRecord:
    return PackedRecord(Handle.from_text(GONE_NAME), pack(values, NOW), NOW, 3, standing)


@pytest.mark.parametrize(("state", "status"), [(State.RESERVED, NOT_YET), (State.REVOKED, GONE), (State.EXPIRED, GONE)])
def test_an_answer_for_a_closed_handle_says_its_state_and_no_value(state, status):
    answer = found(packed(Standing(state, NOW, "me", reason="why"), URL), NOW)
    assert (answer.status, answer.record, answer.registered, answer.etag) == (status, None, False, "")
    assert orjson.loads(answer.body("88.118.1/gone")) == {
        "responseCode": 100,
        "handle": "88.118.1/gone",
        "state": state.word,
        "since": "2025-06-15T15:06:40Z",
        "reason": "why",
    }
    assert answer.to_wire() == b""
    assert len(answer.tail) < len(NO_VALUES)


def test_a_frozen_handle_is_resolved_and_says_that_it_is_frozen():
    answer = found(packed(Standing(State.FROZEN, NOW, "me", reason="dispute"), URL), NOW)
    body = orjson.loads(answer.body("88.118.1/gone"))
    assert (body["responseCode"], body["state"], body["values"][0]["type"]) == (1, "frozen", "URL")
    assert answer.record.values[0].data == URL.data
    assert answer.to_wire() == found(packed(Standing(State.ACTIVE, NOW, "me"), URL), NOW).to_wire()


def test_an_answer_is_not_promised_for_longer_than_its_handle_has():
    limited = Standing(State.ACTIVE, NOW, "me", expires=NOW + 60)
    assert found(packed(limited, URL), NOW).ttl == 60
    assert found(packed(limited, URL), NOW + 300).ttl == 0


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, {GONE_NAME: (URL, DESC), KEPT: (URL,)}) as node:
        store = Store(RegistrySettings(dsn=database_dsn), "test")
        await store.open()
        await place(store, GONE_NAME, RECALL)
        await place(store, "88.118.1/Soon", Wish(State.RESERVED, "line 7"))
        await store.close()
        yield node


def told(node: Node, path: str, times: int = 1, **headers: str) -> list[tuple[int, str | None, bytes]]:
    client = Client(node.port)
    try:
        replies = [client.ask("GET", path, headers={"Host": "node", **headers}) for _ in range(times)]
        return [(reply.status, reply.headers["Link"], reply.body) for reply in replies]
    finally:
        client.close()


async def test_a_revoked_handle_is_gone_over_http_and_leads_to_its_successor(node: Node):
    path = f"/api/handles/{GONE_NAME}"
    first, *others = await asyncio.to_thread(told, node, path, 6)
    status, link, body = first
    assert (status, link) == (410, f'</api/handles/{KEPT}>; rel="successor-version"')
    form = orjson.loads(body)
    assert (form["responseCode"], form["handle"], form["state"], form["reason"], form["successor"]) == (
        100, GONE_NAME, "revoked", "召回", KEPT
    )  # fmt: skip
    assert node.metrics.counts.ready > 0  # the short way was taken,
    assert others == [first] * 5  # and nobody can tell
    for selection in ("?auth=true", "?index=1", "?publicOnly=true"):
        assert await asyncio.to_thread(told, node, path + selection) == [first]


async def test_a_reserved_handle_is_not_found_and_says_that_it_is_reserved(node: Node):
    for status, link, body in await asyncio.to_thread(told, node, "/api/handles/88.118.1/Soon", 4):
        assert (status, link, orjson.loads(body)["state"]) == (404, None, "reserved")


@pytest.mark.parametrize(("language", "words"), [("en", "Withdrawn"), ("zh", "注销")])
async def test_a_browser_sees_a_page_that_says_why_and_leads_on(node: Node, language: str, words: str):
    ((status, _, body),) = await asyncio.to_thread(told, node, f"/{GONE_NAME}?lang={language}", Accept="text/html")
    page = body.decode()
    assert status == 410
    assert words in page
    assert "召回" in page
    assert f'href="/{KEPT}?noredirect&amp;lang={language}"' in page


async def test_a_batch_tells_the_state_of_each_handle(node: Node):
    def ask() -> dict:
        client = Client(node.port)
        try:
            return client.ask("POST", "/api/resolve", [GONE_NAME, KEPT, "88.118.1/Soon", "88.118.1/none"]).json
        finally:
            client.close()

    form = await asyncio.to_thread(ask)
    assert [(one["responseCode"], one.get("state")) for one in form["results"]] == [
        (100, "revoked"),
        (1, None),
        (100, "reserved"),
        (100, None),
    ]
    assert form["counts"] == {"found": 1, "notFound": 3, "refused": 0, "busy": 0}


async def test_a_state_is_heard_of_by_whoever_keeps_the_answer(database_dsn: str):
    async with core(database_dsn) as made:
        await made.register("0.NA/88.1.1")
        assert (await made.ask("0.NA/88.1.1")).registered
        await place(made.store, "0.NA/88.1.1", Wish(State.REVOKED, "left"))
        await made.resolver.caught_up()
        answer = await made.ask("0.NA/88.1.1")
        assert (answer.registered, answer.tombstone.state) == (False, State.REVOKED)
        assert made.peek("0.NA/88.1.1") is answer  # kept as any other
        await place(made.store, "0.NA/88.1.1", Wish(State.ACTIVE))
        await made.resolver.caught_up()
        assert (await made.ask("0.NA/88.1.1")).registered


@pytest.mark.parametrize("types", [(), ("URL",)])
async def test_a_native_client_is_told_why_there_is_nothing(database_dsn: str, types: tuple[str, ...]):
    async with running_worker(database_dsn) as worker:
        await register(worker.store, GONE_NAME, URL)
        await place(worker.store, GONE_NAME, RECALL)
        asked = query(GONE_NAME, *types)
        waited = await worker.answer_to(asked)
        at_once = worker.operations.respond_now(asked, "udp")
        for answer in (waited, at_once):
            assert answer.response_code == 100
            message = Refusal.from_wire(answer.content).text
            assert "revoked" in message
            assert "召回" in message
            assert KEPT in message


async def test_a_native_client_reads_a_frozen_handle(database_dsn: str):
    async with running_worker(database_dsn) as worker:
        await register(worker.store, GONE_NAME, URL)
        await place(worker.store, GONE_NAME, Wish(State.FROZEN, "dispute"))
        for _ in range(2):
            answer = await worker.answer_to(query(GONE_NAME))
            assert [value.type for value in HandleValues.from_wire(answer.content).values] == ["URL"]
