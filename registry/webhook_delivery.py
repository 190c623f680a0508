"""Webhooks on their way: each subscription hears the feed in order, at least once, at its own pace.

Of all the registries of a book one delivers, the one that holds a lock; the cursors are in the book, so whoever takes
over goes on where it stood. A subscription has one message on its way at a time, and the next is read only when that
has been taken: so its order is the feed's, it holds no more than a message in memory, and one that answers slowly or
never keeps nobody else waiting. A message is named after its first and its last event, so that it has the same name
whenever the same events are sent again.
"""

import asyncio
import logging
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson

from registry.database import DATABASE_AWAY, LEAD, connect
from registry.errors import HandleError, HandleNotFound, ProtocolFault
from registry.feed import Cursor, Event, Feed
from registry.migrate import check
from registry.start_errors import SchemaMismatch
from registry.store import Store
from registry.webhook_sending import Guard, Sender
from registry.webhooks import MAX_DEAD_LETTERS, MAX_WEBHOOKS, Webhook, Webhooks, held

log = logging.getLogger(__name__)

LOCK: Final = 0x57454248  # "WEBH": any number does, as long as no other program of the database uses it.
INTERVAL: Final = 0.5  # Seconds between two looks for what is to be sent.
PAUSE: Final = 2.0  # Seconds before a registry that does not deliver tries again to be the one that does.
MAX_EVENTS: Final = 200  # Of one message: some 60 kB.
READING: Final = 2  # Subscriptions that read the feed at once: the others of the pool's connections are for callers.
FIRST_DELAY: Final = 1.0  # Seconds before the second attempt; each further one waits twice as long,
LONGEST_DELAY: Final = 600.0  # but not longer than this: who is back need not wait for hours.
# A cursor is of use as long as the log reaches back to it, so one that nothing happened behind is written now and then.
FRESH: Final = timedelta(minutes=10)
GONE: Final = "status 410"  # "The subscriber will never want this again", says the standard.

HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
CHANGED: Final = """
WITH s AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon)
SELECT s.horizon::text::bigint AS horizon,
       array(SELECT DISTINCT c.prefix_id FROM change_log AS c
             WHERE c.xid >= $1::bigint::text::xid8 AND c.xid < s.horizon) AS prefixes
FROM s
"""
# Nothing is tried again later than LONGEST_DELAY: what says so was written by a clock that has been set right since.
WAITING: Final = """
SELECT w.webhook_id, w.prefix_id, w.cursor, w.retry_at IS NOT NULL AS asked,
       EXISTS (SELECT FROM webhook_dead_letter AS d WHERE d.webhook_id = w.webhook_id AND d.again) AS again
FROM webhook AS w WHERE NOT w.stopped AND (w.retry_at IS NULL OR w.retry_at <= $1 OR w.retry_at > $2)
"""


@dataclass(frozen=True, slots=True)
class Message:
    """Events in order as they are sent, the cursor behind them, and when the first one happened."""

    message_id: str
    events: int
    body: bytes
    cursor: str
    oldest: datetime


class Deliverer:
    """Delivers for a registry, whenever no other one of the same book does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._webhooks = Webhooks(store)
        self._feed = Feed(store, held(store))
        self._reading = asyncio.Semaphore(READING)
        # Half of what the log holds: whoever is given up is given up while all he missed can still be read.
        self.patience = timedelta(hours=store.settings.change_log_hours) / 2

    async def run(self) -> None:
        while True:
            try:
                await self._lead()
            except* (SchemaMismatch, *DATABASE_AWAY) as away:
                log.debug("webhooks are not delivered: %s", away.exceptions[0])
            await asyncio.sleep(PAUSE)

    async def _lead(self) -> None:
        """Delivers until the connection breaks that holds the lock."""
        settings = self._store.settings
        connection = await connect(settings, "webhooks")
        try:
            await check(connection, exact_suffixes=settings.exact_suffixes)
            if not await connection.fetchval(LEAD, LOCK):
                return
            log.debug("this registry delivers webhooks")
            watch = _Watch(connection)
            async with Sender(Guard(settings.webhook_networks), MAX_WEBHOOKS) as sender, asyncio.TaskGroup() as group:
                while True:
                    for webhook_id in await watch.due():
                        group.create_task(self._deliver(watch, sender, webhook_id))
                    await asyncio.sleep(INTERVAL)
        finally:
            connection.terminate()

    async def _deliver(self, watch: "_Watch", sender: Sender, webhook_id: int) -> None:
        """Sends until there is nothing more, or an attempt failed."""
        try:
            webhook: Webhook | None = await self._webhooks.find(webhook_id)
            while webhook is not None and not webhook.stopped:
                webhook = await (self._send_again if webhook.again else self._send_next)(sender, webhook)
        except DATABASE_AWAY as away:
            log.debug("webhook %d is not delivered: %s", webhook_id, away)
            watch.behind.add(webhook_id)
        except HandleNotFound:
            log.debug("webhook %d was removed", webhook_id)
        except Exception:
            log.exception("webhook %d is not delivered", webhook_id)  # The task ends here, whatever it failed of.
        finally:
            watch.running.discard(webhook_id)

    async def _send_again(self, sender: Sender, webhook: Webhook) -> Webhook | None:
        """One dead letter; the first that fails again ends their replay, which must not hold up what is new."""
        letter = await self._webhooks.next_again(webhook.webhook_id)
        if letter is None:
            return replace(webhook, again=False)
        if reason := await self._sent(sender, webhook, letter.message_id, letter.body):
            await self._webhooks.leave(webhook.webhook_id, letter.number, reason)
        else:
            await self._webhooks.bury(webhook.webhook_id, letter.number)
        return webhook

    async def _send_next(self, sender: Sender, webhook: Webhook) -> Webhook | None:
        message = await self._next(webhook)
        if message is None:
            return None
        if reason := await self._sent(sender, webhook, message.message_id, message.body):
            await self._fail(webhook, message, reason)
            return None
        if not await self._webhooks.advance(webhook, message.cursor, datetime.now(UTC)):
            return await self._webhooks.find(webhook.webhook_id)
        return replace(webhook, cursor=message.cursor, failures=0, retry_at=None)

    async def _sent(self, sender: Sender, webhook: Webhook, message_id: str, body: bytes) -> str:
        """Why it was not delivered; nothing when it was."""
        try:
            secret = self._webhooks.secret_of(webhook)
        except (HandleError, OSError) as error:
            return str(error)
        return await sender.send(webhook.url, secret, message_id, body)

    async def _fail(self, webhook: Webhook, message: Message | None, reason: str) -> None:
        """Puts aside what is too old to be tried again, and says when the rest is."""
        now = datetime.now(UTC)
        while message is not None and message.oldest < now - self.patience:
            if webhook.dead_letters >= MAX_DEAD_LETTERS:
                break
            letter = (message.message_id, message.events, message.body, reason)
            if not await self._webhooks.put_aside(webhook, message.cursor, *letter):
                return
            webhook = replace(webhook, cursor=message.cursor, dead_letters=webhook.dead_letters + 1)
            message = await self._next(webhook)
        stop = reason == GONE or webhook.dead_letters >= MAX_DEAD_LETTERS
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(webhook.failures, 16))
        delay *= random.uniform(0.5, 1.0)  # noqa: S311  # spreads attempts, guards nothing
        await self._webhooks.fail(webhook, now + timedelta(seconds=delay), reason, stop=stop)
        log.debug("webhook %d: %s", webhook.webhook_id, reason)

    async def _next(self, webhook: Webhook) -> Message | None:
        """The next message of a subscription; None when it has heard everything."""
        cursor = Cursor.from_text(webhook.cursor)
        prefix = None
        if webhook.prefix_id is not None and (prefix := self._store.prefixes.by_id(webhook.prefix_id)) is None:
            await self._store.load_prefixes()
            prefix = self._store.prefixes.by_id(webhook.prefix_id)
        async with self._reading:
            try:
                page = await self._feed.read(cursor, prefix, MAX_EVENTS)
            except ProtocolFault as refused:
                subject = "" if prefix is None else prefix.spelling
                if not webhook.failures:
                    log.warning("webhook %d has lost its place and is told so: %s", webhook.webhook_id, refused)
                return _begin_anew(webhook, await self._feed.oldest(), subject, str(refused))
        if page.events:
            return _message(webhook, page.events, page.cursor)
        moved = (page.cursor.transaction, page.cursor.sequence) != (cursor.transaction, cursor.sequence)
        if moved or webhook.retry_at is not None or page.cursor.at - cursor.at > FRESH.total_seconds():
            await self._webhooks.advance(webhook, str(page.cursor), None)
        return None


class _Watch:
    """Which subscriptions have something to hear, as the deliverer's own connection sees it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._horizon: int | None = None
        self.behind: set[int] = set()
        self.running: set[int] = set()

    async def due(self) -> list[int]:
        """Those to be delivered now; they count as running until whoever runs them says otherwise."""
        first = self._horizon is None
        if self._horizon is None:
            self._horizon = int(await self._connection.fetchval(HORIZON))
        (row,) = await self._connection.fetch(CHANGED, self._horizon)
        self._horizon = row["horizon"]
        now = datetime.now(UTC)
        waiting = await self._connection.fetch(WAITING, now, now + timedelta(seconds=LONGEST_DELAY))
        changed = set(row["prefixes"])
        self.behind.update(one["webhook_id"] for one in waiting if first or self._is_wanted(one, changed, now))
        due = [one["webhook_id"] for one in waiting if one["webhook_id"] in self.behind - self.running]
        self.running.update(due)
        self.behind.difference_update(due)
        return due

    def _is_wanted(self, one: Any, changed: set[int], now: datetime) -> bool:
        if one["prefix_id"] in changed or (one["prefix_id"] is None and changed):
            return True
        stale = Cursor.from_text(one["cursor"]).is_older(now - FRESH)
        return one["webhook_id"] not in self.running and (stale or one["asked"] or one["again"])


def _message(webhook: Webhook, events: tuple[Event, ...], cursor: Cursor) -> Message:
    return Message(
        f"{webhook.webhook_id}.{events[0].cursor}.{events[-1].cursor}",
        len(events),
        orjson.dumps([event.form for event in events]),
        str(cursor),
        datetime.fromisoformat(events[0].form["time"]),
    )


def _begin_anew(webhook: Webhook, oldest: Cursor, subject: str, reason: str) -> Message:
    """What a subscriber is told whose place in the feed is over: to take an export, and to hear the rest from there."""
    now = datetime.now(UTC)
    form = {
        "specversion": "1.0",
        "id": f"anew-{webhook.cursor}",
        "source": "/api/changes",
        "type": "filament.everything.changed",
        "subject": subject,
        "time": now.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "sequence": str(oldest),
        "data": {"reason": reason},
    }
    return Message(f"{webhook.webhook_id}.anew.{webhook.cursor}", 1, orjson.dumps([form]), str(oldest), now)
