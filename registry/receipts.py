"""Receipts: what became of a write that its sender named, kept with what it wrote (draft-ietf-httpapi-idempotency-key).

Whoever hears nothing after a write sends it again under its key and is told what became of the first. The receipt is
written by the transaction that it is for, so there is one if and only if the write is in the book; of two that are sent
at once, one finds the receipt of the other and takes back what it did. Refusals are not kept: they changed nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from registry.errors import ProtocolFault

KEPT: Final = timedelta(hours=48)
MAX_KEY: Final = 255  # Characters; a UUID has 36.
TRIMMED_AT_ONCE: Final = 10_000  # Rows of one DELETE: its locks and its log stay small.

KEEP: Final = """
INSERT INTO receipt (key, digest, handle, created, version, made_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (key) DO NOTHING RETURNING true
"""
FIND: Final = "SELECT digest, handle, created, version FROM receipt WHERE key = $1 AND made_at > $2"
OVER: Final = "DELETE FROM receipt WHERE key = $1 AND made_at <= $2"
TRIM: Final = """
DELETE FROM receipt WHERE key IN (SELECT key FROM receipt WHERE made_at <= $1 ORDER BY made_at LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write: its handle as it is named, whether it or its values are new, its version then."""

    handle: str
    created: bool
    version: int


class WrittenBefore(Exception):  # no error: somebody else made the same write
    """The write was made already: find its receipt."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The name of a write: of whom and under which key, and what the whole request says."""

    key: bytes
    digest: bytes

    @classmethod
    def of(cls, by: str, key: str, request: Iterable[bytes]) -> "Receipt":
        """`by` is the writer, as index:handle. Raises ProtocolFault for what is no key."""
        if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
            rule = f"must be 1 to {MAX_KEY} printable ASCII characters"
            raise ProtocolFault("http.parameter", name="Idempotency-Key", value=key[:40], rule=rule)
        parts = [hashlib.sha256(part).digest() for part in request]
        return cls(hashlib.sha256(f"{by}\n{key}".encode()).digest(), hashlib.sha256(b"".join(parts)).digest())


async def find(connection: asyncpg.pool.PoolConnectionProxy, receipt: Receipt) -> Outcome | None:
    """What became of the write, if it was made. Raises ProtocolFault when the key was of another."""
    row = await connection.fetchrow(FIND, receipt.key, datetime.now(UTC) - KEPT)
    if row is None:
        return None
    if row["digest"] != receipt.digest:
        raise ProtocolFault("write.key_reused")
    return Outcome(row["handle"], row["created"], row["version"])


async def keep(connection: asyncpg.pool.PoolConnectionProxy, receipt: Receipt, outcome: Outcome) -> None:
    """Writes the receipt into the transaction of its write. Raises WrittenBefore: take the transaction back."""
    now = datetime.now(UTC)
    await connection.execute(OVER, receipt.key, now - KEPT)
    row = (receipt.key, receipt.digest, outcome.handle, outcome.created, outcome.version, now)
    if not await connection.fetchval(KEEP, *row):
        raise WrittenBefore


async def trim(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """Takes out receipts that are over."""
    while (await connection.execute(TRIM, datetime.now(UTC) - KEPT, TRIMMED_AT_ONCE)) == f"DELETE {TRIMMED_AT_ONCE}":
        pass
