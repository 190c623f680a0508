"""Bearer tokens (RFC 6750): issued, shown once, found by their digests, rotated and revoked.

What a token is good for is read from the book each time it is shown, with the state of its enterprise and the role of
the person who logged in for it: what was taken away is gone at the next request. The token itself is 256 random bits,
so a plain SHA-256 keeps it.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from registry.acts import Act
from registry.authentication import Administrator
from registry.database import READ_ONLY
from registry.errors import AuthenticationFailed, HandleNotFound, InsufficientPermission, ProtocolFault
from registry.grants import OF_NODE, SCOPES_OF, Grant, Scope
from registry.handle import check_prefix
from registry.sources import IpAddress, is_in, networks_from
from registry.store import Store
from registry.transaction import begin
from registry.value import Reference

log = logging.getLogger(__name__)

SCHEME: Final = "bearer"
# RFC 6750, section 3.
INVALID_TOKEN: Final = 'Bearer realm="handle", error="invalid_token"'  # noqa: S105  # says that a token is none
BEGINNING: Final = "fil_"  # So that programs that look for secrets in files find them.
TOKEN_OCTETS: Final = 32
MAX_TOKEN: Final = 200  # Characters; ours have 47.
MAX_LABEL: Final = 100
MAX_SOURCES: Final = 32  # Networks of one token, each looked at when it is shown.
LONGEST: Final = timedelta(days=366)
LOGGED_IN: Final = timedelta(hours=12)  # A shift; who logs in is asked for his password once a day.
OVERLAP: Final = timedelta(minutes=10)  # For which the former token goes on: programs are not told at once.
TOUCH_AFTER: Final = timedelta(minutes=1)  # A token in use is written this often, not at every request.
MAX_LISTED: Final = 1000
NOBODY: Final = Reference("", 0)  # Names no key.

ISSUE: Final = """
INSERT INTO token
  (digest, label, person_id, enterprise_id, scopes, prefixes, sources, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING token_id
"""
FIND: Final = """
SELECT t.token_id, t.scopes, t.prefixes, t.sources, t.enterprise_id, t.last_used_at, t.person_id, p.name AS person,
       p.role, p.enterprise_id AS persons_enterprise, coalesce(p.active, true) AS active,
       coalesce(e.state, 'active') AS state, array(SELECT x.prefix FROM prefix AS x
         WHERE x.enterprise_id = coalesce(p.enterprise_id, t.enterprise_id)) AS held
FROM token AS t LEFT JOIN person AS p USING (person_id)
LEFT JOIN enterprise AS e ON e.enterprise_id = coalesce(p.enterprise_id, t.enterprise_id)
WHERE (t.digest = $1 OR (t.former_digest = $1 AND t.former_until > $2)) AND t.expires_at > $2 AND t.revoked_at IS NULL
"""
TOUCH: Final = "UPDATE token SET last_used_at = $2, last_source = $3 WHERE token_id = $1"
LIST: Final = """
SELECT t.token_id, t.label, p.name AS person, t.scopes, t.prefixes, t.sources, t.created_at, t.created_by, t.expires_at,
       t.last_used_at, t.last_source, t.revoked_at
FROM token AS t LEFT JOIN person AS p USING (person_id)
WHERE coalesce(p.enterprise_id, t.enterprise_id) IS NOT DISTINCT FROM $1 AND t.token_id > $2
ORDER BY t.token_id LIMIT $3
"""
OWNER: Final = """
SELECT coalesce(p.enterprise_id, t.enterprise_id) AS enterprise_id
FROM token AS t LEFT JOIN person AS p USING (person_id) WHERE t.token_id = $1
"""
ROTATE: Final = """
UPDATE token SET former_digest = digest, former_until = $3, digest = $2, expires_at = $4
WHERE token_id = $1 AND revoked_at IS NULL AND expires_at > $5 AND person_id IS NULL RETURNING token_id
"""
REVOKE: Final = "UPDATE token SET revoked_at = $2 WHERE token_id = $1 AND revoked_at IS NULL"
REVOKE_OF_PERSON: Final = "UPDATE token SET revoked_at = $2 WHERE person_id = $1 AND revoked_at IS NULL"
PURGE: Final = """
DELETE FROM token WHERE token_id IN
  (SELECT token_id FROM token WHERE expires_at < $1 AND person_id IS NOT NULL ORDER BY expires_at LIMIT $2)
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it is told once."""

    token_id: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token is to be good for. `enterprise_id` is None for one of the node, `prefixes` for all there are."""

    label: str
    scopes: frozenset[str]
    enterprise_id: int | None
    prefixes: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    life: timedelta = timedelta(days=90)

    def check(self) -> None:
        """Raises ProtocolFault, InvalidHandle."""
        if not 0 < len(self.label) <= MAX_LABEL or not self.label.isprintable():
            raise _fault("label", self.label, f"must be 1 to {MAX_LABEL} characters that can be shown")
        if not timedelta(0) < self.life <= LONGEST:
            raise _fault("days", self.life.days, f"must be 1 to {LONGEST.days}")
        if not self.scopes:
            raise _fault("scopes", "", "is empty")
        if self.prefixes is not None and not self.prefixes:
            raise _fault("prefixes", "", "is empty")
        for prefix in self.prefixes or ():
            check_prefix(prefix)
        if self.sources is not None and not 0 < len(self.sources) <= MAX_SOURCES:
            raise _fault("sources", len(self.sources), f"must be 1 to {MAX_SOURCES}")
        try:
            networks_from(self.sources or ())
        except ValueError as error:
            raise _fault("sources", "", str(error)[:100]) from None


class Tokens:
    """Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock

    async def administrator(self, token: str, source: IpAddress | None, *scopes: Scope) -> Administrator:
        """Who acts with this token, from this address, for what needs one of these scopes.

        Raises AuthenticationFailed for what is no token now, InsufficientPermission for one that is not good for it.
        """
        now = self._clock()
        digest = _digest(token)
        async with self._store.connection() as connection:
            row = await connection.fetchrow(FIND, digest, now)
            if row is None or not row["active"] or len(token) > MAX_TOKEN:
                raise AuthenticationFailed("token.unknown")
            if row["sources"] is not None and not is_in(source, networks_from(row["sources"])):
                raise InsufficientPermission("token.source", token=row["token_id"], source=str(source))
            if row["state"] == "left" or (row["state"] != "active" and not _only_looks(scopes)):
                raise InsufficientPermission("enterprise.state", state=row["state"])
            if row["last_used_at"] is None or now - row["last_used_at"] > TOUCH_AFTER:
                await _touch(connection, row["token_id"], now, source)
        return Administrator(NOBODY, self._grant(row).using(*scopes))

    async def issue(self, wanted: Wanted, *, by: str, person_id: int | None = None) -> Issued:
        """Raises ProtocolFault for what cannot be."""
        wanted.check()
        token, now = _made(), self._clock()
        prefixes = None if wanted.prefixes is None else sorted({self._prefix_key(one) for one in wanted.prefixes})
        row = (_digest(token), wanted.label, person_id, wanted.enterprise_id, sorted(wanted.scopes), prefixes)
        sources = None if wanted.sources is None else list(wanted.sources)
        expires_at = now + wanted.life
        async with begin(self._store, by) as transaction:
            try:
                token_id = await transaction.connection.fetchval(ISSUE, *row, sources, now, by, expires_at)
            except asyncpg.ForeignKeyViolationError:
                raise HandleNotFound("enterprise.not_found", enterprise=wanted.enterprise_id) from None
            detail = {"label": wanted.label, "scopes": sorted(wanted.scopes), "enterprise": wanted.enterprise_id}
            await transaction.keep(Act("token.issued", f"token:{token_id}", None, detail))
        return Issued(token_id, token, expires_at)

    async def listed(self, enterprise_id: int | None, *, after: int = 0) -> list[dict[str, Any]]:
        """The tokens of an enterprise, or of the node, in order of their numbers; never the tokens themselves."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(LIST, enterprise_id, after, MAX_LISTED)
        return [dict(row) for row in rows]

    async def owner(self, token_id: int) -> int | None:
        """The enterprise of a token; None for one of the node. Raises HandleNotFound."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(OWNER, token_id)
        if row is None:
            raise HandleNotFound("token.not_found", token=token_id)
        enterprise_id: int | None = row["enterprise_id"]
        return enterprise_id

    async def rotate(self, token_id: int, life: timedelta, *, by: str) -> Issued:
        """Another token in its place; the former goes on for a moment. Raises HandleNotFound for one that is over."""
        token, now = _made(), self._clock()
        expires_at = now + min(life, LONGEST)
        async with begin(self._store, by) as transaction:
            row = (token_id, _digest(token), now + OVERLAP, expires_at, now)
            if await transaction.connection.fetchval(ROTATE, *row) is None:
                raise HandleNotFound("token.not_found", token=token_id)
            await transaction.keep(Act("token.rotated", f"token:{token_id}"))
        return Issued(token_id, token, expires_at)

    async def revoke(self, token_id: int, *, by: str) -> None:
        async with begin(self._store, by) as transaction:
            await transaction.connection.execute(REVOKE, token_id, self._clock())
            await transaction.keep(Act("token.revoked", f"token:{token_id}"))

    async def revoke_of_person(self, connection: asyncpg.pool.PoolConnectionProxy, person_id: int) -> None:
        await connection.execute(REVOKE_OF_PERSON, person_id, self._clock())

    async def purge(self) -> None:
        """Takes out what people logged in for long ago; tokens of programs stay to be looked at."""
        async with self._store.connection() as connection:
            await connection.execute(PURGE, self._clock() - timedelta(days=30), 10_000)

    def _grant(self, row: asyncpg.Record) -> Grant:
        is_persons = row["person_id"] is not None
        scopes = SCOPES_OF.get(row["role"], frozenset()) if is_persons else frozenset(row["scopes"])
        enterprise_id = row["persons_enterprise"] if is_persons else row["enterprise_id"]
        is_of_node = enterprise_id is None and (not is_persons or row["role"] in OF_NODE)
        asked = None if row["prefixes"] is None else frozenset(prefix.encode() for prefix in row["prefixes"])
        held = frozenset(prefix.encode() for prefix in row["held"])
        prefixes = asked if is_of_node else (held if asked is None else held & asked)
        name = f"person:{row['person']}" if is_persons else f"token:{row['token_id']}"
        return Grant(name, scopes, prefixes, enterprise_id, row["person"] or "", row["token_id"])

    def _prefix_key(self, prefix: str) -> str:
        return self._store.key_of(f"{prefix}/".encode())[:-1].decode()


def _only_looks(scopes: Sequence[str]) -> bool:
    return bool({"read", "stats"} & set(scopes))


async def _touch(
    connection: asyncpg.pool.PoolConnectionProxy, token_id: int, now: datetime, source: IpAddress | None
) -> None:
    try:
        await connection.execute(TOUCH, token_id, now, None if source is None else str(source))
    except READ_ONLY:
        log.debug("token %d was used at a standby", token_id)


def _made() -> str:
    return BEGINNING + secrets.token_urlsafe(TOKEN_OCTETS)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _fault(name: str, value: object, rule: str) -> ProtocolFault:
    return ProtocolFault("http.parameter", name=name, value=str(value)[:40], rule=rule)
