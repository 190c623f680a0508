"""Plots as SVG inside a page: lines or points over two axes, with every word in both languages.

The page shows one language at a time, so each text stands there twice, in the classes `en` and `zh`. Colours are those
of the page where they matter and of the series where they tell one from another.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 88, 40, 14, 52
MOST_SERIES: Final = (
    8  # In one plot; each has a colour of its own (Okabe and Ito's, which the colour-blind tell apart).
)
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#808080")
MOST_TICKS: Final = 7

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Title:
    """The same words in English and Chinese."""

    english: str
    chinese: str = ""

    def html(self) -> str:
        if not self.chinese or self.chinese == self.english:
            return escape(self.english)
        english = f'<span class="en" lang="en">{escape(self.english)}</span>'
        return f'{english}<span class="zh" lang="zh">{escape(self.chinese)}</span>'

    def svg(self, place: str) -> str:
        if not self.chinese or self.chinese == self.english:
            return f"<text {place}>{escape(self.english)}</text>"
        english = f'<text class="en" {place}>{escape(self.english)}</text>'
        return f'{english}<text class="zh" {place}>{escape(self.chinese)}</text>'


@dataclass(frozen=True, slots=True)
class Series:
    title: Title
    points: Points


@dataclass(frozen=True, slots=True)
class Axis:
    """`ticks` are chosen from the points unless they are given."""

    title: Title
    logarithmic: bool = False
    show: Callable[[float], str] = lambda value: f"{value:g}"
    ticks: Sequence[tuple[float, str]] = ()
    from_zero: bool = False

    def place(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def plot(series: Sequence[Series], x: Axis, y: Axis, *, lines: bool = True) -> str:
    """A figure with its legend; empty without points."""
    drawn = [Series(one.title, _drawable(one.points, x, y)) for one in series[:MOST_SERIES]]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return ""
    across = _scale([point[0] for one in drawn for point in one.points], x, LEFT, WIDTH - RIGHT)
    upwards = _scale([point[1] for one in drawn for point in one.points], y, HEIGHT - BOTTOM, TOP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">', _grid(across, upwards, x, y)]
    for one, colour in zip(drawn, COLOURS, strict=False):
        places = [(across.of(left), upwards.of(up)) for left, up in one.points]
        parts.append(_line(places, colour) if lines else _marks(one, places, colour))
    return "".join((*parts, "</svg>", _legend(drawn)))


def in_plots(series: Sequence[Series]) -> list[Sequence[Series]]:
    """So few in each that every one has its own colour."""
    return [series[start : start + MOST_SERIES] for start in range(0, len(series), MOST_SERIES)]


@dataclass(frozen=True, slots=True)
class _Scale:
    ticks: Sequence[tuple[float, str]]
    of: Callable[[float], float]


def _scale(values: Sequence[float], axis: Axis, start: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    if axis.from_zero:
        low = min(0.0, low)
    ticks = axis.ticks or [(value, axis.show(value)) for value in _ticks(low, high, axis)]
    low = min(low, *(value for value, _ in ticks))
    high = max(high, *(value for value, _ in ticks))
    first, last = axis.place(low), axis.place(high)
    width = last - first or 1.0
    return _Scale(ticks, lambda value: start + (axis.place(value) - first) / width * (end - start))


def _ticks(low: float, high: float, axis: Axis) -> list[float]:
    """Round numbers around the values: the first at or below the least, the last at or above the greatest."""
    if axis.logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        if len(decades) > 3:
            return [10.0**power for power in decades]
        steps = sorted(step * 10.0**power for power in decades for step in (1, 2, 5))
        below = max((step for step in steps if step <= low), default=steps[0])
        above = min((step for step in steps if step >= high), default=steps[-1])
        return [step for step in steps if below <= step <= above]
    rough = (high - low) / (MOST_TICKS - 1) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.floor(low / step)
    return [number * step for number in range(first, math.ceil(high / step - 1e-9) + 1)] or [low]


def _drawable(points: Points, x: Axis, y: Axis) -> Points:
    """A logarithm has no place for nothing."""
    return [(left, up) for left, up in points if (left > 0 or not x.logarithmic) and (up > 0 or not y.logarithmic)]


def _grid(across: _Scale, upwards: _Scale, x: Axis, y: Axis) -> str:
    parts = []
    for value, shown in upwards.ticks:
        up = upwards.of(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{escape(shown)}</text>')
    for value, shown in across.ticks:
        left = across.of(value)
        parts.append(f'<line class="grid" x1="{left:.1f}" x2="{left:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{left:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(shown)}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(x.title.svg(f'x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle"'))
    parts.append(y.title.svg(f'transform="translate(14 {middle}) rotate(-90)" text-anchor="middle"'))
    return "".join(parts)


def _line(places: Points, colour: str) -> str:
    path = " ".join(f"{left:.1f},{up:.1f}" for left, up in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _marks(series: Series, places: Points, colour: str) -> str:
    name = escape(series.title.english)
    circles = "".join(
        f'<circle cx="{left:.1f}" cy="{up:.1f}" r="5"><title>{name}</title></circle>' for left, up in places
    )
    return f'<g fill="{colour}">{circles}</g>'


def _legend(series: Sequence[Series]) -> str:
    keys = "".join(
        f'<li><i style="background:{colour}"></i>{one.title.html()}</li>'
        for one, colour in zip(series, COLOURS, strict=False)
    )
    return f'<ul class="legend">{keys}</ul>'
