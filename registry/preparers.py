"""Where chunks are prepared: beside the event loop, and in a second process once a load turns out to be a long one.

A process of its own costs a third of a second to start, so the first chunk never waits for it.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from types import TracebackType
from typing import Self, TypeVar

from registry.chunks import Chunk
from registry.merge import OldImage, restamped
from registry.preparation import Prepared, prepare

log = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")


class Preparers:
    """One helper process at most; where there is a single core, and for the first chunk, a thread."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._second_process = (os.cpu_count() or 1) > 1
        self._prepared = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def prepare(self, chunk: Chunk) -> Prepared:
        self._prepared += 1
        return await self._run(prepare, chunk.layout, chunk.rows, chunk.faults, chunk.lines)

    async def restamp(self, images: Sequence[OldImage], new: Sequence[bytes], written_at: int) -> list[bytes | None]:
        return await self._run(restamped, images, new, written_at)

    async def _run(self, work: Callable[..., Outcome], *arguments: object) -> Outcome:
        if self._second_process and self._prepared > 1:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
            except BrokenProcessPool:
                log.warning("the process that prepares rows has ended; going on without it")
                self._second_process = False
                self._pool = None
        return await asyncio.to_thread(work, *arguments)


def _begin() -> None:
    """Ctrl-C is the parent's to handle, and a parent that was killed takes this process with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
