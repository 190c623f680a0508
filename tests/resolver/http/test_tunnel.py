"""Native messages in HTTP requests, as the reference client sends them where nothing else passes."""

import asyncio
from dataclasses import replace

import pytest

from registry.value import HandleValue
from resolver.client.client import Client as NativeClient
from resolver.client.errors import BadAnswer
from resolver.client.exchange import MEDIA_TYPE
from resolver.client.servers import Server
from resolver.node import Node
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from resolver.wire.query import HandleValues
from tests.resolver.http.lab import PREFIX, Client, any_certificate, lab
from tests.resolver.native import query, request

HANDLE = f"{PREFIX}/READ"
HEADERS = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, {f"{PREFIX}/BIG": (HandleValue(1, "DESC", b"x" * 100_000),)}) as node:
        yield node


async def post(node: Node, path: str, body: bytes, headers=HEADERS, *, tls: bool = False):
    def ask():
        client = Client(node.port, tls=tls)
        try:
            return client.ask("POST", path, body, headers)
        finally:
            client.close()

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("path", ["/", "/%2F", f"/{HANDLE}", "/88.118.1/SOMETHING%20ELSE"])
@pytest.mark.parametrize("tls", [False, True])
async def test_a_message_is_answered_whatever_the_path_says(node, path, tls):
    asked = query(HANDLE)
    reply = await post(node, path, asked.to_wire(), tls=tls)
    assert (reply.status, reply.headers["Content-Type"]) == (200, MEDIA_TYPE)
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert reply.headers["Transfer-Encoding"] is None
    answer = Message.from_wire(reply.body)
    assert (answer.request_id, answer.response_code) == (asked.request_id, 1)
    assert HandleValues.from_wire(answer.content).handle == HANDLE.encode()


async def test_an_answer_longer_than_any_datagram_is_one_body(node):
    reply = await post(node, "/", query(f"{PREFIX}/BIG").to_wire())
    assert len(HandleValues.from_wire(Message.from_wire(reply.body).content).values[0].data) == 100_000


async def test_what_needs_rights_is_challenged_as_over_tcp(node):
    body = HandleValues(f"{PREFIX}/NEW".encode(), (HandleValue(1, "URL", b"http://x"),)).to_wire()
    reply = await post(node, "/", request(OpCode.CREATE_HANDLE, body).to_wire())
    assert Message.from_wire(reply.body).response_code == 402


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"x" * 19, 400),
        (query(HANDLE).to_wire()[:-5], 200),
        (query(HANDLE).to_wire() * 2, 200),
        (bytes(44), 200),
    ],
)
async def test_what_is_no_message_is_refused_in_the_protocols_words_when_it_is_known_to_whom(node, body, status):
    reply = await post(node, "/", body)
    assert reply.status == status
    code = reply.json["responseCode"] if status == 400 else Message.from_wire(reply.body).response_code
    assert code == 4


async def test_a_body_that_says_it_is_something_else_is_not_read(node):
    reply = await post(node, f"/{HANDLE}", query(HANDLE).to_wire(), {"Content-Type": "application/json"})
    assert (reply.status, reply.json["responseCode"]) == (415, 4)


async def test_a_body_longer_than_a_message_is_refused(node):
    reply = await post(node, "/", bytes(300_000))
    assert reply.status == 413


@pytest.mark.parametrize("scheme", ["http", "https", "tcp", "udp"])
async def test_the_client_reads_the_same_over_each_transport(node, scheme):
    port = node.port if scheme.startswith("http") else node.native_port
    server = Server.from_text(f"{scheme}://127.0.0.1:{port}")
    client = NativeClient([server], tls=any_certificate())
    resolved = await client.resolve(HANDLE, types=["URL"])
    assert [value.text for value in resolved.values] == ["http://example.org/x"]
    certified = await client.resolve(HANDLE, certify=True)
    assert certified.values == resolved.values
    somebody = (await client.site()).servers[0].public_key.replace(b"\1\0\1", b"\1\0\3")
    with pytest.raises(BadAnswer, match="did not sign"):
        await NativeClient([replace(server, public_key=somebody)], tls=any_certificate()).resolve(HANDLE, certify=True)
    missing = await client.resolve(HANDLE, indexes=[9])
    assert (missing.code, missing.values) == (200, ())
    site = await client.site()
    assert [interface.port for interface in site.servers[0].interfaces] == [node.native_port] * 2 + [node.port] * 2
