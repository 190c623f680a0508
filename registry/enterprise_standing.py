"""How an enterprise stands with this node: active, suspended or left; its limits; and its prefixes taken back.

    active ◄── resume ── suspended          suspended: its handles are answered, and nobody of it writes anything
       │ ──── suspend ──►    │
       └──────── leave ──────┴────► left    its prefixes are answered no more, its people and tokens are let in no more

A prefix is taken back from an enterprise that has left, once no handle is registered under it: whoever gets it next
must not find another's identifiers there. Everything raises DATABASE_AWAY.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from registry.decisions import check_reason, decide, decisions_of
from registry.errors import HandleNotFound, InvalidValue, PrefixNotHomed, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle
from registry.personal import Vault, masked
from registry.store import Store
from registry.transaction import Transaction, begin

STEPS: Final[Mapping[tuple[str, str], str]] = {
    ("active", "suspend"): "suspended",
    ("suspended", "resume"): "active",
    ("active", "leave"): "left",
    ("suspended", "leave"): "left",
}
STEP_NAMES: Final = ("suspend", "resume", "leave")
MOST: Final = 1 << 40  # Of any limit.

LOCK: Final = "SELECT name, state FROM enterprise WHERE enterprise_id = $1 FOR NO KEY UPDATE"
MOVE: Final = """
UPDATE enterprise SET state = $2, personal = CASE WHEN $2 = 'left' THEN NULL ELSE personal END WHERE enterprise_id = $1
"""
HOMED: Final = "SELECT spelling FROM prefix WHERE enterprise_id = $1 AND homed"
DISMISS: Final = "UPDATE person SET active = false WHERE enterprise_id = $1"
REVOKE: Final = """
UPDATE token SET revoked_at = $2 WHERE revoked_at IS NULL
AND (enterprise_id = $1 OR person_id IN (SELECT person_id FROM person WHERE enterprise_id = $1))
"""
FORGET: Final = """
DELETE FROM evidence WHERE application_id IN (SELECT application_id FROM application WHERE enterprise_id = $1)
"""
LIMIT: Final = """
UPDATE enterprise SET max_handles = $2, max_rate = $3, max_prefixes = $4 WHERE enterprise_id = $1
RETURNING enterprise_id
"""
SHOW: Final = """
SELECT e.enterprise_id, e.name, e.name_en, e.industry, e.state, e.max_handles, e.max_rate, e.max_prefixes, e.personal,
       e.created_at, array(SELECT p.spelling FROM prefix AS p WHERE p.enterprise_id = e.enterprise_id
         ORDER BY p.prefix_id) AS prefixes
FROM enterprise AS e WHERE e.enterprise_id = $1
"""
NAMED: Final = "SELECT enterprise_id FROM enterprise WHERE name = $1"
# The row is held, so that nobody registers under it meanwhile: who does has its enterprise, which has left.
TAKEN: Final = """
SELECT p.prefix_id, p.spelling, e.enterprise_id, coalesce(e.state, 'active') AS state
FROM prefix AS p LEFT JOIN enterprise AS e USING (enterprise_id) WHERE p.prefix = $1 FOR UPDATE OF p
"""
HANDLES: Final = "SELECT coalesce(sum(registered), 0)::bigint FROM handle_count WHERE prefix_id = $1"
FREE: Final = "UPDATE prefix SET enterprise_id = NULL WHERE prefix_id = $1"
TOLD: Final = "INSERT INTO change_log (kind, prefix_id) SELECT 3, prefix_id FROM prefix WHERE enterprise_id = $1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an enterprise may have; None is without limit."""

    handles: int | None = None
    rate: int | None = None
    prefixes: int | None = None

    def check(self) -> None:
        """Raises InvalidValue."""
        for name in ("handles", "rate", "prefixes"):
            limit = getattr(self, name)
            if limit is not None and not 0 <= limit <= (MOST if name == "handles" else (1 << 31) - 1):
                raise InvalidValue("quota.limit", name=name, limit=limit)


class EnterpriseStanding:
    """Changes how enterprises stand, and says it. Everything raises HandleNotFound for one that is not there."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def show(self, enterprise_id: int) -> dict[str, Any]:
        """An enterprise with its prefixes, limits and decisions; personal data are masked."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(SHOW, enterprise_id)
            if row is None:
                raise _missing(enterprise_id)
            decisions = await decisions_of(connection, enterprise_id=enterprise_id)
        shown = dict(row) | {"decisions": decisions}
        sealed = shown.pop("personal")
        if sealed is not None:
            shown["personal"] = masked(self._vault.open_personal(sealed, f"enterprise:{enterprise_id}"))
        return shown

    async def named(self, name: str) -> int:
        """The number of the enterprise with this name."""
        async with self._store.connection() as connection:
            enterprise_id = await connection.fetchval(NAMED, name)
        if enterprise_id is None:
            raise _missing(name)
        return int(enterprise_id)

    async def take(self, enterprise_id: int, step: str, *, by: str, reason: str) -> str:
        """Takes one step, and says the state that it leads to. Raises ProtocolFault where it cannot be taken now."""
        told = check_reason(reason)
        async with begin(self._store, by) as transaction:
            row = await _locked(transaction.connection, enterprise_id)
            state = STEPS.get((row["state"], step))
            if state is None:
                raise ProtocolFault("enterprise.step", name=row["name"], state=row["state"], step=step)
            if state == "left":
                await _leave(transaction, enterprise_id)
            await transaction.connection.execute(MOVE, enterprise_id, state)
            await transaction.connection.execute(TOLD, enterprise_id)
            await decide(transaction, step, by=by, reason=told, enterprise_id=enterprise_id)
        await self._store.load_prefixes()
        return state

    async def limit(self, enterprise_id: int, limits: Limits, *, by: str) -> None:
        """Sets every limit; what is there already stays, even beyond it."""
        limits.check()
        async with begin(self._store, by) as transaction:
            row = (enterprise_id, limits.handles, limits.rate, limits.prefixes)
            if await transaction.connection.fetchval(LIMIT, *row) is None:
                raise _missing(enterprise_id)
            await transaction.connection.execute(TOLD, enterprise_id)
            said = f"handles={limits.handles}, rate={limits.rate}, prefixes={limits.prefixes}"
            await decide(transaction, "limit", by=by, reason=said, enterprise_id=enterprise_id)
        await self._store.load_prefixes()

    async def recycle(self, prefix: str, *, by: str, reason: str) -> None:
        """Takes a prefix back, for somebody else to be granted. Raises ProtocolFault while it is in use."""
        told = check_reason(reason)
        key = self._store.key_of(f"{prefix}/".encode())[:-1].decode("utf-8", "replace").replace("\0", "")
        async with begin(self._store, by) as transaction:
            row = await transaction.connection.fetchrow(TAKEN, key)
            if row is None or row["enterprise_id"] is None:
                raise PrefixNotHomed("prefix.not_granted", prefix=prefix[:100])
            handles = await transaction.connection.fetchval(HANDLES, row["prefix_id"])
            if row["state"] != "left" or handles:
                raise ProtocolFault("prefix.in_use", prefix=row["spelling"], state=row["state"], handles=handles)
            await transaction.connection.execute(FREE, row["prefix_id"])
            record = await transaction.lock(Handle(NAMING_AUTHORITY, row["spelling"]))
            if record is not None:
                await transaction.delete(record)
            whose = {"enterprise_id": row["enterprise_id"], "reason": f"{row['spelling']}: {told}"}
            await decide(transaction, "recycle", by=by, **whose)
        await self._store.load_prefixes()


async def _leave(transaction: Transaction, enterprise_id: int) -> None:
    """Its prefixes are left to others, its people and tokens let in no more, its personal data taken out."""
    connection = transaction.connection
    for row in await connection.fetch(HOMED, enterprise_id):
        await transaction.unhome(row["spelling"])
    await connection.execute(REVOKE, enterprise_id, transaction.at)
    await connection.execute(DISMISS, enterprise_id)
    await connection.execute(FORGET, enterprise_id)


async def _locked(connection: asyncpg.pool.PoolConnectionProxy, enterprise_id: int) -> asyncpg.Record:
    row = await connection.fetchrow(LOCK, enterprise_id)
    if row is None:
        raise _missing(enterprise_id)
    return row


def _missing(enterprise: int | str) -> HandleNotFound:
    return HandleNotFound("enterprise.not_found", enterprise=enterprise)
