"""`filament state`, `filament audit` and `filament purge` on a database of the test."""

import json

import asyncpg

from tests.resolver.test_cli import filament
from tests.resolver.test_cli_database import ENTERPRISE

CAKE = "88.168.1/Cake-1"


def prepared(dsn: str) -> tuple[str, str]:
    filament(*ENTERPRISE, "--dsn", dsn)
    filament("register", CAKE, "URL=https://example.com", "--dsn", dsn)
    return "--dsn", dsn


async def test_the_operator_puts_handles_into_states_and_sees_them(database_dsn):
    dsn = prepared(database_dsn)
    done = filament("state", "set", "revoked", CAKE, "--reason", "召回", "--successor", "88.168.1/B", *dsn)
    assert f"{CAKE} is revoked now" in done.stderr
    (shown,) = json.loads(filament("state", "show", CAKE.lower(), *dsn, "--output", "json").stdout)
    assert (shown["handle"], shown["state"], shown["by"]) == (CAKE, "revoked", "filament state")
    assert (shown["reason"], shown["successor"]) == ("召回", "88.168.1/B")
    refused = filament("register", CAKE, "URL=x", "--overwrite", *dsn, "--lang", "zh", code=1)
    assert "注销" in refused.stderr
    assert "原因" in filament("state", "show", CAKE, *dsn, "--lang", "zh").stdout
    assert "$.reason" in filament("state", "set", "frozen", CAKE, *dsn, code=1).stderr


async def test_a_name_is_reserved_until_a_day(database_dsn):
    dsn = prepared(database_dsn)
    limit = ("--reason", "7 号线", "--expires", "2100-01-01", *dsn)
    assert "预留" in filament("state", "--help", "--lang", "zh").stdout
    filament("state", "set", "reserved", "88.168.1/Next", *limit)
    (shown,) = json.loads(filament("state", "show", "88.168.1/Next", *dsn, "--output", "json").stdout)
    assert (shown["state"], shown["expires"]) == ("reserved", "2100-01-01T00:00:00Z")


async def test_the_log_names_every_act_and_shows_who_touched_it(database_dsn):
    dsn = prepared(database_dsn)
    filament("state", "set", "frozen", CAKE, "--reason", "dispute", *dsn)
    acts = json.loads(filament("audit", "list", "--prefix", "88.168.1", *dsn, "--output", "json").stdout)
    assert [(act["act"], act["by"]) for act in acts] == [
        ("handle.state", "filament state"),
        ("handle.created", "filament register"),
        ("prefix.homed", "filament enterprise"),
    ]
    assert (acts[0]["detail"]["state"], acts[0]["detail"]["reason"]) == ("frozen", "dispute")
    assert len(json.loads(filament("audit", "list", "--limit", "2", *dsn, "--output", "json").stdout)) == 2
    whole = filament("audit", "verify", *dsn).stderr
    head = whole.split("Head: ")[1].strip()
    assert "日志完整" in filament("audit", "verify", "--head", head, *dsn, "--lang", "zh").stderr
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("UPDATE audit SET by = 'nobody' WHERE number = 2")
    await connection.close()
    assert "act 2 was edited" in filament("audit", "verify", *dsn, code=1).stderr
    assert "第 2 条被修改" in filament("audit", "verify", *dsn, "--lang", "zh", code=1).stderr


async def test_the_operator_has_kept_answers_forgotten_and_it_is_written_down(database_dsn):
    dsn = prepared(database_dsn)
    said = filament("purge", CAKE, "--prefix", "88.168.1", "--beginning", "88.168.1/LOT7-", *dsn)
    assert "3 orders" in said.stderr
    acts = json.loads(filament("audit", "list", *dsn, "--output", "json", "--limit", "3").stdout)
    assert {(act["act"], act["subject"], act["by"]) for act in acts} == {
        ("cache.purged", subject, "filament purge") for subject in (CAKE, "88.168.1", "88.168.1/LOT7-*")
    }
    assert "--beginning" in filament("purge", *dsn, code=2).stderr
    assert "缓存" in filament("purge", "--help", "--lang", "zh").stdout
