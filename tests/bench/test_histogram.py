"""Percentiles of a histogram are those of what went in, within the width of a bucket."""

import math

from hypothesis import given
from hypothesis import strategies as st

from bench.histogram import Histogram, bucket_of, middle_of

TIMES = st.integers(0, 1 << 40)


@given(TIMES)
def test_a_bucket_stands_for_what_is_in_it_within_half_a_hundredth(nanoseconds: int):
    assert abs(middle_of(bucket_of(nanoseconds)) - nanoseconds) <= nanoseconds / 200


@given(TIMES, TIMES)
def test_buckets_are_in_the_order_of_what_is_in_them(one: int, other: int):
    assert (bucket_of(one) <= bucket_of(other)) == (one <= other) or bucket_of(one) == bucket_of(other)


@given(st.lists(TIMES, min_size=1), st.floats(0.1, 100.0))
def test_a_percentile_is_the_one_of_the_sorted_times(times: list[int], share: float):
    histogram = Histogram()
    for one in times:
        histogram.record(one)
    exact = sorted(times)[max(1, math.ceil(len(times) * share / 100)) - 1]
    assert abs(histogram.percentile(share) * 1000 - exact) <= exact / 200 + 0.001


@given(st.lists(TIMES), st.lists(TIMES))
def test_two_histograms_together_are_the_histogram_of_all(some: list[int], others: list[int]):
    first, second, whole = Histogram(), Histogram(), Histogram()
    for histogram, times in ((first, some), (second, others), (whole, some + others)):
        for one in times:
            histogram.record(one)
    assert (first + second).pairs() == whole.pairs()
    assert len(whole) == sum(count for _, count in whole.pairs())
