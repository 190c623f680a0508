"""Mappings of columns in the book: kept for the enterprise and the set of names in a header."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from registry import acts
from registry.acts import Act
from registry.bulk import chunks_of
from registry.chunks import Chunk, Form, Reading
from registry.column_mapping import MappingForm, check, header_digest
from registry.errors import TooManyRequests
from registry.job_files import pieces
from registry.store import Store
from registry.tabular import Columns

OF_NODE: Final = 0  # Stands for the node where an enterprise has a number.
MAX_MAPPINGS: Final = 1000  # Of one enterprise: a factory has some dozens of sheets.

FIND: Final = "SELECT form FROM column_mapping WHERE enterprise_id = $1 AND header_digest = $2"
LIST: Final = "SELECT form FROM column_mapping WHERE enterprise_id = $1 ORDER BY saved_at DESC LIMIT $2"
COUNT: Final = "SELECT count(*) FROM column_mapping WHERE enterprise_id = $1"
SAVE: Final = """
INSERT INTO column_mapping (enterprise_id, header_digest, form, saved_by, saved_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (enterprise_id, header_digest) DO UPDATE
SET form = excluded.form, saved_by = excluded.saved_by, saved_at = excluded.saved_at
"""


class Mappings:
    """Keeps mappings. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, enterprise_id: int | None, names: Sequence[str]) -> MappingForm | None:
        """What was said of tables with these columns."""
        async with self._store.connection() as connection:
            form = await connection.fetchval(FIND, enterprise_id or OF_NODE, header_digest(names))
        return None if form is None else msgspec.json.decode(form, type=MappingForm)

    async def listed(self, enterprise_id: int | None) -> list[MappingForm]:
        """All of an enterprise, the newest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(LIST, enterprise_id or OF_NODE, MAX_MAPPINGS)
        return [msgspec.json.decode(row["form"], type=MappingForm) for row in rows]

    async def save(self, enterprise_id: int | None, form: MappingForm, by: str) -> None:
        """Remembers a mapping in place of the one for the same header. Raises ProtocolFault, TooManyRequests."""
        check(form)
        now = datetime.now(UTC)
        row = (header_digest(form.columns), msgspec.json.encode(form).decode(), by, now)
        async with self._store.connection() as connection, connection.transaction():
            await connection.execute(SAVE, enterprise_id or OF_NODE, *row)
            if await connection.fetchval(COUNT, enterprise_id or OF_NODE) > MAX_MAPPINGS:
                raise TooManyRequests("mapping.too_many", limit=MAX_MAPPINGS)
            act = Act("mapping.saved", ", ".join(form.columns)[:200], None, {"enterprise": enterprise_id})
            await acts.keep(connection, act, at=now, by=by, program=self._store.program)


class _Header(Exception):  # no error: the header was reached
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names


async def header_of(store: Store, path: Path, form: Form) -> Sequence[str]:
    """The names of a table's columns. Raises ProtocolFault for a file that is not of its form."""

    def stop(names: Sequence[str]) -> Columns:
        raise _Header(names)

    with path.open("rb") as file:
        chunks: AsyncGenerator[Chunk, None] = chunks_of(store, pieces(file), form, Reading(columns_of=stop))
        try:
            async with aclosing(chunks):
                async for _ in chunks:
                    break
        except _Header as header:
            return header.names
    return ()
