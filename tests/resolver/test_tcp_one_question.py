"""Clients that ask one thing and read until the server closes, as the reference server does, and those that stay."""

import pytest

from resolver.wire.codes import OpCode, OpFlag
from tests.resolver.scripted import LONG, LONG_ANSWER, SLOW, octets, request
from tests.resolver.test_tcp import serving

SOON = 0.05
STAYING = {
    "one that says so": {"op_flags": int(OpFlag.KEEP_CONNECTION)},
    "a national SDK that asks for site information": {"op_code": int(OpCode.GET_SITE_INFO), "minor": 10},
    "one that logs in": {"op_code": int(OpCode.LOG_IN_BY_KEY)},
    "one that numbers its session": {"session_id": 10_001},
    "the older national SDK": {"major": 2, "minor": 3, "flags": 2, "suggested_minor": 10, "op_flags": 0},
}


@pytest.mark.parametrize("op_code", [OpCode.RESOLUTION, OpCode.GET_SITE_INFO, OpCode.CHALLENGE_ANSWER])
async def test_a_client_that_reads_until_the_end_gets_its_answer_and_the_end(op_code: OpCode):
    async with serving() as server:
        server.listener.one_question = SOON
        client = await server.client()
        session_id = 4711 if op_code == OpCode.CHALLENGE_ANSWER else 0
        client.writer.write(octets(request(LONG)._replace(op_code=int(op_code), session_id=session_id)))
        answer = await client.take()
        assert len(answer.body) == LONG_ANSWER
        assert await client.take() is None
        assert server.metrics.counts.closed_idle == 1


async def test_the_answer_to_one_question_may_take_longer_than_its_connection_would_be_kept():
    async with serving() as server:
        server.listener.one_question = 0.0
        client, other = await server.client(), await server.client()
        client.writer.write(octets(request(SLOW)))
        await server.operations.asked.wait()
        await other.ask(request(b"x"))
        assert await other.ended()
        server.operations.go.set()
        assert (await client.take()).body == SLOW
        assert await client.take() is None


@pytest.mark.parametrize("fields", STAYING.values(), ids=STAYING)
async def test_a_client_that_stays_is_not_closed_after_one_question(fields):
    async with serving() as server:
        server.listener.one_question = SOON
        staying, asking_twice, silent, leaving = [await server.client() for _ in range(4)]
        await staying.ask(request(b"x")._replace(**fields))
        for _ in range(2):
            await asking_twice.ask(request(b"x"))
        await leaving.ask(request(b"x"))
        assert await leaving.ended()
        assert server.metrics.counts.closed_idle == 1
        for client in (staying, asking_twice, silent):
            (answer,) = await client.ask(request(b"y"))
            assert answer.body == b"y"
