"""`filament doctor` on a node that is well, on one whose parts are not, and where none runs."""

import json
import os
import signal
import socket

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from registry.language import text
from resolver.diagnosis import answers, machine
from resolver.diagnosis.finding import BAD, DOUBTFUL, GOOD, Finding
from resolver.diagnosis.texts import FINDINGS, PARTS, REMEDIES
from resolver.questions import Place
from resolver.settings import ResolverSettings, Settings
from tests.resolver.running_node import RunningNode, arguments, ask, until
from tests.resolver.test_cli import filament

PROTOCOLS = ("HTTP", "HTTPS", "Handle/TCP", "Handle/UDP")


def examined(line: list[str], node: RunningNode, *more: str, code: int = 0) -> list[dict[str, str]]:
    """What the doctor finds of a running node, whose ports are known from its log."""
    url, status = node.ready()
    ports = {"resolver.port": url.rpartition(":")[2], "status.port": status.rpartition(":")[2]}
    ports["resolver.native_port"] = node.hear(r"listening on port \d+, and (\d+) for")[1]
    ports["registry.port"] = node.hear(r"the registry listens on \S+:(\d+)")[1]
    line = [word for word in line if word != "up"]
    for name, port in ports.items():
        line += ["--set", f"{name}={port}"]
    return json.loads(filament("doctor", "--json", *line, *more, code=code).stdout)


async def test_a_node_that_is_well_has_nothing_bad_and_answers_over_each_protocol(database_dsn, tmp_path):
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--dsn", database_dsn)
    filament("register", "88.168.1/A", "SPEC=a", "--dsn", database_dsn)
    line = arguments(database_dsn, tmp_path, workers=1)
    with RunningNode(*line) as node:
        found = examined(line, node)
    assert [finding for finding in found if finding["state"] == "bad"] == []
    assert {finding["part"] for finding in found} >= set(PARTS) - {"backup", "upstream"}
    resolved = [finding["message"] for finding in found if finding["part"] == "answers"]
    assert [protocol for protocol in PROTOCOLS if any(f"over {protocol}: response code 1" in one for one in resolved)]
    assert len(resolved) == len(PROTOCOLS)


async def test_what_is_wrong_is_named_with_its_remedy_in_the_readers_language(database_dsn, tmp_path):
    line = arguments(database_dsn, tmp_path, workers=1)
    with RunningNode(*line) as node:
        _, status = node.ready()
        connection = await asyncpg.connect(database_dsn)
        await connection.execute("INSERT INTO schema_migration VALUES (9999, 'later', '', clock_timestamp())")
        await connection.close()
        os.kill(node.pid_of("registry"), signal.SIGKILL)
        until(lambda: ask(f"{status}/readyz")[0] == 503, "unreadiness")
        found = examined(line, node, "--lang", "zh", code=1)
    bad = {finding["part"]: finding for finding in found if finding["state"] == "bad"}
    assert "请升级程序" in bad["schema"]["message"]
    assert bad["processes"]["remedy"] == text(REMEDIES, "processes.unready", "zh")


def test_where_no_node_runs_the_page_says_so_and_does_not_start_one(tmp_path):
    line = ["--data-directory", str(tmp_path), "--set", "status.port=1", "--set", "resolver.port=1"]
    shown = filament("doctor", *line, "--set", "resolver.native_port=1", "--set", "registry.port=1", code=1)
    assert "the node's own Postgres does not run" in shown.stdout
    assert "→ start the node (filament up)" in shown.stdout
    assert "findings are bad" in shown.stderr
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        ('filament_staleness_seconds 0.0\nfilament_staleness_seconds{worker="2"} 3.5', BAD),
        ("filament_staleness_seconds 0.0", GOOD),
        ("", GOOD),
    ],
)
def test_the_worst_resolver_decides_whether_changes_are_heard(figures, state):
    shown = f"# TYPE filament_staleness_seconds gauge\n{figures}\n"
    families = {family.name: family for family in text_string_to_metric_families(shown)}
    assert answers.change_log(families, 2.0).state == state


def test_a_clock_far_from_the_databases_is_doubtful():
    assert next(iter(machine.clock(-90.0))).state == DOUBTFUL
    assert next(iter(machine.clock(0.01))).state == GOOD


def test_a_disk_without_room_is_bad(tmp_path, monkeypatch):
    monkeypatch.setattr("registry.start_checks.LEAST_ROOM", 1 << 62)
    directory = Settings().registry
    found = machine.disk(Settings(registry=type(directory)(data_directory=str(tmp_path))))
    assert (found.state, "make room" in found.sentence("en")) == (BAD, True)


def test_every_finding_that_may_be_wrong_has_a_remedy_in_both_languages():
    good = {"reached", "current", "known", "heard", "quiet", "roomy", "right", "open", "valid", "allowed", "unknown",
            "ready", "came", "refused"}  # fmt: skip
    rules = {rule for rule in FINDINGS if rule.rpartition(".")[2] not in good}
    assert rules == set(REMEDIES)
    assert Finding("clock", GOOD, "clock.right", {"seconds": 0.0}).remedy("zh") == ""


async def test_the_port_of_dns_is_looked_at_where_a_zone_is_answered_for():
    with socket.create_server(("127.0.0.1", 0)) as other:
        closed = other.getsockname()[1]
    for zone, names in (("", set()), ("oid-res.test", {"DNS"})):
        settings = Settings(resolver=ResolverSettings(dns_zone=zone, dns_port=closed))
        found = await machine.ports(settings, Place("127.0.0.1", {}))
        assert {one.culprit["name"] for one in found if one.culprit.get("port") == closed} == names
