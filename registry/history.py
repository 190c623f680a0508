"""What a handle said before: its versions, and itself as of a version or a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from registry.errors import HandleNotFound
from registry.handle import Handle
from registry.handle_range import HandleRange
from registry.packing import unpack
from registry.prefix import Prefix
from registry.standing import Standing, State, standing_from_json
from registry.store import Store
from registry.value import HandleValue

NEWEST: Final = (1 << 31) - 1  # Above every version.
MAX_VERSIONS: Final = 1000  # In one list: some 100 kB.

# A row of the history ends when the next version began, written by who replaced it; the newest version is in `handle`.
_EVERY: Final = """
WITH every AS (
  SELECT version, state, standing, packed, written_at AS since, at AS until, changed_by AS replaced_by
  FROM handle_history WHERE prefix_id = $1 AND suffix = $2
  UNION ALL
  SELECT version, state, standing, packed, coalesce(updated_at, created_at), NULL, NULL
  FROM handle WHERE prefix_id = $1 AND suffix = $2)
SELECT version, state, standing, packed, since, until, replaced_by FROM every
"""
LIST: Final = _EVERY + "WHERE version < $3 ORDER BY version DESC LIMIT $4"
OF_VERSION: Final = _EVERY + "WHERE version = $3"
OF_TIME: Final = _EVERY + "WHERE since <= $3 ORDER BY version DESC LIMIT 1"
SPELLING: Final = "SELECT spelling FROM handle WHERE prefix_id = $1 AND suffix = $2"
# Of members of ranges that have no row of their own.
OF_RANGES: Final = """
SELECT suffix AS first, suffix_to AS last, head, width, radix, version, packed,
       extract(epoch FROM written_at)::bigint AS written_at, written_at AS since, at AS until, changed_by AS replaced_by
FROM handle_range_history WHERE prefix_id = $1 AND characters = $2 AND suffix <= $3 AND suffix_to >= $3
UNION ALL
SELECT suffix, suffix_to, head, width, radix, version, packed,
       extract(epoch FROM coalesce(updated_at, created_at))::bigint, coalesce(updated_at, created_at), NULL, NULL
FROM handle_range WHERE prefix_id = $1 AND characters = $2 AND suffix <= $3 AND suffix_to >= $3
ORDER BY version DESC LIMIT $4
"""
REGISTERED_AT: Final = "SELECT created_at FROM handle WHERE prefix_id = $1 AND suffix = $2"


@dataclass(frozen=True, slots=True)
class Version:
    """What a handle said from `since` until it was replaced by somebody; now, when there is no end.

    A deleted handle says nothing, in a version of its own.
    """

    version: int
    state: State
    standing: Standing | None
    since: datetime
    until: datetime | None
    replaced_by: str | None
    values: tuple[HandleValue, ...]

    @property
    def deleted(self) -> bool:
        return self.state is State.DELETED

    def was_at(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Difference:
    """What was done to the values of one version to make those of another, by index."""

    added: tuple[HandleValue, ...]
    removed: tuple[HandleValue, ...]
    changed: tuple[tuple[HandleValue, HandleValue], ...]


class History:
    """Reads what handles said before. Everything raises HandleNotFound and DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def versions(
        self, handle: Handle, *, before: int = (1 << 31) - 1, limit: int = MAX_VERSIONS
    ) -> list[Version]:
        """The versions of a handle below a number, newest first."""
        rows = await self._rows(LIST, handle, before, limit)
        if not rows:
            rows = [one for one in await self._of_ranges(handle) if one.version < before][:limit]
        if not rows and before == NEWEST:
            raise _missing(handle)
        return rows

    async def of_version(self, handle: Handle, version: int) -> Version:
        rows = await self._rows(OF_VERSION, handle, version)
        return self._one(handle, rows or [one for one in await self._of_ranges(handle) if one.version == version])

    async def of_time(self, handle: Handle, at: datetime) -> Version:
        """As the handle was at a time; times of writing are in whole seconds."""
        rows = await self._rows(OF_TIME, handle, at)
        return self._one(handle, rows or [one for one in await self._of_ranges(handle) if one.was_at(at)])

    async def spelled(self, handle: Handle) -> Handle:
        """The handle in the spelling that it was registered in."""
        place = self._store.place(self._store.key_of(handle.octets))
        if place is None:
            raise _missing(handle)
        prefix, suffix = place
        async with self._store.connection() as connection:
            row = await connection.fetchrow(SPELLING, prefix.prefix_id, suffix)
        if row is not None:
            return Handle(prefix.spelling, row["spelling"] or suffix)
        members = await self._members(prefix, suffix)
        return members[0][0].handle(suffix) if members else Handle(prefix.spelling, suffix)

    async def _of_ranges(self, handle: Handle) -> list[Version]:
        """What the ranges said of which it is, or was, a member without a row of its own; newest first."""
        place = self._store.place(self._store.key_of(handle.octets))
        members = [] if place is None else await self._members(*place)
        return [
            Version(
                one.version,
                State.ACTIVE,
                None,
                row["since"].astimezone(UTC),
                row["until"] and row["until"].astimezone(UTC),
                row["replaced_by"],
                one.values_of(place[1]),
            )
            for one, row in members
            if place is not None
        ]

    async def _members(self, prefix: Prefix, suffix: str) -> list[tuple[HandleRange, asyncpg.Record]]:
        async with self._store.connection() as connection:
            rows = await connection.fetch(OF_RANGES, prefix.prefix_id, len(suffix), suffix, MAX_VERSIONS)
        ranges = [(HandleRange.from_row(prefix.spelling, row), row) for row in rows]
        return [(one, row) for one, row in ranges if one.position(suffix) is not None]

    async def registered_at(self, handle: Handle) -> datetime | None:
        """When a handle was first registered; None for one that never was."""
        place = self._store.place(self._store.key_of(handle.octets))
        if place is None:
            return None
        prefix, suffix = place
        async with self._store.connection() as connection:
            at = await connection.fetchval(REGISTERED_AT, prefix.prefix_id, suffix)
        return None if at is None else at.astimezone(UTC)

    async def _rows(self, query: str, handle: Handle, *arguments: Any) -> list[Version]:
        place = self._store.place(self._store.key_of(handle.octets))
        if place is None:
            raise _missing(handle)
        prefix, suffix = place
        async with self._store.connection() as connection:
            rows = await connection.fetch(query, prefix.prefix_id, suffix, *arguments)
            packed = await self._store.plain([row["packed"] for row in rows], connection)
        return [
            Version(
                row["version"],
                State(row["state"]),
                standing_from_json(row["state"], row["standing"]),
                row["since"].astimezone(UTC),
                row["until"] and row["until"].astimezone(UTC),
                row["replaced_by"],
                unpack(values, int(row["since"].timestamp())),
            )
            for row, values in zip(rows, packed, strict=True)
        ]

    def _one(self, handle: Handle, rows: list[Version]) -> Version:
        if not rows:
            raise _missing(handle)
        return rows[0]


def difference(old: Iterable[HandleValue], new: Iterable[HandleValue]) -> Difference:
    """What differs from old to new values; times of writing are not looked at."""
    before = {value.index: value for value in old}
    after = {value.index: value for value in new}
    both = sorted(before.keys() & after.keys())
    return Difference(
        tuple(after[index] for index in sorted(after.keys() - before.keys())),
        tuple(before[index] for index in sorted(before.keys() - after.keys())),
        tuple((before[index], after[index]) for index in both if not before[index].says_the_same_as(after[index])),
    )


def _missing(handle: Handle) -> HandleNotFound:
    return HandleNotFound("handle.not_found", handle=str(handle))
