"""The change log as a feed: what became of the handles of a prefix, in one order, with nothing left out.

Transactions commit in another order than they begin, so a reader who follows the newest number loses changes. The feed
shows a change only once no transaction that could stand before it is running, so that its order, transaction and
sequence, is the same for every reader at any time, and a cursor is a place in it. A long transaction holds the feed
back; those of the node end well within a second. Nothing is shown that a crash could take back: chunks of a bulk load
do not wait for the disk, and the number of a transaction that was lost is given out again. A cursor is of one history
of one database: after a restore or a failover, which may have lost the end of the log, it is refused, and so is one
from before what the log still holds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zlib import crc32

from registry.changes import ChangeKind, Operation
from registry.errors import ProtocolFault
from registry.prefix import Prefix
from registry.spellings import Place, spellings
from registry.store import Store
from registry.written import WritePosition, book_number

MAX_EVENTS: Final = 1000  # In one answer: some 300 kB.
# Transactions of others that a reader's cursor passes over only now and then: each step forward has to be on the disk.
STRIDE: Final = 1000

# Behind the promised hours, for who pages from their beginning; the log is kept longer than this.
SPARE: Final = timedelta(minutes=30)
LAST: Final = (1 << 63) - 1  # Above every sequence.
_CURSOR = re.compile(r"([0-9]{1,19})-([0-9]{1,19})-([0-9a-f]{1,10})-([0-9a-f]{8})")

# Purges (6) are no events. Without a row behind the cursor there is one row still, which says how far the feed reaches.
READ: Final = """
WITH s AS MATERIALIZED (
  SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon, pg_snapshot_xmax(pg_current_snapshot()) AS begun)
SELECT s.horizon::text::bigint AS horizon, s.begun::text::bigint AS begun,
       c.xid::text::bigint AS transaction, c.seq, c.at, c.kind, c.operation,
       c.prefix_id, c.suffix, c.suffix_to, c.version, c.batch_id
FROM s LEFT JOIN change_log AS c
  ON (c.xid, c.seq) > ($1::bigint::text::xid8, $2::bigint) AND c.xid < s.horizon
     AND ($3::int IS NULL OR c.prefix_id = $3) AND c.operation IS DISTINCT FROM 6
ORDER BY c.xid, c.seq LIMIT $4
"""
OLDEST: Final = "SELECT xid::text::bigint FROM change_log WHERE at >= $1 ORDER BY xid, seq LIMIT 1"
HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
HISTORY: Final = """
SELECT concat_ws(' ', s.system_identifier, c.timeline_id) FROM pg_control_system() AS s, pg_control_checkpoint() AS c
"""
# A transaction that waits for the disk, and with it for all that was committed before.
FLUSH: Final = "SELECT pg_logical_emit_message(true, 'filament.feed', '')"
_WORDS: Final = {
    None: "changed",  # By a program older than the feed.
    Operation.CREATED: "created",
    Operation.UPDATED: "updated",
    Operation.DELETED: "deleted",
    Operation.STATE: "state",
    Operation.LINKED: "linked",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the feed: behind this change of this transaction, as it was `at`, in one history of a database."""

    transaction: int
    sequence: int
    at: int  # Seconds since 1970: what comes behind it was written then or later.
    history: int

    def __str__(self) -> str:
        return f"{self.transaction}-{self.sequence}-{self.at:x}-{self.history:08x}"

    def is_older(self, at: datetime) -> bool:
        return self.at < _seconds(at)

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """Raises ProtocolFault."""
        parts = _CURSOR.fullmatch(text)
        if parts is None or max(int(parts[1]), int(parts[2])) >= 1 << 63:
            raise _refused(text, "is none that this feed gave")
        return cls(int(parts[1]), int(parts[2]), int(parts[3], 16), int(parts[4], 16))


@dataclass(frozen=True, slots=True)
class Event:
    """One change, with the cursor behind it; `form` is a CloudEvent (CloudEvents 1.0, JSON format)."""

    cursor: Cursor
    form: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, where to go on, and whether there are more already.

    Every transaction below `shown` is shown, unless there are more, and every one that is over is below `begun`: once
    `shown` reaches what `begun` was, a reader has heard of all that was committed before he asked then. `position` is
    what to ask a resolver for that knows of these events.
    """

    events: tuple[Event, ...]
    cursor: Cursor
    more: bool
    shown: int
    begun: int
    position: WritePosition


class Feed:
    """Reads the feed. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, kept: timedelta | None = None) -> None:
        """`kept` is how far back the log reaches for this reader: as far as for all, unless it is kept for him."""
        self._store = store
        self._book = 0  # Known once the history is.
        self._kept = kept or timedelta(hours=store.settings.change_log_hours)

    async def cursor(self, text: str) -> Cursor:
        """A place as it is asked for: a cursor, 'oldest' or 'now'. Raises ProtocolFault."""
        if text == "oldest":
            return await self.oldest()
        return await self.now() if text == "now" else Cursor.from_text(text)

    async def now(self) -> Cursor:
        """Behind everything that has happened."""
        oldest = await self.oldest()
        async with self._store.connection() as connection:
            horizon = await connection.fetchval(HORIZON)
            await connection.execute(FLUSH)
        return replace(oldest, transaction=horizon - 1, sequence=LAST)

    async def oldest(self) -> Cursor:
        """Before everything that the log holds for as long as it promises to."""
        now = datetime.now(UTC)
        async with self._store.connection() as connection:
            first = await connection.fetchval(OLDEST, now - self._kept)
        return Cursor(first or 0, 0, _seconds(now), await self._history())

    async def read(self, after: Cursor, prefix: Prefix | None, limit: int = MAX_EVENTS) -> Page:
        """What happened behind a cursor, of one prefix or of all. Raises ProtocolFault for a cursor that is over."""
        if after.history != await self._history():
            raise _refused(str(after), "is of another history of the database: begin anew with an export")
        if after.is_older(datetime.now(UTC) - self._kept - SPARE):
            raise _refused(str(after), "is older than the log: begin anew with an export")
        return await self._read(after, prefix, limit)

    async def _read(self, after: Cursor, prefix: Prefix | None, limit: int) -> Page:
        asked_at = _seconds(datetime.now(UTC))
        prefix_id = None if prefix is None else prefix.prefix_id
        async with self._store.connection() as connection:
            rows = await connection.fetch(READ, after.transaction, after.sequence, prefix_id, limit + 1)
            changes = [row for row in rows[:limit] if row["seq"] is not None]
            single = [row for row in changes if row["kind"] == ChangeKind.HANDLE]
            spelled = await spellings(connection, [(row["prefix_id"], row["suffix"]) for row in single])
            if changes or self._strides(rows[0]["horizon"], after):
                await connection.execute(FLUSH)
        if any(row["prefix_id"] and self._store.prefixes.by_id(row["prefix_id"]) is None for row in changes):
            await self._store.load_prefixes()
        events = tuple(self._event(row, spelled, after.history) for row in changes)
        if len(rows) > limit and events:
            return self._page(events, events[-1].cursor, rows[0], more=True)
        end = events[-1].cursor if events else after
        return self._page(events, self._end(rows[0]["horizon"], asked_at, end), rows[0], more=False)

    def _page(self, events: tuple[Event, ...], cursor: Cursor, row: Any, *, more: bool) -> Page:
        position = WritePosition(cursor.transaction, self._book)
        return Page(events, cursor, more, row["horizon"], row["begun"], position)

    def _end(self, horizon: int, asked_at: int, after: Cursor) -> Cursor:
        """Behind every transaction that is over: changes of other prefixes need not be looked at again."""
        if self._strides(horizon, after):
            return Cursor(horizon - 1, LAST, asked_at, after.history)
        return Cursor(after.transaction, after.sequence, asked_at, after.history)

    def _strides(self, horizon: int, after: Cursor) -> bool:
        return horizon - after.transaction > STRIDE

    def _event(self, row: Any, spelled: Mapping[Place, str], history: int) -> Event:
        cursor = Cursor(row["transaction"], row["seq"], _seconds(row["at"]), history)
        prefix = None if row["prefix_id"] is None else self._store.prefixes.by_id(row["prefix_id"])
        name = "" if prefix is None else prefix.spelling
        kind = ChangeKind(row["kind"])
        data: dict[str, Any] = {}
        if kind is ChangeKind.HANDLE:
            subject = f"{name}/{spelled.get((row['prefix_id'], row['suffix']), row['suffix'])}"
            word = f"handle.{_WORDS[row['operation']]}"
            data = {"handle": subject} | ({} if row["version"] is None else {"version": row["version"]})
        elif kind is ChangeKind.RANGE:
            # A load names itself; what has none was done to a range of handles that are one row.
            word = f"range.{_WORDS[row['operation']]}" if row["operation"] and not row["batch_id"] else "handles.loaded"
            subject = name
            data = {"from": f"{name}/{row['suffix']}", "to": f"{name}/{row['suffix_to']}", "batch": row["batch_id"]}
        else:
            subject, word = name, "prefix.changed" if kind is ChangeKind.PREFIX else "everything.changed"
        form = {
            "specversion": "1.0",
            "id": f"{row['transaction']}-{row['seq']}",
            "source": "/api/changes",
            "type": f"filament.{word}",
            "subject": subject,
            "time": row["at"].astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "sequence": str(cursor),
            "data": data,
        }
        return Event(cursor, form)

    async def _history(self) -> int:
        async with self._store.connection() as connection:
            history = str(await connection.fetchval(HISTORY))
        self._book = book_number(history.partition(" ")[0])
        return history_number(history)


def history_number(history: str) -> int:
    """The number in cursors that stands for a history of a database, named as HISTORY does."""
    return crc32(history.encode())


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _refused(cursor: str, rule: str) -> ProtocolFault:
    return ProtocolFault("http.parameter", name="cursor", value=cursor[:80], rule=rule)
