"""Acts, written down by the transaction that does them: who did what, to what, when, and through which program.

An act that is in the book is written down, and one that was taken back is not. `registry.audit` chains them afterwards,
because transactions commit in another order than they begin, and a chain made meanwhile would make them wait in line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from registry.changes import Operation
from registry.refusal import storable

COLUMNS: Final = "at, by, program, act, prefix_id, subject, detail"
KEEP: Final = f"INSERT INTO act ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"  # noqa: S608  # our own columns

# What is done to a handle. Others name their acts where they do them, in the same way: what it is done to, and what.
OF_HANDLE: Final[Mapping[Operation, str]] = {
    Operation.CREATED: "handle.created",
    Operation.UPDATED: "handle.updated",
    Operation.DELETED: "handle.deleted",
    Operation.STATE: "handle.state",
}


@dataclass(frozen=True, slots=True)
class Act:
    """What was done to a subject; `prefix_id` lets those who administer that prefix see it too."""

    act: str
    subject: str
    prefix_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def row_of(act: Act, at: datetime, by: str, program: str) -> tuple[datetime, str, str, str, int | None, str, str]:
    """An act as COLUMNS have it."""
    return at, by, program, act.act, act.prefix_id, storable(act.subject), orjson.dumps(act.detail).decode()


async def keep(connection: asyncpg.pool.PoolConnectionProxy, act: Act, *, at: datetime, by: str, program: str) -> None:
    """Writes an act into the transaction that does it."""
    await connection.execute(KEEP, *row_of(act, at, by, program))
