"""Decisions: every step of an application or an enterprise, by whom and why, written with what it changes."""

from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from registry.acts import Act
from registry.errors import InvalidValue
from registry.transaction import Transaction

MAX_REASON: Final = 1000  # Characters.

DECIDE: Final = """
INSERT INTO decision (at, application_id, enterprise_id, step, decided_by, reason) VALUES ($1, $2, $3, $4, $5, $6)
"""
OF: Final = """
SELECT at, step, decided_by, reason FROM decision
WHERE ($1::int IS NOT NULL AND application_id = $1) OR ($2::int IS NOT NULL AND enterprise_id = $2) ORDER BY decision_id
"""

Connection = asyncpg.pool.PoolConnectionProxy


async def decide(
    transaction: Transaction,
    step: str,
    *,
    by: str,
    reason: str,
    application_id: int | None = None,
    enterprise_id: int | None = None,
) -> None:
    """Writes a decision down where people look for it, and as an act."""
    row = (datetime.now(UTC), application_id, enterprise_id, step, by, reason)
    await transaction.connection.execute(DECIDE, *row)
    detail = {"reason": reason, "enterprise": enterprise_id}
    if application_id is not None:
        await transaction.keep(Act(f"application.{step}", f"application:{application_id}", None, detail))
    else:
        await transaction.keep(Act(f"enterprise.{step}", f"enterprise:{enterprise_id}", None, detail))


async def decisions_of(
    connection: Connection, *, application_id: int | None = None, enterprise_id: int | None = None
) -> list[dict[str, Any]]:
    """The decisions about an application or an enterprise, the oldest first."""
    return [dict(row) for row in await connection.fetch(OF, application_id, enterprise_id)]


def check_reason(reason: str) -> str:
    """A reason that a person can read; there must be one. Raises InvalidValue."""
    told = reason.strip()
    if not 0 < len(told) <= MAX_REASON or "\0" in told:
        raise InvalidValue("decision.reason", limit=MAX_REASON)
    return told
