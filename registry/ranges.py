"""Writing and reading ranges on somebody's behalf: a doff of cakes, or a block of a million serial numbers, in one row.

Whoever may register a handle may register a range of them, and nothing of it may be registered yet. A member is
changed or deleted as any handle is, and has a row of its own from then on, which nothing that is done to the range
changes.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Final

import asyncpg

from registry import range_links
from registry.acts import Act
from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.changes import ChangeKind, Operation
from registry.claims import check_claims
from registry.compulsory import check_named
from registry.data_forms import check_data
from registry.errors import AuthenticationNeeded, HandleAlreadyExists, HandleNotFound, InvalidValue, PrefixNotHomed
from registry.handle import NAMING_AUTHORITY, Handle, check_new
from registry.handle_range import DIGITS, HandleRange, make_range
from registry.members import exclude, range_keys
from registry.packing import pack
from registry.prefix import Prefix
from registry.quotas import check_registered
from registry.range_circles import write_links_of_range
from registry.record import HandleRecord, check_values
from registry.registration import Registration
from registry.store import Store
from registry.suffixes import check_suffix
from registry.transaction import COUNT, LOG, Transaction, begin, log_change
from registry.value import HandleValue
from registry.writing import Written, expect, says_the_same

MAX_LISTED: Final = 1000  # Ranges in one answer.
MAX_TRIED: Final = 10_000  # Members held to the rules of suffixes: some ten milliseconds.

OF_MEMBER: Final = """
SELECT suffix AS first, suffix_to AS last, head, width, radix, version, packed,
       extract(epoch FROM coalesce(updated_at, created_at))::bigint AS written_at
FROM handle_range WHERE prefix_id = $1 AND characters = $2 AND suffix <= $3 ORDER BY suffix DESC LIMIT 1
"""
LIST: Final = """
SELECT suffix AS first, suffix_to AS last, head, width, radix, version, packed,
       extract(epoch FROM coalesce(updated_at, created_at))::bigint AS written_at
FROM handle_range WHERE prefix_id = $1 AND suffix > $2 ORDER BY suffix LIMIT $3
"""
OWN: Final = """
SELECT count(*) AS rows, min(suffix) FILTER (WHERE state <> 1) AS registered FROM handle
WHERE prefix_id = $1 AND suffix >= $2 AND suffix <= $3 AND length(suffix) = $4 AND right(suffix, $5) !~ $6
"""
ANY: Final = "SELECT EXISTS (SELECT FROM handle_range WHERE prefix_id = $1)"
BEFORE: Final = """
SELECT coalesce(max(version), 0) FROM handle_range_history
WHERE prefix_id = $1 AND characters = $2 AND suffix <= $4 AND suffix_to >= $3
"""
INSERT: Final = """
INSERT INTO handle_range
  (created_at, prefix_id, characters, version, radix, width, suffix, suffix_to, head, packed, keys)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
UPDATE: Final = """
UPDATE handle_range SET updated_at = $4, packed = $5, keys = $6, version = version + 1
WHERE prefix_id = $1 AND characters = $2 AND suffix = $3
"""
DELETE: Final = "DELETE FROM handle_range WHERE prefix_id = $1 AND characters = $2 AND suffix = $3"
HISTORY: Final = """
INSERT INTO handle_range_history
  (at, prefix_id, characters, version, radix, width, suffix, suffix_to, head, changed_by, packed, written_at)
SELECT $4, prefix_id, characters, version, radix, width, suffix, suffix_to, head, $5, packed,
       coalesce(updated_at, created_at)
FROM handle_range WHERE prefix_id = $1 AND characters = $2 AND suffix = $3
"""
LOG_RANGE: Final = """
INSERT INTO change_log (kind, prefix_id, suffix, suffix_to, version, operation) VALUES (2, $1, $2, $3, $4, $5)
RETURNING xid::text::bigint, at
"""
OF_RANGE: Final[Mapping[Operation, str]] = {
    Operation.CREATED: "range.created",
    Operation.UPDATED: "range.updated",
    Operation.DELETED: "range.deleted",
}


@dataclass(frozen=True, slots=True)
class NewRange:
    """A range to be registered: so many handles from `first` on, the serial number in which it ends, and the values."""

    first: Handle
    members: int
    width: int
    radix: int
    values: tuple[HandleValue, ...]


class Ranges:
    """Everything raises DATABASE_AWAY, and the refusals of `Registration`."""

    def __init__(self, store: Store, registration: Registration) -> None:
        self._store = store
        self._rights = registration.rights
        self._templates = registration.templates

    async def register(self, new: NewRange, by: Administrator | None, version: int | None = None) -> Written:
        """Registers a range; what is written says of its first member."""
        administrator = _known(by)
        prefix = await self._homed(new.first)
        check_new(new.first)
        _, first = self._place(new.first)
        made = make_range(new.first, first, new.members, new.width, new.radix, pack(check_values(new.values), 0))
        made = with_changes(made, prefix=prefix.spelling)
        _check_members(made)

        async def create(transaction: Transaction) -> Written:
            expect(version, new.first, None)
            await self._rights.check_create(new.first, administrator)
            _check_rules(prefix, made)
            await self._check_templates(transaction, made, new=True)
            await exclude(transaction.connection, prefix.prefix_id)
            written = await self._create(transaction, prefix, made)
            return Written(new.first, True, written)

        return await self._write(administrator, prefix, create)

    async def replace(
        self, member: Handle, values: Iterable[HandleValue], by: Administrator | None, version: int | None = None
    ) -> Written:
        """Gives every member that has no row of its own these values instead."""
        checked = check_values(tuple(values))

        async def change(transaction: Transaction, prefix: Prefix, old: HandleRange) -> Written:
            first = old.record(old.first).unpack()
            new = with_changes(old, packed=pack(checked, 0), written_at=int(transaction.at.timestamp()))
            _check_members(new)
            await self._rights.check_replace(first, new.values_of(new.first), _known(by))
            check_named(prefix.rules, new.spelled(new.first), new.values, old.values)
            await self._check_templates(transaction, new)
            if says_the_same(old.values, new.values):
                return Written(first.handle, False, first)
            await self._keep_history(transaction, prefix, old, by)
            keys = range_keys(prefix, new.values)
            row = (*_key(prefix, old), transaction.at, new.packed, keys)
            await transaction.connection.execute(UPDATE, *row)
            new = with_changes(new, version=old.version + 1)
            await self._log(transaction, prefix, new, Operation.UPDATED)
            await write_links_of_range(transaction.connection, self._store, prefix, new, old)
            return Written(first.handle, False, new.record(new.first).unpack())

        return await self._change(member, by, version, change)

    async def delete(self, member: Handle, by: Administrator | None, version: int | None = None) -> Written:
        """Takes a range out of the book; members that have rows of their own stay."""

        async def change(transaction: Transaction, prefix: Prefix, old: HandleRange) -> Written:
            first = old.record(old.first).unpack()
            await self._rights.check(first, _known(by), AdminPermission.DELETE_HANDLE)
            await self._keep_history(transaction, prefix, old, by)
            await transaction.connection.execute(DELETE, *_key(prefix, old))
            rows = await self._own_rows(transaction.connection, prefix, old)
            await self._count(transaction, prefix, rows["rows"] - old.members)
            await self._log(transaction, prefix, old, Operation.DELETED)
            await range_links.write(transaction.connection, self._store, prefix.prefix_id, old, gone=True)
            return Written(first.handle, False, first)

        return await self._change(member, by, version, change)

    async def find(self, member: Handle, by: Administrator | None) -> HandleRange:
        """The range of a member. Raises HandleNotFound."""
        prefix = await self._listed(member.prefix, _known(by))
        async with self._store.connection() as connection:
            return await self._of_member(connection, prefix, member)

    async def of_prefix(
        self, prefix_name: str, by: Administrator | None, *, after: str = "", limit: int = MAX_LISTED
    ) -> list[HandleRange]:
        """The ranges of a prefix in order of their first members, behind a key of a suffix."""
        prefix = await self._listed(prefix_name, _known(by))
        async with self._store.connection() as connection:
            rows = await connection.fetch(LIST, prefix.prefix_id, after, limit)
        return [HandleRange.from_row(prefix.spelling, row) for row in rows]

    def suffix_of(self, handle: Handle) -> str:
        """The key of its suffix. Raises HandleNotFound."""
        return self._place(handle)[1]

    async def _check_templates(self, transaction: Transaction, made: HandleRange, *, new: bool = False) -> None:
        """What is filled in grows from the first member to the last: where both fit, all do."""
        for suffix in (made.first, made.last):
            await self._templates.check(made.values_of(suffix), transaction.connection, new=new)

    async def _create(self, transaction: Transaction, prefix: Prefix, made: HandleRange) -> HandleRecord:
        connection = transaction.connection
        there = await connection.fetchrow(OF_MEMBER, prefix.prefix_id, len(made.first), made.last)
        if there is not None and there["last"] >= made.first:
            other = HandleRange.from_row(prefix.spelling, there)
            names = {"first": str(other.handle(other.first)), "last": str(other.handle(other.last))}
            raise HandleAlreadyExists("range.exists", handle=str(made.handle(made.first)), **names)
        own = await self._own_rows(connection, prefix, made)
        if own["registered"] is not None:
            raise HandleAlreadyExists("handle.exists", handle=str(made.handle(own["registered"])))
        bounds = (prefix.prefix_id, len(made.first), made.first, made.last)
        version = 1 + await connection.fetchval(BEFORE, *bounds)
        made = with_changes(made, version=version, written_at=int(transaction.at.timestamp()))
        if not await connection.fetchval(ANY, prefix.prefix_id):
            # Every process is to know that this prefix has ranges: it reads the prefixes anew when it hears of this.
            await log_change(connection, LOG, ChangeKind.PREFIX, prefix.prefix_id, None, None, None)
        keys = range_keys(prefix, made.values)
        row = (version, made.radix, made.width, made.first, made.last, made.head, made.packed, keys)
        await connection.execute(INSERT, transaction.at, prefix.prefix_id, len(made.first), *row)
        # A member that was deleted before stays so.
        await self._count(transaction, prefix, made.members - own["rows"])
        await self._log(transaction, prefix, made, Operation.CREATED)
        await write_links_of_range(connection, self._store, prefix, made)
        return made.record(made.first).unpack()

    async def _change(
        self,
        member: Handle,
        by: Administrator | None,
        version: int | None,
        change: Callable[[Transaction, Prefix, HandleRange], Awaitable[Written]],
    ) -> Written:
        administrator = _known(by)
        prefix = await self._homed(member)

        async def there(transaction: Transaction) -> Written:
            await exclude(transaction.connection, prefix.prefix_id)
            old = await self._of_member(transaction.connection, prefix, member)
            expect(version, member, old.record(old.first).unpack())
            return await change(transaction, prefix, old)

        return await self._write(administrator, prefix, there)

    async def _write(
        self, by: Administrator, prefix: Prefix, write: Callable[[Transaction], Awaitable[Written]]
    ) -> Written:
        async with begin(self._store, str(by)) as transaction:
            written = await write(transaction)
        if not prefix.ranged:
            await self._store.load_prefixes()
        return written

    async def _of_member(
        self, connection: asyncpg.pool.PoolConnectionProxy, prefix: Prefix, member: Handle
    ) -> HandleRange:
        _, suffix = self._place(member)
        row = await connection.fetchrow(OF_MEMBER, prefix.prefix_id, len(suffix), suffix)
        found = None if row is None else HandleRange.from_row(prefix.spelling, row)
        if found is None or found.position(suffix) is None:
            raise HandleNotFound("range.not_found", handle=str(member))
        return found

    async def _own_rows(
        self, connection: asyncpg.pool.PoolConnectionProxy, prefix: Prefix, of: HandleRange
    ) -> asyncpg.Record:
        """How many members have rows of their own, and the first that is registered in one."""
        other_digits = f"[^{DIGITS[of.radix]}]"
        bounds = (prefix.prefix_id, of.first, of.last, len(of.first), of.width, other_digits)
        row = await connection.fetchrow(OWN, *bounds)
        assert row is not None
        return row

    async def _homed(self, handle: Handle) -> Prefix:
        """Raises PrefixNotHomed. Another process may have homed it a moment ago."""
        key = self._store.key_of(handle.octets)
        if self._store.prefixes.of(key) is None:
            await self._store.load_prefixes()
        prefix = self._store.prefixes.of(key)
        # What is under 0.NA says who administers prefixes: no two of its handles are the same.
        if prefix is None or prefix.spelling == NAMING_AUTHORITY:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix

    async def _listed(self, prefix_name: str, by: Administrator) -> Prefix:
        """A prefix of which somebody may see what there is."""
        prefix = await self._homed(Handle(prefix_name, "-"))
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, prefix_name), by, AdminPermission.LIST_HANDLES)
        return prefix

    def _place(self, handle: Handle) -> tuple[Prefix, str]:
        place = self._store.place(self._store.key_of(handle.octets))
        if place is None:
            raise HandleNotFound("range.not_found", handle=str(handle))
        return place

    async def _keep_history(
        self, transaction: Transaction, prefix: Prefix, old: HandleRange, by: Administrator | None
    ) -> None:
        await transaction.connection.execute(HISTORY, *_key(prefix, old), transaction.at, str(by))

    async def _count(self, transaction: Transaction, prefix: Prefix, difference: int) -> None:
        # Nobody else counts under this prefix just now, so any slot will do.
        await transaction.connection.execute(COUNT, prefix.prefix_id, 0, difference)
        if difference > 0:
            await check_registered(transaction.connection, prefix, None)

    async def _log(self, transaction: Transaction, prefix: Prefix, of: HandleRange, operation: Operation) -> None:
        row = (prefix.prefix_id, of.first, of.last, of.version, operation)
        await log_change(transaction.connection, LOG_RANGE, *row)
        detail = {"last": str(of.handle(of.last)), "members": of.members, "version": of.version}
        await transaction.keep(Act(OF_RANGE[operation], str(of.handle(of.first)), prefix.prefix_id, detail))


def _check_members(made: HandleRange) -> None:
    """Refuses values that no handle could have. The last member's are the longest."""
    values = check_values(made.values_of(made.last))
    for value in values:
        check_data(value.index, value.type, value.data)
    if signed := check_claims(made.values):
        # A signature is of the values of one handle.
        raise InvalidValue("range.signed", index=signed[0][0].index)
    check_new(made.handle(made.last))


def _check_rules(prefix: Prefix, made: HandleRange) -> None:
    """Holds the members to the rules of their prefix: every one, or so many of a wide range and its last. The step is
    odd, so that every digit changes. Raises InvalidHandle, InvalidValue."""
    if not prefix.rules:
        return
    for position in (*range(1, made.members + 1, made.members // MAX_TRIED | 1), made.members):
        suffix = made.spelled(made.suffix_at(position))
        check_suffix(prefix.rules, suffix)
        check_named(prefix.rules, suffix, made.values)


def _key(prefix: Prefix, of: HandleRange) -> tuple[int, int, str]:
    return prefix.prefix_id, len(of.first), of.first


def _known(by: Administrator | None) -> Administrator:
    if by is None:
        raise AuthenticationNeeded("authentication.needed")
    return by
