"""Where chunks are prepared: beside the event loop, and in a second process once a load turns out to be a long one.

A process of its own costs a third of a second to start, so the first chunk never waits for it.
"""

import asyncio
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from registry.chunks import Chunk
from registry.conformity import Conformity
from registry.deflating import Dictionary
from registry.merge import OldImage, restamped
from registry.preparation import Prepared
from registry.preparing import LENGTH, content_of, message_of
from registry.stored_form import Searchable, prepare_stored

log = logging.getLogger(__name__)

BUFFER: Final = 16 << 20  # Octets of an answer that are read ahead; more is not under way.

Outcome = TypeVar("Outcome")


class Preparers:
    """One helper process at most; where there is a single core, and for the first chunk, a thread."""

    def __init__(self) -> None:
        self._helper: _Helper | None = None
        self._starting = asyncio.Lock()
        self._second_process = (os.cpu_count() or 1) > 1
        self._long = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._helper is not None:
            helper, self._helper = self._helper, None
            await helper.stop()

    async def prepare(
        self, chunk: Chunk, dictionaries: Sequence[Dictionary], searchable: Searchable, conformity: Conformity
    ) -> Prepared:
        self._long = self._long or chunk.number > 0
        return await self.run(prepare_stored, *chunk.work(), dictionaries, searchable, conformity)

    async def prepare_plain(self, chunk: Chunk, conformity: Conformity) -> Prepared:
        """The same for rows that are not stored as they are."""
        self._long = self._long or chunk.number > 0
        work, arguments = chunk.work()
        return await self.run(work, *arguments, conformity)

    async def restamp(
        self, images: Sequence[OldImage], new: Sequence[bytes], written_at: int, dictionary: Dictionary | None
    ) -> list[bytes | None]:
        return await self.run(restamped, images, new, written_at, dictionary)

    async def run(self, work: Callable[..., Outcome], *arguments: object) -> Outcome:
        """A plain function, worked out where chunks are prepared."""
        if self._second_process and self._long:
            try:
                return await (await self._started()).run(work, *arguments)
            except OSError as error:
                log.warning("the process that prepares rows is lost, going on without it: %s", error)
                self._second_process = False
        return await asyncio.to_thread(work, *arguments)

    async def _started(self) -> "_Helper":
        async with self._starting:
            if self._helper is None:
                self._helper = await _Helper.start()
            return self._helper


class _Helper:
    """A running `registry.preparing`. It answers in order, so requests may wait in the pipe while it works."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._writing = asyncio.Lock()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._reading = asyncio.create_task(self._read(), name="answers of the helper")

    @classmethod
    async def start(cls) -> "_Helper":
        """Raises OSError."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "registry.preparing",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=BUFFER,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        )

    async def run(self, work: Callable[..., Outcome], *arguments: object) -> Outcome:
        """Raises OSError when the process has ended."""
        assert self._process.stdin is not None
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        async with self._writing:
            if self._reading.done():
                raise BrokenPipeError("it has ended")
            self._waiting.append(answer)
            try:
                self._process.stdin.writelines(message_of((work, arguments)))
                await self._process.stdin.drain()
            except OSError:
                if not answer.cancel():
                    answer.exception()  # Says the same; whoever waits is told once.
                raise
        return await answer

    async def stop(self) -> None:
        """At once: it holds nothing that is worth keeping."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                length = int.from_bytes(await self._process.stdout.readexactly(LENGTH), "big")
                content = content_of(await self._process.stdout.readexactly(length))
                answer = self._waiting.popleft()
                if not answer.done():
                    answer.set_result(content)
        except (asyncio.IncompleteReadError, OSError):
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(BrokenPipeError("it has ended"))
