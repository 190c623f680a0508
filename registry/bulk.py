"""Bulk load: a file of any length into the book, in bounded memory (`load`).

Three chunks are under way at most: one is cut, one is prepared, one is merged. Refused rows never stop a load, they
are kept with the reason. What was broken off is run again with the same `load_key` and goes on where it ended.
"""

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from registry import acts, ledger
from registry.acts import Act
from registry.chunk_changes import Amend, Remove, Stand
from registry.chunk_preparing import ChunkPreparing, ahead
from registry.chunk_writing import RETRIED, ChunkWriting, Refuse, Rows
from registry.chunks import VALUES, Chunk, Form, Reading, csv_chunks, line_chunks
from registry.edges import LinksRefused
from registry.errors import HandleError, InsufficientPermission, PrefixNotHomed
from registry.holders import HeldByOthers
from registry.ledger import Batch, Tally
from registry.merge import Merge
from registry.prefix import Prefix
from registry.preparation import Prepared, Run
from registry.refusal import Refusal
from registry.run_parts import MayWrite, Suffixes, parts_of
from registry.sheet_chunks import sheet_chunks
from registry.standing import Wish
from registry.store import Store
from registry.turns import Turns

log = logging.getLogger(__name__)

ATTEMPTS: Final = 5  # At one chunk, when others lock the same rows in another order.

Kind = Literal["register", "update", "delete", "state"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with the rows of a file.

    They are registered or replace what is there; their values are put into handles that are there; or these are
    deleted, or put into a state: each row's own, or the one that is wished for all. Rows that are `archived` were in a
    book before: rules of suffixes, which are for new handles, do not hold for them. `all_or_none` writes nothing more
    once a row was refused, and goes on looking at the others: what was written is for the caller to undo.
    """

    kind: Kind = "register"
    all_or_none: bool = False
    wish: Wish | None = None
    of_node: bool = False
    reading: Reading = VALUES
    archived: bool = False


REGISTERING: Final = Plan()


@dataclass(frozen=True, slots=True)
class Report:
    """What a load has done so far. `skipped` are chunks that an earlier run had done; the tally counts them too."""

    batch_id: int
    lines: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    skipped: int = 0
    seconds: float = 0.0


async def load(
    store: Store,
    octets: AsyncIterator[bytes],
    form: Form,
    *,
    source: str,
    load_key: str,
    loaded_by: str,
    may_write: MayWrite | None = None,
    progress: Callable[[Report], None] | None = None,
    plan: Plan = REGISTERING,
    turns: Turns | None = None,
    once_since: datetime | None = None,
) -> Report:
    """Does to every handle of a file what is planned. Raises ProtocolFault for a file that is not of its form.

    Raises DATABASE_AWAY too: whole chunks are in the book then. `may_write` None allows every prefix homed here.
    What has ended under this key since `once_since` is not done again: raises LoadedBefore, and no octet was read.
    Of signatures and certificates the form alone is checked, for a million rows would be a million chains to read:
    whether they are true is found out on demand (`registry.trust`).
    """
    await store.load_prefixes()
    async with store.connection() as connection, connection.transaction():
        whose = {"load_key": load_key, "source": source, "form": form, "loaded_by": loaded_by}
        batch = await ledger.open_batch(connection, **whose, once_since=once_since)
        await _keep(store, connection, loaded_by, Act("load.begun", source, None, {"batch": batch.batch_id}))
    one_load = _Load(store, batch, source, loaded_by, may_write or _anyone, progress, plan, turns or Turns())
    report = await one_load.run(chunks_of(store, octets, form, plan.reading))
    log.info("load %d of %s by %s: %s", batch.batch_id, source, loaded_by, report)
    return report


def chunks_of(
    store: Store, octets: AsyncIterator[bytes], form: Form, reading: Reading = VALUES
) -> AsyncGenerator[Chunk, None]:
    """A file of this form as chunks, always the same."""
    return _CHUNKS_OF[form](octets, exact_suffixes=store.settings.exact_suffixes, reading=reading)


async def _anyone(_: Prefix) -> bool:
    return True


class _Load:
    """One run of a load."""

    def __init__(
        self,
        store: Store,
        batch: Batch,
        source: str,
        loaded_by: str,
        may_write: MayWrite,
        progress: Callable[[Report], None] | None,
        plan: Plan,
        turns: Turns,
    ) -> None:
        self._store = store
        self._batch = batch
        self._source = source
        self._by = loaded_by
        self._may_write = may_write
        self._progress = progress
        self._plan = plan
        self._turns = turns
        self._begun = time.monotonic()
        self._report = Report(batch.batch_id)
        self._preparing = ChunkPreparing(store, registering=plan.kind == "register", archived=plan.archived)
        self._allowed: dict[int, bool | Suffixes] = {}
        self._all_new = False  # Whether the chunk before held nothing that was there: the next one is likely the same.

    async def run(self, chunks: AsyncGenerator[Chunk, None]) -> Report:
        async with self._preparing, aclosing(ahead(chunks, self._prepare)) as prepared:
            count = 0
            async for chunk, preparation in prepared:
                if count == 0 and chunk.layout.columns is not None:
                    async with self._store.connection() as connection:
                        await ledger.set_columns(connection, self._batch, chunk.layout.columns.names)
                await self._take(chunk, preparation)
                count += 1
        async with self._store.connection() as connection, connection.transaction():
            await ledger.forget_from(connection, self._batch, count)
            await ledger.finish(connection, self._batch)
            written: list[int | None] = [one for one, allowed in self._allowed.items() if allowed]
            for prefix_id in written or [None]:
                act = Act("load.finished", self._source, prefix_id, {"batch": self._batch.batch_id})
                await _keep(self._store, connection, self._by, act)
        self._tell(self._batch.tally, Tally())
        return self._report

    async def _prepare(self, chunk: Chunk) -> Prepared | None:
        """None for a chunk that an earlier run has done."""
        done = self._batch.chunks.get(chunk.number)
        if done is not None and done[0] == chunk.digest:
            return None
        async with self._turns.preparing:
            return await self._preparing.prepare(chunk)

    async def _take(self, chunk: Chunk, prepared: Prepared | None) -> None:
        if prepared is None and (done := self._batch.chunks.get(chunk.number)) is not None:
            self._report = replace(self._report, skipped=self._report.skipped + 1)
            self._tell(self._tally_so_far, done[1])
            return
        if chunk.number in self._batch.chunks:
            async with self._store.connection() as connection:
                await ledger.forget_from(connection, self._batch, chunk.number)
        if prepared is None:
            prepared = await self._preparing.prepare(chunk)
        if prepared.proposal:
            await self._preparing.heed(chunk, prepared.proposal)
        rows, refusals = await self._sifted(chunk, prepared)
        if self._plan.all_or_none and (refusals or self._report.refused):
            rows = Rows([], [], [], [], [], [], [])
        async with self._turns.writing:
            tally = await self._write_linked(chunk, prepared.lines, rows, refusals)
        self._tell(self._tally_so_far, tally)

    async def _sifted(self, chunk: Chunk, prepared: Prepared) -> tuple[Rows, list[tuple[int, str, Refusal]]]:
        """The rows of prefixes that are homed here and the loader's to write; and all refusals, with their rows."""
        rows = Rows([], [], [], [], [], [], [], prepared.dictionary)
        refusals = list(prepared.refusals)
        for whole in prepared.runs:
            prefix = self._store.prefixes.find(whole.prefix_key)
            if prefix is None or not prefix.homed:
                refusals += self._refused(chunk, prepared, whole, PrefixNotHomed("prefix.not_homed"))
                continue
            for run, allowed in parts_of(whole, prepared.suffixes, await self._may(prefix)):
                if allowed:
                    _extend(rows, prefix, prepared, run)
                    continue
                fault = InsufficientPermission("load.may_not_write", identity=self._by, prefix=prefix.spelling)
                refusals += self._refused(chunk, prepared, run, fault)
        refusals.sort(key=lambda one: one.place)
        return rows, [(*_line_and_text(chunk, one.place), one) for one in refusals]

    async def _may(self, prefix: Prefix) -> bool | Suffixes:
        if prefix.prefix_id not in self._allowed:
            self._allowed[prefix.prefix_id] = await self._may_write(prefix)
        return self._allowed[prefix.prefix_id]

    def _refused(
        self, chunk: Chunk, prepared: Prepared, run: Run, fault: PrefixNotHomed | InsufficientPermission
    ) -> list[Refusal]:
        path = _path_of_handle(chunk)
        return [Refusal.of(place, path, fault) for place in prepared.places[run.start : run.end]]

    async def _write_linked(
        self, chunk: Chunk, lines: int, rows: Rows, refusals: list[tuple[int, str, Refusal]]
    ) -> Tally:
        """Refuses rows whose links lead back to them, and writes the others; fewer links close fewer circles."""
        while True:
            try:
                return await self._write(chunk, lines, rows, refusals)
            except (LinksRefused, HeldByOthers) as error:
                path = _path_of_handle(chunk)
                rows, places = rows.without(error.places)
                more = [(*_line_and_text(chunk, place), Refusal.of(place, path, error)) for place in places]
                refusals = sorted([*refusals, *more], key=lambda one: one[2].place)

    async def _write(self, chunk: Chunk, lines: int, rows: Rows, refusals: list[tuple[int, str, Refusal]]) -> Tally:
        def refuse(place: int, fault: HandleError) -> tuple[int, str, Refusal]:
            return (*_line_and_text(chunk, place), Refusal.of(place, _path_of_handle(chunk), fault))

        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._store.connection() as connection:
                    writing = self._writing(connection, refuse)
                    tally = await writing.write(chunk.number, chunk.digest, rows, lines, refusals)
                    self._all_new = tally is not None and tally.created == len(rows.suffixes)
                    # Another run of the same load was faster; what it did is read from the ledger at the end.
                    return tally or Tally(lines=lines)
            except RETRIED:
                if attempt == ATTEMPTS:
                    raise
                log.debug("chunk %d of load %d is tried again", chunk.number, self._batch.batch_id)
        raise AssertionError("the last attempt returns or raises")

    def _writing(self, connection: ledger.Connection, refuse: Refuse) -> ChunkWriting:
        whose = (self._store, connection, self._batch, self._by)
        plan = self._plan
        if plan.kind == "update":
            return Amend(*whose, amend=self._preparing.amend, refuse=refuse)
        if plan.kind == "delete":
            return Remove(*whose, refuse=refuse)
        if plan.kind == "state":
            return Stand(*whose, wish=plan.wish, of_node=plan.of_node, refuse=refuse)
        return Merge(*whose, self._preparing.restamp, refuse, likely_new=self._all_new)

    @property
    def _tally_so_far(self) -> Tally:
        told = self._report
        return Tally(told.lines, told.created, told.updated, told.unchanged, told.refused)

    def _tell(self, before: Tally, more: Tally) -> None:
        tally = before + more
        self._report = Report(
            self._batch.batch_id,
            tally.lines,
            tally.created,
            tally.updated,
            tally.unchanged,
            tally.refused,
            self._report.skipped,
            time.monotonic() - self._begun,
        )
        if self._progress is not None:
            self._progress(self._report)


async def _keep(store: Store, connection: ledger.Connection, by: str, act: Act) -> None:
    await acts.keep(connection, act, at=datetime.now(UTC), by=by, program=store.program)


def _extend(rows: Rows, prefix: Prefix, prepared: Prepared, run: Run) -> None:
    rows.prefix_ids.extend([prefix.prefix_id] * (run.end - run.start))
    rows.suffixes.extend(prepared.suffixes[run.start : run.end])
    rows.spellings.extend(prepared.spellings[run.start : run.end])
    rows.packed.extend(prepared.packed[run.start : run.end])
    rows.keys.extend(prepared.keys[run.start : run.end])  # None where rows are not stored as they are.
    rows.links.extend(prepared.links[run.start : run.end])
    rows.places.extend(prepared.places[run.start : run.end])


def _path_of_handle(chunk: Chunk) -> str:
    columns = chunk.layout.columns
    return "$.handle" if columns is None else columns.names[columns.handle]


def _line_and_text(chunk: Chunk, place: int) -> tuple[int, str]:
    line, octets = chunk.row(place)
    return line, chunk.layout.text_of(octets)


_CHUNKS_OF: Final = {"ndjson": line_chunks, "csv": csv_chunks, "xlsx": sheet_chunks}
