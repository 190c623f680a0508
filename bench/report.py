"""A run as one page that needs nothing but itself: figures beside their bars, plots, and where they were measured.

`python -m bench.report RESULT.json… -o report.html` makes it of what programs keep; they call `write_report` with the
same. The page has all its words in Chinese and English, and a switch between them that is two buttons and a line of
style. It loads nothing and runs no script, so that it can be sent, kept and opened anywhere.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from bench.kept import MOST, measurements, plain
from bench.plots import Axis, Series, Title, in_plots, plot
from bench.report_words import BUSY, COLUMNS, HEADINGS, NOTES, PLOTS, STYLE, SURROUNDINGS, VERDICTS
from bench.spreads import added, known_shares, pairs, percentile

Result = Mapping[str, Any]
Run = Mapping[str, Any]
TOLD: Final = {"program", "busy", "figures", "contestants", "absent"}  # Elsewhere on the page.
MICRO: Final = 1e6
MIB: Final = 1 << 20
SHARE_TICKS: Final = (0, 50, 90, 99, 99.9, 99.99, 99.999)
SHORTEST_LINE: Final = 4  # Points.
SHOWN_SETTINGS: Final = 400  # Characters of one setting.


def write_report(results: Sequence[Result], path: Path) -> None:
    """Writes the page; `results` are what programs keep in bench/results, in the order in which they are shown."""
    path.write_text(page(results), "utf-8")


def page(results: Sequence[Result]) -> str:
    shown = "".join(_section(one) for one in results)
    switch = (
        '<input type="radio" name="language" id="zh" checked><label for="zh">中文</label>'
        '<input type="radio" name="language" id="en"><label for="en">English</label>'
    )
    heading = HEADINGS["report"]
    return (
        f'<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8"><title>{escape(heading.chinese)} · '
        f'{escape(heading.english)}</title><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"</head><body>{switch}<main><h1>{heading.html()}</h1>{shown}</main></body></html>\n"
    )


def _section(result: Result) -> str:
    runs = list(measurements(result))
    name = f"{result.get('program', '')} · {result.get('at', '')} · {result.get('commit', '')}"
    parts = [f"<section><h2>{escape(name)}</h2>"]
    if result.get("busy"):
        parts.append(f'<p class="busy">{BUSY.html()}</p>')
    parts += [
        _figures(result.get("figures", ())),
        _absent(result.get("absent", {})),
        _runs(runs),
        _plots(runs),
        _rest(result),
        _surroundings(result),
    ]
    return "".join((*parts, "</section>"))


def _figures(figures: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            Title(one["figure"], one.get("figure_zh", "")).html(),
            _number(one.get("median"), one.get("unit", "")),
            f"{_number(one.get('min'))} – {_number(one.get('max'))}" if "min" in one else "",
            _number(one.get("bar")),
            _number(one.get("stretch")),
            VERDICTS[_verdict(one)].html(),
            _number(one.get("median_per_cpu_second")),
        )
        for one in figures
    ]
    return _table("figures", rows)


def _verdict(figure: Mapping[str, Any]) -> str:
    value, bar, stretch = (figure.get(name) for name in ("median", "bar", "stretch"))
    if value is None:
        return "absent"
    if bar is None:
        return "none"
    sign = 1 if figure.get("least", True) else -1
    if stretch is not None and sign * value >= sign * stretch:
        return "stretch"
    return "bar" if sign * value >= sign * bar else "missed"


def _absent(absent: Mapping[str, str]) -> str:
    told = "".join(f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in absent.items())
    return f"<h3>{HEADINGS['absent'].html()}</h3><ul>{told}</ul>" if told else ""


def _runs(runs: Sequence[Run]) -> str:
    rows = []
    for title, same in _named(runs):
        rates = [_rate(run) for run in same]
        used = sum(run.get("server_cpu", 0) for run in same)
        spread = added(same)
        rows.append(
            (
                title.html(),
                _number(median(rates)),
                f"{_number(min(rates))} – {_number(max(rates))}",
                _number(sum(run.get("identifiers", 0) for run in same) / used if used else None),
                *(_time(percentile(spread, share)) for share in (50, 99, 99.9)),
                *(_number(sum(run.get(name, 0) for run in same)) for name in ("wrong", "lost")),
            )
        )
    return _table("runs", rows)


def _plots(runs: Sequence[Run]) -> str:
    named = _named(runs)
    spreads = [(title, added(same)) for title, same in named]
    times = Axis(PLOTS["latency"], logarithmic=True, show=_time)
    shares = Axis(PLOTS["share"], True, ticks=[(1 / (1 - share / 100), f"{share:g} %") for share in SHARE_TICKS])
    curves = [
        Series(title, [(1 / (1 - share / 100), percentile(spread, share)) for share in known_shares(spread)])
        for title, spread in spreads
    ]
    rates = Axis(PLOTS["rate"], True, show=_number)
    places = [
        Series(title, [(_rate(run), percentile(pairs(run), 99)) for run in same if pairs(run)]) for title, same in named
    ]
    seconds = Axis(PLOTS["seconds"])
    kept = Axis(PLOTS["hit ratio"], show=lambda ratio: f"{ratio:.0%}", from_zero=True)
    memory = Axis(PLOTS["memory"], show=_number, from_zero=True)
    answers = Axis(PLOTS["rate"], show=_number, from_zero=True)
    parts = [
        _plot("throughput", places, rates, times, lines=False),
        _plot("percentiles", curves, shares, times),
        _plot("hit ratio", [Series(title, _of_round(same, "hit_ratio")) for title, same in named], seconds, kept),
        _plot("memory", [Series(title, _memory(same)) for title, same in named], seconds, memory),
        _plot("answers", [Series(title, _answers(same)) for title, same in named], seconds, answers),
    ]
    return "".join(parts)


def _plot(heading: str, series: Sequence[Series], x: Axis, y: Axis, *, lines: bool = True) -> str:
    there = [one for one in series if len(one.points) >= (SHORTEST_LINE if lines else 1)]
    drawn = "".join(f"<figure>{plot(some, x, y, lines=lines)}</figure>" for some in in_plots(there))
    return f"<h3>{HEADINGS[heading].html()}</h3><p>{NOTES[heading].html()}</p>{drawn}" if drawn else ""


def _surroundings(result: Result) -> str:
    rows = [(title.html(), escape(_words(result[name]))) for name, title in SURROUNDINGS.items() if name in result]
    return _table("surroundings", rows)


def _rest(result: Result) -> str:
    """What a program keeps that is no measurement of single answers, in its own words."""
    told = {name: one for name, one in result.items() if name not in SURROUNDINGS and name not in TOLD}
    rows = [(escape(name), escape(_words(value))) for name, value in islice(plain(told), MOST)]
    return _table("rest", rows)


def _table(name: str, rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{title.html()}</th>" for title in COLUMNS[name])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<h3>{HEADINGS[name].html()}</h3><table class="{name}"><tr>{head}</tr>{body}</table>'


def _named(runs: Iterable[Run]) -> list[tuple[Title, list[Run]]]:
    """The runs of each name together: those of all rounds."""
    named: dict[str, list[Run]] = {}
    for run in runs:
        named.setdefault(run["name"], []).append(run)
    return [(Title(name, same[0].get("name_zh", "")), same) for name, same in named.items()]


def _rate(run: Run) -> float:
    return float(run.get("identifier_rate") or run.get("rate") or 0.0)


def _of_round(runs: Sequence[Run], name: str) -> list[tuple[float, float]]:
    """Over time, of the last round."""
    return [(float(at), float(value)) for at, value in runs[-1].get(name, ())]


def _memory(runs: Sequence[Run]) -> list[tuple[float, float]]:
    return [(at, octets / MIB) for at, octets in _of_round(runs, "memory")]


def _answers(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """Whole seconds only."""
    whole = int(runs[-1].get("seconds", 0))
    return [(number + 1.0, float(count)) for number, count in enumerate(runs[-1].get("per_second", ())[:whole])]


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "–"
    shown = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit}".strip()


def _time(microseconds: float) -> str:
    if microseconds >= MICRO:
        return f"{microseconds / MICRO:.3g} s"
    return f"{microseconds / 1000:.3g} ms" if microseconds >= 1000 else f"{microseconds:.3g} µs"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)[:SHOWN_SETTINGS]


def _read(path: Path) -> Result:
    """Named after its file where the program did not write who it is: `NAME-DAY-COMMIT.json`."""
    return {"program": path.stem.rsplit("-", 2)[0], **orjson.loads(path.read_bytes())}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description="A page of what was measured.")
    parser.add_argument("results", nargs="+", type=Path, help="files that programs kept in bench/results")
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="default: %(default)s")
    asked = parser.parse_args()
    write_report([_read(path) for path in asked.results], asked.output)
    print(asked.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
