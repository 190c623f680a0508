"""The prober over a running node: what it writes shows over every protocol, and a node that is gone is an incident."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg

from registry.handle import Handle
from registry.promises import INCIDENTS, MONTH
from registry.settings import RegistrySettings
from registry.statistics import ZONE
from resolver.prober import Prober
from resolver.questions import Place, Questioner
from tests.resolver.running_node import RunningNode, arguments
from tests.resolver.test_cli import filament

PROBES = {"http", "https", "tcp", "udp", "register", "visible"}


async def test_what_is_probed_is_kept_and_a_node_that_is_gone_is_an_incident(database_dsn, tmp_path):
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--dsn", database_dsn)
    with RunningNode(*arguments(database_dsn, tmp_path, workers=1)) as node:
        url, _ = node.ready()
        native = int(node.hear(r"listening on port \d+, and (\d+) for")[1])
        port = int(url.rpartition(":")[2])
        place = Place("127.0.0.1", {"http": port, "https": port, "tcp": native, "udp": native})
        handle = Handle.from_text("88.168.1/PROBE")
        prober = Prober(RegistrySettings(dsn=database_dsn), Questioner(place), str(handle), handle)
        for _ in range(2):
            await prober.probe()
    later = datetime.now(UTC) + timedelta(minutes=2)
    await prober.write_down(later)
    connection = await asyncpg.connect(database_dsn)
    try:
        month = (later - timedelta(days=1), later)
        seen = {row["probe"]: row for row in await connection.fetch(MONTH, *month)}
        assert set(seen) == PROBES
        assert all(row["asked"] == row["answered"] == 2 for row in seen.values()), seen
        assert not await connection.fetch(INCIDENTS, *month)

        gone = Prober(RegistrySettings(dsn=database_dsn), Questioner(place, timeout=0.5), str(handle))
        await gone.probe()
        await gone.write_down(later + timedelta(minutes=5))
        (incident,) = await connection.fetch(INCIDENTS, later - timedelta(days=1), later)
        assert (incident["service"], incident["ended_at"]) == ("resolve", None)
        month = incident["began_at"].astimezone(ZONE).strftime("%Y-%m")
        shown = filament("promises", "--month", month, "--dsn", database_dsn, "--output", "json").stdout
        resolve, register = json.loads(shown)
        assert (resolve["service"], resolve["minutes"] >= 1, register["availability"]) == ("resolve", True, 1.0)
    finally:
        await connection.close()
