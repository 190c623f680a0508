"""The short form of `bench.kills`: processes of a node are killed while others write."""

from pathlib import Path

from bench.kills import measure


async def test_no_acknowledged_write_is_lost_doubled_or_half_done_when_processes_are_killed(tmp_path: Path):
    said = await measure(kills=4, seconds=60, writers=3, directory=tmp_path / "node")
    assert sum(said["kills"].values()) > 0
    assert said["handles"] > 0
    wrong = ("lost", "half", "doubled", "unknown", "answered_otherwise")
    assert {name: said[name] for name in wrong} == dict.fromkeys(wrong, 0), said
    assert said["refused"] == []
