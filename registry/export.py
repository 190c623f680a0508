"""The book as NDJSON in the form that the bulk load reads: what was loaded comes out, and goes in again equal.

Only the time of writing is not carried over: a handle is as old as its row in the book that it is loaded into.
Handles that are reserved, revoked or expired are left out: a load registers active ones.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import asyncpg
import orjson

from registry.data_forms import data_to_json
from registry.errors import PrefixNotHomed
from registry.packing import unpack
from registry.prefix import Prefix
from registry.rest import time_to_text
from registry.store import Store
from registry.value import DEFAULT_PERMISSIONS, DEFAULT_TTL, HandleValue, type_matches

PAGE: Final = 1000  # Handles read at once.

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
        after = ""
        while True:
            async with store.connection() as connection:
                rows = await connection.fetch(PAGE_OF_HANDLES, one.prefix_id, after, PAGE)
            if not rows:
                break
            yield b"".join(_lines(one, rows, await store.plain([row["packed"] for row in rows]), with_secrets))
            after = rows[-1]["suffix"]


def _chosen(store: Store, prefix: str | None) -> list[Prefix]:
    if prefix is None:
        return store.prefixes.homed()
    found = store.prefixes.find(prefix.encode().upper())
    if found is None or not found.homed:
        raise PrefixNotHomed("prefix.not_homed")
    return [found]


def _lines(
    prefix: Prefix, rows: Iterable[asyncpg.Record], every_packed: Iterable[bytes], with_secrets: bool
) -> Iterable[bytes]:
    for row, packed in zip(rows, every_packed, strict=True):
        values = unpack(packed, 0)
        if with_secrets or not any(type_matches(value.type, "HS_SECKEY.") for value in values):
            form = {"handle": f"{prefix.spelling}/{row['spelling']}", "values": [_value_to_json(one) for one in values]}
            yield orjson.dumps(form, option=orjson.OPT_APPEND_NEWLINE)


def _value_to_json(value: HandleValue) -> dict[str, Any]:
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
