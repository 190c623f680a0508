"""Who sends the position of a write is answered with that write, by whichever node is asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from registry.written import POSITION, WritePosition
from resolver import invalidation
from resolver.node import Node
from tests.resolver.http.lab import Client, basic, lab
from tests.resolver.http.test_api import using

PATH = "/api/handles/88.118.1/FRESH"


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, plain_authentication=True) as node:
        yield node


def put(client: Client, text: str) -> str:
    body = [{"index": 1, "type": "DESC", "data": text}]
    reply = client.ask("PUT", PATH, body, basic())
    assert reply.status in (200, 201), reply.body
    return reply.headers[POSITION]


def shown(client: Client, position: str) -> str:
    reply = client.ask("GET", PATH, headers={POSITION: position})
    assert reply.status == 200, reply.body
    return reply.json["values"][0]["data"]["value"]


async def test_a_question_with_the_position_of_a_write_is_answered_with_it(node: Node):
    def use(client: Client) -> None:
        for number in range(20):
            assert shown(client, put(client, str(number))) == str(number)

    await using(node, use)


async def test_a_position_is_that_of_the_write_and_no_later_one(node: Node):
    def use(client: Client) -> tuple[WritePosition, WritePosition]:
        return WritePosition.from_text(put(client, "one")), WritePosition.from_text(put(client, "two"))

    first, second = await using(node, use)
    assert first.transaction < second.transaction
    assert first.book == second.book


async def test_what_writes_nothing_has_no_position(node: Node):
    def use(client: Client) -> list[str | None]:
        refused = client.ask("DELETE", PATH, headers=basic())
        return [client.ask("GET", PATH).headers[POSITION], refused.headers[POSITION]]

    assert await using(node, use) == [None, None]


async def test_a_position_that_is_not_reached_is_refused_after_its_time(node: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(invalidation, "REACHING", 0.05)

    def use(client: Client) -> list[int]:
        position = WritePosition.from_text(put(client, "one"))
        later = replace(position, transaction=position.transaction + 1_000_000)
        strange = replace(position, book=position.book ^ 1)
        return [client.ask("GET", PATH, headers={POSITION: str(one)}).status for one in (later, strange)]

    assert await using(node, use) == [503, 503]


async def test_a_position_that_nobody_gave_is_refused(node: Node):
    def use(client: Client) -> int:
        return client.ask("GET", PATH, headers={POSITION: "yesterday"}).status

    assert await using(node, use) == 400


async def test_a_write_is_reached_while_an_older_one_goes_on(node: Node, database_dsn: str):
    connection = await asyncpg.connect(database_dsn)
    async with connection.transaction():
        await connection.execute("INSERT INTO change_log (kind) VALUES (4)")
        await using(node, lambda client: shown(client, put(client, "younger")))
    await connection.close()


async def test_a_script_of_another_origin_may_send_and_read_positions(node: Node):
    def use(client: Client) -> list[str]:
        asked = client.ask("OPTIONS", PATH, headers={"Origin": "https://example.org"})
        written = client.ask("PUT", PATH, [], basic() | {"Origin": "https://example.org"})
        return [asked.headers["Access-Control-Allow-Headers"], written.headers["Access-Control-Expose-Headers"]]

    assert [POSITION in told for told in await using(node, use)] == [True, True]


async def test_a_question_given_up_leaves_nobody_waiting(node: Node):
    position = node.follower.position_of(1 << 40)
    assert position is not None
    waiting = asyncio.create_task(node.follower.reach(position))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await node.follower.reach(replace(position, transaction=0))
