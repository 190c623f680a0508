"""What every chunk of a load or a job has in common, whatever it does to the book: it is written in one transaction.

Rows are locked in order of key, as every writer does, so that two of them never wait for each other; the counters, one
row of the change log for each prefix, the ledger, and the links last of all follow in the same transaction.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress
from typing import Final

import asyncpg

from registry.changes import Operation
from registry.errors import HandleError
from registry.holders import check_free
from registry.ledger import Batch, Connection, Tally, claim, settle
from registry.members import own_rows
from registry.quotas import check_registered
from registry.refusal import Refusal
from registry.relations import Said
from registry.spellings import Place
from registry.store import Store
from registry.transaction import COUNT
from registry.unit import count_slot

# The chunk and its ledger row are lost together or not at all, so neither has to wait for the disk. The rows are named
# by key: an index finds them, whatever the planner believes of a table that has grown a hundredfold since it looked.
PREPARE: Final = """
SET LOCAL synchronous_commit = off; SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""
HISTORY: Final = """
INSERT INTO handle_history (at, prefix_id, version, state, suffix, changed_by, packed, written_at, standing, batch_id)
SELECT $1, handle.prefix_id, handle.version, handle.state, handle.suffix, $2, handle.packed,
       coalesce(handle.updated_at, handle.created_at), handle.standing, handle.batch_id
FROM unnest($3::int[], $4::text[]) AS changed (prefix_id, suffix)
JOIN handle ON handle.prefix_id = changed.prefix_id AND handle.suffix = changed.suffix
"""
LOG_RANGE: Final = """
INSERT INTO change_log (kind, prefix_id, suffix, suffix_to, batch_id, operation, written_at)
VALUES (2, $1, $2, $3, $4, $5, $6)
"""

RETRIED: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@dataclass(frozen=True, slots=True)
class Rows:
    """What is to be stored, column by column, in order of key."""

    prefix_ids: list[int]
    suffixes: list[str]
    spellings: list[str | None]
    packed: list[bytes]
    keys: list[str | None]
    links: list[frozenset[Said] | None]
    places: list[int]  # Of their rows in the chunk.
    dictionary: int | None = None  # That `packed` is deflated against.

    def place_of(self, row: asyncpg.Record) -> Place:
        """Where the row of a statement is kept that names its place among these."""
        return self.prefix_ids[row["place"]], self.suffixes[row["place"]]

    def without(self, refused: frozenset[Place]) -> tuple["Rows", list[int]]:
        """The rows but for these handles, and the places of those."""
        handles = list(zip(self.prefix_ids, self.suffixes, strict=True))
        kept = [handle not in refused for handle in handles]
        rest = Rows(
            list(compress(self.prefix_ids, kept)),
            list(compress(self.suffixes, kept)),
            list(compress(self.spellings, kept)),
            list(compress(self.packed, kept)),
            list(compress(self.keys, kept)),
            list(compress(self.links, kept)),
            list(compress(self.places, kept)),
            self.dictionary,
        )
        return rest, [place for place, is_kept in zip(self.places, kept, strict=True) if not is_kept]


# Given the place of a row in the chunk and why it is not taken: what the ledger keeps of it.
Refuse = Callable[[int, HandleError], tuple[int, str, Refusal]]


class ChunkWriting(ABC):
    """The writing of one chunk."""

    def __init__(self, store: Store, connection: Connection, batch: Batch, by: str) -> None:
        self._store = store
        self._connection = connection
        self._batch = batch
        self._by = by
        self._refused: list[tuple[int, str, Refusal]] = []
        self._at = datetime.now(UTC).replace(microsecond=0)
        self._created: Counter[int] = Counter()
        self._updated: Counter[int] = Counter()
        self._registered: Counter[int] = Counter()  # How many more there are beside those created, or fewer.

    async def write(
        self, chunk: int, digest: bytes, rows: Rows, lines: int, refusals: Sequence[tuple[int, str, Refusal]]
    ) -> Tally | None:
        """Commits the chunk and says what it did; None when it was in the book already."""
        async with self._connection.transaction():
            await self._connection.execute(PREPARE)
            if not await claim(self._connection, self._batch, chunk, digest):
                return None
            if rows.suffixes:
                await check_free(self._connection, rows.prefix_ids, rows.suffixes)
                await own_rows(self._store, self._connection, rows.prefix_ids, rows.suffixes)
                await self._apply(rows)
            await self._count()
            await self._log(rows)
            created, updated = self._created.total(), self._updated.total()
            unchanged = len(rows.suffixes) - created - updated - len(self._refused)
            every = [*refusals, *self._refused]
            tally = Tally(lines, created, updated, unchanged, len(every))
            await settle(self._connection, self._batch, chunk, tally, every)
            await self._link(rows)
            return tally

    @abstractmethod
    async def _apply(self, rows: Rows) -> None:
        """Does to the book what the rows say, and counts it."""

    @abstractmethod
    async def _link(self, rows: Rows) -> None:
        """Writes the links of what was changed. Raises LinksRefused."""

    async def _keep_history(self, rows: Rows, places: list[int]) -> None:
        prefix_ids = [rows.prefix_ids[place] for place in places]
        suffixes = [rows.suffixes[place] for place in places]
        await self._connection.execute(HISTORY, self._at, self._by, prefix_ids, suffixes)

    async def _count(self) -> None:
        difference = Counter(self._created)
        difference.update(self._registered)
        for prefix_id in sorted(difference):
            await self._connection.execute(COUNT, prefix_id, count_slot(), difference[prefix_id])
        for prefix_id in self._created:
            if (prefix := self._store.prefixes.by_id(prefix_id)) is not None:
                await check_registered(self._connection, prefix, None)

    async def _log(self, rows: Rows) -> None:
        """One range a prefix, from its first suffix to its last: caches hold "not registered" of new handles too.

        Where every handle was new the range says so, and caches keep what they hold of the handles in between.
        """
        written = self._created.keys() | self._updated.keys()
        first = last = 0
        while first < len(rows.suffixes):
            prefix_id = rows.prefix_ids[first]
            last = first + rows.prefix_ids[first:].count(prefix_id) - 1
            if prefix_id in written:
                bounds = (rows.suffixes[first], rows.suffixes[last])
                operation = None if self._updated[prefix_id] else Operation.CREATED
                row = (prefix_id, *bounds, self._batch.batch_id, operation, self._at)
                await self._connection.execute(LOG_RANGE, *row)
            first = last + 1
