"""The clock of the machine was a day wrong and is set right: nothing is lost, reordered or held up for that day."""

from datetime import UTC, datetime, timedelta

import pytest

from registry.feed import Cursor, Feed
from registry.handle import Handle
from registry.history import History
from registry.passwords import Passwords
from registry.people import MAX_FAILURES, People
from registry.tokens import Tokens
from registry.upkeep import Upkeep
from tests.registry.bulk_files import check_book, line
from tests.registry.companies import PASSWORD
from tests.registry.interface import NDJSON
from tests.registry.test_jobs import done, texts, working
from tests.registry.test_once import send

AHEAD, BEHIND = timedelta(days=1), timedelta(days=-1)
COLUMNS = """
SELECT table_name, string_agg(format('%1$I = %1$I + $1::interval', column_name), ', ') AS shifted
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND data_type = 'timestamp with time zone'
GROUP BY table_name
"""


async def set_right(node, wrong_by):
    """What was written until now was written by a clock that was wrong by this much."""
    async with node.store.connection() as connection, connection.transaction():
        for table, shifted in await connection.fetch(COLUMNS):
            await connection.execute(f"UPDATE {table} SET {shifted}", wrong_by)


async def load(node, body):
    async with node.client.post("/api/bulk", data=body, headers=node.enterprise | NDJSON) as answer:
        return await answer.json()


@pytest.mark.parametrize("wrong_by", [AHEAD, BEHIND], ids=["ahead", "behind"])
async def test_versions_go_on_and_changes_keep_their_order(node, wrong_by):
    feed = Feed(node.store)
    cursor = await feed.now()
    assert (await load(node, line("88.168.2/A", "1") + line("88.168.2/B", "1")))["created"] == 2
    await set_right(node, wrong_by)
    cursor = Cursor(cursor.transaction, cursor.sequence, cursor.at + int(wrong_by.total_seconds()), cursor.history)
    assert (await load(node, line("88.168.2/A", "2")))["updated"] == 1
    async with working(node.store):
        job = await done(node, line("88.168.2/C", "1") + line("88.168.2/A", "3"))
    assert (job["state"], job["created"], job["updated"]) == ("finished", 1, 1)
    assert await texts(node, "88.168.2/A") == ["3"]
    now = await History(node.store).of_time(Handle.from_text("88.168.2/A"), datetime.now(UTC) + timedelta(seconds=1))
    assert (now.version, now.values[0].text) == (3, "3")
    page = await feed.read(cursor, node.store.prefixes.find(b"88.168.2"))
    loaded = [event.form["data"] for event in page.events if event.form["type"] == "filament.handles.loaded"]
    assert [(one["from"], one["to"]) for one in loaded] == [
        ("88.168.2/A", "88.168.2/B"),
        ("88.168.2/A", "88.168.2/A"),
        ("88.168.2/A", "88.168.2/C"),
    ]
    await Upkeep(node.store).trim()
    assert await check_book(node.store) > 0


@pytest.mark.parametrize("wrong_by", [AHEAD, BEHIND], ids=["ahead", "behind"])
async def test_what_is_sent_again_under_its_key_is_answered_as_before(node, wrong_by):
    sent = ("POST", "/api/tokens", {"label": "line 1", "scopes": ["read"]}, node.operator)
    first = await send(node, *sent, Idempotency_Key="a")
    assert first[0] == 201, first
    await set_right(node, wrong_by)
    assert await send(node, *sent, Idempotency_Key="a") == first


async def test_nobody_is_kept_out_until_the_clock_catches_up(node):
    people = People(node.store, Tokens(node.store), Passwords())
    await people.add("mes.line1", "operator", None, by="test", password=PASSWORD)
    async with node.store.connection() as connection:
        await connection.execute(
            "UPDATE person SET failures = $1, failed_at = $2", MAX_FAILURES, datetime.now(UTC) + AHEAD
        )
    assert (await people.log_in("mes.line1", PASSWORD))[0].name == "mes.line1"
