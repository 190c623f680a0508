"""locust runs our users against a node without a failure, and for as long as it was told to."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.judges.judge import ROOT, RUNNING, environment
from tests.resolver.http.lab import URL, lab

NAMES = [f"88.118.1/标识 {number}" for number in range(100)]
SECONDS = 3


@pytest.mark.judge
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("user", "requests"), [("HttpUser", {"resolve", "resolve list"}), ("NativeUser", {"resolve"})])
async def test_a_node_fails_no_request_of_locust(database_dsn: str, tmp_path: Path, user: str, requests: set[str]):
    python = await asyncio.to_thread(environment, "bench")
    names = tmp_path / "names"
    names.write_text("\n".join(NAMES), "utf-8")
    async with lab(database_dsn, tmp_path, dict.fromkeys(NAMES, (URL,))) as node:
        command = [
            *(python, "-m", "locust", "-f", ROOT / "bench" / "locustfile.py", "--headless", "--json", "--only-summary"),
            *("--host", f"http://127.0.0.1:{node.port}", "--names", names, "--native-port", str(node.native_port)),
            *("-u", "4", "-r", "4", "-t", f"{SECONDS}s", "--exit-code-on-error", "1", user),
        ]
        run = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, timeout=RUNNING, check=False
        )
    assert run.returncode == 0, run.stderr.decode()[-4000:]
    measured = {one["name"]: one for one in json.loads(run.stdout)}
    assert measured.keys() == requests
    for one in measured.values():
        assert one["num_requests"] > 0
        assert one["num_failures"] == 0
    begun = min(one["start_time"] for one in measured.values())
    assert max(one["last_request_timestamp"] for one in measured.values()) - begun > SECONDS / 2
