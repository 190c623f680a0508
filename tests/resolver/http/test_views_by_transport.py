"""What is hidden stays hidden on the ways that are no page and no JSON: native messages, names, streams and files."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from registry.feed import Feed
from registry.value import HandleValue, Reference
from registry.webhook_delivery import Deliverer
from registry.webhooks import Webhooks
from resolver.client.exchange import MEDIA_TYPE
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from tests.registry.receiver import Receiver
from tests.registry.test_feed_api import heard
from tests.registry.test_jobs import working
from tests.resolver.http.views_lab import ADMINS, FRIEND, NOBODYS, OWN, PUBLIC, marks, open_matrix
from tests.resolver.native import CALLED_FOR, answered, query
from tests.resolver.test_dns import Listener, over_tcp, question
from tests.resolver.test_tcp import Client

ZONE, DEADLINE = "oid-res.test", 20.0
VALUES = [("DESC", PUBLIC), ("COST", ADMINS), ("MIX.A", ADMINS)]
SEEN = {"owner": {"mark-new-1", "mark-new-2", "mark-new-3"}, "friend": {"mark-new-1", "mark-new-2"}}
OID = {
    "oid/1.2.156.88": (
        HandleValue(1, "URL", b"https://example.com/mark-new-1"),
        HandleValue(2, "ORS.CINF", b"https://example.com/mark-new-2", permissions=ADMINS),
        HandleValue(3, "URL", b"https://example.com/mark-new-3", permissions=NOBODYS),
    )
}


@pytest.fixture
async def matrix(database_dsn, tmp_path):
    async with open_matrix(database_dsn, tmp_path, OID, dns_zone=ZONE, dns_port=0) as matrix:
        await matrix.say({"COST": ["partner"]}, friends=True)
        yield matrix


def text_of(message: Message) -> str:
    return message.body.decode(errors="replace")


async def over_stream(node, *messages):
    """The answers over one connection to the native port."""
    client = Client(*await asyncio.open_connection("127.0.0.1", node.native_port))
    try:
        return await client.ask(*messages)
    finally:
        client.writer.transport.abort()


async def over_datagram(node, message):
    way, listener = await asyncio.get_running_loop().create_datagram_endpoint(
        Listener, remote_addr=("127.0.0.1", node.native_port)
    )
    try:
        way.sendto(message.to_wire())
        return [Message.from_wire(await asyncio.wait_for(listener.heard.get(), DEADLINE))]
    finally:
        way.close()


async def tunnelled(matrix, *messages):
    answers = []
    for message in messages:
        headers = {"Content-Type": MEDIA_TYPE}
        reply = await asyncio.to_thread(matrix.client.ask, "POST", "/", message.to_wire(), headers)
        answers.append(Message.from_wire(reply.body))
    return answers


async def test_a_native_stranger_is_shown_what_is_public_over_each_transport(matrix):
    name, _, _ = await matrix.register(VALUES)
    questions = query(name), query(name, flags=CALLED_FOR), query(name, "COST", "HS_SECKEY"), query(name, indexes=(2,))
    for asked in questions:
        for ask in (over_stream, over_datagram):
            (answer,) = await ask(matrix.node, asked)
            assert marks(text_of(answer)) <= {"mark-new-1"}, (ask, asked)
        (answer,) = await tunnelled(matrix, asked)
        assert marks(text_of(answer)) <= {"mark-new-1"}
    (answer,) = await over_stream(matrix.node, query(name))
    assert marks(text_of(answer)) == {"mark-new-1"}


async def test_who_answers_the_challenge_is_shown_his_own_view(matrix):
    name, _, _ = await matrix.register(VALUES)
    keys = {"owner": OWN, "friend": FRIEND}
    for who, prefix in keys.items():
        secret, key = matrix.secrets[who], Reference(f"0.NA/{prefix}", 300)
        for ask in (
            lambda *messages: over_stream(matrix.node, *messages),
            lambda *messages: tunnelled(matrix, *messages),
        ):
            (challenged,) = await ask(query(name, flags=CALLED_FOR))
            assert challenged.response_code == 402, challenged
            (answer,) = await ask(answered(challenged, key, secret))
            assert (answer.op_code, marks(text_of(answer))) == (OpCode.RESOLUTION, SEEN[who]), who
        (challenged,) = await over_stream(matrix.node, query(name, flags=CALLED_FOR))
        (answer,) = await over_stream(matrix.node, answered(challenged, key, b"not the secret"))
        assert not marks(text_of(answer)), who


async def test_names_say_nothing_that_is_hidden(matrix):
    asked = [question(f"88.156.2.1.{ZONE}", 1, kind) for kind in (35, 255, 16)]
    answers = b"".join(await over_tcp(matrix.node, *asked)).decode(errors="replace")
    assert marks(answers) == {"mark-new-1"}
    way, listener = await asyncio.get_running_loop().create_datagram_endpoint(
        Listener, remote_addr=("127.0.0.1", matrix.node.settings.resolver.dns_port)
    )
    try:
        way.sendto(asked[0])
        answer = await asyncio.wait_for(listener.heard.get(), DEADLINE)
        assert marks(answer.decode(errors="replace")) == {"mark-new-1"}
    finally:
        way.close()


async def test_streams_and_webhooks_name_handles_and_tell_no_values(matrix):
    prefix = matrix.store.prefixes.find(OWN.encode())
    receiver = Receiver()
    await receiver.start()
    deliverer = asyncio.create_task(Deliverer(matrix.store).run())
    try:
        await Webhooks(matrix.store).add(prefix.prefix_id, receiver.url, await Feed(matrix.store).now(), "test")
        headers = matrix.headers["owner"] | {"Accept": "text/event-stream"}
        path = f"/api/changes?prefix={OWN}&cursor=now"
        async with matrix.registry.get(path, headers=headers) as stream:
            assert stream.status == 200
            name, _, _ = await matrix.register(VALUES)
            _, _, event = await heard(stream)
            assert name in json.dumps(event)
            assert not marks(json.dumps(event))
        await receiver.events(2)
        bodies = b"".join(body for _, body in receiver.messages).decode()
        assert name in bodies
        assert not marks(bodies)
    finally:
        deliverer.cancel()
        await asyncio.wait({deliverer})
        await receiver.stop()


async def test_results_of_a_job_and_archives_are_for_those_who_may_read_them(matrix):
    hidden = {"index": 2, "type": "COST", "data": "mark-new-2", "permissions": "1100"}
    lines = [{"handle": f"{OWN}/J1", "values": [hidden]}, {"handle": f"{OWN}/J1 ", "values": [{"index": -1} | hidden]}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    headers: Mapping[str, str] = matrix.headers["owner"] | {"Content-Type": "application/x-ndjson"}
    async with matrix.registry.post("/api/jobs?kind=register&onError=proceed", data=body, headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        job = await answer.json()
    async with working(matrix.store), asyncio.timeout(60):
        path = f"/api/jobs/{job['job']}"
        while '"finished"' not in (await matrix.ask_registry(path, headers))[1]:  # noqa: ASYNC110  # it happens in Postgres
            await asyncio.sleep(0.02)
    results = {who: await matrix.ask_registry(job["results"], by) for who, by in matrix.headers.items()}
    assert marks(results["owner"][1]) == {"mark-new-2"}
    archives = {who: await matrix.ask_registry(f"/api/export?prefix={OWN}", by) for who, by in matrix.headers.items()}
    assert marks(archives["owner"][1]) == {"mark-new-2"}
    for who in ("public", "friend", "friend token", "other", "other token"):
        for status, text in (results[who], archives[who]):
            assert status in (401, 403, 404), (who, text)
            assert not marks(text)
    assert not marks(results["regulator"][1])
    assert not marks(archives["regulator"][1])
