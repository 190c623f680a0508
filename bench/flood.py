"""What good clients notice while a node is attacked and overloaded, what its memory does, and how soon it is over.

`python -m bench.flood [--seconds N] [--keep] [attack …]` runs one worker in a process of its own. Good clients
(bench/calm.py) ask for kept answers at a fixed rate over HTTP, TCP and UDP: in calm, through an attack
(bench/attacks.py), and after it. For each attack: their 99th percentile against that of the calm before, how many got
no right answer, the node's resident memory, seconds until the percentile is back within three times that of calm, and
octets sent to strangers for each of theirs. Attackers run beside the good clients at the lowest priority, the node on
the other core where there is one. Not measured: networks, several workers, addresses beyond 127.0.0.0/8.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import uvloop

from bench.attacks import ATTACKS, NETWORKS
from bench.books import a_book
from bench.idle import resident
from bench.nodes import BenchNode, a_node, ask_all
from bench.surroundings import keep, surroundings
from resolver.listeners.budget import BURST, FACTOR, TRICKLE

NAMES: Final = 2_000
RATE: Final = 300.0  # Requests a second of the good clients, a third over each transport.
WITHIN: Final = 3.0  # Times the calm percentile: what the good clients may notice.
RECOVERY: Final = 6.0  # Seconds that are watched after an attack; it should be over after five.
WINDOW: Final = 0.5  # Seconds whose answers are judged together while the node recovers.
LOOK: Final = 0.2  # Seconds between two looks at the node's memory.
OURS, THEIRS = 0, 1  # The node's core, and everybody else's.

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    due: float
    transport: str
    seconds: float  # negative when there was no right answer


class GoodClients:
    """The process of the good clients, and everything it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.asked: list[Asked] = []
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, node: BenchNode, names: Path) -> "GoodClients":
        arguments = (str(node.port), str(node.native_port), str(RATE), str(names))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-m", "bench.calm", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        pin(process.pid, THEIRS)
        return cls(process)

    def between(self, begin: float, end: float) -> list[Asked]:
        return [asked for asked in self.asked if begin <= asked.due < end]

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._reading
        await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            due, transport, seconds = line.split()
            self.asked.append(Asked(float(due), transport.decode(), float(seconds)))


def pin(process: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(process, {cores[core]})


def p99(asked: Sequence[Asked]) -> float:
    """The 99th percentile in milliseconds; one that was not answered counts as a second."""
    times = sorted(1.0 if one.seconds < 0 else one.seconds for one in asked)
    return round(times[min(len(times) - 1, len(times) * 99 // 100)] * 1000, 3) if times else 0.0


async def under(attack: str, node: BenchNode, good: GoodClients, names: Path, seconds: float) -> Figures:
    before, calm_from = resident(node), monotonic()
    await asyncio.sleep(min(seconds, 10.0))
    begun = monotonic()
    arguments = (attack, str(node.port), str(node.native_port), str(seconds), str(names))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.attacks", *arguments),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=lambda: os.nice(19),
    )
    pin(process.pid, THEIRS)
    most = await _greatest(node, process)
    assert process.stdout is not None
    said = json.loads(await process.stdout.read())
    ended = begun + seconds if attack != "slow" else monotonic()
    await asyncio.sleep(max(0.0, ended + RECOVERY - monotonic()))
    calm = p99(good.between(calm_from, begun))
    through = good.between(begun + 0.5, ended)  # it takes a while to begin
    figures = {
        "attack": attack,
        "seconds": seconds,
        "calm_p99_ms": calm,
        "attacked_p99_ms": p99(through),
        "ratio": round(p99(through) / calm, 2),
        "by_transport": {
            kind: p99([one for one in through if one.transport == kind]) for kind in ("http", "tcp", "udp")
        },
        "good_asked": len(through),
        "good_unanswered": sum(one.seconds < 0 for one in through),
        "recovered_after_seconds": recovered(good, ended, WITHIN * calm),
        "resident_mib": [round(octets / 2**20, 1) for octets in (before, most, resident(node))],
        "did": said,
    }
    if "octets_sent" in said:
        figures["octets_ceiling"] = ceiling(attack, said["octets_sent"], seconds)
    return figures


def ceiling(attack: str, sent: int, seconds: float) -> int:
    """Octets that strangers may have at most for what they sent, by resolver/listeners/budget.py."""
    if attack == "nonsense":
        return 0
    return round(FACTOR * sent + NETWORKS * (BURST / 2 + TRICKLE * (seconds + 1)))


async def _greatest(node: BenchNode, process: asyncio.subprocess.Process) -> int:
    """The node's greatest memory while a process runs."""
    most = 0
    waiting = asyncio.create_task(process.wait())
    while not waiting.done():
        most = max(most, resident(node))
        await asyncio.wait({waiting}, timeout=LOOK)
    return most


def recovered(good: GoodClients, ended: float, limit: float) -> float | None:
    """Seconds after the end until no window is above the limit any more; None when that was not seen."""
    windows = int(RECOVERY / WINDOW) - 1
    above = [
        number
        for number in range(windows)
        if p99(good.between(ended + number * WINDOW, ended + (number + 1) * WINDOW)) > limit
    ]
    if not above:
        return 0.0
    return None if above[-1] == windows - 1 else (above[-1] + 1) * WINDOW


def line(figures: Figures) -> str:
    return (
        f"{figures['attack']:<10} p99 {figures['calm_p99_ms']:>7} → {figures['attacked_p99_ms']:>7} ms"
        f" ({figures['ratio']}x)   unanswered {figures['good_unanswered']} of {figures['good_asked']}"
        f"   over after {figures['recovered_after_seconds']} s   MiB {figures['resident_mib']}   {figures['did']}"
    )


async def measure(attacks: Sequence[str], seconds: float, dsn: str) -> list[Figures]:
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        names_file = Path(directory) / "names.json"
        async with a_book(NAMES, dsn) as (address, names), a_node(address, Path(directory)) as node:
            names_file.write_text(json.dumps(names), "utf-8")
            pin(node.process.pid, OURS)
            await ask_all(node.port, names)
            good = await GoodClients.start(node, names_file)
            await asyncio.sleep(2.0)
            try:
                for attack in attacks:
                    figures.append(await under(attack, node, good, names_file, seconds))
                    print(line(figures[-1]), flush=True)
            finally:
                await good.end()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description="A node under attack, and its clients.")
    parser.add_argument("attacks", nargs="*", choices=[*ATTACKS, []], default=[], help="which; all when none is named")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each attack; 60 for figures to be published")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    parser.add_argument("--dsn", default="", help="an empty database; without one an embedded Postgres is started")
    arguments = parser.parse_args()
    where = surroundings()
    figures = uvloop.run(measure(arguments.attacks or list(ATTACKS), arguments.seconds, arguments.dsn))
    report = {"program": "flood", **where, "good_clients_per_second": RATE, "names": NAMES, "attacks": figures}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("flood", report), file=sys.stderr)


if __name__ == "__main__":
    main()
