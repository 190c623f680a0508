"""The list of a recall: everything that a walk reached, with what is asked of each, as CSV in pieces."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from registry.handle import HandleKey
from registry.language import Language
from registry.record import HandleRecord
from registry.relations import MayRead
from registry.store import Store
from registry.tabular import cells_to_csv
from registry.trace import Named

ROWS: Final = 1000  # Handles whose values are read at once.
COLUMNS: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": ("handle", "level", "relation", "via"),
    "zh": ("标识", "层级", "关系", "经由"),
}


def heading(language: Language, fields: Sequence[str]) -> bytes:
    return cells_to_csv([*COLUMNS[language], *fields]).encode()


async def recall_rows(
    store: Store, found: Sequence[Named], fields: Sequence[str], may_read: MayRead
) -> AsyncIterator[bytes]:
    """The rows, with the values of some types that the reader may read."""
    for first in range(0, len(found), ROWS):
        some = found[first : first + ROWS]
        keys = [HandleKey(one.key.encode()) for one in some]
        records = await store.fetch_many(keys) if fields else {}
        yield "".join(
            cells_to_csv(
                [
                    *(one.handle, str(one.depth), one.relation.name, one.via),
                    *(_shown(key, records.get(key), name, may_read) for name in fields),
                ]
            )
            for one, key in zip(some, keys, strict=True)
        ).encode()


def _shown(key: HandleKey, record: HandleRecord | None, value_type: str, may_read: MayRead) -> str:
    values = () if record is None else record.select(types=(value_type,))
    return "; ".join(value.data.decode("utf-8", "replace") for value in values if may_read(key, value))
