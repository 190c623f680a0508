"""People: who may log in, with which role, for which enterprise. Logging in gives a token for a shift.

People of the node (operators, reviewers, regulators) belong to no enterprise. Wrong passwords are counted in the book,
so that guessing at another worker does not begin anew.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from registry import passwords
from registry.acts import Act
from registry.errors import AuthenticationFailed, HandleAlreadyExists, HandleNotFound, InvalidValue
from registry.grants import OF_NODE, ROLES, SCOPES_OF, Role
from registry.passwords import Passwords
from registry.store import Store
from registry.tokens import LOGGED_IN, Issued, Tokens, Wanted
from registry.transaction import begin

# Wrong passwords after which one is looked at each quarter of an hour: some hundred guesses a day.
MAX_FAILURES: Final = 10
CLOSED: Final = timedelta(minutes=15)
MAX_LISTED: Final = 1000
LABEL: Final = "log-in"

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{2,63}")

ADD: Final = """
INSERT INTO person (name, enterprise_id, role, password, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO NOTHING RETURNING person_id
"""
FIND: Final = """
SELECT person_id, name, enterprise_id, role, password, active, failures, failed_at FROM person WHERE name = $1
"""
LIST: Final = """
SELECT person_id, name, enterprise_id, role, active, created_at, created_by FROM person
WHERE enterprise_id IS NOT DISTINCT FROM $1 AND person_id > $2 ORDER BY person_id LIMIT $3
"""
FAILED: Final = "UPDATE person SET failures = failures + 1, failed_at = $2 WHERE person_id = $1"
LET_IN: Final = "UPDATE person SET failures = 0, failed_at = NULL WHERE person_id = $1 AND failures > 0"
# The provider says at each log-in what somebody is; whether he is let in, it does not say.
ENTER: Final = """
INSERT INTO person (name, enterprise_id, role, password, created_at, created_by, issuer, subject)
VALUES ($1, $2, $3, '', $4, $5, $6, $7)
ON CONFLICT (issuer, subject) DO UPDATE SET enterprise_id = excluded.enterprise_id, role = excluded.role
RETURNING person_id, name, enterprise_id, role, active
"""
CHANGE: Final = """
UPDATE person SET failures = 0, role = coalesce($2, role), active = coalesce($3, active),
                  password = coalesce($4, password)
WHERE person_id = $1
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in; `enterprise_id` is None for those of the node, and for applicants."""

    person_id: int
    name: str
    enterprise_id: int | None
    role: str
    active: bool


class People:
    """Everything raises DATABASE_AWAY."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        secrets: Passwords,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._passwords = secrets
        self._clock = clock

    async def add(
        self, name: str, role: str, enterprise_id: int | None, *, by: str, password: str | None = None
    ) -> tuple[Person, str]:
        """Adds somebody, with his password: the one given, or one that is made. Raises HandleAlreadyExists."""
        check_name(name)
        check_role(role, enterprise_id)
        told = passwords.made() if password is None else password
        stored = await self._passwords.stored(told)
        async with begin(self._store, by) as transaction:
            row = (name, enterprise_id, role, stored, self._clock(), by)
            person_id = await add_person(transaction.connection, row)
            await transaction.keep(Act("person.added", name, None, {"role": role, "enterprise": enterprise_id}))
        return Person(person_id, name, enterprise_id, role, active=True), told

    async def find(self, name: str) -> Person:
        """Raises HandleNotFound."""
        row = await self._row(name)
        if row is None:
            raise HandleNotFound("person.not_found", name=name[:64])
        return _person(row)

    async def listed(self, enterprise_id: int | None, *, after: int = 0) -> list[dict[str, Any]]:
        """People of an enterprise, or of the node, in order of their numbers."""
        async with self._store.connection() as connection:
            return [dict(row) for row in await connection.fetch(LIST, enterprise_id, after, MAX_LISTED)]

    async def change(
        self,
        person: Person,
        *,
        by: str,
        role: str | None = None,
        active: bool | None = None,
        password: str | None = None,
    ) -> None:
        """Changes what is given. Whoever has another password, or may not log in, is logged out everywhere."""
        if role is not None:
            check_role(role, person.enterprise_id)
        stored = None if password is None else await self._passwords.stored(password)
        detail = {"role": role, "active": active, "password": None if password is None else "another"}
        async with begin(self._store, by) as transaction:
            await transaction.connection.execute(CHANGE, person.person_id, role, active, stored)
            if password is not None or active is False:
                await self._tokens.revoke_of_person(transaction.connection, person.person_id)
            told = {name: said for name, said in detail.items() if said is not None}
            await transaction.keep(Act("person.changed", person.name, None, told))

    async def log_in(self, name: str, password: str, life: timedelta = LOGGED_IN) -> tuple[Person, Issued]:
        """A token for whoever knows the password. Raises AuthenticationFailed, and ServerBusy in a flood."""
        row = await self._row(name)
        is_closed = row is not None and self._is_closed(row)
        is_right = await self._passwords.proves(password, None if row is None else row["password"] or None)
        if row is None or is_closed or not row["active"] or not is_right:
            if row is not None and not is_closed and not is_right:
                await self._note(FAILED, row["person_id"], self._clock())
            raise AuthenticationFailed("person.log_in")
        await self._note(LET_IN, row["person_id"])
        return await self._let_in(_person(row), life)

    async def enter(
        self, issuer: str, subject: str, name: str, role: str, enterprise_id: int | None
    ) -> tuple[Person, Issued]:
        """A token for whom an OpenID provider vouches for; who is new is added, by this name unless somebody has it.

        Raises AuthenticationFailed for whoever is let in no more, HandleAlreadyExists.
        """
        check_role(role, enterprise_id)
        by = f"openid:{issuer}"
        async with begin(self._store, by) as transaction:
            row = (name, enterprise_id, role, self._clock(), by, issuer, subject)
            try:
                found = await transaction.connection.fetchrow(ENTER, *row)
            except asyncpg.UniqueViolationError:
                raise HandleAlreadyExists("person.exists", name=name) from None
            assert found is not None
            entered = _person(found)
            if not entered.active:
                raise AuthenticationFailed("person.log_in")
            await transaction.keep(
                Act("person.entered", entered.name, None, {"role": role, "enterprise": enterprise_id})
            )
        return await self._let_in(entered, LOGGED_IN)

    async def _let_in(self, person: Person, life: timedelta) -> tuple[Person, Issued]:
        wanted = Wanted(LABEL, SCOPES_OF[person.role], None, life=life)
        return person, await self._tokens.issue(wanted, by=f"person:{person.name}", person_id=person.person_id)

    def _is_closed(self, row: asyncpg.Record) -> bool:
        at: datetime | None = row["failed_at"]
        # Of a time to come if the clock was set right since: nobody waits for that.
        return row["failures"] >= MAX_FAILURES and at is not None and abs(self._clock() - at) < CLOSED

    async def _row(self, name: str) -> asyncpg.Record | None:
        if not is_name(name):
            return None
        async with self._store.connection() as connection:
            return await connection.fetchrow(FIND, name)

    async def _note(self, statement: str, *arguments: object) -> None:
        async with self._store.connection() as connection:
            await connection.execute(statement, *arguments)


async def add_person(connection: asyncpg.pool.PoolConnectionProxy, row: tuple[object, ...]) -> int:
    """Writes a person into a transaction. Raises HandleAlreadyExists, HandleNotFound for his enterprise."""
    try:
        person_id = await connection.fetchval(ADD, *row)
    except asyncpg.ForeignKeyViolationError:
        raise HandleNotFound("enterprise.not_found", enterprise=row[1]) from None
    if person_id is None:
        raise HandleAlreadyExists("person.exists", name=row[0])
    return int(person_id)


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raises InvalidValue."""
    if not is_name(name):
        raise InvalidValue("person.name", name=name[:64])


def check_role(role: str, enterprise_id: int | None) -> None:
    """Refuses a role that is none, or not one of those here. Raises InvalidValue."""
    here: tuple[Role, ...] = tuple(
        one for one in ROLES if one != "applicant" and (one in OF_NODE) == (enterprise_id is None)
    )
    if role not in here:
        raise InvalidValue("person.role", role=role[:40], roles=", ".join(here))


def _person(row: asyncpg.Record) -> Person:
    return Person(row["person_id"], row["name"], row["enterprise_id"], row["role"], row["active"])
