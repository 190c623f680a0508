"""Everything that is kept under some prefixes, as NDJSON that a job takes in again: the way out, and the way back.

A handle is a line as a bulk load has it. What is no handle is a line of its own that begins with its kind: `template`,
`prefix` (what the prefix's own handle says, 0.NA/prefix), `range` (one line, however many members), `state`, `deleted`,
`withdrawn` (a range), `views` (who may read what), `rules` and `minters` of suffixes, `past` (a version of a handle, as
`registry.past` has it).
The first line names the cursor of the change feed from which the next archive goes on (`since`), the last one how many
handles there were: one without it was broken off. The time of writing is carried over with the past, so handles that
were written once have that of the book that takes them in.

What `since` leads to are the handles that changed and those that were deleted; templates, ranges and rules are in every
archive. Handles and ranges with values that their reader may not see are left out whole, and counted. What lets people
in or belongs to a node does not go along: keys and administrators of the prefix, people, tokens, webhooks with their
secrets, limits, and the audit log, whose acts were those of this node.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import asyncpg
import msgspec
import orjson

from registry.export import value_to_json
from registry.feed import Cursor, Feed
from registry.handle import NAMING_AUTHORITY, Handle
from registry.handle_range import HandleRange
from registry.minting import Minting
from registry.opening import said
from registry.packing import unpack
from registry.past import past
from registry.prefix import Prefix
from registry.row_locks import is_distributed
from registry.standing import State, shown, standing_from_json
from registry.store import Store
from registry.templates import Templates
from registry.value import HandleValue, type_matches
from registry.views import NO_VIEWS

# A chunk of a load is written within a minute of when it was begun, which is the time that its rows have.
CHUNK_TIME: Final = timedelta(minutes=10)
PAGE: Final = 1000  # Handles read at once.
MAX_SEEN: Final = 1_000_000  # Names remembered, so that a handle that changed often comes once; then it may come again.

# Members of ranges that were deleted have a row that says so; other deleted handles are simply not there.
HANDLES: Final = """
SELECT h.suffix, coalesce(h.spelling, h.suffix) AS spelling, h.state, h.standing, h.packed FROM handle AS h
WHERE h.prefix_id = $1 AND h.suffix > $2 AND (h.state <> 1 OR EXISTS (
  SELECT FROM handle_range AS r WHERE r.prefix_id = $1 AND r.characters = length(h.suffix)
  AND r.suffix <= h.suffix AND r.suffix_to >= h.suffix))
ORDER BY h.suffix LIMIT $3
"""
# The same on Citus, to whose other servers the ranges of the prefix are sent with it.
HANDLES_THERE: Final = """
WITH spans AS MATERIALIZED (SELECT characters, suffix, suffix_to FROM handle_range WHERE prefix_id = $1)
SELECT h.suffix, coalesce(h.spelling, h.suffix) AS spelling, h.state, h.standing, h.packed FROM handle AS h
WHERE h.prefix_id = $1 AND h.suffix > $2 AND (h.state <> 1 OR EXISTS (
  SELECT FROM spans AS r WHERE r.characters = length(h.suffix) AND r.suffix <= h.suffix AND r.suffix_to >= h.suffix))
ORDER BY h.suffix LIMIT $3
"""
CHANGED: Final = """
SELECT suffix, coalesce(spelling, suffix) AS spelling, state, standing, packed FROM handle
WHERE prefix_id = $1 AND suffix = ANY ($2::text[]) ORDER BY suffix
"""
LOADED: Final = """
SELECT suffix, coalesce(spelling, suffix) AS spelling, state, standing, packed FROM handle
WHERE prefix_id = $1 AND suffix > $2 AND suffix <= $3 AND coalesce(updated_at, created_at) >= $4
ORDER BY suffix LIMIT $5
"""
RANGES: Final = """
SELECT suffix AS first, suffix_to AS last, head, width, radix, version, packed,
       extract(epoch FROM coalesce(updated_at, created_at))::bigint AS written_at
FROM handle_range WHERE prefix_id = $1 AND suffix > $2 ORDER BY suffix LIMIT $3
"""
MINTED: Final = 'SELECT minter, scope, last FROM minted WHERE prefix_id = $1 ORDER BY minter COLLATE "C", scope'

# Of the protocol's own values of a prefix handle the one that is content: handles that a template makes answer by it.
NAMESPACE: Final = "HS_NAMESPACE"

Readable = Callable[[Prefix, HandleValue], bool]


@dataclass(slots=True)
class _Count:
    handles: int = 0
    left_out: int = 0


async def archive(
    store: Store, prefixes: Sequence[Prefix], readable: Readable, since: Cursor | None = None, *, views: bool = True
) -> AsyncGenerator[bytes, None]:
    """Lines, some at a time; `views` says whether who may read what is among them. Raises ProtocolFault for a cursor
    that is over, before the first of them."""
    feed = Feed(store)
    if since is not None:
        await feed.read(since, None, 1)
    now = await feed.now()
    names = [prefix.spelling for prefix in prefixes]
    yield _line({"archive": {"prefixes": names, "since": since and str(since), "cursor": str(now)}})
    count = _Count()
    for prefix in prefixes:
        async for lines in _definitions(store, prefix, readable, count):
            yield lines
        withdrawn: list[str] = []
        pages = _pages(store, prefix) if since is None else _changed(store, feed, prefix, since, withdrawn)
        async for rows in pages:
            yield await _handles(store, prefix, rows, readable, count)
            if since is not None:
                async for lines in _past(store, prefix, readable, count, [row["suffix"] for row in rows]):
                    yield lines
        if since is None:
            async for lines in _past(store, prefix, readable, count):
                yield lines
        yield b"".join(_line({"withdrawn": name}) for name in withdrawn)
        if views and prefix.views != NO_VIEWS:
            yield _line({"views": prefix.spelling, "form": msgspec.to_builtins(said(prefix))})
        yield await _suffixes(store, prefix)
    yield _line({"end": {"handles": count.handles, "leftOut": count.left_out}})


def goes_along(value: HandleValue) -> bool:
    """Whether a value of a prefix handle is content: the others say who administers the prefix, and where it is."""
    return type_matches(value.type, NAMESPACE) or not value.type.upper().startswith("HS_")


async def _definitions(store: Store, prefix: Prefix, readable: Readable, count: _Count) -> AsyncIterator[bytes]:
    """Templates, oldest versions first, the handle of the prefix, and ranges."""
    listed = await Templates(store).listed(prefix, drafts=True)
    for kept in sorted(listed, key=lambda one: (one.name.name, one.name.version)):
        form = {
            "template": str(kept.name),
            "state": kept.state.name.lower(),
            "form": msgspec.to_builtins(kept.template),
        }
        yield _line(form)
    own = await store.fetch(store.key_of(Handle(NAMING_AUTHORITY, prefix.spelling).octets))
    if own is not None:
        values = [value for value in own.values if goes_along(value) and readable(prefix, value)]
        yield _line({"prefix": prefix.spelling, "values": [value_to_json(value) for value in values]})
    after = ""
    while prefix.ranged:
        async with store.connection() as connection:
            rows = await connection.fetch(RANGES, prefix.prefix_id, after, PAGE)
        if not rows:
            break
        ranges = [HandleRange.from_row(prefix.spelling, row) for row in rows]
        told = [one for one in ranges if all(readable(prefix, value) for value in one.values)]
        count.left_out += len(ranges) - len(told)
        yield b"".join(map(_range_line, told))
        after = ranges[-1].first


async def _suffixes(store: Store, prefix: Prefix) -> bytes:
    """How suffixes are made; behind the handles, which need not fit rules that are younger than they."""
    minting = Minting(store)
    async with store.connection() as connection:
        minted = [dict(row) for row in await connection.fetch(MINTED, prefix.prefix_id)]
    rules, minters = await minting.rules(prefix), await minting.minters(prefix)
    lines = b""
    if rules:
        lines += _line({"rules": prefix.spelling, "form": msgspec.to_builtins(rules)})
    if minters:
        lines += _line({"minters": prefix.spelling, "form": msgspec.to_builtins(minters), "minted": minted})
    return lines


async def _pages(store: Store, prefix: Prefix) -> AsyncIterator[list[asyncpg.Record]]:
    after = ""
    while True:
        async with store.connection() as connection:
            handles = HANDLES_THERE if await is_distributed(connection) else HANDLES
            rows = await connection.fetch(handles, prefix.prefix_id, after, PAGE)
        if not rows:
            return
        yield rows
        after = rows[-1]["suffix"]


async def _changed(
    store: Store, feed: Feed, prefix: Prefix, since: Cursor, withdrawn: list[str]
) -> AsyncIterator[list[asyncpg.Record]]:
    """Rows of the handles that changed behind a cursor, as they are now; and the ranges that were taken out."""
    seen: set[str] = set()
    more = True
    while more:
        page = await feed.read(since, prefix)
        since, more = page.cursor, page.more
        singles: set[str] = set()
        for event in page.events:
            kind, data = event.form["type"], event.form["data"]
            if kind == "filament.range.deleted":
                withdrawn.append(data["from"])
            elif kind == "filament.handles.loaded":
                written_at = datetime.fromisoformat(event.form["time"]) - CHUNK_TIME
                async for rows in _loaded(
                    store, prefix, _key(store, data["from"]), _key(store, data["to"]), written_at
                ):
                    yield [row for row in rows if row["suffix"] not in seen]
                    seen.update(row["suffix"] for row in rows)
            elif kind.startswith("filament.handle."):
                singles.add(_key(store, data["handle"]))
        async with store.connection() as connection:
            yield await connection.fetch(CHANGED, prefix.prefix_id, sorted(singles - seen))
        seen.update(singles)
        if len(seen) > MAX_SEEN:
            seen.clear()


async def _loaded(
    store: Store, prefix: Prefix, first: str, last: str, written_at: Any
) -> AsyncIterator[list[asyncpg.Record]]:
    """Rows between two keys that were written then or later."""
    async with store.connection() as connection:
        rows = await connection.fetch(CHANGED, prefix.prefix_id, [first])
    yield rows
    after = first
    while True:
        async with store.connection() as connection:
            rows = await connection.fetch(LOADED, prefix.prefix_id, after, last, written_at, PAGE)
        if not rows:
            return
        yield rows
        after = rows[-1]["suffix"]


async def _handles(
    store: Store, prefix: Prefix, rows: Sequence[asyncpg.Record], readable: Readable, count: _Count
) -> bytes:
    every = await store.plain([row["packed"] for row in rows])
    return b"".join(
        line for row, packed in zip(rows, every, strict=True) for line in _lines(prefix, row, packed, readable, count)
    )


async def _past(
    store: Store, prefix: Prefix, readable: Readable, count: _Count, suffixes: list[str] | None = None
) -> AsyncIterator[bytes]:
    async for lines, left_out in past(store, prefix, partial(readable, prefix), suffixes):
        count.left_out += left_out
        yield b"".join(map(_line, lines))


def _lines(prefix: Prefix, row: asyncpg.Record, packed: bytes, readable: Readable, count: _Count) -> Iterable[bytes]:
    name = f"{prefix.spelling}/{row['spelling']}"
    if row["state"] == State.DELETED:
        yield _line({"deleted": name})
        return
    values = unpack(packed, 0)
    if not all(readable(prefix, value) for value in values):
        count.left_out += 1
        return
    count.handles += 1
    if values or row["state"] != State.RESERVED:
        yield _line({"handle": name, "values": [value_to_json(value) for value in values]})
    standing = standing_from_json(row["state"], row["standing"])
    if standing is not None:
        yield _line({"state": name, "standing": shown(standing) | {"by": standing.by}})


def _key(store: Store, name: str) -> str:
    """The key of the suffix of a handle."""
    return store.key_of(name.encode()).partition(b"/")[2].decode()


def _range_line(one: HandleRange) -> bytes:
    about = {"members": one.members, "width": one.width, "radix": one.radix}
    return _line({"range": str(one.handle(one.first)), **about, "values": [value_to_json(each) for each in one.values]})


def _line(form: Any) -> bytes:
    return orjson.dumps(form, option=orjson.OPT_APPEND_NEWLINE)
