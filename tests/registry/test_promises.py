"""The rule of 51 in 100, incidents in pairs, and the account of a month."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from registry.promises import INCIDENTS, KEPT, REGISTER, RESOLVE, Minute, account, judge, keep, trim

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def minute(asked: int, failed: int) -> Minute:
    seen = Minute()
    for number in range(asked):
        seen.add(0.01, "no answer" if number < failed else "")
    return seen


@pytest.mark.parametrize(("failed", "down"), [(0, False), (50, False), (51, True), (100, True)])
def test_a_service_is_down_when_51_in_100_probes_failed(failed, down):
    assert (judge([minute(100, failed)]) is not None) == down
    assert judge([]) is None


async def test_an_incident_begins_and_ends_once_and_the_month_counts_its_minutes(database_dsn):
    connection = await asyncpg.connect(database_dsn)
    try:
        for number, failed in enumerate([0, 4, 4, 0, 0]):
            at = BEGAN + timedelta(minutes=number)
            await keep(connection, at, {"http": minute(4, failed), "udp": minute(4, failed), "register": minute(1, 0)})
        (incident,) = await connection.fetch(INCIDENTS, BEGAN, BEGAN + timedelta(days=30))
        assert (incident["service"], incident["cause"]) == (RESOLVE, "no answer")
        assert incident["ended_at"] - incident["began_at"] == timedelta(minutes=2)
        resolve, register = await account(connection, BEGAN, BEGAN + timedelta(days=30))
        assert (resolve.minutes, resolve.down, resolve.availability) == (5, 2, 0.6)
        assert (register.service, register.availability) == (REGISTER, 1.0)
    finally:
        await connection.close()


async def test_minutes_and_incidents_of_long_ago_are_taken_out_and_what_goes_on_is_not(database_dsn):
    connection = await asyncpg.connect(database_dsn)
    try:
        for days, failed in ((0, 4), (1, 0), (2, 4)):
            await keep(connection, BEGAN + timedelta(days=days), {"http": minute(4, failed)})
        await trim(connection, BEGAN + KEPT + timedelta(days=2))
        assert [row["at"] for row in await connection.fetch("SELECT at FROM probe_minute")] == [
            BEGAN + timedelta(days=2)
        ]
        (incident,) = await connection.fetch(INCIDENTS, BEGAN - timedelta(days=9), BEGAN + timedelta(days=30))
        assert incident["ended_at"] is None
    finally:
        await connection.close()
