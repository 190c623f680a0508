"""The change log sealed: each day a Merkle tree over what was changed, its root signed and published (RFC 9162, 2.1).

A leaf is a change in the order of the feed, with the sum of what the handle says since: its values that anybody may
read, encoded as the native protocol does. A bulk load has a leaf for each handle that it wrote. What is hidden is in no
sum, since the sum of a short secret tells it. A change is sealed within seconds of the feed showing it, in the tree of
its day or of the later day that had begun; the root is made when the day is over (UTC), and names the root before it,
so that one root vouches for everything before it.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from time import monotonic
from typing import Any, Final

import asyncpg
import orjson

from registry.changes import ChangeKind
from registry.database import DATABASE_AWAY
from registry.feed import HISTORY, Cursor, history_number
from registry.jose import ROOT
from registry.leaves import Said, is_load, leaf_of, loaded_leaf, said_of
from registry.merkle import Growth, leaf_hash, unfinished
from registry.signing import Signer, publish
from registry.store import Store

log = logging.getLogger(__name__)

AT_ONCE: Final = 500  # Changes of one step.
LOADS_AT_ONCE: Final = 16  # Chunks of bulk loads among them: 320,000 handles at most, whose hashes take 30 MB.
INTERVAL: Final = 2.0  # Seconds between two looks when nothing was left to do.
# Seconds of rest for each second of work: a load of millions is minutes of hashing, which nobody waits for.
REST: Final = 4.0
FETCHED: Final = 500  # Rows hashed at a time, some ten milliseconds, before the event loop has its turn.

LOOK: Final = "SELECT history, transaction, sequence FROM sealing"
PLACE: Final = f"{LOOK} FOR UPDATE"
# Here and below, purges (6) are passed over: they change nothing.
NEW: Final = """
SELECT EXISTS (SELECT FROM sealed_day WHERE root IS NULL AND day < $3) OR EXISTS (
  SELECT FROM change_log
  WHERE (xid, seq) > ($1::bigint::text::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
    AND operation IS DISTINCT FROM 6)
"""
BEGIN: Final = "INSERT INTO sealing (history, transaction, sequence) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING"
MOVE: Final = "UPDATE sealing SET history = $1, transaction = $2, sequence = $3"
READ: Final = """
SELECT c.xid::text::bigint AS transaction, c.seq AS sequence, c.at, c.kind, c.operation, c.prefix_id, c.suffix,
       c.suffix_to, c.version, c.batch_id, c.written_at
FROM change_log AS c
WHERE (c.xid, c.seq) > ($1::bigint::text::xid8, $2::bigint) AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
  AND c.operation IS DISTINCT FROM 6
ORDER BY c.xid, c.seq LIMIT $3
"""
VERSIONS: Final = """
WITH asked AS (SELECT * FROM unnest($1::int[], $2::text[], $3::int[]) AS a (prefix_id, suffix, version))
SELECT prefix_id, suffix, version, state, packed, extract(epoch FROM coalesce(updated_at, created_at))::bigint AS since
FROM asked JOIN handle USING (prefix_id, suffix, version)
UNION ALL
SELECT prefix_id, suffix, version, state, packed, extract(epoch FROM written_at)::bigint
FROM asked JOIN handle_history USING (prefix_id, suffix, version)
"""
# What loads wrote, where it still stands and where it was replaced since.
LOADED: Final = """
SELECT suffix, version, state, packed, coalesce(updated_at, created_at) AS written_at FROM handle
WHERE prefix_id = $1 AND suffix >= $2 AND suffix <= $3 AND batch_id = ANY ($4)
  AND coalesce(updated_at, created_at) = ANY ($5)
UNION ALL
SELECT suffix, version, state, packed, written_at FROM handle_history
WHERE prefix_id = $1 AND suffix >= $2 AND suffix <= $3 AND written_at = ANY ($5)
ORDER BY suffix, version
"""
# Of a range of serial numbers: what its members say before the numbers are filled in.
OF_RANGE: Final = """
SELECT version, 0 AS state, packed, extract(epoch FROM coalesce(updated_at, created_at))::bigint AS since
FROM handle_range
WHERE prefix_id = $1 AND suffix = $2 AND suffix_to = $3 AND version = $4
UNION ALL
SELECT version, 0, packed, extract(epoch FROM written_at)::bigint FROM handle_range_history
WHERE prefix_id = $1 AND suffix = $2 AND suffix_to = $3 AND version = $4
"""
OPEN_DAY: Final = "SELECT day, leaves FROM sealed_day WHERE root IS NULL ORDER BY day LIMIT 1"
NEW_DAY: Final = "INSERT INTO sealed_day (day) VALUES ($1) ON CONFLICT (day) DO NOTHING"
LAST_DAY: Final = "SELECT day, root FROM sealed_day WHERE root IS NOT NULL ORDER BY day DESC LIMIT 1"
GROW: Final = "UPDATE sealed_day SET leaves = $2 WHERE day = $1"
CLOSE: Final = "UPDATE sealed_day SET root = $2, statement = $3 WHERE day = $1"
TILES: Final = """
SELECT t.level, t.number, t.hashes FROM sealed_tile AS t
JOIN unnest($2::int[], $3::int[]) AS asked (level, number) ON t.level = asked.level AND t.number = asked.number
WHERE t.day = $1
"""
PUT_TILE: Final = """
INSERT INTO sealed_tile (day, level, number, hashes) VALUES ($1, $2, $3, $4)
ON CONFLICT (day, level, number) DO UPDATE SET hashes = excluded.hashes
"""
SEALED: Final = (
    *("day", "leaf", "leaves", "transaction", "sequence", "at", "kind", "operation"),
    *("prefix_id", "suffix", "suffix_to", "version", "written_at"),
)

Row = asyncpg.Record


class Sealer:
    """Seals what is new, and closes days. Of several registries one does it at a time."""

    def __init__(self, store: Store, data_directory: str | Path) -> None:
        """The node's signing key is in the data directory; it is made and published when the first root needs it."""
        self._store = store
        self._directory = data_directory

    async def run(self) -> None:
        """Until cancelled; copes with a database that is away for any time."""
        while True:
            begun, worked = monotonic(), False
            try:
                worked = await self.step(datetime.now(UTC).date())
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:  # an older schema, or a standby
                log.debug("nothing is sealed: %r", error)
            except ValueError as error:
                log.warning("the signing key cannot be used, and no root is made: %s", error)
            await asyncio.sleep((monotonic() - begun) * REST if worked else INTERVAL)

    async def step(self, today: date) -> bool:
        """One piece of work, in one transaction; False when there was none. Raises DATABASE_AWAY.

        Its commit waits for the disk, and with it everything that was committed before: what is sealed is not lost.
        """
        async with self._store.connection() as connection:
            # Whoever holds a row writes: a registry with nothing to seal is to leave the disk alone.
            return await self._is_due(connection, today) and await self._work(connection, today)

    async def _is_due(self, connection: Any, today: date) -> bool:
        row = await connection.fetchrow(LOOK)
        if row is None or row["history"] != history_number(str(await connection.fetchval(HISTORY))):
            return True
        return bool(await connection.fetchval(NEW, row["transaction"], row["sequence"], today))

    async def _work(self, connection: Any, today: date) -> bool:
        async with connection.transaction():
            place = await self._place(connection)
            rows = _piece(await connection.fetch(READ, place.transaction, place.sequence, AT_ONCE))
            opened = await connection.fetchrow(OPEN_DAY)
            day = opened["day"] if opened else None
            until = max(_day(rows[0]), day or date.min) if rows else today
            if opened is not None and until > opened["day"]:
                await self._close(connection, opened["day"], opened["leaves"], place)
                # Every day has its root, and of those on which nothing was changed it is that of an empty tree.
                await connection.execute(NEW_DAY, opened["day"] + timedelta(days=1))
                return True
            if not rows:
                return False
            if opened is None:
                await connection.execute(NEW_DAY, until)
            rows = list(takewhile(lambda row: _day(row) <= until, rows))
            await self._seal(connection, until, opened["leaves"] if opened else 0, rows)
            await connection.execute(MOVE, place.history, rows[-1]["transaction"], rows[-1]["sequence"])
            return True

    async def _place(self, connection: Any) -> Cursor:
        history = history_number(str(await connection.fetchval(HISTORY)))
        await connection.execute(BEGIN, history)
        row = await connection.fetchrow(PLACE)
        if row["history"] != history:
            # Numbers of transactions mean nothing there: what is sealed twice is in two trees, and nothing is in none.
            log.warning("the change log is of another history of the database: it is sealed from its beginning")
            return Cursor(0, 0, 0, history)
        return Cursor(row["transaction"], row["sequence"], 0, history)

    async def _seal(self, connection: Any, day: date, size: int, rows: Sequence[Row]) -> None:
        edge = unfinished(size)
        kept = await connection.fetch(TILES, day, [level for level, _ in edge], [number for _, number in edge])
        growth = Growth(size, {(row["level"], row["number"]): row["hashes"] for row in kept})
        if any(row["prefix_id"] and self._store.prefixes.by_id(row["prefix_id"]) is None for row in rows):
            await self._store.load_prefixes()
        single, loaded = await self._versions(connection, rows), await self._loaded(connection, rows)
        sealed = []
        for row in rows:
            begin = growth.size
            if is_load(row):
                growth.append(loaded[row["sequence"]])
            else:
                said = single.get((row["prefix_id"], row["suffix"], row["version"]))
                if row["kind"] == ChangeKind.RANGE:
                    said = await self._range(connection, row)
                growth.append((leaf_hash(leaf_of(row, self._store, said)),))
            if growth.size > begin:  # Of a chunk whose rows are all under another one's there is nothing to find.
                sealed.append((day, begin, growth.size - begin, *(row[name] for name in SEALED[3:])))
        await connection.copy_records_to_table("sealed_change", records=sealed, columns=SEALED)
        tiles = [(day, level, number, bytes(hashes)) for (level, number), hashes in growth.tiles.items()]
        await connection.executemany(PUT_TILE, tiles)
        await connection.execute(GROW, day, growth.size)

    async def _versions(self, connection: Any, rows: Sequence[Row]) -> dict[tuple[int, str, int], Said]:
        """What the handles of single changes say in the versions that were written."""
        asked = [row for row in rows if row["kind"] == ChangeKind.HANDLE and row["version"] is not None]
        columns = [[row[name] for row in asked] for name in ("prefix_id", "suffix", "version")]
        found = await connection.fetch(VERSIONS, *columns) if asked else []
        packed = await self._store.plain([row["packed"] for row in found], connection)
        return {
            (row["prefix_id"], row["suffix"], row["version"]): said_of(row, octets, row["since"])
            for row, octets in zip(found, packed, strict=True)
        }

    async def _loaded(self, connection: Any, rows: Sequence[Row]) -> dict[int, list[bytes]]:
        """Of each chunk of a load the leaves of the handles that it wrote, in order of key."""
        leaves: dict[int, list[bytes]] = {row["sequence"]: [] for row in rows if is_load(row)}
        of_prefix: defaultdict[int, list[Row]] = defaultdict(list)
        for row in rows:
            if is_load(row):
                of_prefix[row["prefix_id"]].append(row)
        for prefix_id, chunks in of_prefix.items():
            first, last = min(row["suffix"] for row in chunks), max(row["suffix_to"] for row in chunks)
            batches, times = ({row[name] for row in chunks} for name in ("batch_id", "written_at"))
            cursor = await connection.cursor(LOADED, prefix_id, first, last, list(batches), list(times))
            while found := await cursor.fetch(FETCHED):
                packed = await self._store.plain([row["packed"] for row in found], connection)
                for row, octets in zip(found, packed, strict=True):
                    chunk = _chunk_of(row, chunks)
                    if chunk is not None:
                        said = said_of(row, octets, int(row["written_at"].timestamp()))
                        leaf = loaded_leaf(chunk, self._store, row["suffix"], said, row["written_at"])
                        leaves[chunk["sequence"]].append(leaf_hash(leaf))
        return leaves

    async def _range(self, connection: Any, row: Row) -> Said | None:
        found = await connection.fetchrow(
            OF_RANGE, *(row[name] for name in ("prefix_id", "suffix", "suffix_to", "version"))
        )
        if found is None:
            return None
        (packed,) = await self._store.plain([found["packed"]], connection)
        return said_of(found, packed, found["since"])

    async def _close(self, connection: Any, day: date, size: int, place: Cursor) -> None:
        edge = unfinished(size)
        kept = await connection.fetch(TILES, day, [level for level, _ in edge], [number for _, number in edge])
        root = Growth(size, {(row["level"], row["number"]): row["hashes"] for row in kept}).root()
        before = await connection.fetchrow(LAST_DAY)
        form = {
            "day": day,
            "leaves": size,
            "root": root.hex(),
            "previous": None if before is None else {"day": before["day"], "root": before["root"].hex()},
        }
        signer = Signer(self._directory)
        await publish(self._store, signer.published)
        statement = signer.sign(ROOT, orjson.dumps(form), position=str(place))
        await connection.execute(CLOSE, day, root, statement.to_json().decode())
        log.info("the changes of %s are sealed: %d leaves", day, size)


def _piece(rows: Sequence[Row]) -> Sequence[Row]:
    """As many of the changes as one step takes."""
    loads = 0
    for place, row in enumerate(rows):
        loads += is_load(row)
        if loads > LOADS_AT_ONCE:
            return rows[:place]
    return rows


def _chunk_of(row: Row, chunks: Iterable[Row]) -> Row | None:
    """The chunk that wrote a row: of those with its time, the first that covers it."""
    for chunk in chunks:
        if chunk["written_at"] == row["written_at"] and chunk["suffix"] <= row["suffix"] <= chunk["suffix_to"]:
            return chunk
    return None


def _day(row: Row) -> date:
    at: datetime = row["at"]
    return at.astimezone(UTC).date()
