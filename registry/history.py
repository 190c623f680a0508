"""What a handle said before: its versions, and itself as of a version or a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from registry.errors import HandleNotFound
from registry.handle import Handle
from registry.packing import unpack
from registry.store import ACTIVE, Store
from registry.value import HandleValue

NEWEST: Final = (1 << 31) - 1  # Above every version.
MAX_VERSIONS: Final = 1000  # In one list: some 100 kB.

# A row of the history ends when the next version began, written by who replaced it; the newest version is in `handle`.
_EVERY: Final = """
WITH every AS (
  SELECT version, state, packed, written_at AS since, at AS until, changed_by AS replaced_by
  FROM handle_history WHERE prefix_id = $1 AND suffix = $2
  UNION ALL
  SELECT version, state, packed, coalesce(updated_at, created_at), NULL, NULL
  FROM handle WHERE prefix_id = $1 AND suffix = $2)
SELECT version, state, packed, since, until, replaced_by FROM every
"""
LIST: Final = _EVERY + "WHERE version < $3 ORDER BY version DESC LIMIT $4"
OF_VERSION: Final = _EVERY + "WHERE version = $3"
OF_TIME: Final = _EVERY + "WHERE since <= $3 ORDER BY version DESC LIMIT 1"
SPELLING: Final = "SELECT spelling FROM handle WHERE prefix_id = $1 AND suffix = $2"
REGISTERED_AT: Final = "SELECT created_at FROM handle WHERE prefix_id = $1 AND suffix = $2"


@dataclass(frozen=True, slots=True)
class Version:
    """What a handle said from `since` until it was replaced by somebody; now, when there is no end.

    A deleted handle says nothing, in a version of its own.
    """

    version: int
    deleted: bool
    since: datetime
    until: datetime | None
    replaced_by: str | None
    values: tuple[HandleValue, ...]


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
        if not rows and before == NEWEST:
            raise _missing(handle)
        return rows

    async def of_version(self, handle: Handle, version: int) -> Version:
        return self._one(handle, await self._rows(OF_VERSION, handle, version))

    async def of_time(self, handle: Handle, at: datetime) -> Version:
        """As the handle was at a time; times of writing are in whole seconds."""
        return self._one(handle, await self._rows(OF_TIME, handle, at))

    async def spelled(self, handle: Handle) -> Handle:
        """The handle in the spelling that it was registered in."""
        place = self._store.place(self._store.key_of(handle.octets))
        if place is None:
            raise _missing(handle)
        prefix, suffix = place
        async with self._store.connection() as connection:
            spelling = await connection.fetchval(SPELLING, prefix.prefix_id, suffix)
        return Handle(prefix.spelling, spelling or suffix)

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
                row["state"] != ACTIVE,
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
