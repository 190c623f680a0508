"""Items, batches and products of GS1 come, go and change while they are asked for, at a node with two workers: what was
registered is never passed over for what stands above it, and no answer is an older one again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

import pytest

from registry.handle import Handle
from registry.standing import State, Wish
from registry.states import anything, put
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import open_book
from tests.resolver.running_node import RunningNode, arguments

pytestmark = pytest.mark.timeout(400)

WORKERS = 2
CONNECTIONS = 6  # The kernel deals them out among the workers.
CHANGES = 120
DEADLINE = 60.0  # Seconds until every connection has seen a change.
PATH = "/01/09506000134352/10/LOT1/21/S1"
# The most exact first, as the walk goes.
NAMES = [f"gs1{PATH.removesuffix(tail)}" for tail in ("", "/21/S1", "/10/LOT1/21/S1")]
# What is remembered by path, what goes the long way, and what asks for a type of link.
QUESTIONS = (("", "Accept: */*\r\n"), ("", "Accept-Language: zh\r\n"), ("?linkType=gs1:defaultLink", ""))

Answer = tuple[int, str]
"""The status, and where it leads."""


@dataclass
class Level:
    """What is registered under a name, as its writer knows it: the target is empty where there is no link."""

    registered: bool = False
    expired: bool = False
    target: str = ""


def expected(levels: list[Level], question: str) -> Answer:
    """What the resolver standard has a walk from item to product answer."""
    known = False
    for level in levels:
        if level.registered and level.expired and not known:
            return 410, ""
        known = known or (level.registered and not level.expired)
        if level.registered and not level.expired and level.target:
            return 307, level.target
    return (404 if not known or question else 200), ""


class Writer:
    """Changes one name at a time, by chance."""

    def __init__(self, store: Store, chance: Random) -> None:
        self._store = store
        self._chance = chance
        self._number = 0
        self.levels = [Level() for _ in NAMES]

    def plan(self) -> Callable[[], Awaitable[object]]:
        """What is done next; the levels are from here on what they are when it is done."""
        place = self._chance.randrange(len(NAMES))
        handle, level = Handle.from_text(NAMES[place]), self.levels[place]
        if level.expired:
            level.expired = False
            return partial(self._put, handle, State.ACTIVE)
        if not level.registered or self._chance.random() < 0.4:
            self._number += 1
            level.registered = True
            level.target = f"https://brand.example/{self._number}" if self._chance.random() < 0.7 else ""
            return partial(self._write, handle, level.target)
        if self._chance.random() < 0.5:
            level.expired = True
            return partial(self._put, handle, State.EXPIRED)
        level.registered = False
        return partial(self._delete, handle)

    async def _write(self, handle: Handle, target: str) -> None:
        values = [HandleValue(1, "DESC", b"something")]
        values += [HandleValue(2, "URL", target.encode())] if target else []
        async with begin(self._store, "test") as transaction:
            record = await transaction.lock(handle)
            await (transaction.replace(record, values) if record else transaction.create(handle, values))

    async def _delete(self, handle: Handle) -> None:
        async with begin(self._store, "test") as transaction:
            record = await transaction.lock(handle)
            assert record is not None
            await transaction.delete(record)

    async def _put(self, handle: Handle, state: State) -> None:
        await put(self._store, [handle], Wish(state, "test"), by="test", of_node=True, allow=anything)


class Asker:
    """One connection, which asks without a pause; and what it was last told for each question."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: Random) -> None:
        self._reader, self._writer, self._chance = reader, writer, chance
        self.asked = 0
        self.allowed: dict[str, list[Answer]] = {}  # What may be told: the latest at the end.
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        while True:
            question, headers = self._chance.choice(QUESTIONS)
            self._writer.write(f"GET {PATH}{question} HTTP/1.1\r\nHost: id.example\r\n{headers}\r\n".encode())
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            await self._reader.readexactly(int(length))
            answer = int(head[9:12]), head.partition("\r\nLocation: ")[2].partition("\r\n")[0].partition("?")[0]
            await self._hear(question, answer)

    async def _hear(self, question: str, answer: Answer) -> None:
        async with self._changed:
            allowed = self.allowed[question]
            assert answer in allowed, f"{question or PATH}: {answer}, where {allowed} were registered"
            # What was told once is not followed by anything older.
            del allowed[: len(allowed) - 1 - allowed[::-1].index(answer)]
            self.asked += 1
            self._changed.notify_all()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(reached)


@asynccontextmanager
async def askers(port: int, chance: Random, first: dict[str, Answer]) -> AsyncIterator[list[Asker]]:
    async with AsyncExitStack() as stack:
        every = []
        for _ in range(CONNECTIONS):
            asker = Asker(*await asyncio.open_connection("127.0.0.1", port), Random(chance.random()))
            stack.push_async_callback(asker.close)
            asker.allowed = {question: [answer] for question, answer in first.items()}
            every.append(asker)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(asker.run()) for asker in every]
        yield every
        for task in tasks:
            task.cancel()


async def test_no_walk_ends_above_what_is_registered_whatever_comes_and_goes(database_dsn, tmp_path):
    chance = Random(20260118)
    async with open_book(database_dsn) as store:
        async with begin(store, "test") as transaction:
            await transaction.home("gs1")
        await store.load_prefixes()
        writer = Writer(store, chance)
        told = {question: expected(writer.levels, question) for question, _ in QUESTIONS}
        with RunningNode(*arguments(database_dsn, tmp_path, WORKERS)) as node:
            url, _ = await asyncio.to_thread(node.ready)
            async with askers(int(url.rpartition(":")[2]), chance, told) as every:
                for _ in range(CHANGES):
                    await one_change(writer, every)
            assert sum(asker.asked for asker in every) > CHANGES * CONNECTIONS


async def one_change(writer: Writer, every: list[Asker]) -> None:
    """Until all were told what is registered now."""
    change = writer.plan()
    for asker in every:
        for question, allowed in asker.allowed.items():
            allowed.append(expected(writer.levels, question))
    await change()
    async with asyncio.timeout(DEADLINE):
        for asker in every:
            await asker.until(lambda asker=asker: all(len(allowed) == 1 for allowed in asker.allowed.values()))
