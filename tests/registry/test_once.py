"""Every request of the registry's interface that writes: made once, or on trial."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from registry import ledger, receipts
from registry.receipts import KEPT
from tests.registry.interface import NDJSON, Node, open_interface

# Routes that have their own way, and why: the parts of a load have receipts of their own, a file that is sent again is
# there once, wrong passwords count whatever becomes of the request, sessions prove by being used whose they are, and
# labels and proposals are only made.
OTHERWISE = {
    ("post", "/api/bulk"),
    ("post", "/api/applications/{application}/evidence"),
    ("post", "/api/login"),
    ("post", "/identity/token"),
    ("post", "/api/login/openid"),
    ("post", "/api/login/openid/code"),
    ("post", "/api/sessions"),
    ("put", "/api/sessions/this"),
    ("delete", "/api/sessions/this"),
    ("post", "/api/labels"),
    ("post", "/api/mappings/propose"),
}
ENTERPRISE = "300:0.NA/88.168.2"
DEADLINE = 60.0
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()
"""
TOKEN = {"label": "scanner", "scopes": ["read"], "days": 5}
FACTORY = {"name": "新厂", "name_en": "New", "prefix": "88.168.77"}


@pytest.fixture
async def node(database_dsn: str) -> AsyncIterator[Node]:
    async with open_interface(database_dsn) as node:
        yield node


async def send(node: Node, method: str, path: str, body: object, by: dict, **headers: str) -> tuple[int, dict]:
    named = by | {name.replace("_", "-"): text for name, text in headers.items()}
    async with node.client.request(method, path, json=body, headers=named) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else {}


async def count(node: Node, statement: str) -> int:
    async with node.store.connection() as connection:
        return int(await connection.fetchval(statement))


async def test_every_route_that_writes_takes_a_key_and_trials(node: Node):
    async with node.client.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    without = set()
    for path, operations in paths.items():
        for method, operation in operations.items():
            if method not in {"post", "put", "patch", "delete"} or path.startswith("/api/jobs"):
                continue
            names = {parameter.get("name") for parameter in operation.get("parameters", [])}
            if not {"Idempotency-Key", "dryRun"} <= names:
                without.add((method, path))
    assert without == OTHERWISE


async def test_what_is_told_once_is_told_again_to_whoever_sends_the_request_again(node: Node):
    sent = ("POST", "/api/tokens", TOKEN, node.operator)
    first = await send(node, *sent, Idempotency_Key="shift-1")
    assert first[0] == 201
    assert await send(node, *sent, Idempotency_Key="shift-1") == first
    assert (await send(node, *sent, Idempotency_Key="shift-2"))[1]["token"] != first[1]["token"]
    assert await count(node, "SELECT count(*) FROM token") == 2
    async with node.store.connection() as connection:
        rows = await connection.fetch("SELECT key, digest, answer FROM receipt")
    assert not any(first[1]["token"].encode() in column for row in rows for column in row), "answers are sealed"


async def test_a_key_that_named_another_request_is_refused(node: Node):
    assert (await send(node, "POST", "/api/tokens", TOKEN, node.operator, Idempotency_Key="a"))[0] == 201
    status, problem = await send(node, "POST", "/api/tokens", TOKEN | {"days": 6}, node.operator, Idempotency_Key="a")
    assert (status, problem["rule"]) == (422, "write.key_reused")
    assert (await send(node, "DELETE", "/api/tokens/1", None, node.operator, Idempotency_Key="a"))[0] == 422
    assert await count(node, "SELECT count(*) FROM token") == 1


async def test_keys_of_two_writers_have_nothing_to_do_with_each_other(node: Node):
    path = "/api/ranges"
    form = {"first": "88.168.2/C-01", "members": 9, "width": 2, "values": []}
    assert (await send(node, "POST", path, form, node.operator, Idempotency_Key="a"))[0] == 201
    assert (await send(node, "POST", path, form, node.enterprise, Idempotency_Key="a"))[0] == 409


async def test_a_refusal_is_not_kept(node: Node):
    sent = ("POST", "/api/people", {"name": "wang", "role": "nobody"}, node.operator)
    assert (await send(node, *sent, Idempotency_Key="a"))[0] == 400
    status, _ = await send(node, "POST", "/api/tokens", TOKEN, node.operator, Idempotency_Key="a")
    assert status == 201


async def test_of_equal_requests_at_once_one_is_made_and_all_are_answered_as_it_was(node: Node):
    sent = ("POST", "/api/enterprises", FACTORY, node.operator)
    answers = await asyncio.gather(*(send(node, *sent, Idempotency_Key="once") for _ in range(6)))
    assert answers[0][0] == 201
    assert all(answer == answers[0] for answer in answers)
    assert node.store.prefixes.find(b"88.168.77") is not None


async def test_a_trial_answers_as_the_real_one_and_leaves_nothing(node: Node):
    sent = ("POST", "/api/enterprises?dryRun", FACTORY, node.operator)
    status, told = await send(node, *sent)
    assert (status, told["prefix"]) == (201, "88.168.77")
    assert node.store.prefixes.find(b"88.168.77") is None, "nobody may write under what is not there"
    assert await count(node, "SELECT count(*) FROM enterprise") == 2
    real = ("POST", "/api/enterprises", FACTORY, node.operator)
    assert (await send(node, *real))[0] == 201
    assert (await send(node, *sent)) == (await send(node, *real)), "and it is refused as the real one"
    assert (await send(node, "POST", "/api/enterprises?dryRun=perhaps", FACTORY, node.operator))[0] == 400


async def test_a_file_that_is_sent_again_is_loaded_once_and_answered_as_the_first_time(node: Node):
    async def sent(octets: bytes) -> tuple[int, dict]:
        named = node.enterprise | NDJSON | {"Idempotency-Key": "file"}
        async with node.client.post("/api/bulk", data=octets, headers=named) as response:
            return response.status, await response.json(content_type=None)

    file = b"".join(b'{"handle":"88.168.2/F-%d","values":[]}\n' % number for number in range(20))
    first = await sent(file)
    assert (first[0], first[1]["created"]) == (200, 20)
    assert await sent(file) == first
    other = await sent(file + b'{"handle":"88.168.2/G","values":[]}\n')
    assert (other[0], other[1]["rule"]) == (422, "write.key_reused")
    assert await count(node, "SELECT count(*) FROM import_batch") == 1


async def test_a_file_that_is_sent_again_while_its_load_ends_is_answered_as_the_first_time(node: Node):
    """Between the look for a load that had ended and its own beginning the first one ended, and all was unchanged."""
    first_key, again = (node.enterprise | NDJSON | {"Idempotency-Key": key} for key in ("other", "file"))
    file = b'{"handle":"88.168.2/F","values":[]}\n'
    async with node.store.connection() as connection, connection.transaction():
        await connection.execute(ledger.ONE_AT_A_TIME, ledger.LOAD_KEYS, f"{ENTERPRISE} file")
        second = asyncio.create_task(node.client.post("/api/bulk", data=file, headers=again))
        deadline = time.monotonic() + DEADLINE
        while not await count(node, WAITING):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        async with node.client.post("/api/bulk", data=file, headers=first_key) as response:
            first = await response.json()
        await connection.execute("UPDATE import_batch SET load_key = $1", f"{ENTERPRISE} file")
    async with await second as response:
        assert await response.json() == first
    assert first["created"] == 1


async def test_a_receipt_is_over_after_two_days(node: Node):
    sent = ("POST", "/api/tokens", TOKEN, node.operator)
    first = await send(node, *sent, Idempotency_Key="a")
    async with node.store.connection() as connection:
        await connection.execute("UPDATE receipt SET made_at = $1", datetime.now(UTC) - KEPT)
    assert (await send(node, *sent, Idempotency_Key="a"))[1]["token"] != first[1]["token"]
    async with node.store.connection() as connection:
        await connection.execute("UPDATE receipt SET made_at = $1", datetime.now(UTC) - KEPT)
        await receipts.trim(connection)
    assert await count(node, "SELECT count(*) FROM receipt") == 0
