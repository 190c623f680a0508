"""One chunk of a bulk load written into the book, in one transaction: rows, history, counters, change log, ledger.

A chunk of which nothing is there yet is copied, at a third of the cost of anything else. Otherwise new rows come first,
then the ones that were there and say something else. Between the two nothing can slip in: a row that our INSERT passed
over is there for good, since rows are never taken out, and we hold it before we read its old image.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import asyncpg

from registry.chunk_writing import ChunkWriting, Refuse, Rows
from registry.deflating import Dictionary
from registry.edges import write_links
from registry.handle import Handle
from registry.ledger import Batch, Connection
from registry.packing import pack, unpack
from registry.relations import Said, links_said
from registry.row_locks import fetch_locked
from registry.spellings import Place
from registry.standing import State, fixed, standing_from_json
from registry.store import Store

ANY_THERE: Final = """
SELECT true FROM unnest($1::int[], $2::text[]) AS loaded (prefix_id, suffix)
JOIN handle ON handle.prefix_id = loaded.prefix_id AND handle.suffix = loaded.suffix LIMIT 1
"""
COPIED: Final = ("created_at", "batch_id", "prefix_id", "suffix", "spelling", "packed", "keys")
INSERT: Final = """
WITH fresh AS (
  INSERT INTO handle (created_at, prefix_id, batch_id, suffix, spelling, packed, keys)
  SELECT $1, loaded.prefix_id, $2, loaded.suffix, loaded.spelling, loaded.packed, loaded.keys
  FROM unnest($3::int[], $4::text[], $5::text[], $6::bytea[], $7::jsonb[])
    AS loaded (prefix_id, suffix, spelling, packed, keys)
  ON CONFLICT (prefix_id, suffix) DO NOTHING RETURNING prefix_id)
SELECT prefix_id, count(*)::int AS rows FROM fresh GROUP BY prefix_id
"""
CHANGED: Final = """
SELECT loaded.place::int - 1 AS place, handle.state, handle.standing, handle.packed,
       extract(epoch FROM coalesce(handle.updated_at, handle.created_at))::bigint AS written_at
FROM unnest($1::int[], $2::text[], $3::bytea[]) WITH ORDINALITY AS loaded (prefix_id, suffix, packed, place)
JOIN handle ON handle.prefix_id = loaded.prefix_id AND handle.suffix = loaded.suffix
WHERE handle.packed IS DISTINCT FROM loaded.packed OR handle.state <> 0
ORDER BY loaded.place
"""
LOCK_CHANGED: Final = CHANGED + " FOR UPDATE OF handle"
LINKED: Final = """
SELECT handle.prefix_id, handle.suffix, handle.packed
FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS loaded (prefix_id, suffix, place)
JOIN handle ON handle.prefix_id = loaded.prefix_id AND handle.suffix = loaded.suffix
ORDER BY loaded.place
"""
LOCK_LINKED: Final = LINKED + " FOR UPDATE OF handle"
UPDATE: Final = """
UPDATE handle SET updated_at = $1, batch_id = $2, packed = changed.packed, keys = changed.keys,
       version = handle.version + 1
FROM unnest($3::int[], $4::text[], $5::bytea[], $6::jsonb[]) AS changed (prefix_id, suffix, packed, keys)
WHERE handle.prefix_id = changed.prefix_id AND handle.suffix = changed.suffix
"""
RECREATE: Final = """
UPDATE handle SET created_at = $1, updated_at = NULL, batch_id = $2, state = 0, standing = NULL,
       version = handle.version + 1, spelling = changed.spelling, packed = changed.packed, keys = changed.keys
FROM unnest($3::int[], $4::text[], $5::text[], $6::bytea[], $7::jsonb[])
  AS changed (prefix_id, suffix, spelling, packed, keys)
WHERE handle.prefix_id = changed.prefix_id AND handle.suffix = changed.suffix
"""


@dataclass(frozen=True, slots=True)
class OldImage:
    """A row that a load changes, as it stands: its place in the chunk, values of form 1, and when it was written."""

    place: int
    deleted: bool
    packed: bytes
    written_at: int


# Given the old images and the new values of each, and the time: new values in which what stayed keeps its time,
# deflated against the dictionary, or None where nothing changed.
Restamp = Callable[[Sequence[OldImage], Sequence[bytes], int, Dictionary | None], Awaitable[list[bytes | None]]]


class Merge(ChunkWriting):
    """The writing of one chunk of handles that are registered, or replaced where they are there."""

    def __init__(
        self,
        store: Store,
        connection: Connection,
        batch: Batch,
        loaded_by: str,
        restamp: Restamp,
        refuse: Refuse,
        *,
        likely_new: bool,
    ) -> None:
        """`likely_new` spares a look whether any row is there: who guesses wrongly copies some rows for nothing."""
        super().__init__(store, connection, batch, loaded_by)
        self._likely_new = likely_new
        self._restamp = restamp
        self._refuse = refuse
        self._copied = False
        self._changed: list[int] = []

    async def _apply(self, rows: Rows) -> None:
        self._copied = await self._copy(rows)
        if not self._copied:
            await self._insert(rows)
            await self._change(rows)

    async def _link(self, rows: Rows) -> None:
        await (self._link_new(rows) if self._copied else self._link_changed(rows))

    async def _copy(self, rows: Rows) -> bool:
        """Whether every row was new, and is in the table now."""
        if not self._likely_new and await self._connection.fetchval(ANY_THERE, rows.prefix_ids, rows.suffixes):
            return False
        columns = (rows.prefix_ids, rows.suffixes, rows.spellings, rows.packed, rows.keys)
        records = zip(repeat(self._at), repeat(self._batch.batch_id), *columns)
        try:
            async with self._connection.transaction():
                await self._connection.copy_records_to_table("handle", records=records, columns=COPIED)
        except asyncpg.UniqueViolationError:
            return False  # Somebody registered one of them since we looked.
        self._created.update(rows.prefix_ids)
        return True

    async def _insert(self, rows: Rows) -> None:
        columns = (rows.prefix_ids, rows.suffixes, rows.spellings, rows.packed, rows.keys)
        for row in await self._connection.fetch(INSERT, self._at, self._batch.batch_id, *columns):
            self._created[row["prefix_id"]] += row["rows"]

    async def _change(self, rows: Rows) -> None:
        if self._created.total() == len(rows.suffixes):
            return
        columns = (rows.prefix_ids, rows.suffixes, rows.packed)
        locked = await fetch_locked(self._connection, LOCK_CHANGED, CHANGED, rows.place_of, *columns)
        old = await self._store.plain([row["packed"] for row in locked], self._connection)
        images = [
            OldImage(row["place"], row["state"] == State.DELETED, packed, row["written_at"])
            for row, packed in zip(locked, old, strict=True)
        ]
        new = await self._store.plain([rows.packed[image.place] for image in images], self._connection)
        dictionary = None if rows.dictionary is None else self._store.dictionaries.find(rows.dictionary)
        stamped = await self._restamp(images, new, int(self._at.timestamp()), dictionary)
        changed = [
            (image, packed)
            for row, image, packed in zip(locked, images, stamped, strict=True)
            if packed is not None and not self._is_fixed(rows, row)
        ]
        if not changed:
            return
        self._changed = [image.place for image, _ in changed]
        await self._keep_history(rows, self._changed)
        await self._update(rows, [(image.place, packed) for image, packed in changed if not image.deleted])
        await self._recreate(rows, [(image.place, packed) for image, packed in changed if image.deleted])

    def _is_fixed(self, rows: Rows, row: asyncpg.Record) -> bool:
        """Whether a row that is there cannot be changed in its state; what would change it is refused then."""
        if row["state"] in (State.ACTIVE, State.DELETED):
            return False
        place = row["place"]
        prefix = self._store.prefixes.by_id(rows.prefix_ids[place])
        assert prefix is not None
        handle = Handle(prefix.spelling, rows.spellings[place] or rows.suffixes[place])
        refusal = fixed(handle, standing_from_json(row["state"], row["standing"]))
        if refusal is not None:
            self._refused.append(self._refuse(rows.places[place], refusal))
        return refusal is not None

    async def _update(self, rows: Rows, changed: list[tuple[int, bytes]]) -> None:
        prefix_ids = [rows.prefix_ids[place] for place, _ in changed]
        suffixes = [rows.suffixes[place] for place, _ in changed]
        columns = (prefix_ids, suffixes, [octets for _, octets in changed], [rows.keys[place] for place, _ in changed])
        if changed:
            await self._connection.execute(UPDATE, self._at, self._batch.batch_id, *columns)
            self._updated.update(prefix_ids)

    async def _recreate(self, rows: Rows, changed: list[tuple[int, bytes]]) -> None:
        prefix_ids = [rows.prefix_ids[place] for place, _ in changed]
        suffixes = [rows.suffixes[place] for place, _ in changed]
        spellings = [rows.spellings[place] for place, _ in changed]
        packed = [octets for _, octets in changed]
        if changed:
            columns = (prefix_ids, suffixes, spellings, packed, [rows.keys[place] for place, _ in changed])
            await self._connection.execute(RECREATE, self._at, self._batch.batch_id, *columns)
            self._created.update(prefix_ids)

    async def _link_new(self, rows: Rows) -> None:
        places = zip(rows.prefix_ids, rows.suffixes, strict=True)
        said = {place: links for place, links in zip(places, rows.links, strict=True) if links}
        if said:
            await write_links(self._connection, self._store, said)

    async def _link_changed(self, rows: Rows) -> None:
        """A row that says what it said is not ours yet, and somebody may change it just now: we hold it, and look."""
        said: dict[Place, Iterable[Said]] = {
            (rows.prefix_ids[place], rows.suffixes[place]): rows.links[place] or () for place in self._changed
        }
        saying = [place for place, links in enumerate(rows.links) if links]
        columns = ([rows.prefix_ids[place] for place in saying], [rows.suffixes[place] for place in saying])
        held = await fetch_locked(self._connection, LOCK_LINKED, LINKED, _named, *columns) if saying else []
        for row, packed in zip(held, await self._store.plain([row["packed"] for row in held]), strict=True):
            said[row["prefix_id"], row["suffix"]] = links_said(unpack(packed, 0))
        if said:
            await write_links(self._connection, self._store, said)


def _named(row: asyncpg.Record) -> Place:
    return row["prefix_id"], row["suffix"]


def restamped(
    images: Sequence[OldImage], new: Sequence[bytes], written_at: int, dictionary: Dictionary | None
) -> list[bytes | None]:
    """The plain function behind `Restamp`: as with `Transaction.replace`, a value that says the same keeps its time."""
    stamped = [_restamped(image, packed, written_at) for image, packed in zip(images, new, strict=True)]
    return stamped if dictionary is None else [packed and dictionary.deflate(packed) for packed in stamped]


def _restamped(image: OldImage, packed: bytes, written_at: int) -> bytes | None:
    if image.deleted:
        return packed
    old = {value.index: value for value in unpack(image.packed, image.written_at)}
    values = unpack(packed, written_at)
    kept = tuple(
        old[value.index] if value.index in old and old[value.index].says_the_same_as(value) else value
        for value in values
    )
    if len(kept) == len(old) and all(value is old.get(value.index) for value in kept):
        return None
    return pack(kept, written_at)
