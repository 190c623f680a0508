"""Webhooks as the book has them: where to, how far each has heard, and what could not be delivered in time.

The cursor of a subscription is moved only from the place at which its deliverer read it, so of two deliverers, or of a
deliverer and somebody who asks for a replay, one wins. The log is kept as far back as the subscriptions have heard, so
that nothing is lost on them while the node is away, unless it is away for longer than HELD. Secrets are sealed as
personal data are, for the address that they were made for: who reads or changes the database alone can sign nothing.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from registry.acts import Act
from registry.errors import HandleNotFound, InvalidValue
from registry.feed import SPARE, Cursor
from registry.personal import Vault
from registry.store import Store
from registry.transaction import begin

MAX_WEBHOOKS: Final = 256  # Of a node: each has a delivery of its own, with one message in memory.
MAX_OF_PREFIX: Final = 8  # So that one enterprise does not take the places of all.
SECRET_OCTETS: Final = 32  # The standard asks for 24 to 64.
MAX_DEAD_LETTERS: Final = 1000  # Of a subscription; behind that it is stopped, before it fills the disk.
DEAD_LETTERS_KEPT: Final = timedelta(days=30)
# How far back the log is kept for a subscription to which nobody delivers: the longest public holidays have eight days.
HELD: Final = timedelta(days=10)
MAX_LISTED: Final = 100  # Dead letters of one answer.
_NONE: Final = "UPDATE 0"

PLACES: Final = "LOCK TABLE webhook IN SHARE ROW EXCLUSIVE MODE"
COUNT: Final = """
SELECT count(*) AS of_node, count(*) FILTER (WHERE prefix_id IS NOT DISTINCT FROM $1::int) AS of_prefix FROM webhook
"""
ADD: Final = """
INSERT INTO webhook (prefix_id, url, secret, cursor, created_by, created_at, retry_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
RETURNING webhook_id
"""
LIST: Final = """
SELECT w.*, (SELECT count(*) FROM webhook_dead_letter AS d WHERE d.webhook_id = w.webhook_id) AS dead_letters,
       EXISTS (SELECT FROM webhook_dead_letter AS d WHERE d.webhook_id = w.webhook_id AND d.again) AS again
FROM webhook AS w WHERE ($1::int IS NULL OR w.prefix_id = $1) AND ($2::int IS NULL OR w.webhook_id = $2)
ORDER BY w.webhook_id
"""
PLACES_HEARD: Final = "SELECT cursor FROM webhook WHERE NOT stopped"
REMOVE: Final = "DELETE FROM webhook WHERE webhook_id = $1"
PLAIN: Final = "SELECT webhook_id, url, secret FROM webhook WHERE length(secret) = $1"
SEAL: Final = "UPDATE webhook SET secret = $3 WHERE webhook_id = $1 AND secret = $2"
REPLAY: Final = """
UPDATE webhook SET cursor = coalesce($2, cursor), failures = 0, failing_since = NULL, retry_at = $3, reason = NULL,
       stopped = false
WHERE webhook_id = $1
"""
AGAIN: Final = "UPDATE webhook_dead_letter SET again = true WHERE webhook_id = $1"
ADVANCE: Final = """
UPDATE webhook SET cursor = $3, failures = 0, failing_since = NULL, retry_at = NULL, reason = NULL,
       delivered_at = coalesce($4, delivered_at)
WHERE webhook_id = $1 AND cursor = $2
"""
FAIL: Final = """
UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, $3), retry_at = $4, reason = $5,
       stopped = $6
WHERE webhook_id = $1 AND cursor = $2
"""
GO_ON: Final = "UPDATE webhook SET cursor = $3 WHERE webhook_id = $1 AND cursor = $2"
PUT_ASIDE: Final = """
INSERT INTO webhook_dead_letter (webhook_id, message_id, events, body, reason, put_aside_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
DEAD: Final = """
SELECT number, message_id, events, body, reason, put_aside_at FROM webhook_dead_letter
WHERE webhook_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""
NEXT_AGAIN: Final = """
SELECT number, message_id, events, body, reason, put_aside_at FROM webhook_dead_letter
WHERE webhook_id = $1 AND again ORDER BY number LIMIT 1
"""
BURY: Final = "DELETE FROM webhook_dead_letter WHERE webhook_id = $1 AND number = $2"
LEAVE: Final = """
UPDATE webhook_dead_letter SET again = false, reason = CASE WHEN number = $2 THEN $3 ELSE reason END
WHERE webhook_id = $1 AND again
"""
TRIM: Final = "DELETE FROM webhook_dead_letter WHERE put_aside_at < $1"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription as it stands; its secret is sealed."""

    webhook_id: int
    prefix_id: int | None
    url: str
    secret: bytes
    cursor: str
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    reason: str | None
    stopped: bool
    delivered_at: datetime | None
    created_by: str
    created_at: datetime
    dead_letters: int
    again: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up."""

    number: int
    message_id: str
    events: int
    body: bytes
    reason: str
    put_aside_at: datetime


class Webhooks:
    """Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._vault = Vault(Path(store.settings.data_directory))

    async def add(self, prefix_id: int | None, url: str, cursor: Cursor, by: str) -> Webhook:
        """Raises InvalidValue when there are enough of them."""
        begins = str(self._within_log(cursor))
        sealed = self._vault.seal(secrets.token_bytes(SECRET_OCTETS), _place(url))
        row = (prefix_id, url, sealed, begins, by, datetime.now(UTC))
        async with begin(self._store, by) as transaction:
            connection = transaction.connection
            await connection.execute(PLACES)
            (there,) = await connection.fetch(COUNT, prefix_id)
            if there["of_node"] >= MAX_WEBHOOKS or there["of_prefix"] >= MAX_OF_PREFIX:
                raise InvalidValue("webhook.too_many", limit=MAX_OF_PREFIX, of_node=MAX_WEBHOOKS)
            webhook_id = await connection.fetchval(ADD, *row)
            await transaction.keep(Act("webhook.added", f"webhook:{webhook_id}", prefix_id, {"url": url}))
        return await self.find(webhook_id)

    def secret_of(self, webhook: Webhook) -> bytes:
        """The key of its signatures. Raises HandleError where it was sealed with another node's key, OSError."""
        if len(webhook.secret) == SECRET_OCTETS:  # From before they were sealed.
            return webhook.secret
        return self._vault.open(webhook.secret, _place(webhook.url))

    async def seal_plain(self) -> None:
        """Seals the secrets from before that was done. Raises OSError."""
        async with self._store.connection() as connection:
            for webhook_id, url, secret in await connection.fetch(PLAIN, SECRET_OCTETS):
                await connection.execute(SEAL, webhook_id, secret, self._vault.seal(secret, _place(url)))

    async def listed(self, prefix_id: int | None = None) -> list[Webhook]:
        """Those of a prefix, or all."""
        async with self._store.connection() as connection:
            return [Webhook(**row) for row in await connection.fetch(LIST, prefix_id, None)]

    async def find(self, webhook_id: int) -> Webhook:
        """Raises HandleNotFound."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(LIST, None, webhook_id)
        if row is None:
            raise not_found(webhook_id)
        return Webhook(**row)

    async def remove(self, webhook: Webhook, *, by: str) -> None:
        async with begin(self._store, by) as transaction:
            await transaction.connection.execute(REMOVE, webhook.webhook_id)
            subject = f"webhook:{webhook.webhook_id}"
            await transaction.keep(Act("webhook.removed", subject, webhook.prefix_id, {"url": webhook.url}))

    async def replay(self, webhook: Webhook, cursor: Cursor | None, *, dead_letters: bool, by: str) -> None:
        """Begins again at once: from a cursor or from where it stands, and with its dead letters if asked."""
        if cursor is None and webhook.stopped:
            cursor = Cursor.from_text(webhook.cursor)  # The log was not kept for it.
        webhook_id, begins = webhook.webhook_id, None if cursor is None else str(self._within_log(cursor))
        async with begin(self._store, by) as transaction:
            await transaction.connection.execute(REPLAY, webhook_id, begins, datetime.now(UTC))
            if dead_letters:
                await transaction.connection.execute(AGAIN, webhook_id)
            told = {"cursor": begins, "deadLetters": dead_letters}
            await transaction.keep(Act("webhook.replayed", f"webhook:{webhook_id}", webhook.prefix_id, told))

    async def dead_letters(self, webhook_id: int, after: int = 0) -> list[DeadLetter]:
        async with self._store.connection() as connection:
            return [DeadLetter(**row) for row in await connection.fetch(DEAD, webhook_id, after, MAX_LISTED)]

    async def next_again(self, webhook_id: int) -> DeadLetter | None:
        """The first dead letter that is to be sent once more."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(NEXT_AGAIN, webhook_id)
        return None if row is None else DeadLetter(**row)

    async def bury(self, webhook_id: int, number: int) -> None:
        """Takes a dead letter out: it was delivered."""
        await self._change(BURY, webhook_id, number)

    async def leave(self, webhook_id: int, number: int, reason: str) -> None:
        """Sends no more dead letters, since this one failed again."""
        await self._change(LEAVE, webhook_id, number, reason)

    async def advance(self, webhook: Webhook, to: str, delivered_at: datetime | None) -> bool:
        """Moves a subscription on; False when somebody else moved it meanwhile."""
        return await self._change(ADVANCE, webhook.webhook_id, webhook.cursor, to, delivered_at) != _NONE

    async def fail(self, webhook: Webhook, retry_at: datetime, reason: str, *, stop: bool) -> None:
        """Notes an attempt that failed."""
        row = (webhook.webhook_id, webhook.cursor, datetime.now(UTC), retry_at, reason, stop)
        await self._change(FAIL, *row)

    async def put_aside(
        self, webhook: Webhook, to: str, message_id: str, events: int, body: bytes, reason: str
    ) -> bool:
        """Gives a message up and moves on behind it; False when somebody else moved the subscription meanwhile."""
        async with self._store.connection() as connection, connection.transaction():
            if await connection.execute(GO_ON, webhook.webhook_id, webhook.cursor, to) == _NONE:
                return False
            row = (webhook.webhook_id, message_id, events, body, reason, datetime.now(UTC))
            await connection.execute(PUT_ASIDE, *row)
        return True

    def _within_log(self, cursor: Cursor) -> Cursor:
        """A place to begin at. One behind which the log may have lost something is over, however old it will be."""
        kept = timedelta(hours=self._store.settings.change_log_hours)
        return replace(cursor, at=0) if cursor.is_older(datetime.now(UTC) - kept - SPARE) else cursor

    async def _change(self, statement: str, *parameters: object) -> str:
        async with self._store.connection() as connection:
            return str(await connection.execute(statement, *parameters))


def held(store: Store) -> timedelta:
    """How far back the log reaches for subscriptions."""
    return max(HELD, timedelta(hours=store.settings.change_log_hours))


async def last_heard(connection: asyncpg.pool.PoolConnectionProxy) -> datetime | None:
    """Since when changes may stand that the subscription has not heard of which is farthest behind, of those that are
    delivered to."""
    heard = [Cursor.from_text(row["cursor"]).at for row in await connection.fetch(PLACES_HEARD)]
    return datetime.fromtimestamp(min(heard), UTC) - SPARE if heard else None


async def trim(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """Takes out dead letters of long ago."""
    await connection.execute(TRIM, datetime.now(UTC) - DEAD_LETTERS_KEPT)


def _place(url: str) -> str:
    return f"webhook:{url}"


def not_found(webhook: object) -> HandleNotFound:
    return HandleNotFound("webhook.not_found", webhook=webhook)
