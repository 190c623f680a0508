"""Questions without an answer while a node's processes, and then its program, are replaced again and again.

`python -m bench.rolling --requests 1000000` starts a node with a Postgres and a thousand identifiers of its own, asks
it over HTTP, HTTPS, native TCP and UDP, with kept and new connections, and replaces everything meanwhile
until so many questions were asked. It prints one line of JSON. A question is asked once: see bench.restless.

Not measured: rates (generator, node and Postgres share the machine), and clients behind a network that loses datagrams.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.restless import Count, Target, ask_on_and_on
from bench.surroundings import keep, surroundings
from resolver import control

NAMES: Final = [f"88.168.1/{number}" for number in range(1000)]
LONGEST: Final = 3600.0  # Seconds after which it ends, whatever was asked.
UP: Final = re.compile(r"listening on port (\d+), and (\d+) for")
READY: Final = "The node is up"
BETWEEN: Final = 1.0  # Seconds of ordinary answers between two replacements.


@contextmanager
def a_node(directory: Path, workers: int) -> Iterator[Target]:
    """`filament up` with a book of its own."""
    data = ["--data-directory", str(directory / "node")]
    rows = [{"handle": name, "values": [{"index": 1, "type": "SPEC", "data": "111dtex/48f"}]} for name in NAMES]
    file = directory / "names.ndjson"
    file.write_text("\n".join(map(json.dumps, rows)))
    _filament("enterprise", "add", "甲", "--prefix", "88.168.1", *data)
    _filament("load", str(file), *data)
    ports = [f"--set={name}=0" for name in ("resolver.port", "resolver.native_port", "registry.port", "status.port")]
    line = ["up", *data, "--workers", str(workers), "--set=resolver.listen=127.0.0.1", *ports, "--lang", "en"]
    log = (directory / "log").open("wb")
    with log, subprocess.Popen([sys.executable, "-m", "resolver.cli", *line], stderr=log) as process:
        try:
            yield _target(directory / "log", process)
        finally:
            process.terminate()
            process.wait()


def _target(log: Path, process: "subprocess.Popen[bytes]") -> Target:
    while process.poll() is None:
        said = log.read_text("utf-8", "replace")
        if READY in said and (found := UP.search(said)):
            return Target(int(found[1]), int(found[2]), NAMES)
        time.sleep(0.1)
    raise SystemExit(log.read_text("utf-8", "replace"))


def _filament(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "resolver.cli", *words], check=True, stdout=subprocess.DEVNULL)


async def _replace(directory: Path, count: Count, requests: int, done: asyncio.Event) -> dict[str, int]:
    """Processes and program in turn, until so many questions were asked."""
    replaced = {"renewals": 0, "upgrades": 0}
    ends = time.monotonic() + LONGEST
    try:
        while count.asked.total() < requests and time.monotonic() < ends:
            _judge(await asyncio.to_thread(control.order, directory, "renew"))
            replaced["renewals"] += 1
            await asyncio.to_thread(_filament, "upgrade", "--data-directory", str(directory))
            replaced["upgrades"] += 1
            await asyncio.sleep(BETWEEN)
    finally:
        done.set()
    return replaced


def _judge(outcome: Any) -> None:
    if outcome["failed"]:
        raise SystemExit(f"the new {outcome['failed']} did not become ready")


async def measure(requests: int, workers: int, clients: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="filament-rolling-") as made:
        directory = Path(made)
        with a_node(directory, workers) as target:
            count, done = Count(), asyncio.Event()
            asking = asyncio.create_task(ask_on_and_on(target, count, done.is_set, clients))
            replaced = await _replace(directory / "node", count, requests, done)
            await asking
    failed = {f"{way}: {reason}": number for (way, reason), number in count.failed.items()}
    return {"asked": dict(count.asked), "total": count.asked.total(), "failed": failed, **replaced, "workers": workers}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rolling")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=2, help="of each way to ask")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    asked = parser.parse_args()
    where = surroundings()
    figures = asyncio.run(measure(asked.requests, asked.workers, asked.clients))
    print(json.dumps(figures, ensure_ascii=False))
    if asked.keep:
        print(keep("rolling", {"where": where, "rolling": figures}), file=sys.stderr)


if __name__ == "__main__":
    main()
