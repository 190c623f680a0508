"""The short form of `bench.faults`: a node on one machine meets one fault after another while clients ask and write."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from bench.faults import measure
from bench.observed import KINDS
from bench.observers import STALE
from bench.troubles import TROUBLES

SECONDS = 1.0  # that each fault lasts
ELSEWHERE = ("enterprise: silent", "enterprise: of another handle")
SHORT = ("worker killed", "Postgres killed", "Postgres stands still", "disk full", "no descriptors left",
         "file system read-only", *ELSEWHERE, "clock an hour ahead")  # fmt: skip

pytestmark = pytest.mark.timeout(400)  # two cores, and other tests on them


@pytest.fixture(scope="module")
def figures() -> dict:
    # Not pytest's directory: Postgres is another account, which may not enter there.
    with tempfile.TemporaryDirectory(prefix="filament-faults-") as made:
        directory = Path(made)
        directory.chmod(0o755)
        return asyncio.run(measure([one for one in TROUBLES if one.name in SHORT], SECONDS, directory))


@pytest.fixture
def faults(figures: dict) -> dict[str, dict]:
    return {one["fault"]: one for one in figures["faults"] if "missing" not in one}


def test_no_acknowledged_write_is_lost_half_done_doubled_or_answered_otherwise(figures: dict):
    wrong = ("lost", "half", "doubled", "unknown", "answered_otherwise")
    assert {name: figures["writes"][name] for name in wrong} == dict.fromkeys(wrong, 0), figures["writes"]
    assert figures["writes"]["handles"] > 0


@pytest.mark.parametrize("name", SHORT)
def test_clients_get_no_wrong_and_no_stale_answer_and_the_node_finds_its_calm(faults: dict, figures: dict, name: str):
    if name not in faults:
        pytest.skip(next(one["missing"] for one in figures["faults"] if one["fault"] == name))
    seen = {outcome for kind in KINDS for outcome in faults[name][kind]["seen"]}
    assert not seen & {"wrong", STALE}, (faults[name], figures["writes"]["refused"])
    assert faults[name]["calm_after"] is not None, faults[name]


@pytest.mark.parametrize("name", ["disk full", "Postgres killed", "Postgres stands still"])
def test_kept_answers_go_on_whatever_befalls_the_database(faults: dict, name: str):
    if name not in faults:
        pytest.skip("not on this machine")
    assert "cut off" not in faults[name]["kept"]["seen"], faults[name]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_enterprise_that_says_nothing_or_lies_costs_nobody_else_an_answer(faults: dict, figures: dict, name: str):
    assert "refused" in faults[name]["passed on"]["seen"]
    for kind in ("kept", "anew"):
        assert not faults[name][kind]["seen"].keys() & {"refused", "cut off"}, faults[name]
    assert figures["enterprise"][name.removeprefix("enterprise: ")] > 0
