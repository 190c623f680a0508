"""Scenarios measure the node that they are given, and write in nobody else's registry."""

import pytest

from bench.scenarios import SCENARIOS, WRITING, NotOurs, Wish, run
from resolver.cli.benchmark import NAMES as TYPED
from tests.resolver.http.lab import URL, lab

NAMES = [f"88.118.1/{number}" for number in range(50)]
READING = [name for name in SCENARIOS if name not in WRITING]


def test_every_scenario_can_be_typed():
    assert tuple(SCENARIOS) == TYPED


async def test_a_node_that_runs_is_asked_in_every_way(database_dsn, tmp_path):
    (tmp_path / "names").write_text("\n".join(NAMES))
    async with lab(database_dsn, tmp_path, dict.fromkeys(NAMES, (URL,))) as node:
        wish = Wish(f"http://127.0.0.1:{node.port}", node.native_port, tmp_path / "names", seconds=0.2, rate=500.0)
        runs = await run(READING, wish)
    for one in runs:
        assert one["sent"] == one["answered"] > 0
        assert one["wrong"] == one["lost"] == 0
    assert [one["name"] for one in runs] == READING


async def test_nothing_is_written_at_a_node_that_is_not_ours(tmp_path):
    with pytest.raises(NotOurs):
        await run(["register"], Wish("http://127.0.0.1:1"))


@pytest.mark.timeout(400)
async def test_a_node_of_our_own_registers_and_lives_through_a_day():
    register, day = await run(["register", "day"], Wish(count=3000, seconds=0.3))
    assert register["identifiers"] == register["answered"] > 0
    assert (register["wrong"], register["lost"], day["wrong"], day["lost"]) == (0, 0, 0, 0)
    assert day["registered_before"] == 3000 + register["identifiers"]
    assert day["kinds"]["load"]["answered"] > 0
