"""Work that takes milliseconds of a core, done on other threads: keys, signatures, proofs.

Two at a time: with the six threads that Python takes on two cores, the event loop waited for its core two to ten times
as long while signatures were asked for, and there were no more of them.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from registry.errors import ServerBusy
from registry.waiting import turn

AT_ONCE: Final = 2  # One computes while the other is handed over; a process is meant to have one core.
# Seconds for one's turn: all that may wait is about a second of work, and of a machine that is pressed ten times that.
PATIENCE: Final = 15.0

Result = TypeVar("Result")


class Aside:
    """Does so much at a time, lets so many wait, and refuses the others."""

    def __init__(self, most: int, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self.most = most
        self._patience = patience
        self._asked = 0
        self._turn = asyncio.Semaphore(at_once)

    async def do(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Raises ServerBusy."""
        if self._asked >= self.most:
            raise ServerBusy("server.queue")
        self._asked += 1
        try:
            await turn(self._turn, self._patience)
            try:
                return await asyncio.to_thread(work, *arguments)
            finally:
                self._turn.release()
        finally:
            self._asked -= 1
