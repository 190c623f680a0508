"""Where in the change log a request wrote: the position that is returned with its answer.

Whoever sends the position with a question is answered with what was written before it, or told to come again. One
request is one `noting` block; tasks that it starts note in the same place. A position names the book and not its
timeline: after a failover the transactions of the new leader go on counting where the acknowledged ones ended, and
replicas learn of the new timeline at different times.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zlib import crc32

from registry.errors import ProtocolFault

POSITION: Final = "X-Filament-Position"
_FORM: Final = re.compile(r"([0-9]{1,19})-([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class WritePosition:
    """The transaction of a write, in a book."""

    transaction: int
    book: int

    def __str__(self) -> str:
        return f"{self.transaction}-{self.book:08x}"

    @classmethod
    def from_text(cls, text: str) -> "WritePosition":
        """Raises ProtocolFault."""
        parts = _FORM.fullmatch(text)
        if parts is None:
            raise ProtocolFault("http.position", value=text[:80])
        return cls(int(parts[1]), int(parts[2], 16))


def book_number(system_identifier: str) -> int:
    """Of the cluster that Postgres made once and copies to each replica."""
    return crc32(system_identifier.encode())


@dataclass(slots=True)
class Noted:
    """What a request has written, as far as it is known."""

    transaction: int = 0  # The last one that wrote in the change log; 0 for none.
    # The number and the time of the last row that the transaction in hand wrote there; no other one has both.
    logged: tuple[int, datetime] | None = None
    is_final: bool = False  # Whether anything is in the book, or may be.
    until: float = 0.0  # When waiting for a primary ends, on the monotonic clock.

    def begin(self) -> None:
        """Nothing was written."""
        self.transaction, self.logged, self.is_final = 0, None, False


_current: ContextVar[Noted | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[Noted]:
    """What is written within the block, known when it ends well; within another it is a part of that."""
    if (noted := _current.get()) is not None:
        yield noted
        return
    noted = Noted()
    token = _current.set(noted)
    try:
        yield noted
    finally:
        _current.reset(token)


def noted_here() -> Noted | None:
    return _current.get()


def note(transaction: int, at: datetime) -> None:
    """Called by the transaction with its number and the time of its row, as the change log has them."""
    if (noted := _current.get()) is not None:
        noted.transaction = max(noted.transaction, transaction)
        noted.logged = transaction, at
