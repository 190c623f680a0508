"""Statistics over HTTP: who may see what, and how it is asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from registry.statistics import ZONE, Counted, Statistics, begin_of
from tests.registry.interface import Node

NOW = int(datetime.now(UTC).timestamp())
MINUTE = NOW - NOW % 60
TODAY = begin_of("day", datetime.fromtimestamp(NOW, UTC)).astimezone(ZONE).isoformat()


@pytest.fixture
async def counted(node: Node) -> Node:
    await Statistics(node.store).add(
        Counted(
            {(MINUTE, "http", b"88.168.1"): (3, 2), (MINUTE, "udp", b"88.168.2"): (5, 4)},
            {(MINUTE, "192.0.2.1", b"88.168.2"): (5, 4)},
            {NOW: 8},
        )
    )
    return node


async def ask(node: Node, query: str, headers: dict[str, str], status: int = 200):
    async with node.client.get(f"/api/statistics{query}", headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_the_operator_sees_every_prefix_by_day(counted: Node):
    found = await ask(counted, f"?from={quoted(TODAY)}", counted.operator)
    assert found == [
        {"at": TODAY, "name": "88.168.1", "requests": 3, "successes": 2},
        {"at": TODAY, "name": "88.168.2", "requests": 5, "successes": 4},
    ]


async def test_an_enterprise_sees_its_own_prefix_and_no_other(counted: Node):
    await ask(counted, "", counted.enterprise, 403)
    await ask(counted, "?prefix=88.168.1", counted.enterprise, 403)
    await ask(counted, "/busiest", counted.enterprise, 403)
    await ask(counted, "?prefix=88.168.2", {}, 401)
    found = await ask(counted, f"?prefix=88.168.2&by=source&from={quoted(TODAY)}", counted.enterprise)
    assert [(row["name"], row["requests"], row["successes"]) for row in found] == [("192.0.2.1", 5, 4)]
    (row,) = await ask(counted, f"?prefix=88.168.2&by=protocol&per=minute&from={quoted(TODAY)}", counted.enterprise)
    assert (row["name"], datetime.fromisoformat(row["at"]).timestamp()) == ("udp", MINUTE)


async def test_a_time_without_a_zone_is_that_of_china(counted: Node):
    day = datetime.fromisoformat(TODAY)
    tomorrow = (day + timedelta(days=1)).date().isoformat()
    assert len(await ask(counted, f"?from={day.date().isoformat()}&to={tomorrow}", counted.operator)) == 2
    assert await ask(counted, f"?from={tomorrow}", counted.operator) == []
    assert await ask(counted, f"?from=2020-01-01&to={day.date().isoformat()}", counted.operator) == []


async def test_the_busiest_second_is_told_for_each_day(counted: Node):
    (row,) = await ask(counted, f"/busiest?from={quoted(TODAY)}", counted.operator)
    assert (row["day"], row["requests"]) == (TODAY, 8)
    assert datetime.fromisoformat(row["at"]).timestamp() == NOW


@pytest.mark.parametrize(
    "query", ["?per=week", "?by=colour", "?by=source&per=hour", "?from=yesterday", "?to=0001-01-01T00:00%2B14:00"]
)
async def test_what_cannot_be_counted_is_refused_with_the_parameter(counted: Node, query: str):
    refusal = await ask(counted, query, counted.operator, 400)
    name = query[1:].partition("=")[0] if "source" not in query else "per"
    assert f"{name}=" in refusal["detail"]


async def test_more_rows_than_anybody_reads_are_refused(counted: Node, monkeypatch: pytest.MonkeyPatch):
    for module in ("statistics", "statistics_api"):
        monkeypatch.setattr(f"registry.{module}.MAX_ROWS", 1)
    refusal = await ask(counted, f"?per=minute&from={quoted(TODAY)}", counted.operator, 400)
    assert "more than 1 rows" in refusal["detail"]


def quoted(text: str) -> str:
    return text.replace("+", "%2B")
