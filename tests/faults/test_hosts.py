"""The short form of `bench.hosts`: clients, resolver, registry, primary and replica, with wires between them cut."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from bench.hosts import DISTURBANCES, measure
from bench.observers import STALE
from bench.wires import Wires

SECONDS = 3.0  # that each lasts: longer than an answer may be old without saying so
SHORT = ("resolver without a database", "resolver and enterprise apart")

pytestmark = [
    pytest.mark.timeout(400),  # two cores, and other tests on them
    pytest.mark.skipif(bool(Wires.missing()), reason=Wires.missing() or "never"),
]


@pytest.fixture(scope="module")
def figures() -> dict:
    # Not pytest's directory: Postgres is another account, which may not enter there.
    with tempfile.TemporaryDirectory(prefix="filament-hosts-") as made:
        directory = Path(made)
        directory.chmod(0o755)
        return asyncio.run(measure([one for one in DISTURBANCES if one.name in SHORT], SECONDS, directory))


@pytest.fixture
def faults(figures: dict) -> dict[str, dict]:
    return {one["fault"]: one for one in figures["faults"]}


def test_nothing_acknowledged_is_lost_when_hosts_cannot_reach_each_other(figures: dict):
    wrong = ("lost", "half", "doubled", "unknown", "answered_otherwise")
    assert {name: figures["writes"][name] for name in wrong} == dict.fromkeys(wrong, 0), figures["writes"]
    assert figures["writes"]["handles"] > 0


def test_kept_answers_go_on_without_a_database_and_say_when_they_are_old(faults: dict):
    kept = faults["resolver without a database"]["kept"]["seen"]
    assert kept["answered, said to be old"] > 0
    assert not kept.keys() & {"refused", "cut off", "wrong", STALE}


def test_what_is_not_kept_is_refused_without_a_database_and_comes_back(faults: dict):
    apart = faults["resolver without a database"]
    assert apart["anew"]["seen"]["refused"] > 0
    assert "wrong" not in apart["anew"]["seen"]
    assert "wrong" not in apart["write"]["seen"]
    assert apart["calm_after"] is not None


def test_what_an_enterprise_answers_is_refused_while_nobody_reaches_it_and_the_rest_goes_on(faults: dict):
    apart = faults["resolver and enterprise apart"]
    assert apart["passed on"]["seen"]["refused"] > 0
    kept = apart["kept"]["seen"]
    assert kept["answered"] > 0
    assert not kept.keys() & {"refused", "cut off", "wrong", STALE}  # Old ones say so, on a machine that stalls.
    assert apart["calm_after"] is not None
