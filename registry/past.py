"""What handles said before, as lines of an archive: a line each version, oldest first, the present one last.

Only the present version says when the handle was registered, and that is how a reader knows it: those before it say
until when they stood and who replaced them. Handles that were written once have no past.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import asyncpg

from registry.export import value_to_json
from registry.packing import unpack
from registry.prefix import Prefix
from registry.rest import time_to_text
from registry.standing import State, shown, standing_from_json, time_of
from registry.store import Store
from registry.value import HandleValue

PAGE: Final = 1000  # Versions read at once.

_PRESENT: Final = """
SELECT suffix, NULL AS spelling, version, state, standing, packed, written_at AS since, at AS until, changed_by,
       NULL::timestamptz AS registered
FROM page
UNION ALL
SELECT suffix, coalesce(spelling, suffix), version, state, standing, packed, coalesce(updated_at, created_at), NULL,
       NULL, created_at
FROM handle WHERE prefix_id = $1 AND suffix IN (SELECT suffix FROM page)
ORDER BY suffix, version
"""
EVERY: Final = f"""
WITH page AS (
  SELECT * FROM handle_history WHERE prefix_id = $1 AND (suffix, version) > ($2::text, $3::int)
  ORDER BY suffix, version LIMIT $4)
{_PRESENT}"""  # noqa: S608  # our own columns
SOME: Final = f"""
WITH page AS (
  SELECT * FROM handle_history
  WHERE prefix_id = $1 AND suffix = ANY ($5::text[]) AND (suffix, version) > ($2::text, $3::int)
  ORDER BY suffix, version LIMIT $4)
{_PRESENT}"""  # noqa: S608  # our own columns

Show = Callable[[HandleValue], bool]


async def past(
    store: Store, prefix: Prefix, show: Show, suffixes: list[str] | None = None, page: int = PAGE
) -> AsyncIterator[tuple[list[dict[str, Any]], int]]:
    """Lines of the handles of these keys, or of all, some at a time; and how many versions were left out of them, since
    they hold what is not to be shown."""
    last: asyncpg.Record | None = None  # The present version of the handle that the page before this one ended in.
    after, version, more = "", 0, True
    while more:
        arguments = (prefix.prefix_id, after, version, page)
        async with store.connection() as connection:
            rows = await (
                connection.fetch(EVERY, *arguments)
                if suffixes is None
                else connection.fetch(SOME, *arguments, suffixes)
            )
        spelled = {row["suffix"]: row["spelling"] for row in rows if row["spelling"] is not None}
        former = [row for row in rows if row["registered"] is None]
        more = len(former) == page
        if last is not None and (not rows or rows[0]["suffix"] != last["suffix"]):
            rows = [last, *rows]
            spelled[last["suffix"]] = last["spelling"]
        if more:
            after, version = former[-1]["suffix"], former[-1]["version"]
            last = rows[-1]
            rows = rows[:-1]
        names = {suffix: f"{prefix.spelling}/{spelling}" for suffix, spelling in spelled.items()}
        yield await _lines(store, names, rows, show)


async def _lines(
    store: Store, names: Mapping[str, str], rows: list[asyncpg.Record], show: Show
) -> tuple[list[dict[str, Any]], int]:
    every = await store.plain([row["packed"] for row in rows])
    lines, left_out = [], 0
    for row, packed in zip(rows, every, strict=True):
        since = int(row["since"].timestamp())
        values = unpack(packed, since)
        if all(map(show, values)):
            lines.append(_line(names[row["suffix"]], row, since, values))
        else:
            left_out += 1
    return lines, left_out


def _line(name: str, row: asyncpg.Record, since: int, values: tuple[HandleValue, ...]) -> dict[str, Any]:
    form: dict[str, Any] = {"past": name, "version": row["version"], "state": State(row["state"]).word}
    form["since"] = time_of(since)
    standing = standing_from_json(row["state"], row["standing"])
    if standing is not None and row["state"] != State.DELETED:
        form["standing"] = shown(standing) | {"by": standing.by}
    if row["registered"] is None:
        form |= {"until": time_of(int(row["until"].timestamp())), "by": row["changed_by"]}
    else:
        form["registered"] = time_of(int(row["registered"].timestamp()))
    form["values"] = [_value(value, since) for value in values]
    return form


def _value(value: HandleValue, since: int) -> dict[str, Any]:
    """A value, with its time of writing where that is not the version's."""
    form = value_to_json(value)
    return form if value.timestamp == since else form | {"timestamp": time_to_text(value.timestamp)}
