"""A load taken back, chunk by chunk: each handle that it wrote last becomes what it was before.

Which ones these are, the rows themselves say. What somebody else has written since stays as it is, and a handle that
the load registered is deleted: its history tells that it was there. The file is read again for the names; a chunk that
is undone has no digest in the ledger any more, so undoing goes on where it was broken off.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from registry import ledger
from registry.chunk_changes import Image, Imaging, repacked
from registry.chunk_writing import PREPARE, RETRIED, Rows
from registry.chunks import Chunk
from registry.conformity import Conformity
from registry.edges import LinksRefused
from registry.ledger import Batch
from registry.packing import pack
from registry.preparation import Prepared
from registry.preparers import Preparers
from registry.row_locks import fetch_locked, is_distributed
from registry.search_keys import search_keys
from registry.standing import State, standing_from_json
from registry.store import Store
from registry.turns import Turns

ATTEMPTS: Final = 5  # At one chunk, when others lock the same rows in another order.

# Row by row on purpose: a planner that believes a load to have few rows would look at all of them for each.
WRITTEN: Final = """
SELECT asked.place::int - 1 AS place, there.state
FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS asked (prefix_id, suffix, place)
CROSS JOIN LATERAL (
  SELECT state, batch_id FROM handle AS h
  WHERE h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix FOR UPDATE) AS there
WHERE there.batch_id = $3 ORDER BY asked.place
"""
# The same on Citus, which holds rows one by one, and looks for nothing again and again.
WRITTEN_THERE: Final = """
SELECT asked.place::int - 1 AS place, handle.state
FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS asked (prefix_id, suffix, place)
JOIN handle ON handle.prefix_id = asked.prefix_id AND handle.suffix = asked.suffix
WHERE handle.batch_id = $3 ORDER BY asked.place
"""
BEFORE: Final = """
SELECT asked.place, old.state, old.standing, old.packed, extract(epoch FROM old.written_at)::bigint AS written_at
FROM unnest($1::int[], $2::text[], $3::int[]) AS asked (prefix_id, suffix, place)
JOIN LATERAL (
  SELECT state, standing, packed, written_at FROM handle_history AS h
  WHERE h.prefix_id = asked.prefix_id AND h.suffix = asked.suffix AND h.batch_id IS DISTINCT FROM $4
  ORDER BY h.version DESC LIMIT 1) AS old ON true
"""
BEFORE_THERE: Final = """
SELECT DISTINCT ON (asked.place) asked.place, old.state, old.standing, old.packed,
       extract(epoch FROM old.written_at)::bigint AS written_at
FROM unnest($1::int[], $2::text[], $3::int[]) AS asked (prefix_id, suffix, place)
JOIN handle_history AS old ON old.prefix_id = asked.prefix_id AND old.suffix = asked.suffix
WHERE old.batch_id IS DISTINCT FROM $4 ORDER BY asked.place, old.version DESC
"""


class Undo(Imaging):
    """The undoing of one chunk."""

    def __init__(self, *whose: Any) -> None:
        super().__init__(*whose)
        self._written_by = None  # What was undone is nobody's to undo.

    async def undo(self, chunk: int, rows: Rows) -> None:
        async with self._connection.transaction():
            await self._connection.execute(PREPARE)
            if rows.suffixes:
                await self._apply(rows)
            await self._count()
            await self._log(rows)
            await ledger.strike(self._connection, self._batch, chunk)
            await self._link(rows)

    async def _apply(self, rows: Rows) -> None:
        columns = (rows.prefix_ids, rows.suffixes, self._batch.batch_id)
        written = await fetch_locked(self._connection, WRITTEN, WRITTEN_THERE, rows.place_of, *columns)
        places = [row["place"] for row in written]
        names = [rows.prefix_ids[place] for place in places], [rows.suffixes[place] for place in places]
        before_it = BEFORE_THERE if await is_distributed(self._connection) else BEFORE
        found = await self._connection.fetch(before_it, *names, places, self._batch.batch_id)
        plain = await self._store.plain([row["packed"] for row in found], self._connection)
        before = {row["place"]: self._image(rows, row, packed) for row, packed in zip(found, plain, strict=True)}
        nothing = pack((), 0)
        images = [before.get(place) or Image(place, nothing, State.DELETED) for place in places]
        for row, image in zip(written, images, strict=True):
            was, is_now = row["state"] == State.DELETED, image.state is State.DELETED
            self._registered[rows.prefix_ids[image.place]] += was - is_now
        await self._write(rows, images)

    def _image(self, rows: Rows, row: Any, packed: bytes) -> Image:
        prefix = self._store.prefixes.by_id(rows.prefix_ids[row["place"]])
        assert prefix is not None
        state = State(row["state"])
        values = repacked(packed, row["written_at"], int(self._at.timestamp()))
        keys = None if state is State.DELETED else search_keys(prefix.key, values, prefix.searchable)
        return Image(row["place"], values, state, standing_from_json(row["state"], row["standing"]), keys)


async def undo(
    store: Store,
    chunks: AsyncGenerator[Chunk, None],
    batch: Batch,
    by: str,
    turns: Turns,
    preparers: Preparers,
) -> None:
    """Takes back what a load wrote. Raises DATABASE_AWAY: call it again."""
    await store.load_prefixes()
    async with aclosing(chunks) as every:
        async for chunk in every:
            done = batch.chunks.get(chunk.number)
            if done is None or done[0] != chunk.digest:
                continue
            async with turns.preparing:
                prepared = await preparers.prepare_plain(chunk, Conformity(whole=False))
            async with turns.writing:
                await _undo(store, batch, by, chunk.number, _rows(store, prepared))


async def _undo(store: Store, batch: Batch, by: str, chunk: int, rows: Rows) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with store.connection() as connection:
                await Undo(store, connection, batch, by).undo(chunk, rows)
                return
        except LinksRefused as error:
            # Others have linked since so that what was here before would close a circle: these stay as they are.
            rows, _ = rows.without(error.places)
        except RETRIED:
            if attempt == ATTEMPTS:
                raise


def _rows(store: Store, prepared: Prepared) -> Rows:
    rows = Rows([], [], [], [], [], [], [])
    for run in prepared.runs:
        prefix = store.prefixes.find(run.prefix_key)
        if prefix is not None:
            rows.prefix_ids.extend([prefix.prefix_id] * (run.end - run.start))
            rows.suffixes.extend(prepared.suffixes[run.start : run.end])
            rows.places.extend(prepared.places[run.start : run.end])
    return rows
