"""Receipts: what a write that its sender named was answered (draft-ietf-httpapi-idempotency-key).

Whoever hears nothing after a write sends it again under its key and is told what became of the first. The receipt is
in the transaction that it is for, so there is one if and only if the write is in the book; of two that are sent at
once, one waits for the other. Refusals are not kept: they changed nothing.

Answers hold what is told once: keys, tokens, passwords. Each is sealed with its Idempotency-Key, which is not kept, so
that nobody reads them in the book who cannot guess that: keys are to be chosen at random.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import ProtocolFault

KEPT: Final = timedelta(hours=48)
MAX_KEY: Final = 255  # Characters; a UUID has 36.
TRIMMED_AT_ONCE: Final = 10_000  # Rows of one DELETE: its locks and its log stay small.
_INITIAL: Final = 12  # Octets of AES-GCM's initial value.

# A receipt that is over is written anew.
CLAIM: Final = """
INSERT INTO receipt (key, digest, made_at) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, made_at = excluded.made_at, answer = NULL
WHERE receipt.made_at <= $4 RETURNING true
"""
FIND: Final = "SELECT digest, answer FROM receipt WHERE key = $1"
ANSWER: Final = "UPDATE receipt SET answer = $2 WHERE key = $1"
TRIM: Final = """
DELETE FROM receipt WHERE key IN (SELECT key FROM receipt WHERE made_at <= $1 ORDER BY made_at LIMIT $2)
"""


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What a write was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The name of a write: of whom and under which key, and what the whole request says."""

    key: bytes
    digest: bytes
    seal: bytes

    @classmethod
    def of(cls, by: str, key: str, request: Iterable[bytes]) -> "Receipt":
        """`by` is the writer, as he is named in histories. Raises ProtocolFault for what is no key."""
        if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
            rule = f"must be 1 to {MAX_KEY} printable ASCII characters"
            raise ProtocolFault("http.parameter", name="Idempotency-Key", value=key[:40], rule=rule)
        whose = f"{by}\n{key}".encode()
        digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in request)).digest()
        seal = hashlib.sha256(b"seal\n" + whose + digest).digest()
        return cls(hashlib.sha256(whose).digest(), digest, seal)


async def claim(connection: asyncpg.pool.PoolConnectionProxy, receipt: Receipt) -> Answer | None:
    """Begins a write that is made once: its answer, if it was made. Another of this name that is being made is waited
    for. Raises ProtocolFault when the key was of another."""
    now = datetime.now(UTC)
    if await connection.fetchval(CLAIM, receipt.key, receipt.digest, now, now - KEPT):
        return None
    row = await connection.fetchrow(FIND, receipt.key)
    if row is None or row["digest"] != receipt.digest or row["answer"] is None:
        raise ProtocolFault("write.key_reused")
    initial, sealed = row["answer"][:_INITIAL], row["answer"][_INITIAL:]
    return msgspec.msgpack.decode(AESGCM(receipt.seal).decrypt(initial, sealed, None), type=Answer)


async def keep(connection: asyncpg.pool.PoolConnectionProxy, receipt: Receipt, answer: Answer) -> None:
    """Writes the answer to a write that was claimed here."""
    initial = os.urandom(_INITIAL)
    sealed = AESGCM(receipt.seal).encrypt(initial, msgspec.msgpack.encode(answer), None)
    await connection.execute(ANSWER, receipt.key, initial + sealed)


async def trim(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """Takes out receipts that are over."""
    while (await connection.execute(TRIM, datetime.now(UTC) - KEPT, TRIMMED_AT_ONCE)) == f"DELETE {TRIMMED_AT_ONCE}":
        pass
