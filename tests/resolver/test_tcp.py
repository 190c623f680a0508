"""Connections of the native protocol, over real sockets and with operations that answer when they are told to."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from registry.port import listen
from resolver.listeners.budget import network_of
from resolver.listeners.connection import READ_AHEAD, UNREAD, WRITE_AT_ONCE
from resolver.listeners.tcp import TcpListener
from resolver.listeners.turns import AT_ONCE, PATIENCE, TURNS, Turns
from resolver.metrics import Metrics
from resolver.wire.codes import OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.message import Message
from resolver.wire.stream import MessageStream
from tests.resolver.scripted import LIST, LONG, LONG_ANSWER, PARTS, SLOW, Operations, octets, request

DEADLINE = 60.0
SWEEP = 0.02
TOO_LONG = Envelope(2, 11, 2, 11, 0, 77, 0, 0xFFFFFFFF).to_wire()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._stream = MessageStream()

    async def take(self) -> Message | None:
        """The next message, or None at the end of the connection."""
        async with asyncio.timeout(DEADLINE):
            while (message := self._stream.take()) is None:
                received = await self.reader.read(1 << 16)
                if not received:
                    return None
                self._stream.feed(received)
        assert isinstance(message, Message)
        return message

    async def ask(self, *requests: Message) -> list[Message | None]:
        self.writer.write(octets(*requests))
        return [await self.take() for _ in requests]

    async def ended(self) -> bool:
        try:
            return await self.take() is None
        except ConnectionError:
            return True


class Server:
    def __init__(self, listener: TcpListener, operations: Operations, metrics: Metrics, port: int) -> None:
        self.listener = listener
        self.operations = operations
        self.metrics = metrics
        self.port = port
        self._clients: list[Client] = []

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    def end(self) -> None:
        for client in self._clients:
            client.writer.transport.abort()


@asynccontextmanager
async def serving(
    idle: float = 60.0, most: int = 100, message_timeout: float = 60.0, max_held: int = 1 << 30
) -> AsyncIterator[Server]:
    operations, metrics = Operations(), Metrics()
    sockets = listen(["127.0.0.1"], 0)
    port = sockets[0].getsockname()[1]
    listener = TcpListener(
        sockets,
        operations,  # type: ignore[arg-type]  # what a listener calls of it
        metrics,
        Turns(asyncio.get_running_loop().time),
        idle=idle,
        most=most,
        message_timeout=message_timeout,
        sweep_interval=SWEEP,
        max_held=max_held,
    )
    await listener.open()
    server = Server(listener, operations, metrics, port)
    try:
        yield server
    finally:
        operations.go.set()
        server.end()
        await listener.close(DEADLINE)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody
            await asyncio.sleep(0.005)


async def test_every_request_of_a_connection_is_answered_in_order():
    async with serving() as server:
        client = await server.client()
        for _ in range(3):
            requests = [request(b"%d" % number) for number in range(500)]
            answers = await client.ask(*requests)
            assert [(answer.request_id, answer.body) for answer in answers] == [
                (asked.request_id, asked.body) for asked in requests
            ]
        assert server.metrics.counts.native_tcp == 1500


async def test_requests_may_arrive_octet_by_octet():
    async with serving() as server:
        client = await server.client()
        for octet in octets(request(b"a"), request(b"b")):
            client.writer.write(bytes((octet,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert [(await client.take()).body for _ in range(2)] == [b"a", b"b"]


async def test_an_answer_that_is_waited_for_holds_up_those_behind_it_and_nobody_else():
    async with serving() as server:
        first, second = await server.client(), await server.client()
        first.writer.write(octets(request(SLOW), request(b"behind it")))
        await server.operations.asked.wait()
        assert (await second.ask(request(b"elsewhere")))[0].body == b"elsewhere"
        assert server.operations.answered == 1
        server.operations.go.set()
        assert [(await first.take()).body for _ in range(2)] == [SLOW, b"behind it"]
        assert [conversation.transport for conversation in server.operations.conversations] == ["tcp"]


async def test_a_connection_stays_one_conversation():
    async with serving() as server:
        server.operations.go.set()
        client = await server.client()
        await client.ask(request(SLOW), request(b"x"), request(SLOW))
        first, second = server.operations.conversations
        assert first is second
        assert first.peer == "127.0.0.1"


async def test_the_messages_of_a_list_stay_together():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(LIST), request(b"after"), request(LIST)))
        bodies = [(await client.take()).body for _ in range(2 * PARTS + 1)]
        assert bodies == [b"0", b"1", b"2", b"after", b"0", b"1", b"2"]


async def test_a_length_of_four_gigabytes_is_refused_under_its_request_id_and_ends_the_connection():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(b"good")) + TOO_LONG + octets(request(b"never read")))
        assert (await client.take()).body == b"good"
        refusal = await client.take()
        assert (refusal.response_code, refusal.request_id) == (4, 77)
        assert await client.ended()
        assert server.metrics.counts.closed_nonsense == 1
        assert server.operations.answered == 1


async def test_what_is_too_short_for_an_envelope_is_waited_for_and_then_given_up():
    async with serving(message_timeout=0.1) as server:
        client = await server.client()
        client.writer.write(b"GET / HTTP/1.1")
        assert await client.ended()
        assert server.metrics.counts.closed_slow == 1


async def test_a_message_that_trickles_in_is_given_up_however_often_an_octet_comes():
    async with serving(message_timeout=0.2) as server:
        client = await server.client()

        async def trickle() -> None:
            for octet in octets(request(b"x" * 4000)):
                client.writer.write(bytes((octet,)))
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        assert await client.ended()
        trickling.cancel()
        await asyncio.wait([trickling])
        assert server.metrics.counts.closed_slow == 1


async def test_an_idle_connection_is_closed_and_one_that_waits_for_its_answer_is_not():
    async with serving(idle=0.1) as server:
        idle, busy = await server.client(), await server.client()
        busy.writer.write(octets(request(SLOW)))
        await idle.ask(request(b"x"))
        assert await idle.ended()
        assert server.metrics.counts.closed_idle == 1
        server.operations.go.set()
        assert (await busy.take()).body == SLOW


async def test_a_client_that_does_not_read_is_answered_no_further_until_it_does():
    asked = 4000  # of ten kilobytes each: more than the buffers of the system take
    async with serving() as server:
        client = await server.client()
        client.reader._transport.pause_reading()  # streams read ahead by themselves
        requests = [request(LONG) for _ in range(asked)]
        client.writer.write(octets(*requests))
        await until(lambda: server.operations.answered)
        seen = -1
        while seen != server.operations.answered:
            seen = server.operations.answered
            await asyncio.sleep(0.2)
        assert seen < asked
        client.reader._transport.resume_reading()  # as above
        answers = [await client.take() for _ in requests]
        assert [answer.request_id for answer in answers] == [asked.request_id for asked in requests]
        assert len(answers[0].body) == LONG_ANSWER


async def test_what_a_waiting_connection_may_send_ahead_is_bounded():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(SLOW)))
        await server.operations.asked.wait()
        requests = [request(b"x" * 1000) for _ in range(8000)]
        client.writer.write(octets(*requests))
        await asyncio.sleep(0.3)
        assert client.writer.transport.get_write_buffer_size() > 0  # 8 MB are not all taken
        server.operations.go.set()
        answers = [await client.take() for _ in range(8001)]
        assert [answer.request_id for answer in answers[1:]] == [asked.request_id for asked in requests]


async def test_too_many_connections_crowd_out_those_that_are_idle_longest():
    async with serving(most=3) as server:
        clients = [await server.client() for _ in range(3)]
        for client in clients:
            await client.ask(request(b"x"))
        clients[0].writer.write(octets(request(SLOW)))
        await server.operations.asked.wait()
        fourth = await server.client()
        assert (await fourth.ask(request(b"y")))[0].body == b"y"
        assert await clients[1].ended()
        assert server.metrics.counts.closed_crowd >= 1
        server.operations.go.set()
        assert (await clients[0].take()).body == SLOW


async def test_connections_that_together_make_us_hold_too_much_are_ended_the_greediest_first():
    async with serving(max_held=100_000) as server:
        modest, *greedy = [await server.client() for _ in range(4)]
        modest.writer.write(octets(request(b"x" * 1000))[:-1])
        for number, client in enumerate(greedy):
            client.writer.write(octets(request(b"x" * (50_000 + number)))[:-1])
        assert await greedy[2].ended()
        assert await greedy[1].ended()
        assert server.metrics.counts.closed_crowd == 2
        greedy[0].writer.write(b"\0")
        modest.writer.write(b"\0")
        assert [len((await client.take()).body) for client in (greedy[0], modest)] == [50_000, 1000]


async def test_one_more_than_too_many_busy_connections_is_turned_away():
    async with serving(most=2) as server:
        clients = [await server.client() for _ in range(2)]
        for client in clients:
            client.writer.write(octets(request(SLOW)))
        await until(lambda: server.operations.waiting == 2)
        third = await server.client()
        assert await third.ended()
        server.operations.go.set()
        assert [(await client.take()).body for client in clients] == [SLOW, SLOW]


async def test_a_client_that_has_asked_everything_still_gets_its_answers():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(SLOW), request(b"last")))
        client.writer.write_eof()
        await server.operations.asked.wait()
        server.operations.go.set()
        assert [(await client.take()).body for _ in range(2)] == [SLOW, b"last"]
        assert await client.ended()


async def test_a_client_that_leaves_in_the_middle_of_a_message_is_let_go_in_silence():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(b"x"))[:30])
        client.writer.write_eof()
        assert await client.reader.read() == b""


async def test_a_client_that_leaves_is_not_answered_for_any_longer():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(SLOW)))
        await server.operations.asked.wait()
        hard = struct.pack("ii", 1, 0)  # without a farewell: a polite one may still wait for its answer
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
        client.writer.transport.abort()
        await until(lambda: not server.operations.waiting)
        await until(lambda: not len(server.listener))
        assert server.metrics.native_connections == 0


async def test_what_is_being_answered_is_finished_when_the_listener_closes():
    async with serving() as server:
        busy, idle = await server.client(), await server.client()
        await idle.ask(request(b"x"))
        busy.writer.write(octets(request(SLOW)))
        await server.operations.asked.wait()
        closing = asyncio.create_task(server.listener.close(DEADLINE))
        assert await idle.ended()
        server.operations.go.set()
        assert (await busy.take()).body == SLOW
        assert await busy.ended()
        await closing
        with pytest.raises(OSError):
            await server.client()


async def test_a_listener_waits_for_its_connections_only_so_long():
    async with serving() as server:
        client = await server.client()
        client.writer.write(octets(request(SLOW)))
        await server.operations.asked.wait()
        await server.listener.close(0.05)
        assert await client.ended()


async def test_an_encrypted_message_is_left_to_the_operations():
    sealed = Envelope(2, 11, 0x42, 11, 9, 5, 0, 32).to_wire() + bytes(32)
    async with serving() as server:
        client = await server.client()
        client.writer.write(sealed + octets(request(b"after")))
        assert (await client.take()).body == b"after"
        assert [message.envelope.session_id for message in server.operations.sealed] == [9]


def test_what_one_connection_may_hold_is_less_than_a_megabyte():
    assert READ_AHEAD + WRITE_AT_ONCE + UNREAD < 1 << 20


async def test_a_costly_request_waits_for_the_turn_of_its_network_and_not_for_ever():
    async with serving() as server:
        server.operations.go.set()
        client, costly = await server.client(), request(b"x")._replace(op_flags=int(OpFlag.CERTIFY))
        for _ in range(AT_ONCE + 4):
            server.listener.turns.wait(network_of("127.0.0.1"), PATIENCE)
        asked_at = asyncio.get_running_loop().time()
        (answer,) = await client.ask(costly._replace(body=SLOW))
        assert answer.body == SLOW
        assert asyncio.get_running_loop().time() - asked_at > 3 / TURNS
        while server.listener.turns.wait(network_of("127.0.0.1"), PATIENCE) is not None:
            pass
        client.writer.write(octets(costly._replace(body=SLOW)))
        assert await client.ended()
        assert server.metrics.counts.closed_crowd == 1
