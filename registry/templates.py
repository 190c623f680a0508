"""Templates in the book: saved as a draft, published, deprecated; and values held to those that they name.

A published version is never changed and never taken out: what was registered with it goes on fitting it. Deprecated, it
takes no new handles, and those that name it may still be changed. Which ones there are is public; drafts are their
prefix's alone.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

import asyncpg
import msgspec

from registry import library
from registry.acts import Act
from registry.changes import ChangeKind
from registry.dictionaries import Connection
from registry.errors import HandleAlreadyExists, HandleNotFound, InvalidValue, ProtocolFault
from registry.prefix import Prefix
from registry.store import Store
from registry.template import Template, TemplateName, check_template, named_template
from registry.transaction import LOG, begin, log_change
from registry.typed_values import Checker
from registry.value import HandleValue

MAX_KNOWN: Final = 1000  # Templates kept ready by a process; each is some kilobytes.
MAX_LISTED: Final = 1000  # In one answer, newest versions first.


class State(IntEnum):
    DRAFT = 0
    PUBLISHED = 1
    DEPRECATED = 2


# What may become what: a draft is published, and the two states of what is published may be exchanged.
_BEFORE: Final[Mapping[State, list[State]]] = {
    State.PUBLISHED: [State.DRAFT, State.DEPRECATED],
    State.DEPRECATED: [State.PUBLISHED],
}

FIND: Final = """
SELECT p.spelling AS owner, t.name, t.version, t.state, t.form
FROM unnest($1::text[], $2::text[], $3::int[]) AS asked (owner, name, version)
JOIN prefix AS p ON p.prefix = asked.owner
JOIN template AS t ON t.prefix_id = p.prefix_id AND t.name = asked.name AND t.version = asked.version
"""
LIST: Final = """
SELECT p.spelling AS owner, t.name, t.version, t.state, t.form FROM template AS t JOIN prefix AS p USING (prefix_id)
WHERE ($1::int IS NULL OR t.prefix_id = $1) AND (t.state > 0 OR $2)
ORDER BY p.prefix, t.name, t.version DESC LIMIT $3
"""
VERSIONS: Final = """
SELECT p.spelling AS owner, t.name, t.version, t.state, t.form FROM template AS t JOIN prefix AS p USING (prefix_id)
WHERE t.prefix_id = $1 AND t.name = $2 AND t.state > 0 ORDER BY t.version DESC LIMIT $3
"""
# The draft is the version behind the last one that was published; between the two parts of this statement somebody may
# publish it, and then nothing is written.
SAVE: Final = """
INSERT INTO template (prefix_id, name, version, form, changed_by, changed_at)
SELECT $1::int, $2::text, coalesce(max(version), 0) + 1, $3::jsonb, $4::text, $5::timestamptz
FROM template WHERE prefix_id = $1 AND name = $2 AND state > 0
ON CONFLICT (prefix_id, name, version) DO UPDATE
SET form = excluded.form, changed_by = excluded.changed_by, changed_at = excluded.changed_at
WHERE template.state = 0 RETURNING version
"""
MOVE: Final = """
UPDATE template SET state = $4, changed_by = $6, changed_at = $7
WHERE prefix_id = $1 AND name = $2 AND version = $3 AND state = ANY ($5::smallint[]) RETURNING version
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of a template as it is kept."""

    name: TemplateName
    state: State
    template: Template


_LIBRARY: Final = {
    TemplateName.from_text(name).key: Kept(TemplateName.from_text(name), State.PUBLISHED, one)
    for name, one in library.BY_NAME.items()
}


class Templates:
    """Keeps templates. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[State, Checker]] = {}
        self._known_with = store.prefixes

    async def check(self, values: tuple[HandleValue, ...], connection: Connection, *, new: bool = False) -> None:
        """Refuses values that are not what the template that they name says; read, where it is not known yet, over the
        connection of the transaction that writes them. Raises InvalidValue."""
        named = named_template(values)
        if named is None:
            return
        index, name = named
        known = await self._checker(name, connection)
        if known is None:
            raise InvalidValue("template.unknown", index=index, template=str(name))
        state, checker = known
        if new and state is State.DEPRECATED:
            raise InvalidValue("template.deprecated", index=index, template=str(name))
        checker.check(values)

    async def published(self, names: Iterable[TemplateName], connection: Connection | None = None) -> dict[str, Kept]:
        """Those of the templates that are or were published, by key of name."""
        found = await self._find(names, connection)
        return {key: kept for key, kept in found.items() if kept.state > State.DRAFT}

    async def one(self, name: TemplateName, connection: Connection | None = None) -> Kept:
        """A template, be it a draft. Raises HandleNotFound."""
        kept = (await self._find([name], connection)).get(name.key)
        if kept is None:
            raise HandleNotFound("template.not_found", template=str(name))
        return kept

    async def listed(self, prefix: Prefix | None, *, drafts: bool) -> list[Kept]:
        """The templates of a prefix, or of all and the library's, every version."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(LIST, None if prefix is None else prefix.prefix_id, drafts, MAX_LISTED)
        kept = [_kept(row) for row in rows]
        return kept if prefix is not None else [*_LIBRARY.values(), *kept]

    async def versions(self, prefix: Prefix, name: str) -> list[Kept]:
        """The versions of a template that are or were published, the newest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(VERSIONS, prefix.prefix_id, name, MAX_LISTED)
        return [_kept(row) for row in rows]

    async def save(self, prefix: Prefix, name: str, template: Template, by: str) -> int:
        """Makes this the draft of the next version, and says which one that is. Raises ProtocolFault."""
        _name(prefix, name, 1)
        check_template(template)
        form = msgspec.json.encode(template).decode()
        if "\\u0000" in form:
            raise ProtocolFault("json.field", path="$", rule="holds the character U+0000", value=name)
        async with begin(self._store, by) as transaction:
            version = await transaction.connection.fetchval(SAVE, prefix.prefix_id, name, form, by, transaction.at)
            if version is None:
                raise HandleAlreadyExists("template.state", template=f"{prefix.spelling}/{name}", state="published")
            named = f"{prefix.spelling}/{name}@{version}"
            digest = hashlib.sha256(form.encode()).hexdigest()
            await transaction.keep(Act("template.saved", named, prefix.prefix_id, {"sha256": digest}))
        return int(version)

    async def move(self, prefix: Prefix, name: str, version: int, state: State, by: str) -> Kept:
        """Publishes or deprecates a version. Raises HandleNotFound, and ProtocolFault from the wrong state."""
        named = _name(prefix, name, version)
        if state not in _BEFORE:
            raise ProtocolFault("json.field", path="$.state", rule="is published or deprecated", value=state.name)
        row = (prefix.prefix_id, name, version, state, _BEFORE[state], by, datetime.now(UTC))
        async with begin(self._store, by) as transaction:
            connection = transaction.connection
            if await connection.fetchval(MOVE, *row) is None:
                kept = await self.one(named, connection)
                if kept.state is not state:
                    raise HandleAlreadyExists("template.state", template=str(named), state=kept.state.name.lower())
            await transaction.keep(Act(f"template.{state.name.lower()}", str(named), prefix.prefix_id))
            # Whoever writes reads the prefixes anew when he hears of this, and forgets what he knew of templates.
            await log_change(connection, LOG, ChangeKind.PREFIX, prefix.prefix_id, None, None, None)
        await self._store.load_prefixes()
        return await self.one(named)

    async def _checker(self, name: TemplateName, connection: Connection) -> tuple[State, Checker] | None:
        """What values are held to. What is found is known until the prefixes are read anew."""
        if self._known_with is not self._store.prefixes or len(self._known) > MAX_KNOWN:
            self._known, self._known_with = {}, self._store.prefixes
        known = self._known.get(name.key)
        if known is None and (kept := (await self.published([name], connection)).get(name.key)) is not None:
            known = self._known[name.key] = kept.state, Checker(str(kept.name), kept.template)
        return known

    async def _find(self, names: Iterable[TemplateName], connection: Connection | None) -> dict[str, Kept]:
        asked = list(names)
        found = {name.key: _LIBRARY[name.key] for name in asked if name.key in _LIBRARY}
        others = [name for name in asked if name.key not in found]
        if not others:
            return found
        columns = (
            [name.owner.upper() for name in others],
            [name.name for name in others],
            [name.version for name in others],
        )
        async with self._store.connection() if connection is None else nullcontext(connection) as reading:
            rows = await reading.fetch(FIND, *columns)
        return found | {kept.name.key: kept for kept in map(_kept, rows)}


def _name(prefix: Prefix, name: str, version: int) -> TemplateName:
    """Raises ProtocolFault for what is no name of a template."""
    try:
        return TemplateName.from_text(f"{prefix.spelling}/{name}@{version}")
    except ValueError as error:
        raise ProtocolFault("http.parameter", name="name", value=name[:100], rule=str(error)) from None


def _kept(row: asyncpg.Record) -> Kept:
    name = TemplateName(row["owner"], row["name"], row["version"])
    return Kept(name, State(row["state"]), msgspec.json.decode(row["form"], type=Template))
