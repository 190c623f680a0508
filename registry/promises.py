"""What the node promises, measured from outside: minutes of probes, incidents, and a month's account of them.

A service counts as down in a minute in which at least 51 in 100 of its probes failed, as the top node judges it. An
incident begins with the first such minute and ends with the first one after it that is not: exception and recovery.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import asyncpg

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

DOWN: Final = 0.51  # Of the probes of a minute: the guideline's rule for taking a node over.
# A month is compared with that of the year before. A year of eight probes are some four million rows.
KEPT: Final = timedelta(days=400)
LATELY: Final = timedelta(minutes=5)  # What a figure of the last while is taken from.
RESOLVE: Final = "resolve"
REGISTER: Final = "register"
VISIBLE: Final = "visible"
SERVICES: Final = {"http": RESOLVE, "https": RESOLVE, "tcp": RESOLVE, "udp": RESOLVE, REGISTER: REGISTER}

ADD: Final = """
INSERT INTO probe_minute AS p (at, probe, asked, answered, seconds, slowest)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::int[], $4::int[], $5::float8[], $6::float8[])
ON CONFLICT (at, probe) DO UPDATE SET asked = p.asked + excluded.asked, answered = p.answered + excluded.answered,
  seconds = p.seconds + excluded.seconds, slowest = greatest(p.slowest, excluded.slowest)
"""
OPEN: Final = "SELECT incident_id FROM incident WHERE service = $1 AND ended_at IS NULL"
BEGIN: Final = "INSERT INTO incident (service, cause, began_at) VALUES ($1, $2, $3)"
END: Final = "UPDATE incident SET ended_at = $2 WHERE service = $1 AND ended_at IS NULL"
MONTH: Final = """
SELECT probe, sum(asked)::bigint AS asked, sum(answered)::bigint AS answered,
       sum(seconds) / nullif(sum(answered), 0) AS mean, max(slowest) AS slowest
FROM probe_minute WHERE at >= $1 AND at < $2 GROUP BY probe ORDER BY probe
"""
AVAILABLE: Final = """
SELECT count(*) AS minutes, count(*) FILTER (WHERE (asked - answered)::float8 >= $3::float8 * asked) AS down FROM (
  SELECT at, sum(asked) AS asked, sum(answered) AS answered FROM probe_minute
  WHERE at >= $1 AND at < $2 AND probe = ANY($4::text[]) GROUP BY at) AS m
"""
NEWEST: Final = "SELECT max(at) FROM probe_minute"
INCIDENTS: Final = """
SELECT service, cause, began_at, ended_at FROM incident
WHERE began_at < $2 AND (ended_at IS NULL OR ended_at >= $1) ORDER BY began_at
"""


TRIM: Final = "DELETE FROM probe_minute WHERE at < $1"
TRIM_INCIDENTS: Final = "DELETE FROM incident WHERE ended_at < $1"


@dataclass(slots=True)
class Minute:
    """What one probe saw in one minute."""

    asked: int = 0
    answered: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, seconds: float, reason: str = "") -> None:
        """One try; with a reason it failed."""
        self.asked += 1
        if reason:
            self.reasons[reason] += 1
            return
        self.answered += 1
        self.seconds += seconds
        self.slowest = max(self.slowest, seconds)


@dataclass(frozen=True, slots=True)
class Account:
    """A service over a time: the minutes in which it was probed, and those in which it was down."""

    service: str
    minutes: int
    down: int

    @property
    def availability(self) -> float | None:
        return None if not self.minutes else 1.0 - self.down / self.minutes


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe over the last minutes; the seconds are of what succeeded."""

    probe: str
    asked: int
    answered: int
    mean: float | None
    slowest: float


@dataclass(frozen=True, slots=True)
class Incident:
    """An exception and, unless it goes on, its recovery."""

    service: str
    cause: str
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the promises stand: this month's accounts and incidents, the probes of the last minutes, the newest one."""

    accounts: tuple[Account, ...]
    lately: tuple[Probed, ...]
    incidents: tuple[Incident, ...]
    newest: datetime | None


def judge(minutes: Sequence[Minute]) -> str | None:
    """Of the probes of one service in one minute: why it was down; None when it was not, or was not asked."""
    asked, failed = sum(one.asked for one in minutes), sum(one.asked - one.answered for one in minutes)
    if not asked or failed < DOWN * asked:
        return None
    reasons: Counter[str] = sum((one.reasons for one in minutes), Counter())
    return reasons.most_common(1)[0][0]


async def keep(connection: asyncpg.Connection, at: datetime, probes: dict[str, Minute]) -> None:
    """Adds a minute, and begins or ends the incidents that it shows, in one transaction."""
    async with connection.transaction():
        columns = zip(*((one.asked, one.answered, one.seconds, one.slowest) for one in probes.values()), strict=True)
        await connection.execute(ADD, [at] * len(probes), list(probes), *map(list, columns))
        for service in (RESOLVE, REGISTER):
            minutes = [one for probe, one in probes.items() if SERVICES.get(probe) == service]
            if not minutes:
                continue
            cause, is_open = judge(minutes), await connection.fetchval(OPEN, service) is not None
            if cause is not None and not is_open:
                await connection.execute(BEGIN, service, cause[:500], at)
            elif cause is None and is_open:
                await connection.execute(END, service, at)


async def account(connection: Connection, begin: datetime, end: datetime) -> list[Account]:
    found = []
    for service in (RESOLVE, REGISTER):
        probes = [probe for probe, of in SERVICES.items() if of == service]
        row = await connection.fetchrow(AVAILABLE, begin, end, DOWN, probes)
        assert row is not None
        found.append(Account(service, row["minutes"], row["down"]))
    return found


async def standing(connection: Connection, begin: datetime, end: datetime, now: datetime) -> Standing:
    """Of the month that begins and ends so, and holds this moment."""
    incidents = await connection.fetch(INCIDENTS, begin, end)
    return Standing(
        tuple(await account(connection, begin, end)),
        tuple(Probed(*row.values()) for row in await connection.fetch(MONTH, now - LATELY, end)),
        tuple(Incident(*row.values()) for row in incidents),
        await connection.fetchval(NEWEST),
    )


async def trim(connection: Connection, now: datetime) -> None:
    """Takes out minutes of long ago, and incidents that had ended by then."""
    await connection.execute(TRIM, now - KEPT)
    await connection.execute(TRIM_INCIDENTS, now - KEPT)
