"""Names of a batch that other nodes answer for: each is asked for as a single question is, within bounds for them all.

What is not answered within them is busy. Asked for again, it finds what came meanwhile kept.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from registry.errors import HandleError, ResponseCode, ServerBusy
from resolver.answer import Answer
from resolver.listeners.http.elsewhere import may_be_elsewhere
from resolver.recursion import Elsewhere, Question, Recursion
from resolver.referral import with_prefix

AT_ONCE: Final = 32  # Names of one batch: an eighth of what a node has under way for everybody (`MAX_FLIGHTS`).
MOST: Final = 1000  # Names of one batch; there are ten thousand in it at most, and a batch is of one's own handles.

_NO_ANSWER: Final = "recursion.no_answer"


class PassedOn:
    """What is asked of other nodes for one batch, in the time that one question has."""

    def __init__(self, recursion: Recursion, address: str) -> None:
        self._recursion = recursion
        self._address = address
        self._left = MOST
        self._ends: float | None = None  # Once something was asked.
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def ask(
        self, names: Sequence[str], outcomes: Sequence[Answer | HandleError], places: Sequence[int]
    ) -> Mapping[int, Elsewhere | HandleError]:
        """What is said of the names at these places for which there is nothing here; nothing where nobody knows."""
        asked = [place for place in places if _leads_on(names[place], outcomes[place])]
        if not asked:
            return {}
        if self._ends is None:
            self._ends = self._recursion.clock() + self._recursion.deadline
        said = await asyncio.gather(*(self._ask(names[place], self._ends) for place in asked))
        return {place: one for place, one in zip(asked, said, strict=True) if one is not None}

    async def _ask(self, name: str, ends: float) -> Elsewhere | HandleError | None:
        self._left -= 1
        if self._left < 0:
            return ServerBusy(_NO_ANSWER)
        async with self._gate:
            seconds = ends - self._recursion.clock()
            if seconds <= 0:
                return ServerBusy(_NO_ANSWER)
            try:
                question = Question(with_prefix(name.encode(errors="replace")), self._address, seconds=seconds)
                elsewhere = await self._recursion.resolve(question)
            except HandleError as error:
                return error
        return None if elsewhere is None or elsewhere.code == ResponseCode.SERVER_NOT_RESPONSIBLE else elsewhere


def _leads_on(name: str, outcome: Answer | HandleError) -> bool:
    return isinstance(outcome, Answer) and may_be_elsewhere(name.encode(errors="replace"), outcome)
