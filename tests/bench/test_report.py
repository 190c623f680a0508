"""The page that is made of a run: its figures are the run's, in both languages, and it needs nothing else."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.kept import measurements, plain
from bench.plots import Axis, Series, Title, plot
from bench.report import main, page
from bench.spreads import added, known_shares, percentile
from bench.surroundings import surroundings

FIGURE = {
    "figure": "cached HTTP to nginx's static body",
    "figure_zh": "缓存命中 HTTP / nginx 静态应答",
    "unit": "",
    "bar": 0.8,
    "stretch": 1.0,
    "least": True,
    "median": 0.843,
    "min": 0.791,
    "max": 0.912,
}
RUN = {
    "name": "node, HTTP",
    "name_zh": "本节点 HTTP",
    "round": 0,
    "seconds": 4.0,
    "identifiers": 400_000,
    "identifier_rate": 123_456.0,
    "server_cpu": 4.0,
    "wrong": 0,
    "lost": 7,
    "histogram": [[100.0, 50_000], [250.0, 49_000], [4000.0, 1000]],
    "per_second": [99_000, 101_000, 102_000, 98_000],
    "memory": [[0.0, 600 << 20], [1.0, 610 << 20], [2.0, 620 << 20], [3.0, 630 << 20]],
    "hit_ratio": [[0, 0.5], [1, 0.7], [2, 0.8], [3, 0.85]],
}
RESULT = {
    "program": "peers",
    "at": "2026-11-21T22:00:00+00:00",
    "commit": "0123abc",
    "busy": False,
    "settings": {"keys": 1_000_000},
    "figures": [FIGURE],
    "absent": {"Redis, GET": "there is no apt-get here"},
    "runs": [RUN],
}
EMPTY_TAGS = {"meta", "input"}


class Outline(HTMLParser):
    """Which elements are open, what they load, and the text of each language."""

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.cells = [], [], []
        self.text = {"zh": "", "en": ""}
        self.languages = []

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.loads += [told[name] for name in ("src", "href", "data", "action") if name in told]
        if tag not in EMPTY_TAGS:
            self.open.append((tag, told.get("class")))

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        classes = {one for _, one in self.open}
        for language, other in (("zh", "en"), ("en", "zh")):
            if other not in classes:
                self.text[language] += data + " "


def outline(result):
    parsed = Outline()
    parsed.feed(page([result]))
    assert parsed.open == []
    return parsed


def test_a_page_is_well_formed_and_loads_nothing():
    octets = page([RESULT])
    assert outline(RESULT).loads == []
    assert not re.search(r"https?://|@import|url\(|<script", octets)
    for svg in re.findall(r"<svg.*?</svg>", octets):
        ElementTree.fromstring(svg)  # noqa: S314  # our own


def test_the_figures_of_a_page_are_those_of_the_run():
    for text in outline(RESULT).text.values():
        assert all(value in text for value in ("0.843", "0.791 – 0.912", "0.8", "123,456", "100,000", "7"))
        assert all(value in text for value in ("100 µs", "250 µs", "4 ms", "0123abc", "there is no apt-get here"))


def test_each_language_has_its_own_words_and_not_the_other_s():
    text = outline(RESULT).text
    assert FIGURE["figure"] in text["en"]
    assert FIGURE["figure"] not in text["zh"]
    assert FIGURE["figure_zh"] in text["zh"]
    assert FIGURE["figure_zh"] not in text["en"]
    assert not re.search(r"[一-鿿]", text["en"].replace("中文", "").replace("Filament 测量报告", ""))


@pytest.mark.parametrize(
    ("median", "least", "verdict"),
    [
        (1.0, True, "stretch reached"),
        (0.8, True, "bar reached"),
        (0.79, True, "below the bar"),
        (0.79, False, "bar reached"),
        (0.81, False, "below the bar"),
        (None, True, "not measured"),
    ],
)
def test_a_verdict_follows_from_the_bar(median, least, verdict):
    stretch = 1.0 if least else 0.5
    assert (
        verdict
        in outline({**RESULT, "figures": [{**FIGURE, "median": median, "least": least, "stretch": stretch}]}).text["en"]
    )


def test_a_busy_machine_is_told_of_and_a_quiet_one_is_not():
    assert "other work before the start" in outline({**RESULT, "busy": True}).text["en"]
    assert "other work before the start" not in outline(RESULT).text["en"]


def test_a_page_is_made_of_any_kept_result(tmp_path, monkeypatch):
    result = tmp_path / "cost.json"
    result.write_bytes(orjson.dumps({"program": "cost", **surroundings(), "stages": {"<one>": 1.5}}))
    monkeypatch.setattr("sys.argv", ["report", str(result), "-o", str(tmp_path / "page.html")])
    assert main() == 0
    assert "cost" in (tmp_path / "page.html").read_text("utf-8")


def test_measurements_are_found_wherever_a_program_keeps_them():
    one, two = {"histogram": [[5.0, 2]], "answered": 2}, {"histogram": [[7.0, 1]], "answered": 1}
    kept = {
        "rounds": [{"round": 0, "singly": one}, {"round": 1, "singly": two}],
        "turns": [{"registered": 10, "paced": one}, {"registered": 20, "paced": two}],
        "days": [{"name": "a day", "seconds": 2.0, "histogram": [[5.0, 3]], "kinds": {"list": two}}],
    }
    names = [run["name"] for run in measurements(kept)]
    turns = ["turns · registered 10 · paced", "turns · registered 20 · paced"]
    assert names == ["rounds · singly", "rounds · singly", *turns, "a day", "a day · list"]
    assert list(measurements(kept))[-1]["rate"] == 0.5


def test_what_is_no_measurement_is_shown_as_it_was_kept():
    kept = {"rows": 60, "search": {"p99_ms": 3.5}, "parts": [{"size": 1, "seconds": 9}], "run": {"histogram": []}}
    shown = {"rows": 60, "search · p99_ms": 3.5, "parts · size 1 · size": 1, "parts · size 1 · seconds": 9}
    assert dict(plain(kept)) == shown
    text = outline({"program": "registry", **kept}).text
    assert all("search · p99_ms 3.5" in " ".join(words.split()) for words in text.values())


@given(st.lists(st.tuples(st.floats(1e-3, 1e12), st.floats(1e-3, 1e12)), min_size=1, max_size=20), st.booleans())
def test_every_point_of_a_plot_lies_inside_it(points, logarithmic):
    axis = Axis(Title("x"), logarithmic)
    svg = plot([Series(Title("one"), points)], axis, axis, lines=False).partition("</svg>")[0] + "</svg>"
    for circle in ElementTree.fromstring(svg).iter("circle"):  # noqa: S314  # our own
        assert 0 <= float(circle.get("cx")) <= 760
        assert 0 <= float(circle.get("cy")) <= 380


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200), st.floats(0.1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values, share):
    spread = added([{"histogram": [[value, 1]]} for value in values])
    wanted = percentile(spread, share)
    assert sum(value <= wanted for value in values) >= len(values) * share / 100 - 1e-6
    assert sum(value < wanted for value in values) < len(values) * share / 100 + 1e-6


def test_a_percentile_that_so_few_answers_cannot_tell_is_not_drawn():
    assert max(known_shares([(1.0, 1000)])) == 99.9
