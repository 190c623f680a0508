"""The book as NDJSON in the form that the bulk load reads: what was loaded comes out, and goes in again equal.

A member of a range comes out as a handle of its own, so that any node can take it. Only the time of writing is not
carried over: a handle is as old as its row in the book that it is loaded into.
Handles that are reserved, revoked or expired are left out: a load registers active ones.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import orjson

from registry.data_forms import data_to_json
from registry.errors import PrefixNotHomed
from registry.listing import PAGE, Listed, read_page, read_values
from registry.prefix import Prefix
from registry.rest import time_to_text
from registry.store import Store
from registry.value import DEFAULT_PERMISSIONS, DEFAULT_TTL, HandleValue, type_matches

PAGE_OF_HANDLES: Final = """
SELECT suffix, coalesce(spelling, suffix) AS spelling, packed FROM handle
WHERE prefix_id = $1 AND suffix > $2 AND state IN (0, 3) ORDER BY suffix LIMIT $3
"""


async def export_handles(store: Store, prefix: str | None, *, with_secrets: bool = False) -> AsyncIterator[bytes]:
    """Lines of the handles of a prefix, or of all prefixes homed here. Raises PrefixNotHomed.

    Without secrets, handles that hold a secret key are left out whole: loaded again without it, they would lose it.
    """
    await store.load_prefixes()
    for one in _chosen(store, prefix):
        end: str | None = ""
        while end is not None:
            async with store.connection() as connection:
                page = await read_page(connection, one, end, PAGE, PAGE_OF_HANDLES)
            lines = b"".join(_lines(one, page.handles, await read_values(store, page.handles), with_secrets))
            if lines:
                yield lines
            end = page.end


def _chosen(store: Store, prefix: str | None) -> list[Prefix]:
    if prefix is None:
        return store.prefixes.homed()
    found = store.prefixes.find(prefix.encode().upper())
    if found is None or not found.homed:
        raise PrefixNotHomed("prefix.not_homed")
    return [found]


def _lines(
    prefix: Prefix, handles: Iterable[Listed], every: Iterable[tuple[HandleValue, ...]], with_secrets: bool
) -> Iterable[bytes]:
    for one, values in zip(handles, every, strict=True):
        if with_secrets or not any(type_matches(value.type, "HS_SECKEY.") for value in values):
            form = {
                "handle": f"{prefix.spelling}/{one.spelling}",
                "values": [value_to_json(value) for value in values],
            }
            yield orjson.dumps(form, option=orjson.OPT_APPEND_NEWLINE)


def value_to_json(value: HandleValue) -> dict[str, Any]:
    """What differs from the usual, and nothing else."""
    data = data_to_json(value.type, value.data)
    form: dict[str, Any] = {"index": value.index, "type": value.type}
    form["data"] = data["value"] if data["format"] == "string" else data
    if value.ttl_absolute:
        form["ttl"] = time_to_text(value.ttl)
    elif value.ttl != DEFAULT_TTL:
        form["ttl"] = value.ttl
    if value.permissions != DEFAULT_PERMISSIONS:
        form["permissions"] = f"{value.permissions:04b}"
    if value.references:
        form["references"] = [{"handle": one.handle, "index": one.index} for one in value.references]
    return form
