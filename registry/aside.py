"""Work that takes milliseconds of a core, done on other threads: keys, signatures, proofs.

Two at a time: with the six threads that Python takes on two cores, the event loop waited for its core two to ten times
as long while signatures were asked for, and there were no more of them.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from registry.errors import ServerBusy

AT_ONCE: Final = 2  # One computes while the other is handed over; a process is meant to have one core.

Result = TypeVar("Result")


class Aside:
    """Does so much at a time, lets so many wait, and refuses the others."""

    def __init__(self, most: int, at_once: int = AT_ONCE) -> None:
        self.most = most
        self._asked = 0
        self._turn = asyncio.Semaphore(at_once)

    async def do(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Raises ServerBusy."""
        if self._asked >= self.most:
            raise ServerBusy("server.queue")
        self._asked += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._asked -= 1
