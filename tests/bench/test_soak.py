"""The programs of overload and of hours of load: their figures say what was seen."""

import math
import os
from collections import Counter

import pytest

from bench.measured import Measured, Tally
from bench.overload import KINDS, MIX, outcome, requests
from bench.soak import Slope, look, slope, slopes


def test_a_slope_is_told_by_the_hour_with_its_error():
    steady = [(float(minute * 60), 100.0) for minute in range(10)]
    assert slope(steady) == Slope(0.0, 0.0)
    assert slope([(second, 100.0 + second / 3600) for second, _ in steady]) == Slope(1.0, 0.0)
    noisy = slope([(second, figure + (-1) ** place) for place, (second, figure) in enumerate(steady)])
    assert abs(noisy.an_hour) < 2 * noisy.error
    # y = 0, 1, 1, 3 at 0 … 3: b = 0.9, residuals 0.1, 0.2, -0.7, 0.4 squared are 0.7, over two and over 5.
    assert slope([(0, 0), (1, 1), (2, 1), (3, 3)]).error == pytest.approx(math.sqrt(0.7 / 2 / 5) * 3600, abs=0.001)


def test_of_two_points_no_error_can_be_told():
    assert math.isnan(slope([(0.0, 1.0), (1.0, 2.0)]).error)


def test_the_first_looks_are_not_judged_because_caches_fill_then():
    looks = [(float(at), {"rss": 50.0 if at < 2 else 100.0}) for at in range(20)]
    assert slopes(looks)["rss"] == {"first": 100.0, "last": 100.0, "an_hour": 0.0, "error": 0.0}


def test_a_look_sees_memory_and_descriptors_of_each_process():
    seen = look({"mine": os.getpid()})
    assert seen["mine RSS MiB"] >= seen["mine PSS MiB"] > 1
    assert seen["mine descriptors"] >= 3


def test_refused_is_told_apart_from_wrong_and_what_was_not_sent_from_both():
    measured = Measured(
        sent=90, answered=80, wrong=30, lost=10, seconds=2.0, codes=Counter({200: 50, 503: 20, 3: 5, 429: 1, 500: 4})
    )
    measured.kinds = [Tally(answered=50), Tally(answered=30, wrong=30)]
    told = outcome(measured, 100.0)
    assert (told["not_sent"], told["shed"], told["wrong"], told["unanswered"]) == (10, 26, 4, 10)
    assert told["right_a_second"] == {KINDS[0]: 25, KINDS[1]: 0}


def test_names_that_are_not_kept_are_asked_for_once_and_expected_to_be_missing():
    made = list(requests(["88.1/A", "88.1/B"], 800))
    cold = [one for one in made if one.kind in (1, 3)]
    assert len({one.octets for one in cold}) == len(cold) == 800 * sum(kind in (1, 3) for kind in MIX) // len(MIX)
    assert {one.code for one in cold} == {404, 100}
    assert {one.target for one in made if one.kind in (2, 3)} == {1}
