"""Limits on a whole node: 429 over HTTP however the answer is made, code 603 over TCP, silence over UDP."""

import asyncio
import socket
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest

from bench.native_questions import question
from registry.errors import ResponseCode
from registry.limits import SAVED
from registry.value import HandleValue
from resolver.node import Node
from resolver.wire.message import Message
from tests.resolver.http.lab import PREFIX, Client, Reply, basic, lab
from tests.resolver.http.test_ready_node import ASK, Visitor

DEADLINE = 60.0
NAME = f"{PREFIX}/READ"
CLIENT = {"client_rate": 1, "unlimited_clients": ()}
ALLOWED = int(SAVED)  # of a rate of one a second, at once


async def statuses(
    node: Node, times: int, method: str = "GET", path: str = f"/api/handles/{NAME}", tls: bool = False, **more: Any
) -> tuple[list[int], Reply]:
    """Of so many requests over one connection, and the last reply."""
    with closing(Client(node.port, tls=tls)) as client:
        replies = [await asyncio.to_thread(client.ask, method, path, **more) for _ in range(times)]
    return [reply.status for reply in replies], replies[-1]


async def refused(node: Node, **asked: Any) -> Reply:
    """The first refusal. How many are answered before depends on the machine: each second that it stalls earns one."""
    async with asyncio.timeout(DEADLINE):
        while (last := (await statuses(node, 1, **asked))[1]).status != 429:
            pass
    return last


async def test_a_client_that_asks_too_often_is_told_so_and_when_to_come_again(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, **CLIENT) as node:
        found, _ = await statuses(node, ALLOWED)
        assert found == [200] * ALLOWED
        last = await refused(node, headers={"Accept-Language": "zh"})
        assert int(last.headers["Retry-After"]) >= 1
        assert last.json["responseCode"] == ResponseCode.TOO_MANY_REQUESTS
        assert last.json["message"].startswith("您的请求超过每秒 1 次")
        assert last.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", f"/api/handles/{NAME}?type=URL", {}),
        ("GET", f"/api/handles/{PREFIX}/NONE", {}),
        ("GET", f"/{NAME}", {}),
        ("GET", "/", {}),
        ("POST", "/api/resolve", {"body": [NAME]}),
        ("GET", f"/api/tree/{NAME}", {}),
    ],
)
async def test_whatever_a_client_asks_for_counts(database_dsn, tmp_path, method, path, more):
    async with lab(database_dsn, tmp_path, client_rate=1, unlimited_clients=()) as node:
        found, _ = await statuses(node, ALLOWED, method, path, **more)
        assert 429 not in found
        last = await refused(node, method=method, path=path, **more)
        assert int(last.headers["Retry-After"]) >= 1


async def test_kept_answers_in_one_segment_are_counted_one_by_one(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, client_rate=100, unlimited_clients=()) as node, asyncio.timeout(DEADLINE):
        visitor = await Visitor.of(node.port)
        for _ in range(4):  # until the short way knows this client
            await visitor.ask()
        visitor.writer.write(ASK * 400)
        answers = [await visitor.answer() for _ in range(400)]
        refused = sum(answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n") for answer in answers)
        assert node.metrics.counts.ready >= 400
        assert 0 < refused <= 400 - (200 - 4)
        assert node.metrics.tally.limits.refused["client"] == refused
        await visitor.close()


async def test_a_prefix_and_an_enterprise_are_limited_over_all_clients_and_others_are_not(database_dsn, tmp_path):
    other = {"88.7/X": (HandleValue(1, "URL", b"http://example.org/"),)}
    async with lab(database_dsn, tmp_path, other, prefix_rate=1) as node:
        assert "prefix" in (await refused(node)).json["message"]
        await refused(node, path=f"/api/handles/{NAME}?type=URL")
        found, _ = await statuses(node, 2, path="/api/handles/88.7/X")
        assert found == [200, 200]


async def test_a_batch_is_paid_for_name_by_name(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, client_rate=10, unlimited_clients=()) as node:
        names = [NAME] * 1000
        found, last = await statuses(node, 2, "POST", "/api/resolve", body=names)
        assert found == [200, 429]
        assert 90 <= int(last.headers["Retry-After"]) <= 100


async def test_who_shows_a_proof_that_holds_is_a_client_of_his_own(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, **CLIENT) as node:
        proof = {"headers": basic()}
        assert (await statuses(node, 1, tls=True, **proof))[0] == [200]
        await refused(node, tls=True)  # nobody in particular
        assert (await statuses(node, 1, tls=True, **proof))[0] == [200]
        made_up = {"headers": {"Authorization": "Bearer made-up"}}
        await refused(node, tls=True, **made_up)


async def test_behind_a_front_each_of_its_clients_is_one(database_dsn, tmp_path):
    settings = {**CLIENT, "trusted_proxies": ("127.0.0.1",)}
    async with lab(database_dsn, tmp_path, **settings) as node:
        for host in (1, 2, 3):
            found, _ = await statuses(node, ALLOWED, headers={"X-Forwarded-For": f"192.0.2.{host}"})
            assert found == [200] * ALLOWED
        await refused(node, headers={"X-Forwarded-For": "192.0.2.1"})


async def test_limits_are_taken_up_while_the_node_runs(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:
        assert (await statuses(node, 8))[0] == [200] * 8
        node.apply(replace(node.settings, limits=replace(node.settings.limits, **CLIENT)))
        await refused(node)
        node.apply(replace(node.settings, limits=replace(node.settings.limits, client_rate=0)))
        async with asyncio.timeout(DEADLINE):
            while (await statuses(node, 8))[0] != [200] * 8:
                pass


def unfamiliar(number: int) -> bytes:
    """A query whose form is not that of the others."""
    asked = Message.from_wire(question(NAME, number))
    body = asked.body[:-8] + (1).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes(4)
    return asked._replace(body=body).to_wire()


async def read_answer(reader: asyncio.StreamReader) -> Message:
    envelope = await reader.readexactly(20)
    return Message.from_wire(envelope + await reader.readexactly(int.from_bytes(envelope[16:20], "big")))


@pytest.mark.parametrize("asks", [question.__name__, unfamiliar.__name__])
async def test_over_tcp_it_is_said_with_its_code_and_the_connection_stays(database_dsn, tmp_path, asks):
    make = unfamiliar if asks == unfamiliar.__name__ else lambda number: question(NAME, number)
    async with lab(database_dsn, tmp_path, **CLIENT) as node, asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.native_port)
        codes = []
        while ResponseCode.TOO_MANY_REQUESTS not in codes:
            number = len(codes) + 1
            writer.write(make(number))
            answer = await read_answer(reader)
            assert answer.request_id == number
            codes.append(answer.response_code)
        assert codes[:-1] == [ResponseCode.SUCCESS] * (len(codes) - 1)
        assert len(codes) > ALLOWED
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("asks", [question.__name__, unfamiliar.__name__])
async def test_over_udp_too_many_hear_nothing_and_the_connection_is_there_for_them(database_dsn, tmp_path, asks):
    make = unfamiliar if asks == unfamiliar.__name__ else lambda number: question(NAME, number)
    async with lab(database_dsn, tmp_path, **CLIENT) as node, asyncio.timeout(DEADLINE):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", node.native_port))
            answers = []
            while not node.metrics.counts.dropped_limit:
                number = len(answers) + 1
                client.send(make(number))
                if (octets := await heard(node, client)) is not None:
                    answers.append(Message.from_wire(octets))
            assert {answer.response_code for answer in answers} == {ResponseCode.SUCCESS}
            assert [answer.request_id for answer in answers] == list(range(1, number))
            assert len(answers) >= ALLOWED
        reader, writer = await asyncio.open_connection("127.0.0.1", node.native_port)
        writer.write(make(9))
        assert (await read_answer(reader)).response_code == ResponseCode.SUCCESS
        writer.close()
        await writer.wait_closed()


async def heard(node: Node, client: socket.socket) -> bytes | None:
    """The answer, unless what was asked has been dropped."""
    while not node.metrics.counts.dropped_limit:
        with suppress(BlockingIOError):
            return client.recv(4096)
        await asyncio.sleep(0.005)
    return None
