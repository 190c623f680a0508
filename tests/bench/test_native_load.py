"""The generator of native load believes no answer, and no node that says less than all."""

import asyncio

import pytest

from bench.native_load import ask_over_tcp, ask_over_udp
from bench.native_questions import Questions, WrongAnswer
from registry.settings import RegistrySettings
from registry.value import HandleValue
from resolver.node import running
from resolver.settings import ResolverSettings, Settings
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from tests.registry.books import DESC, URL, open_book, register
from tests.resolver.patience import PATIENT

DEADLINE = 60.0
LONG = HandleValue(3, "NOTE", b"\1" * 700)  # which needs several datagrams
VALUES = (URL, DESC, LONG)
REGISTERED = {f"88.118.1/{number}": frozenset((v.index, v.type, v.data) for v in VALUES) for number in range(4)}


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with open_book(database_dsn) as store:
        for name in REGISTERED:
            await register(store, name, *VALUES)
    settings = Settings(
        RegistrySettings(dsn=database_dsn, data_directory=str(tmp_path)),
        ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, **PATIENT),
    )
    async with running(settings) as made:
        async with asyncio.timeout(DEADLINE):
            while made.unready():  # noqa: ASYNC110  # what a node thinks of its database is told to nobody
                await asyncio.sleep(0.01)
        yield made


@pytest.mark.parametrize("ask", [ask_over_tcp, ask_over_udp])
async def test_every_answer_is_counted_and_some_are_compared(node, ask):
    for wished in (1.5, 6.0, 24.0):  # A machine that stalls answers little in the first.
        tally, seconds = await ask(node.native_port, REGISTERED, connections=2, in_flight=4, seconds=wished)
        if len(tally.seconds) > 64:
            break
    assert tally.sampled > 0
    assert tally.sampled == len(tally.seconds) // 64
    assert tally.octets > 700 * len(tally.seconds)
    assert seconds >= 0.3


@pytest.mark.parametrize("ask", [ask_over_tcp, ask_over_udp])
async def test_a_node_that_says_something_else_ends_the_measurement(node, ask):
    expected = {name: values | {(4, "NOTE", b"that is not there")} for name, values in REGISTERED.items()}
    with pytest.raises(WrongAnswer, match=r"88\.118\.1/"):
        await ask(node.native_port, expected, connections=1, in_flight=4, seconds=5.0)
    unknown = {"88.118.1/unknown": frozenset()}
    with pytest.raises(WrongAnswer, match="response code 100"):
        await ask(node.native_port, unknown, connections=1, in_flight=1, seconds=5.0)


def test_an_answer_about_another_handle_is_wrong():
    questions = Questions(REGISTERED, 1)
    name, octets = questions.next(77)
    request = Message.from_wire(octets)
    assert request.request_id == 77
    assert Query.from_wire(request.body).handle == name.encode()
    made = {"expiration": 1, "serial": 1}
    right = request.answered(1, HandleValues(name.encode(), VALUES).to_wire(), **made)
    questions.check(name, right.to_wire())
    other = request.answered(1, HandleValues(b"88.118.1/other", VALUES).to_wire(), **made)
    with pytest.raises(WrongAnswer):
        questions.check(name, other.to_wire())
