"""What the prober wrote down is on the status page and among the figures, and its absence is said."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from registry.promises import Minute, keep
from registry.settings import RegistrySettings
from resolver.listeners.promised import Promised
from resolver.listeners.status import create_app
from resolver.listeners.status_page import TEXTS
from tests.resolver.test_status import Node


def minute(asked: int, failed: int) -> Minute:
    seen = Minute()
    for number in range(asked):
        seen.add(0.004, "<no answer>" if number < failed else "")
    return seen


async def asked(dsn: str, path: str, language: str = "en") -> str:
    """Of a port that has read nothing before."""
    app = create_app(Node(), Promised(lambda: RegistrySettings(dsn=dsn)))
    async with (
        TestClient(TestServer(app)) as client,
        client.get(path, headers={"Accept-Language": language}) as response,
    ):
        assert response.status == 200
        return await response.text()


async def figures(dsn: str) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(await asked(dsn, "/metrics"))
    return {
        (sample.name.removeprefix("filament_promise_"), "".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("filament_promise_")
    }


@pytest.fixture
async def probed(database_dsn):
    """Two minutes of this month: all was well, then most resolutions failed, and it goes on."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    connection = await asyncpg.connect(database_dsn)
    try:
        for ago, failed in ((2, 0), (1, 3)):
            probes = {"http": minute(4, failed), "register": minute(1, 0), "visible": minute(1, 0)}
            await keep(connection, now - timedelta(minutes=ago), probes)
    finally:
        await connection.close()
    return database_dsn


async def test_what_was_probed_is_among_the_figures(probed):
    shown = await figures(probed)
    assert shown["up", "resolve"] == 0
    # In the first minutes of a month the fixture's fall into the one before.
    assert shown["measured_seconds", "resolve"] in (0, 60, 120)
    assert shown["down_seconds", "resolve"] <= 60
    assert shown.get(("up", "register"), 1) == 1
    assert shown["failed_ratio", "http"] == pytest.approx(3 / 8)
    assert shown["mean_seconds", "visible"] == pytest.approx(0.004)
    assert shown["slowest_seconds", "register"] == pytest.approx(0.004)
    assert 0 < shown["age_seconds", ""] < 600


async def test_a_node_that_nobody_has_probed_is_neither_up_nor_down(database_dsn):
    shown = await figures(database_dsn)
    assert not {("age_seconds", ""), ("up", "resolve"), ("up", "register")} & shown.keys()
    assert shown["measured_seconds", "resolve"] == 0
    assert TEXTS["unmeasured"][0] in await asked(database_dsn, "/")


@pytest.mark.parametrize(("language", "at"), [("en", 0), ("zh", 1)])
async def test_the_page_says_what_happened_in_the_language_of_its_reader(probed, language, at):
    page = await asked(probed, "/", language)
    for rule in ("ready", "availability", "resolve", "visible", "goes_on"):
        assert TEXTS[rule][at] in page, rule
    assert "&lt;no answer&gt;" in page
    assert "<no answer>" not in page


async def test_a_book_that_is_away_is_said_and_costs_no_other_figure():
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    assert await figures(nowhere) == {}
    assert "filament_ready 1.0" in await asked(nowhere, "/metrics")
    assert TEXTS["away"][0] in await asked(nowhere, "/")
