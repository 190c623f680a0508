"""Webhooks delivered to a real server by a real deliverer."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from standardwebhooks import Webhook as Judge

from registry.enterprise import add_enterprise
from registry.errors import InvalidValue
from registry.feed import Cursor, Feed
from registry.handle import Handle
from registry.personal import KEY_FILE
from registry.registration import Registration
from registry.settings import RegistrySettings
from registry.store import Store
from registry.upkeep import Upkeep
from registry.value import HandleValue
from registry.webhook_delivery import Deliverer
from registry.webhook_sending import secret_text
from registry.webhooks import HELD, MAX_OF_PREFIX, Webhooks
from tests.registry.books import NODE
from tests.registry.receiver import Receiver

LOOPBACK = ("127.0.0.0/8",)
VALUES = (HandleValue(1, "URL", b"https://example.com/"),)


class Book:
    def __init__(self, store):
        self.store = store
        self.webhooks = Webhooks(store)
        self.feed = Feed(store)
        self.prefix_id = store.prefixes.find(b"88.168.1").prefix_id
        self._registration = Registration(store, [str(NODE)])

    async def write(self, *names):
        for name in names:
            await self._registration.put_record(Handle.from_text(name), VALUES, NODE)

    async def subscribe(self, receiver, prefix_id=None):
        return await self.webhooks.add(prefix_id or self.prefix_id, receiver.url, await self.feed.now(), "test")

    async def until(self, webhook, so):
        async with asyncio.timeout(60):
            while not so(there := await self.webhooks.find(webhook.webhook_id)):  # noqa: ASYNC110  # it happens in Postgres
                await asyncio.sleep(0.02)
        return there


@asynccontextmanager
async def opened(dsn, directory):
    settings = RegistrySettings(dsn=dsn, data_directory=str(directory), webhook_networks=LOOPBACK)
    store = Store(settings, "test")
    await store.open()
    yield store
    await store.close()


@asynccontextmanager
async def delivering(store):
    deliverer = Deliverer(store)
    task = asyncio.create_task(deliverer.run())
    yield deliverer
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@pytest.fixture
async def book(database_dsn, tmp_path):
    async with opened(database_dsn, tmp_path) as store:
        await add_enterprise(store, "化纤厂", "Fibre", "", "88.168.1", by="test")
        await add_enterprise(store, "织造厂", "Mill", "", "88.168.2", by="test")
        yield Book(store)


@pytest.fixture
async def receiver():
    receiver = Receiver()
    await receiver.start()
    yield receiver
    receiver.gate.set()
    await receiver.stop()


def subjects(events):
    return [event["subject"] for event in events]


NAMES = [f"88.168.1/{number}" for number in range(12)]


async def test_a_subscriber_hears_of_its_prefix_in_order(book, receiver):
    webhook = await book.subscribe(receiver)
    async with delivering(book.store):
        await book.write(NAMES[0], "88.168.2/X", *NAMES[1:])
        assert subjects(await receiver.events(len(NAMES))) == NAMES
        await book.until(webhook, lambda there: there.delivered_at is not None and there.cursor != webhook.cursor)
    headers, body = receiver.messages[0]
    assert headers["Content-Type"] == "application/cloudevents-batch+json"
    assert headers["webhook-id"].startswith(f"{webhook.webhook_id}.")
    assert orjson.loads(body)[0]["specversion"] == "1.0"


async def test_a_subscriber_that_was_away_loses_nothing_and_sees_no_order_broken(book, receiver):
    webhook = await book.subscribe(receiver)
    async with delivering(book.store):
        await book.write(*NAMES[:2])
        await receiver.events(2)
        await receiver.stop()
        await book.write(*NAMES[2:6])
        failing = await book.until(webhook, lambda there: there.failures > 1)
        assert "Connect" in failing.reason
        assert failing.retry_at > failing.failing_since
        await receiver.start()
        await book.write(*NAMES[6:])
        assert subjects(await receiver.events(len(NAMES))) == NAMES
        await book.until(webhook, lambda there: there.failures == 0 and there.reason is None)


async def test_a_registry_that_was_away_sends_what_happened_meanwhile(book, receiver):
    await book.subscribe(receiver)
    async with delivering(book.store):
        await book.write(*NAMES[:3])
        await receiver.events(3)
    await book.write(*NAMES[3:])
    async with delivering(book.store):
        assert subjects(await receiver.events(len(NAMES))) == NAMES


async def test_a_message_that_is_sent_again_has_the_same_name(book, receiver):
    receiver.status = 500
    await book.subscribe(receiver)
    await book.write(NAMES[0])
    async with delivering(book.store):
        await receiver.attempts(2)
    (first, _), (second, _) = receiver.messages[:2]
    assert first["webhook-id"] == second["webhook-id"]


async def test_a_subscriber_that_never_answers_keeps_no_other_waiting(book, receiver):
    silent = Receiver()
    await silent.start()
    silent.gate.clear()
    for _ in range(MAX_OF_PREFIX - 1):
        await book.subscribe(silent)
    await book.subscribe(receiver)
    async with delivering(book.store):
        await book.write(*NAMES)
        assert subjects(await receiver.events(len(NAMES))) == NAMES
        assert not silent.taken
    silent.gate.set()
    await silent.stop()


async def test_one_of_two_registries_delivers_and_the_other_takes_over(book, receiver, database_dsn, tmp_path):
    await book.subscribe(receiver)
    async with opened(database_dsn, tmp_path) as other, delivering(other):
        async with delivering(book.store):
            await book.write(*NAMES[:6])
            await receiver.events(6)
            assert subjects(receiver.taken) == NAMES[:6]
        await book.write(*NAMES[6:])
        assert subjects(await receiver.events(len(NAMES))) == NAMES


async def test_what_is_too_old_is_put_aside_and_can_be_sent_again(book, receiver):
    receiver.status = 503
    webhook = await book.subscribe(receiver)
    await book.write(*NAMES)
    async with delivering(book.store) as deliverer:
        deliverer.patience = timedelta(0)
        dead = await book.until(webhook, lambda there: there.dead_letters == 1)
        assert dead.cursor != webhook.cursor
        (letter,) = await book.webhooks.dead_letters(webhook.webhook_id)
        assert (letter.events, letter.reason) == (len(NAMES), "status 503")
        receiver.status = 200
        await book.webhooks.replay(webhook, None, dead_letters=True, by="test")
        assert subjects(await receiver.events(len(NAMES))) == NAMES
        await book.until(webhook, lambda there: there.dead_letters == 0)


async def test_a_dead_letter_that_fails_again_is_kept_and_holds_up_nothing(book, receiver):
    receiver.status = 503
    webhook = await book.subscribe(receiver)
    await book.write(NAMES[0])
    async with delivering(book.store) as deliverer:
        deliverer.patience = timedelta(0)
        await book.until(webhook, lambda there: there.dead_letters == 1)
        receiver.status = 418
        await book.webhooks.replay(webhook, None, dead_letters=True, by="test")
        await book.until(webhook, lambda there: not there.again)
        receiver.status = 200
        await book.write(NAMES[1])
        assert subjects(await receiver.events(1)) == [NAMES[1]]
    (letter,) = await book.webhooks.dead_letters(webhook.webhook_id)
    assert letter.reason == "status 418"


async def test_whoever_asks_hears_from_a_cursor_again(book, receiver):
    webhook = await book.subscribe(receiver)
    async with delivering(book.store):
        await book.write(*NAMES)
        begin = await book.feed.cursor("oldest")
        await receiver.events(len(NAMES))
        await book.until(webhook, lambda there: there.delivered_at is not None)
        receiver.taken.clear()
        await book.webhooks.replay(webhook, begin, dead_letters=False, by="test")
        events = await receiver.events(len(NAMES) + 1)
    assert subjects(events)[-len(NAMES) :] == NAMES


async def test_a_subscriber_that_is_gone_for_good_is_asked_no_more(book, receiver):
    receiver.status = 410
    webhook = await book.subscribe(receiver)
    await book.write(NAMES[0])
    async with delivering(book.store):
        stopped = await book.until(webhook, lambda there: there.stopped)
        assert stopped.reason == "status 410"
        receiver.status = 200
        await book.webhooks.replay(webhook, None, dead_letters=False, by="test")
        assert subjects(await receiver.events(1)) == [NAMES[0]]


async def test_a_place_of_another_history_tells_the_subscriber_to_begin_anew(book, receiver):
    cursor = await book.feed.now()
    await book.webhooks.add(book.prefix_id, receiver.url, replace(cursor, history=cursor.history ^ 1), "test")
    await book.write(NAMES[0])
    async with delivering(book.store):
        await receiver.attempts(2)
        events = await receiver.events(2)
    assert (events[0]["type"], events[0]["subject"]) == (ANEW, "88.168.1")
    assert subjects(events)[-1] == NAMES[0]


async def let_pass(book, webhook, time):
    """Has everything be so much older: the log, and where a subscription stands in it."""
    there = await book.webhooks.find(webhook.webhook_id)
    cursor = Cursor.from_text(there.cursor)
    older = replace(cursor, at=cursor.at - int(time.total_seconds()))
    async with book.store.connection() as connection:
        await connection.execute("UPDATE change_log SET at = at - $1::interval", time)
        await connection.execute("UPDATE webhook SET cursor = $2 WHERE webhook_id = $1", webhook.webhook_id, str(older))


LONGER_THAN_THE_LOG = timedelta(days=3)
ANEW = "filament.everything.changed"


async def test_a_node_that_was_away_longer_than_the_log_is_kept_sends_everything(book, receiver):
    webhook = await book.subscribe(receiver)
    await book.write(*NAMES)
    await let_pass(book, webhook, LONGER_THAN_THE_LOG)
    await Upkeep(book.store).trim()
    async with delivering(book.store):
        events = await receiver.events(len(NAMES))
        await book.until(webhook, lambda there: there.delivered_at is not None)
    assert subjects(events) == NAMES
    await Upkeep(book.store).trim()
    async with book.store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM change_log WHERE prefix_id = $1", book.prefix_id) == 0


async def test_a_subscription_away_for_too_long_is_told_so_and_written_down(book, receiver, caplog):
    webhook = await book.subscribe(receiver)
    await book.write(NAMES[0])
    await let_pass(book, webhook, HELD + timedelta(hours=3))
    assert await Upkeep(book.store).trim() > 0
    async with delivering(book.store):
        assert [one["type"] for one in await receiver.events(1)] == [ANEW]
    assert "has lost its place" in caplog.text


@pytest.mark.parametrize("begins", ["where it stands", "from a cursor"])
async def test_the_log_is_not_kept_for_what_is_stopped_and_its_return_is_told_so(book, receiver, begins):
    webhook = await book.subscribe(receiver)
    await book.write(NAMES[0])
    await book.webhooks.fail(webhook, datetime.now(UTC), "status 410", stop=True)
    await let_pass(book, webhook, LONGER_THAN_THE_LOG)
    assert await Upkeep(book.store).trim() > 0
    stopped = await book.webhooks.find(webhook.webhook_id)
    cursor = None if begins == "where it stands" else Cursor.from_text(stopped.cursor)
    await book.webhooks.replay(stopped, cursor, dead_letters=False, by="test")
    async with delivering(book.store):
        assert [one["type"] for one in await receiver.events(1)] == [ANEW]


async def test_an_attempt_is_not_put_off_by_a_clock_that_was_wrong(book, receiver):
    webhook = await book.subscribe(receiver)
    await book.write(NAMES[0])
    await book.webhooks.fail(webhook, datetime.now(UTC) + timedelta(days=1), "status 503", stop=False)
    async with delivering(book.store):
        assert subjects(await receiver.events(1)) == [NAMES[0]]


async def test_a_redirection_is_not_followed(book, receiver):
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    webhook = await book.subscribe(receiver)
    await book.write(NAMES[0])
    async with delivering(book.store):
        assert (await book.until(webhook, lambda there: there.failures > 0)).reason == "status 307"


async def test_a_prefix_has_so_many_webhooks_and_no_more(book, receiver):
    for _ in range(MAX_OF_PREFIX):
        await book.subscribe(receiver)
    with pytest.raises(InvalidValue):
        await book.subscribe(receiver)


async def test_dead_letters_of_long_ago_are_taken_out(book, receiver):
    from registry.webhooks import trim

    webhook = await book.subscribe(receiver)
    assert await book.webhooks.put_aside(webhook, webhook.cursor, "m", 1, b"[]", "status 500")
    async with book.store.connection() as connection:
        await trim(connection)
        assert len(await book.webhooks.dead_letters(webhook.webhook_id)) == 1
        aside = datetime.now(UTC) - timedelta(days=31)
        await connection.execute("UPDATE webhook_dead_letter SET put_aside_at = $1", aside)
        await trim(connection)
    assert await book.webhooks.dead_letters(webhook.webhook_id) == []


async def test_a_secret_is_no_secret_of_the_database_and_one_of_long_ago_still_signs(book, receiver, tmp_path):
    webhook = await book.subscribe(receiver)
    secret = book.webhooks.secret_of(webhook)
    assert secret not in webhook.secret
    async with book.store.connection() as connection:
        await connection.execute("UPDATE webhook SET secret = $1", secret)
    async with delivering(book.store):
        await book.write(NAMES[0])
        await receiver.events(1)
        assert book.webhooks.secret_of(await book.webhooks.find(webhook.webhook_id)) == secret
        await book.webhooks.seal_plain()
        await book.write(NAMES[1])
        await receiver.events(2)
    for headers, body in receiver.messages:
        Judge(secret_text(secret)).verify(body, dict(headers))
    assert secret not in (await book.webhooks.find(webhook.webhook_id)).secret


async def test_a_secret_that_was_sealed_with_another_key_is_the_reason_that_is_shown(book, receiver, tmp_path):
    webhook = await book.subscribe(receiver)
    (tmp_path / KEY_FILE).write_bytes(bytes(32))
    await book.write(NAMES[0])
    async with delivering(book.store):
        failed = await book.until(webhook, lambda there: there.failures > 0)
    assert "another key" in failed.reason
    assert receiver.messages == []
