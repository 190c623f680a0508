"""Overload: names that are not kept are refused at once, so that kept answers and the database keep their speed.

It begins when the oldest name that waits to be read has waited too long, which is what CoDel judges a queue by
(RFC 8289, section 3), or when the event loop is late again and again. While it lasts a name is read only if a
connection is free for it, so that nothing waits and the database still does what it can. It is over when for a while
nothing had to be refused and nothing was late: half of the bound counts as late then, so that it does not flap.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

log = logging.getLogger(__name__)

LOOK: Final = 0.05  # Seconds between two looks.
LATE: Final = 3  # Looks in a row that come late until it is the loop, and not one slow turn of it.
CALM: Final = 1.0  # Seconds without trouble after which it is over.


class Overload:
    """Whether there is one. `shed` counts the names that were refused because of it, `times` how often it began."""

    def __init__(self, bound: float, clock: Callable[[], float] = monotonic) -> None:
        """`bound` is in seconds: of waiting, and of being late."""
        self.on = False
        self.shed = 0
        self.times = 0
        self.bound = bound
        self._clock = clock
        self._late_looks = 0
        self._since = self._troubled_at = 0.0
        self._shed_before = self._shed_seen = 0

    def look(self, waited: float, late: float) -> None:
        """Judges by how long the oldest name has waited, and by how much this look comes late."""
        self._late_looks = self._late_looks + 1 if late > self.bound else 0
        if not self.on:
            if waited > self.bound or self._late_looks >= LATE:
                self._begin(waited, late)
            return
        now = self._clock()
        if max(waited, late) > self.bound / 2 or self.shed > self._shed_seen:
            self._troubled_at = now
            self._shed_seen = self.shed
        elif now - self._troubled_at >= CALM:
            self._end(now)

    async def watch(self, waited: Callable[[], float]) -> None:
        """Looks now and then; `waited` says how long the oldest name has waited."""
        while True:
            due = self._clock() + LOOK
            await asyncio.sleep(LOOK)
            self.look(waited(), self._clock() - due)

    def _begin(self, waited: float, late: float) -> None:
        self.on = True
        self.times += 1
        self._since = self._troubled_at = self._clock()
        self._shed_before = self._shed_seen = self.shed
        cause = f"names wait {waited:.2f} s to be read" if waited > self.bound else f"the process is {late:.2f} s late"
        log.warning("overload begins: %s; names that are not kept are refused at once", cause)

    def _end(self, now: float) -> None:
        self.on = False
        shed = self.shed - self._shed_before
        log.warning("overload is over after %.1f s; %s names were refused", now - self._since, shed)
