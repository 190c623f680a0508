"""`filament stats` shows what was counted."""

import json
from datetime import datetime, timedelta

from registry.settings import RegistrySettings
from registry.statistics import ZONE, Counted, Statistics
from registry.store import Store
from tests.resolver.test_cli import filament

NOON = datetime(2026, 11, 20, 12, tzinfo=ZONE)
DAY = ("--from", "2026-11-20", "--to", "2026-11-21")


async def test_what_was_counted_is_shown_in_every_way(database_dsn):
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--dsn", database_dsn)
    at, day = int(NOON.timestamp()), int((NOON - timedelta(hours=12)).timestamp())
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    await Statistics(store).add(
        Counted(
            {(at, "http", b"88.168.1"): (3, 2), (at, "udp", b""): (4, 0)},
            {(day, "192.0.2.1", b"88.168.1"): (3, 2), (day, "192.0.2.1", b""): (4, 0)},
            {at: 5, at + 1: 2},
        )
    )
    await store.close()

    def shown(*options: str):
        return json.loads(filament("stats", *DAY, *options, "--dsn", database_dsn, "--output", "json").stdout)

    whole_day = {"at": "2026-11-20 00:00"}
    assert shown() == [
        whole_day | {"prefix": "", "requests": 4, "successes": 0},
        whole_day | {"prefix": "88.168.1", "requests": 3, "successes": 2},
    ]
    assert shown("--by", "source") == [whole_day | {"address": "192.0.2.1", "requests": 7, "successes": 2}]
    own = shown("--by", "protocol", "--per", "minute", "--prefix", "88.168.1")
    assert own == [{"at": "2026-11-20 12:00", "protocol": "http", "requests": 3, "successes": 2}]
    assert shown("--busiest") == [{"at": "2026-11-20 12:00:00", "requests": 5}]
    table = filament("stats", *DAY, "--dsn", database_dsn, "--lang", "zh").stdout
    assert table.splitlines()[0].split() == ["时间", "前缀", "请求数", "成功数"]
    assert filament("stats", "--dsn", database_dsn, "--output", "json").stdout.strip() == "[]"
    refused = filament("stats", "--prefix", "10.1", "--dsn", database_dsn, code=1)
    assert "is no prefix of this node" in refused.stderr
