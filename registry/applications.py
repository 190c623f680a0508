"""Applications of enterprises for a prefix: made with evidence, reviewed with reasons, and granted or not.

            submit                 approve
    (none) ────────► submitted ────────────► approved
                      │  ▲   │  reject
               return │  │   └─────────────► rejected
                      ▼  │ submit
                     returned ─ withdraw ──► withdrawn

Whoever applies gets an account at once, good for following the application; approved, it is the enterprise's first
administrator. Personal data and evidence of what was not approved are taken out with the decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec

from registry.credit_code import check_credit_code
from registry.decisions import check_reason, decide, decisions_of
from registry.enterprise import check_enterprise, grant_prefix
from registry.errors import (
    HandleAlreadyExists,
    HandleNotFound,
    InvalidAdministrator,
    InvalidHandle,
    InvalidValue,
    ProtocolFault,
    ServerBusy,
)
from registry.handle import check_prefix
from registry.passwords import Passwords
from registry.people import add_person, check_name
from registry.personal import Personal, Vault, masked
from registry.store import Store
from registry.transaction import Transaction, begin

MAX_OPEN: Final = 10_000  # Applications that nobody has reviewed: strangers make them, and must not fill the book.
MAX_LISTED: Final = 500
MAX_PERSONAL: Final = 100  # Characters of a name, a number or an address.

STEPS: Final[Mapping[tuple[str, str], str]] = {
    ("submitted", "approve"): "approved",
    ("submitted", "reject"): "rejected",
    ("submitted", "return"): "returned",
    ("submitted", "withdraw"): "withdrawn",
    ("returned", "withdraw"): "withdrawn",
    ("returned", "submit"): "submitted",
}
OF_REVIEWERS: Final = frozenset({"approve", "reject", "return"})
OF_APPLICANTS: Final = frozenset({"submit", "withdraw"})
_ENDED_BADLY: Final = frozenset({"rejected", "withdrawn"})

OPEN: Final = "SELECT count(*) FROM application WHERE state IN ('submitted', 'returned')"
ADD: Final = """
INSERT INTO application (person_id, state, name, name_en, industry, credit_code, prefix, hosted, created_at)
VALUES ($1, 'submitted', $2, $3, $4, $5, $6, $7, $8) RETURNING application_id
"""
KEEP_PERSONAL: Final = "UPDATE application SET personal = $2 WHERE application_id = $1"
_COLUMNS: Final = """
SELECT a.application_id, a.state, a.name, a.name_en, a.industry, a.credit_code, a.prefix, a.hosted, a.personal,
       a.created_at, a.enterprise_id, a.person_id, p.name AS applicant, p.enterprise_id AS applicants_enterprise
FROM application AS a JOIN person AS p USING (person_id)
"""
FIND: Final = _COLUMNS + "WHERE a.application_id = $1"
LOCK: Final = FIND + " FOR UPDATE OF a"
LIST: Final = (
    _COLUMNS
    + """
WHERE ($1::text IS NULL OR a.state = $1) AND ($2::text IS NULL OR p.name = $2) AND a.application_id > $3
ORDER BY a.application_id LIMIT $4
"""
)
EVIDENCE: Final = """
SELECT number, name, media_type, octets, encode(sha256, 'hex') AS sha256, added_at FROM evidence
WHERE application_id = $1 ORDER BY number
"""
MOVE: Final = """
UPDATE application SET state = $2, enterprise_id = $3, personal = CASE WHEN $4 THEN NULL ELSE personal END
WHERE application_id = $1
"""
FORGET_EVIDENCE: Final = "DELETE FROM evidence WHERE application_id = $1"
PREFIXES: Final = "SELECT count(*) FROM prefix WHERE enterprise_id = $1"
ENTER: Final = "UPDATE enterprise SET state = 'active', personal = $2 WHERE enterprise_id = $1"
PROMOTE: Final = """
UPDATE person SET role = 'administrator', enterprise_id = $2 WHERE person_id = $1 AND role = 'applicant'
"""


@dataclass(frozen=True, slots=True)
class Application:
    """What an enterprise says of itself, and the prefix that it wants."""

    name: str
    name_en: str
    industry: str
    credit_code: str
    prefix: str
    hosted: bool
    personal: Personal

    def check(self) -> None:
        """Raises InvalidValue, InvalidHandle."""
        check_enterprise(self.name, self.name_en, self.industry)
        check_credit_code(self.credit_code)
        check_prefix(self.prefix)
        if self.prefix.startswith("0."):
            raise InvalidHandle("prefix.reserved", prefix=self.prefix)
        for field in ("legal_person", "id_number", "contact", "phone"):
            text = getattr(self.personal, field)
            if not 0 < len(text) <= MAX_PERSONAL or not text.isprintable():
                raise InvalidValue("application.personal", field=field, limit=MAX_PERSONAL)


class Applications:
    """Everything raises DATABASE_AWAY, and HandleNotFound for an application that is not there."""

    def __init__(self, store: Store, vault: Vault, passwords: Passwords) -> None:
        self._store = store
        self._vault = vault
        self._passwords = passwords

    async def apply(self, application: Application, account: str, password: str) -> int:
        """An application of a stranger, with an account for him. Raises HandleAlreadyExists for a taken name."""
        application.check()
        check_name(account)
        stored = await self._passwords.stored(password)
        async with begin(self._store, f"person:{account}") as transaction:
            row = (account, None, "applicant", stored, transaction.at, f"person:{account}")
            person_id = await add_person(transaction.connection, row)
            return await self._add(transaction, application, person_id, f"person:{account}")

    async def apply_again(self, application: Application, person_id: int, by: str) -> int:
        """An application of somebody who has an account."""
        application.check()
        async with begin(self._store, by) as transaction:
            return await self._add(transaction, application, person_id, by)

    async def listed(
        self, *, state: str | None = None, applicant: str | None = None, after: int = 0, limit: int = MAX_LISTED
    ) -> list[dict[str, Any]]:
        """Applications in order of their numbers, with personal data masked."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(LIST, state, applicant, after, min(limit, MAX_LISTED))
        return [self._shown(row) for row in rows]

    async def show(self, application_id: int, *, unmasked_for: str | None = None) -> dict[str, Any]:
        """One with its evidence and decisions. Who sees personal data in full is a decision, and is kept as one."""
        async with begin(self._store, unmasked_for or "") as transaction:
            connection = transaction.connection
            row = await _found(connection, FIND, application_id)
            if unmasked_for is not None:
                await decide(transaction, "look", by=unmasked_for, reason="", application_id=application_id)
            evidence = [dict(one) for one in await connection.fetch(EVIDENCE, application_id)]
            decisions = await decisions_of(connection, application_id=application_id)
        shown = self._shown(row, masking=unmasked_for is None)
        return shown | {"evidence": evidence, "decisions": decisions}

    async def applicant(self, application_id: int) -> str:
        """The account that applied."""
        async with self._store.connection() as connection:
            return str((await _found(connection, FIND, application_id))["applicant"])

    async def take(self, application_id: int, step: str, *, by: str, reason: str) -> str:
        """Takes one step, and says the state that it leads to. Raises ProtocolFault where it cannot be taken now."""
        told = check_reason(reason) if step in OF_REVIEWERS else reason.strip()[:1000].replace("\0", "")
        async with begin(self._store, by) as transaction:
            row = await _found(transaction.connection, LOCK, application_id)
            state = STEPS.get((row["state"], step))
            if state is None:
                raise ProtocolFault("application.state", application=application_id, state=row["state"], step=step)
            enterprise_id = await self._grant(transaction, row) if step == "approve" else None
            if state in _ENDED_BADLY:
                await transaction.connection.execute(FORGET_EVIDENCE, application_id)
            is_over = state in _ENDED_BADLY or state == "approved"
            await transaction.connection.execute(MOVE, application_id, state, enterprise_id, is_over)
            whose = {"application_id": application_id, "enterprise_id": enterprise_id}
            await decide(transaction, step, by=by, reason=told, **whose)
        if step == "approve":
            await self._store.load_prefixes()
        return state

    async def _grant(self, transaction: Transaction, row: asyncpg.Record) -> int:
        """What an approval does: an enterprise with a prefix, and its applicant for an administrator."""
        connection = transaction.connection
        if not await connection.fetch(EVIDENCE, row["application_id"]):
            raise ProtocolFault("application.evidence", application=row["application_id"])
        named = (row["name"], row["name_en"], row["industry"])
        enterprise_id, _ = await grant_prefix(transaction, *named, row["prefix"], hosted=row["hosted"])
        await _check_whose(connection, row, enterprise_id)
        personal = self._vault.open(row["personal"], _place(row["application_id"]))
        await connection.execute(ENTER, enterprise_id, self._vault.seal(personal, f"enterprise:{enterprise_id}"))
        await connection.execute(PROMOTE, row["person_id"], enterprise_id)
        return enterprise_id

    async def _add(self, transaction: Transaction, application: Application, person_id: int, by: str) -> int:
        connection = transaction.connection
        if await connection.fetchval(OPEN) >= MAX_OPEN:
            raise ServerBusy("server.queue")
        one = application
        row = (person_id, one.name, one.name_en, one.industry, one.credit_code, one.prefix, one.hosted, transaction.at)
        application_id = int(await connection.fetchval(ADD, *row))
        sealed = self._vault.seal_personal(application.personal, _place(application_id))
        await connection.execute(KEEP_PERSONAL, application_id, sealed)
        await decide(transaction, "apply", by=by, reason="", application_id=application_id)
        return application_id

    def _shown(self, row: asyncpg.Record, *, masking: bool = True) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name not in _HIDDEN}
        if row["personal"] is not None:
            personal = self._vault.open_personal(row["personal"], _place(row["application_id"]))
            shown["personal"] = masked(personal) if masking else msgspec.to_builtins(personal)
        return shown


_HIDDEN: Final = frozenset({"personal", "person_id", "applicants_enterprise"})


async def _found(connection: asyncpg.pool.PoolConnectionProxy, query: str, application_id: int) -> asyncpg.Record:
    row = await connection.fetchrow(query, application_id)
    if row is None:
        raise HandleNotFound("application.not_found", application=application_id)
    return row


async def _check_whose(connection: asyncpg.pool.PoolConnectionProxy, row: asyncpg.Record, enterprise_id: int) -> None:
    """Refuses a grant to an enterprise that is not the applicant's; one that left and holds nothing may come back.

    Its row is held: of two who apply with one name at once, the second one finds what the first one was granted.
    """
    own = row["applicants_enterprise"]
    if own is not None and own != enterprise_id:
        raise InvalidAdministrator("authorization.enterprise", identity=row["applicant"], enterprise=row["name"])
    if own is None and await connection.fetchval(PREFIXES, enterprise_id) > 1:
        raise HandleAlreadyExists("enterprise.exists", name=row["name"])


def _place(application_id: int) -> str:
    return f"application:{application_id}"
