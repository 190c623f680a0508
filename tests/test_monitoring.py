"""The alert rules and the dashboard that are shipped name figures that exist, and alarm when they should."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from registry.promises import Account, Probed, Standing
from resolver.listeners.status import exposition
from resolver.metrics import Exposition, Metrics

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES_TEST = ROOT / "deploy" / "prometheus" / "alerts_test.yml"
BOARD = ROOT / "deploy" / "grafana" / "filament.json"
TOOLS = ROOT / ".tools" / "usr" / "bin" / "promtool"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SEEN = Standing((Account("resolve", 1, 0),), (Probed("http", 1, 1, 0.01, 0.01),), (), NOON)
NAME = re.compile(r"\bfilament_\w+\b")


class Node:
    """A source with a process that can be looked at."""

    def reasons(self):
        return []

    def notices(self):
        return []

    def processes(self):
        return {"worker 1": os.getpid()}

    def restarts(self):
        return {"worker 1": 0}


def measured() -> set[str]:
    """The name of every figure that a node shows."""
    worker = Exposition(Metrics())
    worker.flush()
    shown = exposition(Node(), None, SEEN).decode() + generate_latest(worker.registry).decode()
    return {sample.name for family in text_string_to_metric_families(shown) for sample in family.samples}


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def test_every_figure_that_a_rule_names_exists():
    assert {name for rule in rules() for name in NAME.findall(rule["expr"])} <= measured()


def test_every_figure_that_the_dashboard_shows_exists():
    panels = json.loads(BOARD.read_text("utf-8"))["panels"]
    named = {name for panel in panels for target in panel["targets"] for name in NAME.findall(target["expr"])}
    assert named <= measured()
    assert len(panels) == len({panel["id"] for panel in panels})


def test_every_alarm_says_in_both_languages_what_is_wrong():
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "summary_zh"}, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.judge
@pytest.mark.parametrize("words", [("check", "rules", str(RULES)), ("test", "rules", str(RULES_TEST))])
def test_promtool_finds_the_rules_right(words):
    promtool = shutil.which("promtool") or (str(TOOLS) if TOOLS.exists() else None)
    if promtool is None:
        pytest.skip("promtool is neither on PATH nor in .tools")
    done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
