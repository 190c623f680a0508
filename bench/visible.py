"""From an acknowledged write to the answer that shows it: every protocol, every worker, by the prober that ships.

`python -m bench.visible [--writes 2000] [--workers 2] [--keep]` starts a whole node with a Postgres of its own, asks it
without a pause for other names, and lets the prober write a handle and ask for it over HTTP, HTTPS, native TCP and UDP,
with four connections of each that fall to the workers by chance, until all of them say what was written. So the figure
holds the time of sixteen questions and four TLS handshakes after the change itself. Not measured: several machines.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.freshness import AIM, MILLI, percentile
from bench.restless import Count, ask_on_and_on
from bench.rolling import NAMES, a_node
from bench.surroundings import keep, surroundings
from registry.embedded import postgres_directory, running_dsn
from registry.handle import Handle
from registry.promises import REGISTER, VISIBLE
from registry.settings import RegistrySettings
from resolver.prober import Probed, Prober
from resolver.questions import Place, Questioner

PROBED: Final = Handle.from_text("88.168.1/PROBED")
SHARES: Final = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))


async def measure(writes: int, workers: int, clients: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="filament-visible-") as made:
        directory = Path(made)
        with a_node(directory, workers) as target:
            ports = {"http": target.port, "https": target.port, "tcp": target.native_port, "udp": target.native_port}
            dsn = running_dsn(postgres_directory(directory / "node"))
            assert dsn is not None, "the node that was just started has a running Postgres"
            settings = RegistrySettings(dsn=dsn)
            prober = Prober(settings, Questioner(Place("127.0.0.1", ports)), NAMES[0], PROBED)
            count, done = Count(), asyncio.Event()
            asking = asyncio.create_task(ask_on_and_on(target, count, done.is_set, clients))
            try:
                rounds = [await prober.probe() for _ in range(writes)]
            finally:
                done.set()
                await asking
                await prober.close()
    probed = [one for each in rounds for one in each]
    failed = sorted({f"{one.probe}: {one.reason}" for one in probed if one.reason})
    beside = {"asked": count.asked.total(), "failed": count.failed.total()}
    return {"writes": writes, "workers": workers, "unit": "ms", **_times(probed), "failed": failed, "beside": beside}


def _times(probed: list[Probed]) -> dict[str, dict[str, float]]:
    times = {}
    for probe in (REGISTER, VISIBLE, "http", "https", "tcp", "udp"):
        ordered = sorted(one.seconds * MILLI for one in probed if one.probe == probe and not one.reason)
        times[probe] = {name: round(percentile(ordered, share), 2) for name, share in SHARES}
    return times


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.visible", description="From a write to the new answer.")
    parser.add_argument("--writes", type=int, default=2000, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--clients", type=int, default=2, help="of each way to ask beside (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    asked = parser.parse_args()
    where = surroundings()
    figures = {"program": "visible", **where, **asyncio.run(measure(asked.writes, asked.workers, asked.clients))}
    outcome = "met" if figures[VISIBLE]["p99.9"] < AIM else "missed"
    print(f"aim: p99.9 under {AIM:.0f} ms, {outcome}", file=sys.stderr)
    print(json.dumps(figures))
    if asked.keep:
        print(keep("visible", figures), file=sys.stderr)


if __name__ == "__main__":
    main()
