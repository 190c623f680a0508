"""Places for requests that stand in memory while they are answered: so many at a time, and the others are refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from registry.errors import ServerBusy


class Places:
    """`most` are taken at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises ServerBusy when none is free."""
        if self._taken >= self._most:
            raise ServerBusy("server.queue")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
