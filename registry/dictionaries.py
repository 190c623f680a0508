"""The dictionaries of a book: read when a row first names one, and added to by bulk loads, never taken out."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import asyncpg

from registry.deflating import Dictionary, number_of
from registry.octets import Truncated

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

MAX_DICTIONARIES: Final = 256  # 8 MiB in each process at most, however unlike each other loads are.
CANDIDATES: Final = 4  # The newest, which a load begins with: loads of enterprises with other rows take turns.

NAMED: Final = "SELECT number, body FROM dictionary WHERE number = ANY ($1::int[])"
NEWEST: Final = "SELECT number, body FROM dictionary ORDER BY number DESC LIMIT $1"
ADD: Final = """
INSERT INTO dictionary (body, created_at)
SELECT $1, $2 WHERE (SELECT count(*) FROM dictionary) < $3 RETURNING number
"""


class Dictionaries:
    """Those of one book that this process has met."""

    def __init__(self) -> None:
        self._known: dict[int, Dictionary] = {}

    def unknown(self, stored: Iterable[bytes]) -> set[int]:
        """The numbers of dictionaries that have to be read before these values can be inflated."""
        return {number for one in stored if (number := number_of(one)) is not None and number not in self._known}

    def plain(self, stored: bytes) -> bytes:
        """Stored values in form 1. Raises Truncated."""
        number = number_of(stored)
        if number is None:
            return stored
        dictionary = self._known.get(number)
        if dictionary is None:
            raise Truncated(f"the book has no dictionary {number}")
        return dictionary.inflate(stored)

    def find(self, number: int) -> Dictionary | None:
        return self._known.get(number)

    async def learn(self, connection: Connection, numbers: Iterable[int]) -> None:
        self._learn(await connection.fetch(NAMED, list(numbers)))

    async def newest(self, connection: Connection) -> list[Dictionary]:
        return self._learn(await connection.fetch(NEWEST, CANDIDATES))

    async def add(self, connection: Connection, body: bytes) -> Dictionary | None:
        """A new one, in the book before any row that is deflated against it; None where there are enough."""
        number = await connection.fetchval(ADD, body, datetime.now(UTC), MAX_DICTIONARIES)
        if number is None:
            return None
        dictionary = self._known[number] = Dictionary(number, body)
        return dictionary

    def _learn(self, rows: Iterable[asyncpg.Record]) -> list[Dictionary]:
        read = [self._known.get(row["number"]) or Dictionary(row["number"], row["body"]) for row in rows]
        self._known |= {dictionary.number: dictionary for dictionary in read}
        return read
