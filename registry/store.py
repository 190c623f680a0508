"""The book in Postgres, read: handles by key, lists, counts and prefixes.

Each reader owns its connection and its prepared statement and asks for many keys at once. The change log is
read in `registry.change_reading`; writing is in `registry.transaction`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from registry import migrate
from registry.database import DATABASE_AWAY, PoolQueue, open_pool
from registry.dictionaries import Connection, Dictionaries
from registry.errors import ServerBusy
from registry.handle import Handle, HandleKey, KeyOf, fold_prefix, fold_whole
from registry.handle_range import HandleRange
from registry.nearest import Nearest, Reader
from registry.packing import PackedRecord
from registry.perseverance import Perseverance
from registry.prefix import Prefix, PrefixTable
from registry.record import HandleRecord
from registry.servers import CONNECT_TIMEOUT
from registry.setting_rules import primary_among
from registry.settings import RegistrySettings
from registry.standing import standing_from_json
from registry.suffixes import rule_from_json
from registry.unit import Unit
from registry.views import views_from_row
from registry.written import noted_here

FETCH: Final = """
SELECT h.prefix_id, h.suffix, h.spelling, h.version, h.state, h.standing, h.packed,
       extract(epoch FROM coalesce(h.updated_at, h.created_at))::bigint AS written_at
FROM unnest($1::int[], $2::text[]) AS asked (prefix_id, suffix)
JOIN handle AS h ON h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix
WHERE h.state <> 1
"""
# For prefixes that have ranges, in one snapshot: a member that is given a row of its own meanwhile is one or the other.
FETCH_RANGED: Final = """
WITH asked AS MATERIALIZED (SELECT prefix_id, suffix FROM unnest($1::int[], $2::text[]) AS one (prefix_id, suffix)),
own AS MATERIALIZED (
  SELECT h.prefix_id, h.suffix, h.spelling, h.version, h.state, h.standing, h.packed,
         extract(epoch FROM coalesce(h.updated_at, h.created_at))::bigint AS written_at
  FROM asked JOIN handle AS h ON h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix)
SELECT prefix_id, suffix, spelling, version, state, standing, packed, written_at,
       NULL::text AS head, NULL::text AS first, NULL::text AS last, NULL::int AS width, NULL::int AS radix
FROM own WHERE state <> 1
UNION ALL
SELECT asked.prefix_id, asked.suffix, NULL, r.version, 0::smallint, NULL, r.packed,
       extract(epoch FROM coalesce(r.updated_at, r.created_at))::bigint,
       r.head, r.suffix, r.suffix_to, r.width, r.radix
FROM asked CROSS JOIN LATERAL (
  SELECT * FROM handle_range AS one
  WHERE one.prefix_id = asked.prefix_id AND one.characters = length(asked.suffix) AND one.suffix <= asked.suffix
  ORDER BY one.suffix DESC LIMIT 1) AS r
WHERE r.suffix_to >= asked.suffix AND (asked.prefix_id, asked.suffix) NOT IN (SELECT prefix_id, suffix FROM own)
"""
PREFIXES: Final = """
SELECT p.prefix_id, p.prefix, p.spelling, p.homed, coalesce(e.name, '') AS enterprise,
       coalesce(e.name_en, '') AS enterprise_in_english, p.enterprise_id,
       coalesce(e.state <> 'active', false) AS suspended,
       coalesce(e.max_handles, e.max_rate) IS NOT NULL AS is_limited,
       array(SELECT s.type FROM searchable AS s WHERE s.prefix_id = p.prefix_id ORDER BY s.type) AS searchable,
       array(SELECT r.form::text FROM suffix_rule AS r WHERE r.prefix_id = p.prefix_id ORDER BY r.place) AS rules,
       EXISTS (SELECT FROM handle_range AS r WHERE r.prefix_id = p.prefix_id) AS ranged,
       array(SELECT jsonb_build_object('type', v.type, 'audiences', v.audiences)::text FROM reading_view AS v
         WHERE v.prefix_id = p.prefix_id ORDER BY v.type) AS views,
       array(SELECT r.partner FROM partner AS r WHERE r.prefix_id = p.prefix_id) AS partners
FROM prefix AS p LEFT JOIN enterprise AS e USING (enterprise_id)
"""
LIST: Final = """
SELECT coalesce(spelling, suffix) AS spelling, suffix FROM handle
WHERE prefix_id = $1 AND suffix > $2 AND state <> 1 ORDER BY suffix LIMIT $3 OFFSET $4
"""
COUNT: Final = "SELECT coalesce(sum(registered), 0)::bigint FROM handle_count WHERE prefix_id = $1"
COUNTS: Final = """
SELECT p.prefix_id, coalesce(sum(c.registered), 0)::bigint AS registered
FROM prefix AS p LEFT JOIN handle_count AS c USING (prefix_id) GROUP BY p.prefix_id
"""
# Seconds for the primary where another server is read from: without it, the table of prefixes is read there, too.
# Names that wait for another server to be read from wait for this, too, and no longer than miss_deadline.
PRIMARY_PATIENCE: Final = 0.5


class Store:
    """Reads the book. `open` may be called again after the database was away; everything raises DATABASE_AWAY then."""

    def __init__(
        self, settings: RegistrySettings, program: str, readers: int = 2, nearest: Nearest | None = None
    ) -> None:
        """Without `nearest` all is read from the primary."""
        self.settings = settings
        self.key_of: KeyOf = fold_prefix if settings.exact_suffixes else fold_whole
        self.prefixes = PrefixTable()
        self.dictionaries = Dictionaries()
        self.program = program
        self.nearest = nearest or Nearest(settings, primary_among(settings.dsn))
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._queue = PoolQueue()
        self.perseverance = Perseverance(settings.dsn)
        self._units: dict[asyncio.Task[Any] | None, Unit] = {}
        self._readers: asyncio.LifoQueue[Reader] = asyncio.LifoQueue()
        self._all_readers = [Reader(self.nearest, program) for _ in range(readers)]
        for reader in self._all_readers:
            self._readers.put_nowait(reader)

    async def open(self) -> None:
        """Connects, checks the schema and loads the prefixes. Raises DATABASE_AWAY or SchemaMismatch."""
        async with self._nearby() as connection:
            await migrate.check(connection, exact_suffixes=self.settings.exact_suffixes)
        await self.load_prefixes()

    async def close(self) -> None:
        for reader in self._all_readers:
            await reader.close()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                await asyncio.wait_for(pool.close(), CONNECT_TIMEOUT)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection of the pool, which is made when it is first needed and again after the database was away; within
        `as_one`, the one of that."""
        if (unit := self.unit) is not None:
            yield unit.connection
            return
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await open_pool(self.settings, self.program)
        async with self._queue.connection(self._pool) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """What is written over the connection is in the book when the block ends well, and otherwise nothing of it."""
        noted, has_ended = noted_here(), False
        if noted is not None:
            noted.logged = None
        try:
            async with self.connection() as connection, connection.transaction():
                yield connection
                has_ended = True
        except DATABASE_AWAY:
            if not has_ended or noted is None or not await self.perseverance.is_committed(noted, self.connection):
                raise
        if noted is not None:
            noted.is_final = True

    @asynccontextmanager
    async def _nearby(self) -> AsyncIterator[Connection]:
        """A connection to where handles are read."""
        if not self.nearest.is_apart:
            async with self.connection() as pooled:
                yield pooled
            return
        connection = await self.nearest.connect(self.program)
        try:
            yield connection
        finally:
            connection.terminate()

    @property
    def unit(self) -> Unit | None:
        """What this task writes as one, if it does. Tasks that it starts have connections of their own."""
        return self._units.get(asyncio.current_task()) if self._units else None

    @asynccontextmanager
    async def as_one(self) -> AsyncIterator[Unit]:
        """Whatever this task writes meanwhile is in the book when the block ends well, and otherwise nothing of it.

        Within another one it is a part of that. Raises ServerBusy when it and another wait for each other.
        """
        if self.unit is not None:
            yield self.unit
            return
        task = asyncio.current_task()
        try:
            async with self.transaction() as connection:
                unit = self._units[task] = Unit(connection)
                try:
                    yield unit
                finally:
                    del self._units[task]
        except asyncpg.DeadlockDetectedError:
            raise ServerBusy("server.busy") from None  # Nothing of it was done: sent again, it is made.
        if unit.changes_prefixes:
            await self.load_prefixes()
        for follow in unit.then:
            follow()

    def afterwards(self, follow: Callable[[], None]) -> None:
        """Has something done once what this task writes is in the book: now, unless it writes more as one."""
        if (unit := self.unit) is None:
            follow()
        else:
            unit.then.append(follow)

    async def load_prefixes(self) -> None:
        if (unit := self.unit) is None:
            rows = await self._prefix_rows()
        else:  # What is not in the book yet is nobody's to see: those in it are read, and again with the change.
            unit.changes_prefixes = True
            rows = await self._read(PREFIXES)
        self.prefixes = PrefixTable(
            Prefix(
                row["prefix_id"],
                row["prefix"].encode(),
                row["spelling"],
                row["homed"],
                row["enterprise"],
                tuple(row["searchable"]),
                row["enterprise_id"],
                row["suspended"],
                row["is_limited"],
                tuple(map(rule_from_json, row["rules"])),
                row["ranged"],
                row["enterprise_in_english"],
                views_from_row(row["views"], row["partners"]),
            )
            for row in rows
        )

    async def _prefix_rows(self) -> list[asyncpg.Record]:
        """From the primary, so that who homed a prefix can write below it at once; without it, from where handles are
        read."""
        try:
            async with asyncio.timeout(PRIMARY_PATIENCE if self.nearest.is_apart else None):
                async with self.connection() as connection:
                    return list(await connection.fetch(PREFIXES))
        except DATABASE_AWAY:
            if not self.nearest.is_apart:
                raise
            return await self._read(PREFIXES)

    async def fetch(self, key: HandleKey) -> HandleRecord | None:
        return (await self.fetch_many([key])).get(key)

    async def fetch_many(self, keys: Sequence[HandleKey]) -> dict[HandleKey, HandleRecord]:
        """The handles among `keys` that are resolved, in one read. Keys of prefixes not homed here are not found."""
        found = await self.fetch_packed(keys)
        return {key: packed.unpack() for key, packed in found.items() if not packed.is_closed}

    async def fetch_packed(self, keys: Sequence[HandleKey]) -> dict[HandleKey, PackedRecord]:
        """As `fetch_many`, with the values packed, and with those that have only their standing to show."""
        if not len(self.prefixes):  # Not opened yet, for the database was away: 0.NA is homed in every registry.
            await self.load_prefixes()
        asked = [place for key in keys if (place := self.place(key)) is not None]
        if not asked:
            return {}
        statement = FETCH_RANGED if any(prefix.ranged for prefix, _ in asked) else FETCH
        rows = await self._read(statement, [prefix.prefix_id for prefix, _ in asked], [suffix for _, suffix in asked])
        packed = await self.plain([row["packed"] for row in rows])
        if statement is FETCH:
            return dict(map(self._packed, rows, packed))
        return dict(filter(None, map(self._packed_or_member, rows, packed)))

    async def plain(self, stored: Sequence[bytes], connection: Connection | None = None) -> list[bytes]:
        """Stored values in form 1, read over this connection where dictionaries are not known yet."""
        unknown = self.dictionaries.unknown(stored)
        if unknown and connection is None:
            async with self._nearby() as another:
                await self.dictionaries.learn(another, unknown)
        elif unknown and connection is not None:
            await self.dictionaries.learn(connection, unknown)
        return list(map(self.dictionaries.plain, stored))

    async def _read(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Reads outside of every transaction."""
        reader = await self._readers.get()
        try:
            return await reader.fetch(statement, *arguments)
        finally:
            self._readers.put_nowait(reader)

    def place(self, key: HandleKey) -> tuple[Prefix, str] | None:
        """Where a key is kept: its prefix and the key of its suffix; None for what cannot be registered here."""
        prefix = self.prefixes.of(key)
        if prefix is None:
            return None
        try:
            suffix = key[len(prefix.key) + 1 :].decode()
        except UnicodeDecodeError:
            return None  # Names are UTF-8; others were refused when somebody tried to register them.
        return None if "\0" in suffix else (prefix, suffix)

    def _packed(self, row: asyncpg.Record, packed: bytes) -> tuple[HandleKey, PackedRecord]:
        prefix = self.prefixes.by_id(row["prefix_id"])
        assert prefix is not None
        suffix = row["suffix"]
        handle = Handle(prefix.spelling, suffix if row["spelling"] is None else row["spelling"])
        key = HandleKey(prefix.key + b"/" + suffix.encode())
        state, form = row["state"], row["standing"]
        standing = standing_from_json(state, form) if state or form else None  # Of one in a million.
        return key, PackedRecord(handle, packed, row["written_at"], row["version"], standing)

    def _packed_or_member(self, row: asyncpg.Record, packed: bytes) -> tuple[HandleKey, PackedRecord] | None:
        """As `_packed` of a row of FETCH_RANGED; None for a name that only looks like a member of a range."""
        if row["width"] is None:
            return self._packed(row, packed)
        prefix = self.prefixes.by_id(row["prefix_id"])
        assert prefix is not None
        suffix, of_range = row["suffix"], HandleRange.from_row(prefix.spelling, row)
        if of_range.position(suffix) is None:
            return None
        return HandleKey(prefix.key + b"/" + suffix.encode()), of_range.record(suffix)

    async def list_handles(
        self, prefix: Prefix, limit: int | None, *, after: str = "", offset: int = 0
    ) -> tuple[list[str], str]:
        """Registered spellings in order of key, after the suffix key `after`; and the last suffix key given."""
        async with self.connection() as connection:
            rows = await connection.fetch(LIST, prefix.prefix_id, after, limit, offset)
        names = [f"{prefix.spelling}/{row['spelling']}" for row in rows]
        return names, rows[-1]["suffix"] if rows else after

    async def count(self, prefix: Prefix) -> int:
        """Handles of a prefix that are not deleted, exact."""
        async with self.connection() as connection:
            return int(await connection.fetchval(COUNT, prefix.prefix_id))

    async def counts(self) -> dict[int, int]:
        """Handles that are not deleted, by prefix number."""
        async with self.connection() as connection:
            return {row["prefix_id"]: row["registered"] for row in await connection.fetch(COUNTS)}
