"""How long answers took, as runs keep it: pairs of microseconds and counts, ascending."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

SHARES: Final = (0, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.999)

Pairs = Sequence[tuple[float, int]]


def pairs(run: Mapping[str, Any]) -> list[tuple[float, int]]:
    return [(float(value), int(count)) for value, count in run.get("histogram", ())]


def added(runs: Iterable[Mapping[str, Any]]) -> list[tuple[float, int]]:
    """The histograms of several rounds as one."""
    counts: dict[float, int] = {}
    for run in runs:
        for value, count in pairs(run):
            counts[value] = counts.get(value, 0) + count
    return sorted(counts.items())


def percentile(spread: Pairs, share: float) -> float:
    """What `share` of 100 took no longer than, in microseconds."""
    wanted = sum(count for _, count in spread) * share / 100
    seen = 0
    for value, count in spread:
        seen += count
        if seen >= wanted:
            return value
    return 0.0


def known_shares(spread: Pairs) -> list[float]:
    """Those that so many answers can tell: of a thousand, the 99.99th percentile is the slowest one again."""
    counted = sum(count for _, count in spread)
    return [share for share in SHARES if round(counted * (100 - share), 6) >= 100]
