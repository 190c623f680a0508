"""What an archive says that handles said before, taken in: each handle with its versions, their numbers and times.

A handle that is not here comes with all of it. One that is here takes in what was written after the version that it has
here, where that version says the same in both books; nothing is said to have been before what stood here. One that has
another history here is refused, and the load of the archive goes on with what it says now.
What is new is written as any change, so it is counted, linked, limited, logged and told to those who follow; only its
former versions are in no tree of sealed ones, since nobody here saw them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import asyncpg

from registry.authentication import Administrator
from registry.changes import Operation
from registry.errors import HandleAlreadyExists
from registry.handle import Handle, check_new
from registry.holders import check_free
from registry.members import share
from registry.packing import pack, unpack
from registry.past_lines import Former, PastLine, Row, seconds_of, time_at, versions_of
from registry.prefix import Prefix
from registry.record import HandleRecord
from registry.schemes.gs1 import check_canonical
from registry.standing import State, Wish, stand
from registry.store import Store
from registry.templates import Templates
from registry.transaction import Transaction, begin
from registry.writing import says_the_same

# The job's ledger waits for the disk, behind all of them; one that was broken off before takes them in anew.
NO_WAIT: Final = "SET LOCAL synchronous_commit = off"
THERE: Final = """
SELECT version, state, standing, packed, created_at, coalesce(updated_at, created_at) AS written_at, batch_id
FROM handle WHERE prefix_id = $1 AND suffix = $2 FOR UPDATE
"""
FORMER: Final = """
SELECT state, packed, written_at FROM handle_history WHERE prefix_id = $1 AND suffix = $2 AND version = $3
"""
# A handle that was never here, deleted: it is registered in the next statements, or stays so.
PLACE: Final = """
INSERT INTO handle (created_at, prefix_id, suffix, spelling, packed, version, state)
VALUES ($1, $2, $3, $4, $5, 0, 1) ON CONFLICT (prefix_id, suffix) DO NOTHING RETURNING version
"""
COUNT_ON: Final = "UPDATE handle SET version = $3 WHERE prefix_id = $1 AND suffix = $2"
FORGET: Final = "DELETE FROM handle_history WHERE prefix_id = $1 AND suffix = $2 AND version >= $3"
REMEMBER: Final = """
INSERT INTO handle_history (prefix_id, suffix, version, state, standing, packed, written_at, at, changed_by, batch_id)
SELECT $1, $2, f.* FROM unnest($3::int[], $4::smallint[], $5::jsonb[], $6::bytea[], $7::timestamptz[],
                               $8::timestamptz[], $9::text[], $10::int[]) AS f
"""
DATE: Final = "UPDATE handle SET created_at = $3, updated_at = $4, packed = $5 WHERE prefix_id = $1 AND suffix = $2"


class PastImport:
    """Takes in the versions of handles, on behalf of whoever sent them: somebody who may write all of the prefix."""

    def __init__(self, store: Store, by: Administrator, *, of_node: bool) -> None:
        self._store = store
        self._by = by
        self._of_node = of_node
        self._templates = Templates(store)

    async def take(self, prefix: Prefix, lines: Sequence[PastLine]) -> bool:
        """The versions of a handle, the present one last; False when they are here. Raises HandleError."""
        handle = Handle(prefix.spelling, Handle.from_text(lines[-1].past).suffix)
        check_new(handle)
        check_canonical(handle)
        *former, present = versions_of(lines, str(self._by), of_node=self._of_node)
        registered = seconds_of("registered", lines[-1].registered) or present.since
        async with begin(self._store, str(self._by)) as transaction:
            transaction.in_bulk = True
            await transaction.connection.execute(NO_WAIT)
            taking = _Taking(self._store, transaction, prefix, handle, of_node=self._of_node)
            await check_free(transaction.connection, [prefix.prefix_id], [taking.suffix])
            await self._templates.check(present.values, transaction.connection)
            return await taking.take(former, present, min(registered, present.since))


class _Taking:
    """The versions of one handle, in the transaction that writes them."""

    def __init__(
        self, store: Store, transaction: Transaction, prefix: Prefix, handle: Handle, *, of_node: bool
    ) -> None:
        self._store = store
        self._transaction = transaction
        self._connection = transaction.connection
        self._handle = handle
        self._of_node = of_node
        self.suffix = store.key_of(handle.octets).partition(b"/")[2].decode()
        self._place = (prefix.prefix_id, self.suffix)

    async def take(self, former: list[Former], present: Former, registered: int) -> bool:
        await share(self._connection, self._place[:1])  # As whoever registers does, and before the handle is held.
        there = await self._connection.fetchrow(THERE, *self._place)
        record = await self._transaction.lock(self._handle)
        if there is not None and there["version"] >= present.version:
            await self._expect(there, present)
            return False
        if there is not None:
            await self._go_on(former, present, registered, record, there)
            return True
        if record is None:  # Otherwise a member of a range, which was given a row just now: nobody here changed it.
            await self._make_place()
        await self._write(record, [one.row() for one in former], present, registered)
        return True

    async def _make_place(self) -> None:
        spelling = None if self._handle.suffix == self.suffix else self._handle.suffix
        if await self._connection.fetchval(PLACE, self._transaction.at, *self._place, spelling, pack((), 0)) is None:
            raise HandleAlreadyExists("handle.exists", handle=str(self._handle))

    async def _go_on(
        self,
        former: list[Former],
        present: Former,
        registered: int,
        record: HandleRecord | None,
        there: asyncpg.Record,
    ) -> None:
        """A handle that is here, as it was at one of its versions: that one keeps its time here."""
        if record is not None and record.standing is not None:  # Refuses whoever may not change what the node said.
            stand(self._handle, record.standing, Wish(record.standing.state), "", 0, of_node=self._of_node)
        version, begun = there["version"], int(there["written_at"].timestamp())
        same = next((one for one in former if one.version == version), None)
        if same is not None:
            await self._expect(there, same)
        newer = [one.after(begun) for one in former if one.version > version]
        present = present.after(begun)
        ended = max(begun, same.until) if same else (*newer, present)[0].since
        by = same.by if same else self._transaction.by
        kept = (*(there[name] for name in ("version", "state", "standing", "packed", "written_at")), time_at(ended), by)
        rows = [(*kept, there["batch_id"]), *(one.row() for one in newer)]
        again = record is None  # Deleted here, and registered since.
        registered = max(registered, begun) if again else int(there["created_at"].timestamp())
        await self._write(record, rows, present, registered, version)

    async def _write(
        self, record: HandleRecord | None, rows: list[Row], present: Former, registered: int, version: int = 0
    ) -> None:
        """What leads to the present version, as anybody would write it; then its former ones from a version on, in
        place of those that were made on the way."""
        steps = _steps(record, present)
        below = present.version - len(steps)
        if below < version:
            raise HandleAlreadyExists("archive.past", handle=str(self._handle))
        await self._connection.execute(COUNT_ON, *self._place, below)
        await self._follow(steps, None if record is None else replace(record, version=below), present)
        await self._connection.execute(FORGET, *self._place, min(version, below))
        if rows:
            await self._connection.execute(REMEMBER, *self._place, *map(list, zip(*rows, strict=True)))
        changed = None if present.since == registered else time_at(present.since)
        packed = pack(present.values, present.since)
        await self._connection.execute(DATE, *self._place, time_at(registered), changed, packed)

    async def _follow(self, steps: Sequence[Operation], record: HandleRecord | None, present: Former) -> None:
        """The way from what is here to the present version, as anybody would write it."""
        for step in steps:
            if step is Operation.CREATED:
                record = await self._transaction.create(self._handle, present.values)
                continue
            assert record is not None
            if step is Operation.STATE:
                assert present.standing is not None
                record = await self._transaction.put_standing(record, present.standing)
            elif step is Operation.DELETED:
                await self._transaction.delete(replace(record, standing=None))
            else:
                record = await self._transaction.replace(replace(record, standing=None), present.values)

    async def _expect(self, there: asyncpg.Record, version: Former) -> None:
        """Refuses a handle that said something else here in this version."""
        row: asyncpg.Record | None = there
        if there["version"] > version.version:
            row = await self._connection.fetchrow(FORMER, *self._place, version.version)
        if row is not None and row["state"] == version.state:
            (packed,) = await self._store.plain([row["packed"]], self._connection)
            if says_the_same(unpack(packed, 0), version.values):
                return
        raise HandleAlreadyExists("archive.past", handle=str(self._handle))


def _steps(record: HandleRecord | None, present: Former) -> tuple[Operation, ...]:
    """What leads from a record, or from none, to a version."""
    if present.state is State.DELETED:
        return () if record is None else (Operation.DELETED,)
    state = () if present.standing is None else (Operation.STATE,)
    if record is None:
        return (Operation.CREATED, *state)
    if record.standing is not None and present.standing is None:
        return (Operation.DELETED, Operation.CREATED)
    values = () if says_the_same(record.values, present.values) else (Operation.UPDATED,)
    return (*values, *(state if present.standing != record.standing else ())) or (Operation.UPDATED,)
