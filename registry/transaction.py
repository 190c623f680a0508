"""One unit of writing in the book: rows, their history, the counters and the change log, together or not at all.

Each change writes its change-log row in the same transaction, so that whoever hears of it can read it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from msgspec.structs import replace

from registry.acts import COLUMNS, OF_HANDLE, Act, keep, row_of
from registry.changes import ChangeKind, Operation
from registry.edges import write_links
from registry.errors import HandleAlreadyExists, HandleNotFound, PrefixNotHomed
from registry.handle import Handle, HandleKey
from registry.holders import hold
from registry.members import own_rows, share
from registry.packing import pack, unpack
from registry.prefix import Prefix
from registry.quotas import check_registered
from registry.record import HandleRecord
from registry.relations import Said, links_said
from registry.row_locks import HOLD_ONE, is_distributed
from registry.search_keys import search_keys
from registry.spans import span
from registry.spellings import Place
from registry.standing import Standing, State, fixed, shown, standing_from_json, standing_to_json
from registry.store import Store
from registry.unit import count_slot
from registry.value import HandleValue
from registry.written import note

NOTHING_MORE: Final[Mapping[str, Any]] = {}

LOCK: Final = """
SELECT spelling, version, state, standing, packed,
       extract(epoch FROM coalesce(updated_at, created_at))::bigint AS written_at
FROM handle WHERE prefix_id = $1 AND suffix = $2 FOR UPDATE
"""
# In the order of the arrays, which is that of keys.
HOLD: Final = """
SELECT FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS asked (prefix_id, suffix, place)
JOIN handle AS h ON h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix
ORDER BY asked.place FOR UPDATE OF h
"""
INSERT: Final = """
INSERT INTO handle (created_at, prefix_id, suffix, spelling, packed, keys)
SELECT $1::timestamptz, $2::int, $3::text, $4::text, $5::bytea, $6::jsonb
WHERE NOT EXISTS (
  SELECT FROM (
    SELECT suffix_to, width, radix FROM handle_range
    WHERE prefix_id = $2 AND characters = length($3) AND suffix <= $3 ORDER BY suffix DESC LIMIT 1) AS r
  WHERE r.suffix_to >= $3 AND right($3, r.width) !~ CASE r.radix WHEN 10 THEN '[^0-9]' ELSE '[^0-9A-Z]' END)
ON CONFLICT (prefix_id, suffix) DO NOTHING RETURNING version
"""
RECREATE: Final = """
UPDATE handle SET created_at = $1, updated_at = NULL, spelling = $4, packed = $5, keys = $6, state = 0, standing = NULL,
       batch_id = NULL, version = version + 1
WHERE prefix_id = $2 AND suffix = $3 AND state = 1 RETURNING version
"""
UPDATE: Final = """
UPDATE handle SET updated_at = $1, packed = $4, keys = $5, version = version + 1, batch_id = NULL
WHERE prefix_id = $2 AND suffix = $3 RETURNING version
"""
DELETE: Final = """
UPDATE handle SET updated_at = $1, packed = $4, keys = NULL, version = version + 1, state = 1, standing = NULL,
       batch_id = NULL
WHERE prefix_id = $2 AND suffix = $3
"""
STAND: Final = """
UPDATE handle SET updated_at = $1, packed = $4, state = $5, standing = $6, version = version + 1, batch_id = NULL
WHERE prefix_id = $2 AND suffix = $3 RETURNING version
"""
EXPIRE: Final = """
INSERT INTO handle_expiry (prefix_id, suffix, at) VALUES ($1, $2, $3)
ON CONFLICT (prefix_id, suffix) DO UPDATE SET at = excluded.at
"""
DO_NOT_EXPIRE: Final = "DELETE FROM handle_expiry WHERE prefix_id = $1 AND suffix = $2"
HISTORY: Final = """
INSERT INTO handle_history (at, prefix_id, version, state, suffix, changed_by, packed, written_at, standing, batch_id)
SELECT $3, prefix_id, version, state, suffix, $4, packed, coalesce(updated_at, created_at), standing, batch_id
FROM handle WHERE prefix_id = $1 AND suffix = $2
"""
COUNT: Final = """
INSERT INTO handle_count (prefix_id, slot, registered) VALUES ($1, $2, $3)
ON CONFLICT (prefix_id, slot) DO UPDATE SET registered = handle_count.registered + excluded.registered
"""
HOME: Final = """
INSERT INTO prefix (prefix, spelling, enterprise_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (prefix) DO UPDATE SET homed = true, enterprise_id = coalesce(excluded.enterprise_id, prefix.enterprise_id)
WHERE excluded.enterprise_id IS NULL OR prefix.enterprise_id IS NULL
RETURNING prefix_id
"""
UNHOME: Final = "UPDATE prefix SET homed = false WHERE prefix = $1 AND homed RETURNING prefix_id"
LOG: Final = """
INSERT INTO change_log (kind, prefix_id, suffix, suffix_to, version) VALUES ($1, $2, $3, $4, $5)
RETURNING xid::text::bigint, at
"""
# The change for those who follow changes, the act for those who ask afterwards: two rows, and one way to the server.
LOG_HANDLE: Final = f"""
WITH kept AS (INSERT INTO act ({COLUMNS}) VALUES ($5, $6, $7, $8, $9, $10, $11))
INSERT INTO change_log (kind, prefix_id, suffix, version, operation) VALUES (1, $1, $2, $3, $4)
RETURNING xid::text::bigint, at
"""  # noqa: S608  # our own columns


class Transaction:
    """Writes on somebody's behalf. Every handle to be changed is locked first, in order of keys when several are."""

    def __init__(self, store: Store, connection: asyncpg.pool.PoolConnectionProxy, by: str) -> None:
        self._store = store
        self.connection = connection  # For rows of other tables that stand or fall with these.
        self.by = by
        self.at = datetime.now(UTC).replace(microsecond=0)
        self._written_at = int(self.at.timestamp())
        self.in_bulk = False  # What is registered in bulk is not held to what may be registered in a minute.
        self._slot = count_slot() if store.unit is None else store.unit.count_slot
        self._ranged = False  # Whether a handle was found in a range of which the table of prefixes does not know yet.
        self._said: dict[Place, frozenset[Said]] = {}
        self._created: Counter[Prefix] = Counter()
        self._deleted: Counter[Prefix] = Counter()

    async def lock(self, handle: Handle) -> HandleRecord | None:
        """The handle as it stands, and nobody else's to change until the end; None when it is not registered."""
        prefix, suffix = self._place(handle)
        row = await self.connection.fetchrow(LOCK, prefix.prefix_id, suffix)
        is_new = row is None and (prefix.ranged or self._ranged) and await self._own_row(prefix, suffix)
        if is_new:
            row = await self.connection.fetchrow(LOCK, prefix.prefix_id, suffix)
        if row is None or row["state"] == State.DELETED:
            return None
        registered = Handle(prefix.spelling, suffix if row["spelling"] is None else row["spelling"])
        (packed,) = await self._store.plain([row["packed"]], self.connection)
        standing = standing_from_json(row["state"], row["standing"])
        values = unpack(packed, row["written_at"])
        if is_new:
            self._said[prefix.prefix_id, suffix] = links_said(values)
        return HandleRecord(registered, values, row["version"], standing)

    async def hold(self, handles: Iterable[Handle]) -> None:
        """Locks those that are there of several, all at once: who locks them one by one may meet another half-way."""
        places = [self._place(handle) for handle in key_order(self._store, handles)]
        names = [prefix.prefix_id for prefix, _ in places], [key for _, key in places]
        if await is_distributed(self.connection):
            await self.connection.executemany(HOLD_ONE, list(zip(*names, strict=True)))
        else:
            await self.connection.execute(HOLD, *names)

    async def create(self, handle: Handle, values: Iterable[HandleValue]) -> HandleRecord:
        """Registers a handle. Raises HandleAlreadyExists, PrefixNotHomed."""
        prefix, suffix = self._place(handle)
        stamped = self._stamp(values, ())
        spelling = None if handle.suffix == suffix else handle.suffix
        packed = pack(stamped, self._written_at)
        keys = search_keys(prefix.key, packed, prefix.searchable)
        row = (self.at, prefix.prefix_id, suffix, spelling, packed, keys)
        # The ranges of the prefix stay as they are before it is looked whether the handle is in one of them.
        await share(self.connection, [prefix.prefix_id])
        version = await self.connection.fetchval(INSERT, *row)
        if version is None:
            version = await self._recreate(handle, row)
        self._created[prefix] += 1
        await self._log(prefix, handle, suffix, version, Operation.CREATED)
        self._say((prefix.prefix_id, suffix), stamped, ())
        return HandleRecord(handle, stamped, version)

    async def replace(self, record: HandleRecord, values: Iterable[HandleValue]) -> HandleRecord:
        """Gives a locked handle these values instead of its own; those that say the same keep their time.

        Raises InsufficientPermission for one whose state keeps it as it is.
        """
        _expect_changeable(record)
        prefix, suffix = self._place(record.handle)
        stamped = self._stamp(values, record.values)
        await self._keep_history(prefix, suffix)
        packed = pack(stamped, self._written_at)
        keys = search_keys(prefix.key, packed, prefix.searchable)
        version = await self.connection.fetchval(UPDATE, self.at, prefix.prefix_id, suffix, packed, keys)
        await self._log(prefix, record.handle, suffix, version, Operation.UPDATED)
        self._say((prefix.prefix_id, suffix), stamped, record.values)
        return HandleRecord(record.handle, stamped, version, record.standing)

    async def delete(self, record: HandleRecord) -> None:
        """Deletes a locked handle. Its row stays, so that its versions go on counting should it come back.

        Raises InsufficientPermission for one whose state keeps it as it is.
        """
        _expect_changeable(record)
        prefix, suffix = self._place(record.handle)
        await self._keep_history(prefix, suffix)
        await self.connection.execute(DELETE, self.at, prefix.prefix_id, suffix, pack((), self._written_at))
        self._deleted[prefix] += 1
        await self._limit(prefix, suffix, record.standing, None)
        await self._log(prefix, record.handle, suffix, record.version + 1, Operation.DELETED)
        self._say((prefix.prefix_id, suffix), (), record.values)

    async def put_standing(self, record: HandleRecord, standing: Standing) -> HandleRecord:
        """Puts a locked handle into a state; its values stay, with their times."""
        prefix, suffix = self._place(record.handle)
        await self._keep_history(prefix, suffix)
        packed = pack(record.values, self._written_at)
        form = standing_to_json(standing)
        version = await self.connection.fetchval(STAND, self.at, prefix.prefix_id, suffix, packed, standing.state, form)
        await self._limit(prefix, suffix, record.standing, standing)
        await self._log(prefix, record.handle, suffix, version, Operation.STATE, shown(standing))
        return HandleRecord(record.handle, record.values, version, standing)

    async def settle(self) -> None:
        """Counts what was registered, and writes the links that were changed: last of all, since from here on others
        who count or write links wait, and whoever waits for a handle holds neither. Raises LinksRefused, and what
        `quotas` raises."""
        await self._count()
        said, self._said = self._said, {}
        if said:
            await write_links(self.connection, self._store, said)

    async def home(self, prefix: str, enterprise_id: int | None = None) -> None:
        """Makes this node answer for a prefix, perhaps an enterprise's. Raises HandleAlreadyExists: it has another."""
        row = (self._prefix_key(prefix), prefix, enterprise_id, self.at)
        prefix_id = await self.connection.fetchval(HOME, *row)
        if prefix_id is None:
            raise HandleAlreadyExists("prefix.exists", prefix=prefix)
        await self._log_prefix("prefix.homed", prefix, prefix_id)

    async def unhome(self, prefix: str) -> None:
        """Leaves a prefix to others; its handles stay in the book, unanswered. Raises PrefixNotHomed."""
        prefix_id = await self.connection.fetchval(UNHOME, self._prefix_key(prefix))
        if prefix_id is None:
            raise PrefixNotHomed("prefix.not_homed")
        await self._log_prefix("prefix.unhomed", prefix, prefix_id)

    async def keep(self, act: Act) -> None:
        """Writes down what else is done here."""
        await keep(self.connection, act, at=self.at, by=self.by, program=self._store.program)

    def _say(self, place: Place, now: Iterable[HandleValue], before: Iterable[HandleValue]) -> None:
        said = links_said(now)
        if said != links_said(before) or place in self._said:
            self._said[place] = said

    def _prefix_key(self, prefix: str) -> str:
        return self._store.key_of(f"{prefix}/".encode())[:-1].decode()

    def _place(self, handle: Handle) -> tuple[Prefix, str]:
        key = self._store.key_of(handle.octets)
        place = self._store.place(key)
        if place is None:
            if self._store.prefixes.of(key) is None:
                raise PrefixNotHomed("prefix.not_homed")
            raise HandleNotFound("handle.not_found", handle=str(handle))
        return place

    def _stamp(self, values: Iterable[HandleValue], before: tuple[HandleValue, ...]) -> tuple[HandleValue, ...]:
        old = {value.index: value for value in before}
        return tuple(
            old[value.index]
            if value.index in old and old[value.index].says_the_same_as(value)
            else replace(value, timestamp=self._written_at)
            for value in values
        )

    async def _recreate(self, handle: Handle, row: tuple[datetime, int, str, str | None, bytes, str | None]) -> int:
        _, prefix_id, suffix, *_ = row
        there = await self.connection.fetchrow(LOCK, prefix_id, suffix)
        if there is None or there["state"] != State.DELETED:
            self._ranged = there is None
            raise HandleAlreadyExists("handle.exists", handle=str(handle))
        await self.connection.execute(HISTORY, prefix_id, suffix, self.at, self.by)
        await hold(self.connection, prefix_id, [suffix], prefix_id)  # Whoever registers it again holds it.
        return int(await self.connection.fetchval(RECREATE, *row))

    async def _own_row(self, prefix: Prefix, suffix: str) -> bool:
        """Gives a member of a range a row of its own, and says whether it is one."""
        return bool(await own_rows(self._store, self.connection, [prefix.prefix_id], [suffix]))

    async def _keep_history(self, prefix: Prefix, suffix: str) -> None:
        await self.connection.execute(HISTORY, prefix.prefix_id, suffix, self.at, self.by)

    async def _count(self) -> None:
        created, deleted = self._created, self._deleted
        for prefix in sorted(created.keys() | deleted.keys(), key=lambda one: one.prefix_id):
            difference = created[prefix] - deleted[prefix]
            await self.connection.execute(COUNT, prefix.prefix_id, self._slot, difference)
            if created[prefix]:
                at = None if self.in_bulk else self.at
                await check_registered(self.connection, prefix, at, created[prefix])
        self._created, self._deleted = Counter(), Counter()

    async def _limit(self, prefix: Prefix, suffix: str, before: Standing | None, after: Standing | None) -> None:
        """Writes down when a handle expires, where that is another time than before."""
        old = None if before is None else before.expires
        new = None if after is None else after.expires
        if new is not None and new != old:
            await self.connection.execute(EXPIRE, prefix.prefix_id, suffix, datetime.fromtimestamp(new, UTC))
        elif new is None and old is not None:
            await self.connection.execute(DO_NOT_EXPIRE, prefix.prefix_id, suffix)

    async def _log(
        self,
        prefix: Prefix,
        handle: Handle,
        suffix: str,
        version: int,
        operation: Operation,
        more: Mapping[str, Any] = NOTHING_MORE,
    ) -> None:
        act = Act(OF_HANDLE[operation], str(handle), prefix.prefix_id, {"version": version, **more})
        row = row_of(act, self.at, self.by, self._store.program)
        await log_change(self.connection, LOG_HANDLE, prefix.prefix_id, suffix, version, operation, *row)

    async def _log_prefix(self, act: str, prefix: str, prefix_id: int) -> None:
        await log_change(self.connection, LOG, ChangeKind.PREFIX, prefix_id, None, None, None)
        await self.keep(Act(act, prefix, prefix_id))


async def log_change(connection: asyncpg.pool.PoolConnectionProxy, statement: str, *row: object) -> None:
    """Writes a row into the change log, with a statement that returns its transaction and time."""
    logged = await connection.fetchrow(statement, *row)
    assert logged is not None
    note(*logged)


def _expect_changeable(record: HandleRecord) -> None:
    if refusal := fixed(record.handle, record.standing):
        raise refusal


@asynccontextmanager
async def begin(store: Store, by: str) -> AsyncIterator[Transaction]:
    """A transaction on behalf of `by`, committed when the block ends well; within `Store.as_one`, with all of that. One
    that is begun within another there is a part of it."""
    if (unit := store.unit) is None:
        with span("write", by=by):
            async with store.transaction() as connection:
                transaction = Transaction(store, connection, by)
                yield transaction
                await transaction.settle()
    elif unit.transaction is not None:
        yield unit.transaction
    else:
        transaction = unit.transaction = Transaction(store, unit.connection, by)
        try:
            with span("write", by=by):
                yield transaction
                await transaction.settle()
        finally:
            unit.transaction = None


def key_order(store: Store, handles: Iterable[Handle]) -> list[Handle]:
    """Handles in the order in which they must be locked, so that two transactions never wait for each other."""

    def key(handle: Handle) -> HandleKey:
        return store.key_of(handle.octets)

    return sorted(handles, key=key)
