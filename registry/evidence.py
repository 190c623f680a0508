"""Files that prove what an application says: licences, mandates. Encrypted where they are stored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from registry.acts import Act
from registry.errors import HandleNotFound, InvalidValue, ProtocolFault
from registry.personal import Vault
from registry.store import Store
from registry.transaction import begin

MAX_FILES: Final = 10  # Of one application.
MAX_OCTETS: Final = 5 << 20  # Of one file; a scanned licence has one or two megabytes.
MAX_NAME: Final = 200

# What a file is, is read from its first octets: what it is called says nothing.
KINDS: Final[Mapping[bytes, str]] = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
}
STATE: Final = "SELECT state FROM application WHERE application_id = $1 FOR UPDATE"
NUMBERS: Final = "SELECT count(*), coalesce(max(number), 0) + 1 FROM evidence WHERE application_id = $1"
SENT_BEFORE: Final = "SELECT number FROM evidence WHERE application_id = $1 AND name = $2 AND sha256 = $3"
ADD: Final = """
INSERT INTO evidence (application_id, number, name, media_type, octets, sha256, sealed, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
FIND: Final = "SELECT name, media_type, sealed FROM evidence WHERE application_id = $1 AND number = $2"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One file."""

    name: str
    media_type: str
    octets: bytes


class EvidenceFiles:
    """Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def add(self, application_id: int, name: str, octets: bytes, *, by: str) -> int:
        """Adds a file to an application that is still open, and says its number: the same when it is sent again.

        Raises what its faults are.
        """
        media_type = next((kind for begin, kind in KINDS.items() if octets.startswith(begin)), None)
        if media_type is None or len(octets) > MAX_OCTETS:
            raise InvalidValue("evidence.kind", kinds=", ".join(KINDS.values()), limit=MAX_OCTETS)
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            rule = f"must be 1 to {MAX_NAME} characters that can be shown"
            raise ProtocolFault("http.parameter", name="name", value=name[:40], rule=rule)
        async with begin(self._store, by) as transaction:
            connection = transaction.connection
            state = await connection.fetchval(STATE, application_id)
            if state is None:
                raise HandleNotFound("application.not_found", application=application_id)
            if state not in ("submitted", "returned"):
                raise ProtocolFault("application.state", application=application_id, state=state, step="evidence")
            digest = hashlib.sha256(octets).digest()
            if (before := await connection.fetchval(SENT_BEFORE, application_id, name, digest)) is not None:
                return int(before)
            (count, number), *_ = await connection.fetch(NUMBERS, application_id)
            if count >= MAX_FILES:
                raise ProtocolFault("evidence.many", limit=MAX_FILES)
            sealed = self._vault.seal(octets, _place(application_id, number))
            row = (application_id, number, name, media_type, len(octets), digest, sealed, datetime.now(UTC))
            await connection.execute(ADD, *row)
            told = {"number": number, "sha256": digest.hex()}
            await transaction.keep(Act("application.evidence", f"application:{application_id}", None, told))
        return int(number)

    async def find(self, application_id: int, number: int) -> Evidence:
        """Raises HandleNotFound."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(FIND, application_id, number)
        if row is None:
            raise HandleNotFound("evidence.not_found", application=application_id, number=number)
        return Evidence(row["name"], row["media_type"], self._vault.open(row["sealed"], _place(application_id, number)))


def _place(application_id: int, number: int) -> str:
    return f"evidence:{application_id}:{number}"
