"""Who may write codes of other systems: parts of them, granted by the operator to the administrators of a prefix.

The longest start decides. It is asked for when something is written, and never when something is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from registry.acts import Act
from registry.errors import HandleNotFound, PrefixNotHomed
from registry.handle import NAMING_AUTHORITY, Handle
from registry.schemes.issuer_parts import checked_start, covers, part_of
from registry.store import Store
from registry.transaction import begin

FIND: Final = """
SELECT i.start, p.spelling FROM issuer AS i JOIN prefix AS p USING (prefix_id)
WHERE i.system = $1 AND starts_with($2, i.start) ORDER BY length(i.start) DESC
"""
OF_SYSTEM: Final = """
SELECT i.start, p.spelling FROM issuer AS i JOIN prefix AS p USING (prefix_id)
WHERE i.system = $1 ORDER BY length(i.start) DESC
"""
GRANT: Final = """
INSERT INTO issuer (system, start, prefix_id, granted_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (system, start) DO UPDATE SET prefix_id = excluded.prefix_id, granted_at = excluded.granted_at
"""
REVOKE: Final = "DELETE FROM issuer WHERE system = $1 AND start = $2 RETURNING prefix_id"
LIST: Final = """
SELECT i.system, i.start, p.spelling AS prefix, i.granted_at FROM issuer AS i JOIN prefix AS p USING (prefix_id)
ORDER BY i.system, i.start LIMIT $1
"""
MAX_LISTED: Final = 10_000  # An operator grants some dozens.


@dataclass(frozen=True, slots=True)
class Issuer:
    """Codes of a system that begin so are written by the administrators of a prefix."""

    system: str
    start: str
    prefix: str
    granted_at: datetime


async def authority_over(store: Store, handle: Handle) -> Handle | None:
    """The handle of the prefix whose administrators were granted the part of this code; None when nobody was, and for
    plain handles."""
    found = part_of(handle)
    if found is None:
        return None
    system, part = found
    async with store.connection() as connection:
        rows = await connection.fetch(FIND, system, part)
    spelling = next((row["spelling"] for row in rows if covers(system, row["start"], part)), None)
    return None if spelling is None else Handle(NAMING_AUTHORITY, spelling)


async def authorities(store: Store, system: str) -> list[tuple[str, Handle]]:
    """All starts that were granted in a system, the longest first, and the handles of the prefixes that have them."""
    async with store.connection() as connection:
        rows = await connection.fetch(OF_SYSTEM, system)
    return [(row["start"], Handle(NAMING_AUTHORITY, row["spelling"])) for row in rows]


async def grant(store: Store, system: str, start: str, prefix: str, *, by: str) -> Issuer:
    """Grants a part to the administrators of a prefix that is homed here, in place of anybody who had it; homes the
    prefix of the system. Raises InvalidHandle, PrefixNotHomed."""
    start = checked_start(system, start)
    await store.load_prefixes()
    to = store.prefixes.of(store.key_of(f"{prefix}/".encode()))
    if to is None:
        raise PrefixNotHomed("prefix.not_homed")
    async with begin(store, by) as transaction:
        if store.prefixes.of(store.key_of(f"{system}/".encode())) is None:
            await transaction.home(system)
        await transaction.connection.execute(GRANT, system, start, to.prefix_id, transaction.at)
        await transaction.keep(Act("issuer.granted", f"{system}/{start}", to.prefix_id, {"prefix": to.spelling}))
        granted_at = transaction.at
    await store.load_prefixes()
    return Issuer(system, start, to.spelling, granted_at)


async def revoke(store: Store, system: str, start: str, *, by: str) -> None:
    """Takes a part back; what was written stays. Raises InvalidHandle, HandleNotFound."""
    start = checked_start(system, start)
    async with begin(store, by) as transaction:
        prefix_id = await transaction.connection.fetchval(REVOKE, system, start)
        if prefix_id is None:
            raise HandleNotFound("issuer.unknown", system=system, start=start)
        await transaction.keep(Act("issuer.revoked", f"{system}/{start}", prefix_id))


async def list_issuers(store: Store) -> Sequence[Issuer]:
    async with store.connection() as connection:
        return [Issuer(**row) for row in await connection.fetch(LIST, MAX_LISTED)]
