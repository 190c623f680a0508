"""Figures counted as plain numbers come out as prometheus_client would have counted them."""

import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from resolver.metrics import COUNTERS, GAUGES, HISTOGRAMS, Counts, Exposition, Histogram, Metrics


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_count_gauge_and_histogram_is_shown_under_a_name_of_ours():
    assert set(COUNTERS) == set(Counts.__dataclass_fields__)
    metrics = Metrics()
    assert all(hasattr(metrics, name) for name in (*GAUGES, *HISTOGRAMS))
    names = [name for name, *_ in (*COUNTERS.values(), *GAUGES.values(), *HISTOGRAMS.values())]
    assert all(name.startswith("filament_") for name in names)


def test_a_flush_hands_over_what_was_counted_since_the_last():
    metrics = Metrics()
    exposition = Exposition(metrics)
    metrics.counts.hits = 3
    exposition.flush()
    metrics.counts.hits = 5
    metrics.counts.misses = 1
    exposition.flush()
    exposition.flush()
    shown = samples(exposition.registry)
    assert shown["filament_cache_lookups_total", (("result", "hit"),)] == 5
    assert shown["filament_cache_lookups_total", (("result", "miss"),)] == 1
    assert shown["filament_stale_answers_total", ()] == 0


def test_gauges_show_the_figure_of_the_last_flush():
    metrics = Metrics()
    exposition = Exposition(metrics)
    metrics.cache_entries, metrics.staleness = 7, 2.5
    exposition.flush()
    shown = samples(exposition.registry)
    assert shown["filament_cache_entries", ()] == 7
    assert shown["filament_staleness_seconds", ()] == 2.5


def test_a_histogram_counts_an_observation_on_a_bound_below_it():
    metrics = Metrics()
    exposition = Exposition(metrics)
    for value in (0.001, 0.002, 99.0):
        metrics.latency.observe(value)
    exposition.flush()
    metrics.latency.observe(0.002)
    exposition.flush()
    shown = samples(exposition.registry)
    assert shown["filament_request_seconds_bucket", (("le", "0.001"),)] == 1
    assert shown["filament_request_seconds_bucket", (("le", "0.0025"),)] == 3
    assert shown["filament_request_seconds_bucket", (("le", "2.5"),)] == 3
    assert shown["filament_request_seconds_count", ()] == 4
    assert shown["filament_request_seconds_sum", ()] == pytest.approx(99.005)


def test_an_observation_above_every_bound_is_counted():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 3.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == 8.0


def test_the_figures_of_several_processes_are_added_up(tmp_path):
    program = (
        "from resolver.metrics import Exposition, Metrics\n"
        "metrics = Metrics()\n"
        "metrics.counts.hits, metrics.cache_entries, metrics.staleness = 2, 10, {staleness}\n"
        "metrics.latency.observe(0.001)\n"
        "Exposition(metrics).flush()\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", program.format(staleness=staleness)], env=environment)
        for staleness in (0.0, 7.0)
    ]
    for process in processes:
        assert process.wait() == 0
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))
    shown = samples(registry)
    assert shown["filament_cache_lookups_total", (("result", "hit"),)] == 4
    assert shown["filament_request_seconds_count", ()] == 2
    assert shown["filament_cache_entries", ()] == 20
    assert shown["filament_staleness_seconds", ()] == 7.0
