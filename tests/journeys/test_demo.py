"""`make demo`, small: from nothing to answers, and a second time on what is there."""

import asyncio
import json
import re
import signal
import socket
import stat
from pathlib import Path
from urllib.parse import quote

from bench import codes
from bench.ports import free_port
from tests.resolver.running_node import RunningNode, ask
from tests.resolver.test_cli import filament

COUNT = 3000


def free_port_base() -> int:
    """The first of four neighbouring ports that nobody has."""
    while True:
        base = free_port()
        try:
            for port in range(base, base + 4):
                with socket.create_server(("127.0.0.1", port)):
                    pass
        except OSError:
            continue
        return base


def demo(directory: Path) -> tuple[str, ...]:
    return ("demo", "--directory", str(directory), "--count", str(COUNT), "--port-base", str(free_port_base()),
            "--workers", "1")  # fmt: skip


async def test_the_demo_runs_from_nothing_and_again_on_what_is_there(tmp_path: Path):
    directory = tmp_path / ".demo"
    first = filament(*demo(directory), "--exit-after-check")
    assert f"{COUNT:,} identifiers loaded" in first.stderr
    assert "28 enterprises" in first.stderr
    assert first.stderr.count("resolved 88.168.") == 5
    assert "/readyz" in first.stdout
    credentials = directory / "credentials.json"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    keys = json.loads(credentials.read_text(encoding="utf-8"))
    assert len(keys) == 28

    with RunningNode(*demo(directory), "--lang", "zh") as second:
        assert f"已有 {COUNT + 1:,} 条标识" in second.hear("条标识").string
        second.hear("按 Ctrl-C 停止，数据保留")
        second.hear("/readyz", output=True)  # the two streams are read by two threads
        answer, status = (line.split()[0] for line in second.output if "/api/handles/" in line or "/readyz" in line)
        assert ask(answer)[1]["responseCode"] == 1
        assert ask(status)[0] == 200
        for writing in codes.WRITINGS:
            second.hear(f"^ +{re.escape(writing)}$")
            assert ask(f"{answer.partition('/api/')[0]}/api/handles/{quote(writing)}")[1]["responseCode"] == 1
        url = answer.partition("/api/")[0].replace("http:", "https:")
        one = keys["88.168.3"]
        registered = await asyncio.to_thread(
            filament,
            *("register", "88.168.3/DEMO.1", "PRODUCT=短纤", "--url", url, "--identity", one["identity"]),
            *("--data-directory", str(directory)),
            FILAMENT_SECRET=one["secret_key"],
        )
        assert "is registered" in registered.stderr
        shown = await asyncio.to_thread(
            filament, "resolve", "88.168.3/DEMO.1", "88.168.3/NONE", "--url", url.replace("https:", "http:"), code=1
        )
        assert "短纤" in shown.stdout
        assert "88.168.3/NONE" in shown.stderr
        states = await asyncio.to_thread(
            filament, "status", "--url", status.removesuffix("/readyz"), "--output", "ndjson"
        )
        assert {json.loads(line)["part"] for line in states.stdout.splitlines()} == {
            *("postgres", "registry", "supervisor", "worker 1"),
        }
        second.signal(signal.SIGINT)
        assert await asyncio.to_thread(second.end) == 0
    assert json.loads(credentials.read_text(encoding="utf-8")) == keys


async def test_a_demo_on_a_taken_port_says_how_to_choose_another(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        base = min(port, 65532)
        refused = filament("demo", "--directory", str(tmp_path / ".demo"), "--port-base", str(base), code=1)
    assert "--port-base" in refused.stderr
    assert not (tmp_path / ".demo").exists()
