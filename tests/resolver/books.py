"""A book that answers when it is told to, for tests of what happens while a read is under way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from registry.handle import Handle, HandleKey, fold_whole
from registry.nearest import nearest_of
from registry.packing import PackedRecord, pack
from registry.perseverance import Perseverance
from registry.prefix import Prefix, PrefixTable
from registry.settings import RegistrySettings
from registry.store import Store
from registry.value import HandleValue
from resolver.cache import Cache
from resolver.metrics import Metrics
from resolver.misses import Misses
from resolver.resolution import Resolver

DEADLINE = 60.0  # Seconds that a test waits for what must happen; reached only when it does not.


def key(name: str) -> HandleKey:
    return fold_whole(name.encode())


def record(name: str, text: str = "here", version: int = 1) -> PackedRecord:
    return PackedRecord(Handle.from_text(name), pack([HandleValue(1, "DESC", text.encode())], 0), 0, version)


class SlowBook:
    """A store of ten lines: reads wait in `reads` until they are answered or failed."""

    def __init__(self) -> None:
        self.key_of = fold_whole
        self.perseverance = Perseverance("")
        self.nearest = nearest_of(RegistrySettings())
        self.prefixes = PrefixTable([Prefix(1, b"88.1", "88.1", True)])
        self.records: dict[HandleKey, PackedRecord] = {}
        self.reads: asyncio.Queue[Read] = asyncio.Queue()
        self.open_error: Exception | None = None
        self.tried = asyncio.Event()
        self.opened = asyncio.Event()

    async def open(self) -> None:
        self.tried.set()
        if self.open_error is not None:
            raise self.open_error
        self.opened.set()

    async def fetch_packed(self, keys: Sequence[HandleKey]) -> dict[HandleKey, PackedRecord]:
        read = Read(list(keys), dict(self.records))
        self.reads.put_nowait(read)
        return await read.outcome

    async def next_read(self) -> "Read":
        return await asyncio.wait_for(self.reads.get(), DEADLINE)


class Read:
    """One read under way; it saw the book as it was when it began."""

    def __init__(self, keys: list[HandleKey], records: dict[HandleKey, PackedRecord]) -> None:
        self.keys = keys
        self.outcome: asyncio.Future[dict[HandleKey, PackedRecord]] = asyncio.get_running_loop().create_future()
        self._records = records

    def answer(self) -> None:
        self.outcome.set_result({key: self._records[key] for key in self.keys if key in self._records})

    def fail(self, error: Exception) -> None:
        self.outcome.set_exception(error)


class Bench:
    """A resolver over a slow book."""

    def __init__(self, *, readers: int = 1, queue: int = 100, deadline: float = 60.0, goes_over: bool = False) -> None:
        self.book = SlowBook()
        self.metrics = Metrics()
        self.cache = Cache(1 << 20, 100, 300.0, 30.0)
        limits = {"readers": readers, "queue": queue, "deadline": deadline}
        self.misses = Misses(self.book, self.metrics, **limits, goes_over=goes_over)
        self.now = 1000.0
        self.resolver = Resolver(self.book, self.cache, self.misses, self.metrics, clock=lambda: self.now)

    def ask(self, name: str) -> asyncio.Task:
        return asyncio.create_task(self.resolver.resolve(key(name)))


@asynccontextmanager
async def bench(make: Callable[..., Bench] = Bench, **limits: float) -> AsyncIterator[Bench]:
    """A resolver that hears changes and reaches its book."""
    made = make(**limits)
    running = asyncio.create_task(made.misses.run())
    await asyncio.wait_for(made.book.opened.wait(), DEADLINE)
    made.resolver.heard()
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait({running})


@asynccontextmanager
async def running_resolver(store: Store) -> AsyncIterator[Resolver]:
    """A resolver over a real store that takes every change as heard."""
    metrics = Metrics()
    cache = Cache(1 << 20, 100, 300.0, 30.0)
    misses = Misses(store, metrics, readers=1, queue=100, deadline=DEADLINE)
    resolver = Resolver(store, cache, misses, metrics, max_staleness=3600.0)
    running = asyncio.create_task(misses.run())
    try:
        async with asyncio.timeout(DEADLINE):
            while misses.fault:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0)
        resolver.heard()
        yield resolver
    finally:
        running.cancel()
        await asyncio.wait({running})
