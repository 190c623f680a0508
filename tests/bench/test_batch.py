"""The generator of batches believes no answer that says less than all."""

import os
from types import SimpleNamespace

import pytest

from bench.batch import Registered, body_of, cut, one_pass
from bench.nodes import BenchNode
from tests.resolver.http.lab import URL, lab

NAMES = [f"88.118.1/{number}" for number in range(300)]
REGISTERED: Registered = {name: [(1, "http://example.org/x")] for name in NAMES}


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, dict.fromkeys(NAMES, (URL,))) as made:
        yield BenchNode(SimpleNamespace(pid=os.getpid()), made.port, made.native_port)


async def test_every_answer_of_a_pass_is_counted(node):
    figures = await one_pass(node, REGISTERED, cut(NAMES, 300, 12_000))
    assert figures["identifiers"] == 12_000
    assert figures["identifiers_per_second"] > 0


async def test_an_answer_that_lacks_a_handle_ends_the_run(node):
    with pytest.raises(ExceptionGroup) as refused:
        await one_pass(node, REGISTERED, [[*NAMES, "88.118.1/NONE"]])
    assert "not all were found" in str(refused.value.exceptions[0])


async def test_an_answer_with_another_value_ends_the_run(node):
    other = REGISTERED | {NAMES[7]: [(1, "http://example.org/y")]}
    with pytest.raises(ExceptionGroup) as refused:
        await one_pass(node, other, [NAMES] * 16)
    assert f"{NAMES[7]} was answered with" in str(refused.value.exceptions[0])


def test_chunks_are_put_together_again():
    answer = b"HTTP/1.1 200 OK\r\n\r\n3\r\nabc\r\nA\r\n0123\r\n4567\r\n0\r\n\r\n"
    assert body_of(answer) == b"abc0123\r\n4567"
