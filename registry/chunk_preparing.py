"""What is needed before the rows of a chunk can be written, made while the chunks before it are being written.

Dictionaries and templates are learnt on the way: a chunk proposes a dictionary for those to come, and names templates
that are looked for in the book.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from registry.chunk_changes import Amended, amended
from registry.chunks import Chunk
from registry.conformity import Conformity
from registry.deflating import Dictionary
from registry.dictionaries import CANDIDATES
from registry.preparation import Prepared
from registry.preparers import Preparers
from registry.store import Store
from registry.template import Template, TemplateName
from registry.templates import Templates

UNDER_WAY: Final = 3  # Chunks that may have been prepared before a new dictionary was known.

Outcome = TypeVar("Outcome")


class ChunkPreparing:
    """Prepares the chunks of one load; `registering` rows are stored as they are, and rules hold unless `archived`."""

    def __init__(self, store: Store, *, registering: bool, archived: bool) -> None:
        self._store = store
        self._registering = registering
        self._archived = archived
        self._preparers = Preparers()
        self.restamp = self._preparers.restamp
        self._dictionaries: list[Dictionary] = []
        self._templates: dict[str, Template | None] = {}  # By key of name; None for what is not published here.
        self._heeded = 0  # The first chunk whose proposal of a dictionary is heeded.

    async def __aenter__(self) -> Self:
        async with self._store.connection() as connection:
            self._dictionaries = await self._store.dictionaries.newest(connection)
        await self._preparers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._preparers.__aexit__(kind, error, traceback)

    async def prepare(self, chunk: Chunk) -> Prepared:
        await self._store.load_prefixes()  # Types may be declared searchable while a long load runs.
        if not self._registering:
            return await self._preparers.prepare_plain(chunk, Conformity(whole=False))
        homed = self._store.prefixes.homed()
        searchable = {prefix.key: prefix.searchable for prefix in homed if prefix.searchable}
        rules = {prefix.key: prefix.rules for prefix in homed if prefix.rules and not self._archived}
        while True:
            known = Conformity(rules, dict(self._templates))
            prepared = await self._preparers.prepare(chunk, tuple(self._dictionaries), searchable, known)
            if not prepared.unknown:
                return prepared
            await self._find_templates(prepared.unknown)

    async def _find_templates(self, keys: Iterable[str]) -> None:
        """Looks for templates that rows name; none is taken out or changed while a load runs."""
        names = {key: TemplateName.from_text(key) for key in keys}
        found = await Templates(self._store).published(names.values())
        for key in names:
            self._templates[key] = found[key].template if key in found else None

    async def heed(self, chunk: Chunk, proposal: bytes) -> None:
        """Adds a dictionary for the chunks to come."""
        if chunk.number < self._heeded:
            return  # It was prepared without the newest one.
        self._heeded = chunk.number + UNDER_WAY
        async with self._store.connection() as connection:
            dictionary = await self._store.dictionaries.add(connection, proposal)
        if dictionary is not None:
            self._dictionaries = [dictionary, *self._dictionaries][:CANDIDATES]

    async def amend(self, *what: Any) -> Amended:
        """The rows of a chunk put into the values that are there."""
        while True:
            outcome = await self._preparers.run(amended, *what, dict(self._templates))
            if not outcome.unknown:
                return outcome
            await self._find_templates(outcome.unknown)


async def ahead(
    chunks: AsyncGenerator[Chunk, None], prepare: Callable[[Chunk], Coroutine[Any, Any, Prepared | None]]
) -> AsyncGenerator[tuple[Chunk, Prepared | None], None]:
    """Chunks with what was prepared of them, while the next one is prepared and the one after that is cut."""
    tasks: set[asyncio.Task[Any]] = set()
    async with aclosing(chunks):
        try:
            waiting: tuple[Chunk, asyncio.Task[Prepared | None]] | None = None
            cutting = _started(tasks, _next(chunks))
            while (chunk := await cutting) is not None:
                preparing = _started(tasks, prepare(chunk))
                cutting = _started(tasks, _next(chunks))
                if waiting is not None:
                    yield waiting[0], await waiting[1]
                waiting = chunk, preparing
            if waiting is not None:
                yield waiting[0], await waiting[1]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _next(chunks: AsyncGenerator[Chunk, None]) -> Chunk | None:
    return await anext(chunks, None)


def _started(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Outcome]) -> asyncio.Task[Outcome]:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
