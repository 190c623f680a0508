"""Suffixes made by the server: for a handle that is registered with it, or in blocks for a line that is offline.

A serial is taken by one statement that adds to the counter of its scope, so that no two writers get the same, and
another line or day waits for nobody. With a handle it is taken in the transaction that registers the handle: what is
taken back takes its serial back, and no number is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from registry import library
from registry.acts import Act
from registry.changes import ChangeKind
from registry.dictionaries import Connection
from registry.errors import HandleNotFound, ProtocolFault
from registry.prefix import Prefix
from registry.statistics import ZONE
from registry.store import Store
from registry.suffixes import (
    ANY_TEMPLATE,
    Minter,
    SuffixRule,
    check_line,
    check_minters,
    check_rules,
    check_templates,
    rule_from_json,
    template_key,
)
from registry.transaction import LOG, begin, log_change

MAX_BLOCK: Final = 1_000_000  # Serials of one block: what a line makes in some weeks.
MAX_SHOWN: Final = 10_000  # Suffixes written out in one answer; a longer block is known by its first and its last.
MAX_BLOCKS: Final = 1000  # In one list.

MINTER: Final = "SELECT form::text FROM minter WHERE prefix_id = $1 AND name = $2"
MINTERS: Final = "SELECT form::text FROM minter WHERE prefix_id = $1 ORDER BY name"
RULES: Final = "SELECT form::text FROM suffix_rule WHERE prefix_id = $1 ORDER BY place"
TAKE: Final = """
INSERT INTO minted (prefix_id, minter, scope, last) VALUES ($1, $2, $3, $4)
ON CONFLICT (prefix_id, minter, scope) DO UPDATE SET last = minted.last + excluded.last RETURNING last
"""
RESERVE: Final = """
INSERT INTO suffix_block (prefix_id, minter, scope, first, count, line, day, reserved_by, reserved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
BLOCKS: Final = """
SELECT minter, first, count, line, day, reserved_by, reserved_at FROM suffix_block
WHERE prefix_id = $1 ORDER BY reserved_at DESC, minter, scope, first LIMIT $2
"""
FORGET_RULES: Final = "DELETE FROM suffix_rule WHERE prefix_id = $1"
FORGET_MINTERS: Final = "DELETE FROM minter WHERE prefix_id = $1"
ADD_RULE: Final = """
INSERT INTO suffix_rule (prefix_id, place, form, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)
"""
ADD_MINTER: Final = "INSERT INTO minter (prefix_id, name, form, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)"
# Drafts of others are nobody's business, not even that they are there.
TEMPLATES: Final = """
SELECT DISTINCT asked.owner || '/' || asked.name AS template
FROM unnest($1::text[], $2::text[]) AS asked (owner, name)
JOIN prefix AS p ON p.prefix = asked.owner
JOIN template AS t ON t.prefix_id = p.prefix_id AND t.name = asked.name
WHERE t.state > 0 OR t.prefix_id = $3
"""
# Two who save for one prefix at once wait for each other here.
HOLD: Final = "SELECT prefix_id FROM prefix WHERE prefix_id = $1 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Asked:
    """A suffix that is wanted: made by which minter, for which line and day. Without a day it is today, in China."""

    minter: str
    line: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Suffixes that nobody else gets; none are written out where there are more than 10,000."""

    minter: str
    line: str
    day: date
    first: str
    last: str
    count: int
    suffixes: list[str]


@dataclass(frozen=True, slots=True)
class Reserved:
    """A block that was reserved."""

    minter: str
    line: str
    day: date
    first: str
    last: str
    count: int
    reserved_by: str
    reserved_at: datetime


class Minting:
    """Makes suffixes, and keeps how they are made. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def next(self, prefix: Prefix, asked: Asked, connection: Connection) -> str:
        """One more suffix, taken in the transaction of this connection. Raises HandleNotFound and ProtocolFault."""
        minter = await self._minter(prefix, asked.minter, connection)
        line, day = _line(minter, asked), _day(asked)
        serial = await _take(connection, prefix, minter, minter.scope(line, day), 1) if minter.counts else 0
        return minter.suffix(serial, line, day)

    async def reserve(self, prefix: Prefix, asked: Asked, count: int, by: str) -> Block:
        """Suffixes for later: nobody else gets them. Random ones are made up, which nobody else will be either."""
        if not 1 <= count <= MAX_BLOCK:
            raise ProtocolFault("json.field", path="$.count", rule=f"is not between 1 and {MAX_BLOCK}", value=count)
        async with begin(self._store, by) as transaction:
            connection = transaction.connection
            minter = await self._minter(prefix, asked.minter, connection)
            line, day = _line(minter, asked), _day(asked)
            if not minter.counts:
                return _random_block(minter, line, day, count)
            scope = minter.scope(line, day)
            first = await _take(connection, prefix, minter, scope, count)
            row = (prefix.prefix_id, minter.name, scope, first, count, line, day, by, datetime.now(UTC))
            await connection.execute(RESERVE, *row)
            last = first + count - 1
            first_and_last = minter.suffix(first, line, day), minter.suffix(last, line, day)
            detail = {"first": first_and_last[0], "last": first_and_last[1], "count": count}
            subject = f"{prefix.spelling} {minter.name}"
            await transaction.keep(Act("suffixes.reserved", subject, prefix.prefix_id, detail))
        shown = range(first, last + 1) if count <= MAX_SHOWN else ()
        suffixes = [minter.suffix(serial, line, day) for serial in shown]
        return Block(minter.name, line, day, *first_and_last, count, suffixes)

    async def blocks(self, prefix: Prefix) -> list[Reserved]:
        """The blocks reserved last, newest first, of minters that are still there."""
        minters = {minter.name: minter for minter in await self.minters(prefix)}
        async with self._store.connection() as connection:
            rows = await connection.fetch(BLOCKS, prefix.prefix_id, MAX_BLOCKS)
        reserved = []
        for row in rows:
            if (minter := minters.get(row["minter"])) is not None and minter.counts:
                line, day, first, count = row["line"], row["day"], row["first"], row["count"]
                suffixes = minter.suffix(first, line, day), minter.suffix(first + count - 1, line, day)
                whose = row["reserved_by"], row["reserved_at"]
                reserved.append(Reserved(minter.name, line, day, *suffixes, count, *whose))
        return reserved

    async def rules(self, prefix: Prefix) -> list[SuffixRule]:
        async with self._store.connection() as connection:
            return [rule_from_json(row["form"]) for row in await connection.fetch(RULES, prefix.prefix_id)]

    async def minters(self, prefix: Prefix) -> list[Minter]:
        async with self._store.connection() as connection:
            rows = await connection.fetch(MINTERS, prefix.prefix_id)
        return [msgspec.json.decode(row["form"], type=Minter) for row in rows]

    async def set_rules(self, prefix: Prefix, rules: Sequence[SuffixRule], by: str) -> None:
        """Gives a prefix these rules instead of its own, after their samples were tried and their templates found.

        Raises ProtocolFault.
        """
        check_rules(rules)
        now = datetime.now(UTC)
        rows = [(prefix.prefix_id, place, _json(rule), by, now) for place, rule in enumerate(rules)]
        async with begin(self._store, by) as transaction:
            connection = transaction.connection
            await connection.execute(HOLD, prefix.prefix_id)
            check_templates(rules, await _there(connection, prefix, rules))
            await connection.execute(FORGET_RULES, prefix.prefix_id)
            await connection.executemany(ADD_RULE, rows)
            told = {
                "rules": [rule.pattern or rule.check for rule in rules],
                "templates": sorted({template for rule in rules for template in rule.templates}),
            }
            await transaction.keep(Act("suffix-rules.set", prefix.spelling, prefix.prefix_id, told))
            # Writers learn of them with the prefixes, which they read anew when they hear of this.
            await log_change(connection, LOG, ChangeKind.PREFIX, prefix.prefix_id, None, None, None)
        await self._store.load_prefixes()

    async def set_minters(self, prefix: Prefix, minters: Sequence[Minter], by: str) -> None:
        """Gives a prefix these minters instead of its own; one of a name known before counts on."""
        check_minters(minters)
        now = datetime.now(UTC)
        rows = [(prefix.prefix_id, minter.name, _json(minter), by, now) for minter in minters]
        async with begin(self._store, by) as transaction:
            connection = transaction.connection
            await connection.execute(HOLD, prefix.prefix_id)
            await connection.execute(FORGET_MINTERS, prefix.prefix_id)
            await connection.executemany(ADD_MINTER, rows)
            told = {"minters": {minter.name: minter.layout for minter in minters}}
            await transaction.keep(Act("minters.set", prefix.spelling, prefix.prefix_id, told))

    async def _minter(self, prefix: Prefix, name: str, connection: Connection) -> Minter:
        form = None if "\0" in name else await connection.fetchval(MINTER, prefix.prefix_id, name)
        if form is None:
            raise HandleNotFound("minter.not_found", prefix=prefix.spelling, minter=name[:100])
        return msgspec.json.decode(form, type=Minter)


async def _there(connection: Connection, prefix: Prefix, rules: Sequence[SuffixRule]) -> set[str]:
    """Those of the templates of these rules that are published here, or drafts of this prefix; see `template_key`."""
    named = {template_key(template) for rule in rules for template in rule.templates if template != ANY_TEMPLATE}
    asked = [key.split("/") for key in sorted(named)]
    rows = await connection.fetch(TEMPLATES, [one[0] for one in asked], [one[1] for one in asked], prefix.prefix_id)
    return {row["template"] for row in rows} | {key.partition("@")[0] for key in library.TEMPLATES}


async def _take(connection: Connection, prefix: Prefix, minter: Minter, scope: str, count: int) -> int:
    """The first of so many serials. Raises ProtocolFault when there is no room for them."""
    last = int(await connection.fetchval(TAKE, prefix.prefix_id, minter.name, scope, count))
    if last > minter.last:
        left = max(0, minter.last - (last - count))
        raise ProtocolFault("minter.exhausted", minter=minter.name, last=minter.last, left=left)
    return last - count + 1


def _random_block(minter: Minter, line: str, day: date, count: int) -> Block:
    if count > MAX_SHOWN:
        raise ProtocolFault("json.field", path="$.count", rule=f"is at most {MAX_SHOWN} at random", value=count)
    suffixes = [minter.suffix(0, line, day) for _ in range(count)]
    return Block(minter.name, line, day, suffixes[0], suffixes[-1], count, suffixes)


def _line(minter: Minter, asked: Asked) -> str:
    """Raises ProtocolFault for what is no line, or where one is needed and none is named."""
    check_line(asked.line)
    if "{line}" in minter.layout and not asked.line:
        raise ProtocolFault("json.field", path="$.line", rule=f"is needed by minter {minter.name!r}", value="none")
    return asked.line


def _day(asked: Asked) -> date:
    return asked.day or datetime.now(ZONE).date()


def _json(form: msgspec.Struct) -> str:
    return msgspec.json.encode(form).decode()
