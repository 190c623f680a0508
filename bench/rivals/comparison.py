"""What the runs of a contest say: each contestant's rates, and the ratios of the figures, paired by round."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from bench.rivals.contest import Figure

Run = Mapping[str, Any]
MEDIANS: Final = ("identifier_rate", "identifiers_per_cpu_second", "generator_cpu", "server_cpu", "postgres_cpu")
CENTILES: Final = ("50", "99")


def compared(runs: Sequence[Run], figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Median, least and greatest of each figure; without a value when one of the two was absent."""
    return [_figure(runs, one) for one in figures]


def summed(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each contestant, with medians over the rounds and every wrong or lost answer."""
    names = list(dict.fromkeys(run["name"] for run in runs))
    return [_row([run for run in runs if run["name"] == name]) for name in names]


def line(run: Run) -> str:
    """One measurement, for who waits."""
    return (
        f"{run['name']:<32} {run['identifier_rate']:>10,.0f}/s {run['identifiers_per_cpu_second']:>9,.0f} a CPU s  "
        f"p50 {run['percentiles_us']['50']:>8,.0f} µs  p99 {run['percentiles_us']['99']:>8,.0f} µs   "
        f"wrong {run['wrong']}, lost {run['lost']}"
    )


def _figure(runs: Sequence[Run], figure: Figure) -> dict[str, Any]:
    ours, theirs = _by_round(runs, figure.of), _by_round(runs, figure.to)
    rounds = [turn for turn in ours if not figure.to or turn in theirs]
    rates = [_ratio(ours[turn], theirs.get(turn), "identifier_rate") for turn in rounds]
    costs = [_ratio(ours[turn], theirs.get(turn), "identifiers_per_cpu_second") for turn in rounds]
    told: dict[str, Any] = {
        "figure": figure.name,
        "figure_zh": figure.chinese,
        "unit": "" if figure.to else "1/s",
        "bar": figure.bar,
        "stretch": figure.stretch,
        "least": True,
        "pairs": len(rounds),
    }
    if rounds:
        told |= {"median": _short(median(rates)), "min": _short(min(rates)), "max": _short(max(rates))}
        told |= {"wrong": sum(run["wrong"] for run in ours.values())}
    if rounds and figure.to:
        told["median_per_cpu_second"] = _short(median(costs))
    return told


def _by_round(runs: Iterable[Run], name: str) -> dict[int, Run]:
    return {run["round"]: run for run in runs if run["name"] == name}


def _ratio(ours: Run, theirs: Run | None, of: str) -> float:
    if theirs is None:
        return float(ours[of])
    return ours[of] / theirs[of] if theirs[of] else 0.0


def _row(runs: Sequence[Run]) -> dict[str, Any]:
    rates = [run["identifier_rate"] for run in runs]
    return {
        "name": runs[0]["name"],
        "name_zh": runs[0]["name_zh"],
        "rounds": len(runs),
        "min": min(rates),
        "max": max(rates),
        **{name: _short(median(run[name] for run in runs)) for name in MEDIANS},
        **{f"p{share}_us": _short(median(run["percentiles_us"][share] for run in runs)) for share in CENTILES},
        **{name: sum(run[name] for run in runs) for name in ("wrong", "lost", "again")},
        "wrong_sample": next((run["wrong_sample"] for run in runs if run["wrong"]), ""),
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
