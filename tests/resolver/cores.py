"""The heart of a worker over a real database, without any listener, and a way to wait until it has heard of changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from registry.change_reading import ChangeReader
from registry.changes import Change
from registry.handle import Handle
from registry.record import HandleRecord
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.answer import Answer
from resolver.cache import Cache
from resolver.invalidation import Follower, follow_changes, sweep
from resolver.metrics import Metrics
from resolver.misses import Misses
from resolver.resolution import Resolver

DEADLINE = 60.0  # Seconds that a test waits for what must happen; reached only when it does not.
POLL = 0.01


class AttentiveResolver(Resolver):
    """Tells when changes have been heard."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: list[asyncio.Event] = []

    def heard(self) -> None:
        super().heard()
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            event.set()

    async def next_look(self) -> None:
        event = asyncio.Event()
        self._waiting.append(event)
        await asyncio.wait_for(event.wait(), DEADLINE)

    async def caught_up(self) -> None:
        """Returns when everything committed before the call has been heard: the look after the one under way."""
        await self.next_look()
        await self.next_look()


class Core:
    def __init__(self, dsn: str, *, octets: int = 1 << 22, **limits: float) -> None:
        self.settings = RegistrySettings(dsn=dsn)
        self.store = Store(self.settings, "test", 2)
        self.metrics = Metrics()
        self.cache = Cache(octets, 1000, 300.0, 30.0)
        self.misses = Misses(self.store, self.metrics, readers=2, queue=10_000, deadline=DEADLINE)
        self.resolver = AttentiveResolver(
            self.store, self.cache, self.misses, self.metrics, max_staleness=limits.get("max_staleness", DEADLINE)
        )
        self.reader = ChangeReader("test changes", self.store)
        self.follower = Follower(self.reader, self.store, self.resolver, self.metrics, kept=86_400.0)

    async def ask(self, name: str) -> Answer:
        return await asyncio.wait_for(self.resolver.resolve(self.store.key_of(name.encode())), DEADLINE)

    def peek(self, name: str) -> Answer | None:
        return self.resolver.peek(self.store.key_of(name.encode()))

    def forget(self, change: Change) -> None:
        self.resolver.forget(change)

    async def register(self, name: str, text: str = "here") -> HandleRecord:
        async with begin(self.store, "test") as transaction:
            return await transaction.create(Handle.from_text(name), [HandleValue(1, "DESC", text.encode())])

    async def replace(self, name: str, text: str) -> HandleRecord:
        async with begin(self.store, "test") as transaction:
            record = await transaction.lock(Handle.from_text(name))
            assert record is not None
            return await transaction.replace(record, [HandleValue(1, "DESC", text.encode())])

    async def delete(self, name: str) -> None:
        async with begin(self.store, "test") as transaction:
            record = await transaction.lock(Handle.from_text(name))
            assert record is not None
            await transaction.delete(record)

    async def execute(self, statement: str, *arguments: object) -> str:
        async with self.store.connection() as connection:
            return str(await connection.execute(statement, *arguments))


@asynccontextmanager
async def core(dsn: str, made: Core | None = None, **limits: float) -> AsyncIterator[Core]:
    made = Core(dsn, **limits) if made is None else made
    tasks = [
        asyncio.create_task(made.misses.run()),
        asyncio.create_task(follow_changes(made.follower, POLL, limits.get("stale_limit", 86_400.0))),
        asyncio.create_task(sweep(made.cache)),
    ]
    try:
        await made.resolver.caught_up()
        async with asyncio.timeout(DEADLINE):
            while made.misses.fault:  # noqa: ASYNC110  # that it can read now is told to nobody
                await asyncio.sleep(0.01)
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await made.reader.close()
        await made.store.close()
        for task in tasks:
            if not task.cancelled():
                task.result()
