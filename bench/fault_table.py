"""The program that both fault benches are: which faults, for how long, and the table of what came of them."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from bench.observed import KINDS
from bench.surroundings import keep, surroundings

# Seconds after which it ends with what it has begun: every fault for eight, its calm, and a machine that is busy.
LONGEST_RUN: Final = 900.0

Figures = dict[str, Any]


class Named(Protocol):
    @property
    def name(self) -> str: ...


Fault = TypeVar("Fault", bound=Named)


def run(
    program: str,
    faults: Sequence[Fault],
    measure: Callable[[Sequence[Fault], float, Path], Awaitable[Figures]],
    missing: str = "",
) -> None:
    """Reads the line, measures the faults that it names, prints their table. `missing` is why nothing can be done."""
    names = [fault.name for fault in faults]
    parser = argparse.ArgumentParser(prog=f"python -m bench.{program}")
    parser.add_argument("faults", nargs="*", choices=[*names, []], default=[], help="which; all when none is named")
    parser.add_argument("--seconds", type=float, default=8.0, help="that each lasts")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    chosen = parser.parse_args()
    if missing:
        parser.error(missing)
    where = surroundings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # in order: disks, namespaces and processes are taken away
    asked = [fault for fault in faults if fault.name in (chosen.faults or names)]
    with tempfile.TemporaryDirectory(prefix=f"filament-{program}-") as made:
        directory = Path(made)
        directory.chmod(0o755)  # Postgres is another account.
        figures = asyncio.run(_within(LONGEST_RUN, measure(asked, chosen.seconds, directory)))
    print(table(figures))
    report = {"program": program, **where, "seconds": chosen.seconds, **figures}
    if chosen.keep:
        print(keep(program, report), file=sys.stderr)
    else:
        print(json.dumps(report, ensure_ascii=False), file=sys.stderr)


async def _within(seconds: float, measuring: Awaitable[Figures]) -> Figures:
    async with asyncio.timeout(seconds):
        return await measuring


def line(figures: Figures) -> str:
    """One row of the table."""
    if "missing" in figures:
        return f"| {figures['fault']} | {figures['missing']} |{' |' * (len(KINDS) + 1)}"
    kinds = [_cell(figures[kind]) for kind in KINDS]
    calm = "not seen" if figures["calm_after"] is None else f"{figures['calm_after']} s"
    mended = f" (mended in {figures['mended_in']} s)" if figures["mended_in"] else ""
    return f"| {figures['fault']} | {figures['lasted']} s{mended} | {' | '.join(kinds)} | {calm} |"


def _cell(kind: Figures) -> str:
    seen = ", ".join(f"{count} {outcome}" for outcome, count in sorted(kind["seen"].items()))
    return f"{seen}; silence {kind['silence']} s"


def table(figures: Figures) -> str:
    writes = figures["writes"]
    said = ", ".join(f"{writes[name]} {name}" for name in ("lost", "half", "doubled", "unknown", "answered_otherwise"))
    acknowledged = sum(writes["acknowledged"].values())
    return "\n".join(
        [
            "| fault | lasted | kept answers | read anew | passed on to an enterprise | writes | calm after |",
            "|---|---|---|---|---|---|---|",
            *map(line, figures["faults"]),
            "",
            f"Writes acknowledged: {acknowledged} ({writes['handles']} handles); of these {said}.",
            f"Questions that reached the node of the enterprise, by its manner: {figures['enterprise']}.",
        ]
    )
