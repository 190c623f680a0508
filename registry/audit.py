"""The audit log: acts in one order, each row holding a digest of itself and of all before it.

Whoever edits, removes or inserts a row has to write every row behind it anew, and `verify` finds him unless he did. Who
has noted down where the log ended once (its head) finds that, too. Acts are written by the transactions that do them
and chained within seconds, in the order of transaction and sequence, once no transaction that could stand before them
is running: the order of the change feed. Rows of an earlier life of the database, from before a restore, have numbers
of transactions that are still to come here; nothing waits for those.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson

from registry.errors import ProtocolFault
from registry.store import Store

SEALED_AT_ONCE: Final = 1000  # Acts of one transaction: some twenty milliseconds.
READ_AT_ONCE: Final = 5000  # Rows that a verification holds in memory.
MAX_SHOWN: Final = 1000  # Acts of one answer: some 300 kB.
NEWEST: Final = (1 << 63) - 1  # Above every number.
BEGINNING: Final = b""  # What the first row follows.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

ANY: Final = "SELECT EXISTS (SELECT FROM act)"
HEAD: Final = "SELECT number, chain FROM audit_head"
LOCK_HEAD: Final = "SELECT number, chain FROM audit_head FOR UPDATE"
TAKE: Final = """
SELECT xid::text AS transaction, seq, at, by, program, act, prefix_id, subject, detail FROM act
WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) OR xid >= pg_snapshot_xmax(pg_current_snapshot())
ORDER BY xid, seq LIMIT $1
"""
SEAL: Final = ("number", "at", "by", "program", "act", "prefix_id", "subject", "detail", "chain")
TAKE_OUT: Final = """
DELETE FROM act USING unnest($1::text[], $2::bigint[]) AS sealed (transaction, seq)
WHERE act.xid = sealed.transaction::xid8 AND act.seq = sealed.seq
"""
MOVE_HEAD: Final = "UPDATE audit_head SET number = $1, chain = $2"
EVERY: Final = """
SELECT number, at, by, program, act, prefix_id, subject, detail, chain FROM audit ORDER BY number
"""
LIST: Final = """
SELECT number, at, by, program, act, prefix_id, subject, detail FROM audit
WHERE number < $1 AND ($2::int IS NULL OR prefix_id = $2) ORDER BY number DESC LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends, or ended once: worth noting down outside of the database."""

    number: int
    chain: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.chain.hex()}"

    @classmethod
    def from_text(cls, text: str) -> "Head":
        """Raises ProtocolFault."""
        number, _, chain = text.partition(":")
        try:
            if not (number.isascii() and number.isdecimal() and len(number) <= 18):
                raise ValueError
            return cls(int(number), bytes.fromhex(chain))
        except ValueError:
            raise ProtocolFault("http.parameter", name="head", value=text[:80], rule="is no NUMBER:DIGEST") from None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the log is whole: its head and, where it is not, a rule of `FAULTS` and the number it is broken at."""

    head: Head
    fault: str = ""
    number: int = 0


# What can be wrong with the log, at a number.
CHANGED, MISSING, INSERTED, CUT, OTHER = "changed", "missing", "inserted", "cut", "other"


@dataclass(frozen=True, slots=True)
class KeptAct:
    """A row of the log."""

    number: int
    at: datetime
    by: str
    program: str
    act: str
    subject: str
    detail: Any


async def seal(store: Store) -> int:
    """Chains the acts that wait for it, and says how many those were. Raises DATABASE_AWAY."""
    sealed = 0
    async with store.connection() as connection:
        if not await connection.fetchval(ANY):
            return 0
        while True:
            async with connection.transaction():
                count = await _seal(connection)
            sealed += count
            if count < SEALED_AT_ONCE:
                return sealed


async def verify(store: Store, known: Head | None = None) -> Verdict:
    """Reads the whole log as it stands at this moment. It went through `known`, if nobody wrote it anew."""
    async with (
        store.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await connection.fetchrow(HEAD)
        assert row is not None
        head = Head(row["number"], row["chain"])
        number, chain = 0, BEGINNING
        if known is not None and known.number > head.number:
            return Verdict(head, CUT, known.number)
        async for kept in _every(connection):
            if kept["number"] != number + 1:
                return Verdict(head, MISSING if kept["number"] > number + 1 else INSERTED, number + 1)
            if kept["number"] > head.number:
                return Verdict(head, INSERTED, kept["number"])
            number, chain = kept["number"], _link(chain, kept["number"], kept)
            if chain != kept["chain"]:
                return Verdict(head, CHANGED, number)
            if known is not None and known.number == number and known.chain != chain:
                return Verdict(head, OTHER, number)
        if number < head.number:
            return Verdict(head, CUT, number + 1)
        return Verdict(head, "" if chain == head.chain else OTHER, 0 if chain == head.chain else number)


async def list_acts(
    store: Store, prefix_id: int | None, *, before: int = NEWEST, limit: int = MAX_SHOWN
) -> list[KeptAct]:
    """Acts below a number, newest first, of one prefix or of all."""
    async with store.connection() as connection:
        rows = await connection.fetch(LIST, before, prefix_id, limit)
    return [
        KeptAct(
            row["number"],
            row["at"].astimezone(UTC),
            row["by"],
            row["program"],
            row["act"],
            row["subject"],
            orjson.loads(row["detail"]),
        )
        for row in rows
    ]


async def _seal(connection: asyncpg.pool.PoolConnectionProxy) -> int:
    head = await connection.fetchrow(LOCK_HEAD)  # Of two who seal at once, one waits, and finds what the other left.
    assert head is not None
    rows = await connection.fetch(TAKE, SEALED_AT_ONCE)
    number, chain = head["number"], head["chain"]
    records = []
    for row in rows:
        number += 1
        chain = _link(chain, number, row)
        records.append((number, *(row[name] for name in SEAL[1:-1]), chain))
    if records:
        await connection.copy_records_to_table("audit", records=records, columns=SEAL)
        await connection.execute(TAKE_OUT, [row["transaction"] for row in rows], [row["seq"] for row in rows])
        await connection.execute(MOVE_HEAD, number, chain)
    return len(records)


async def _every(connection: asyncpg.pool.PoolConnectionProxy) -> AsyncIterator[asyncpg.Record]:
    async for row in connection.cursor(EVERY, prefetch=READ_AT_ONCE):
        yield row


def _link(before: bytes, number: int, row: asyncpg.Record) -> bytes:
    """The digest of a row and of all before it. Another form of rows gets another one, never in its place."""
    at = (row["at"] - _EPOCH) // _MICROSECOND
    said = [number, at, *(row[name] for name in SEAL[2:-1])]
    return hashlib.sha256(before + orjson.dumps(said)).digest()
