"""The captured exchanges once more, over sockets: as they came, in datagrams or on a connection for each."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from resolver.conversation import Conversation
from resolver.listeners.native import NativePort
from resolver.metrics import Metrics
from resolver.settings import ResolverSettings
from resolver.wire.codes import OpFlag
from resolver.wire.envelope import ENVELOPE, ProtocolError
from resolver.wire.message import Message, message_from_wire
from tests.journeys.native import AnyMessage, Connection, Datagrams
from tests.resolver.native import Worker
from tests.resolver.native_lab import Lab, Question, clear, questions
from tests.resolver.test_native_vectors import differences
from tests.resolver.test_native_vectors import lab as lab

CONTINUOUS = int(OpFlag.CONTINUOUS)


class OverSockets:
    """A worker that is spoken to from outside."""

    def __init__(self, worker: Worker, port: int, stack: AsyncExitStack) -> None:
        self.store, self.resolver = worker.store, worker.resolver
        self.carried: Counter[str] = Counter()
        self._port = port
        self._stack = stack
        self._conversations: dict[int, tuple[Conversation, Connection | Datagrams]] = {}

    async def ask(self, asked: AnyMessage, conversation: Conversation) -> list[AnyMessage]:
        self.carried[conversation.transport] += 1
        way = await self._way(conversation)
        answers = [await way.ask(asked)]
        while isinstance(answers[-1], Message) and answers[-1].op_flags & CONTINUOUS:
            answers.append(await way.read())
        return answers

    async def ask_octets(self, octets: bytes) -> list[Message]:
        """What no message can be made of, on a connection that ends with it."""
        async with Connection.open(self._port) as connection:
            connection.write(octets)
            connection.writer.write_eof()
            answers, came = [], await connection.ends()
        while came:
            end = ENVELOPE + int.from_bytes(came[16:20], "big")
            answers.append(Message.from_wire(came[:end]))
            came = came[end:]
        return answers

    async def _way(self, conversation: Conversation) -> Connection | Datagrams:
        """Kept with the conversation, so that no other one is given its number."""
        if id(conversation) not in self._conversations:
            kind = Datagrams if conversation.transport == "udp" else Connection
            way = await self._stack.enter_async_context(kind.open(self._port))
            self._conversations[id(conversation)] = conversation, way
        return self._conversations[id(conversation)][1]


class LabOverSockets(Lab):
    async def ask(self, question: Question) -> tuple[list[Message], list[Message]]:
        try:
            message_from_wire(question.request)
        except ProtocolError:
            return await self.worker.ask_octets(question.request), []
        return await super().ask(question)


@pytest.fixture
async def outside(lab: Lab) -> AsyncIterator[LabOverSockets]:
    port = NativePort(["127.0.0.1"], 0)
    await port.open(lab.worker.operations, Metrics(), ResolverSettings())
    try:
        async with AsyncExitStack() as stack:
            yield LabOverSockets(OverSockets(lab.worker, port.port, stack))
    finally:
        await port.close(0.0)


async def test_sockets_change_nothing_of_what_is_answered(outside: LabOverSockets):
    wrong = []
    for question in questions():
        request = clear(question.request)
        if request is None and question.request[2:3] and question.request[2] & 0x40:
            continue  # encrypted with a key that only the lab had
        if question.id == "probe.resolve.two_pipelined_on_one_connection":
            continue  # test_native_input.py sends several at once
        if request is not None:
            await outside.prepare(request, question)
        ours, released = await outside.ask(question)
        if not ours:
            assert _is_cut_short(question.request)  # which we leave without a word
            continue
        challenged = not question.released and question.answers[0][24:28] == b"\0\0\1\x92"
        last = ours if challenged else released or ours
        wrong += [f"{question.id}: {one}" for one in differences(question, last, question.last)]
    assert not wrong, "\n".join(wrong)
    assert outside.worker.carried["udp"] > 50
    assert outside.worker.carried["tcp"] > 150


def _is_cut_short(octets: bytes) -> bool:
    return len(octets) < ENVELOPE or len(octets) < ENVELOPE + int.from_bytes(octets[16:20], "big", signed=True)
