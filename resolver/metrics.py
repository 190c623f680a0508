"""Counters and histograms as plain attributes: what the path of a cached answer can afford.

Incrementing a prometheus_client counter costs as much as a cached answer, so the figures are kept here and a task of
the node hands their differences over once a second. With PROMETHEUS_MULTIPROC_DIR in the environment before this
module is imported, the figures of all workers of a node are added up by whoever collects them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client import Histogram as PrometheusHistogram

from registry.limits import LIMITED
from resolver.tally import Tally

LATENCY_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
DELAY_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)
BATCH_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Histogram:
    """Observations counted by bucket."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times


@dataclass(slots=True)
class Counts:
    """What is counted, by the name under which it is exposed; see COUNTERS for what each means."""

    hits: int = 0
    misses: int = 0
    found: int = 0
    not_found: int = 0
    not_responsible: int = 0
    busy: int = 0
    errors: int = 0
    stale: int = 0
    ready: int = 0
    reads: int = 0
    changes: int = 0
    forgotten_everything: int = 0
    evictions: int = 0
    overloads: int = 0
    shed: int = 0
    limited_client: int = 0
    limited_prefix: int = 0
    limited_enterprise: int = 0
    native_udp: int = 0
    native_tcp: int = 0
    native_http: int = 0
    dropped_nonsense: int = 0
    dropped_budget: int = 0
    dropped_queue: int = 0
    dropped_limit: int = 0
    closed_nonsense: int = 0
    closed_idle: int = 0
    closed_slow: int = 0
    closed_crowd: int = 0
    http_slow: int = 0
    http_crowd: int = 0
    recursion_found: int = 0
    recursion_missing: int = 0
    recursion_kept: int = 0
    recursion_silent: int = 0
    recursion_bad: int = 0
    recursion_forbidden: int = 0
    recursion_loops: int = 0
    circuits_opened: int = 0


# Field of Counts -> (name, help, labels). Label values are fixed here, so that the number of series is.
COUNTERS: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "hits": ("filament_cache_lookups", "Look-ups in the cache.", {"result": "hit"}),
    "misses": ("filament_cache_lookups", "Look-ups in the cache.", {"result": "miss"}),
    "found": ("filament_resolutions", "Resolutions answered.", {"outcome": "found"}),
    "not_found": ("filament_resolutions", "Resolutions answered.", {"outcome": "not_found"}),
    "not_responsible": ("filament_resolutions", "Resolutions answered.", {"outcome": "not_responsible"}),
    "busy": ("filament_resolutions", "Resolutions answered.", {"outcome": "busy"}),
    "errors": ("filament_resolutions", "Resolutions answered.", {"outcome": "error"}),
    "stale": ("filament_stale_answers", "Answers given while changes could not be heard.", {}),
    "ready": ("filament_short_way_answers", "Answers given over HTTP without building a request.", {}),
    "reads": ("filament_reads", "Reads of the database; one reads many handles.", {}),
    "changes": ("filament_changes_heard", "Changes read from the change log.", {}),
    "forgotten_everything": ("filament_cache_forgotten_everything", "Times that the whole cache was forgotten.", {}),
    "evictions": ("filament_cache_evictions", "Answers that gave way because memory was short.", {}),
    "overloads": ("filament_overloads", "Times that a process began to refuse what it does not keep.", {}),
    "shed": ("filament_overload_refusals", "Names refused in overload because they were not kept.", {}),
    **{
        f"limited_{limited}": ("filament_limited", "Questions refused because there were too many.", {"by": limited})
        for limited in LIMITED
    },
    **{
        f"native_{transport}": (
            "filament_native_messages",
            "Messages of the native protocol that were taken.",
            {"transport": transport},
        )
        for transport in ("udp", "tcp", "http")
    },
    **{
        f"dropped_{reason}": (
            "filament_native_dropped",
            "Datagrams that were not taken, and answers that were not sent.",
            {"reason": reason},
        )
        for reason in ("nonsense", "budget", "queue", "limit")
    },
    **{
        f"closed_{reason}": (
            "filament_native_closed",
            "Connections of the native protocol that the node ended.",
            {"reason": reason},
        )
        for reason in ("nonsense", "idle", "slow", "crowd")
    },
    **{
        f"http_{reason}": ("filament_http_closed", "Connections of HTTP that the node gave up.", {"reason": reason})
        for reason in ("slow", "crowd")
    },
    **{
        f"recursion_{outcome}": (
            "filament_recursion",
            "Questions that were passed on to other nodes, and those answered by what such a one said before.",
            {"outcome": outcome},
        )
        for outcome in ("found", "missing", "kept", "silent", "bad", "forbidden", "loops")
    },
    "circuits_opened": (
        "filament_upstream_circuits_opened",
        "Times that another node was left alone because it had failed again and again.",
        {},
    ),
}
GAUGES: Final[dict[str, tuple[str, str]]] = {
    "cache_octets": ("filament_cache_bytes", "Memory that kept answers stand for."),
    "cache_entries": ("filament_cache_entries", "Answers kept."),
    "missing_entries": ("filament_cache_missing_entries", "Names kept as not registered."),
    "waiting": ("filament_reads_waiting", "Names that wait to be read."),
    "native_connections": ("filament_native_connections", "Connections of the native protocol that are open."),
    "http_connections": ("filament_http_connections", "Connections of HTTP that are open."),
    "ready_way": ("filament_short_way_workers", "Processes whose kept answers take the short way over HTTP."),
    "burst_way": ("filament_udp_burst_sockets", "Sockets whose datagrams are read and written several at a time."),
    "overloaded": (
        "filament_overloaded_workers",
        "Processes that answer only what they keep, for they are overloaded.",
    ),
    "circuits_open": ("filament_upstream_circuits_open", "Servers of other nodes that are left alone just now."),
    "staleness": ("filament_staleness_seconds", "Seconds since changes were last heard; 0 while they are."),
}
HISTOGRAMS: Final[dict[str, tuple[str, str, Sequence[float]]]] = {
    "latency": ("filament_request_seconds", "Seconds from a request to its answer.", LATENCY_BUCKETS),
    "miss_latency": ("filament_miss_seconds", "Seconds from a miss to its answer.", LATENCY_BUCKETS),
    "batch": ("filament_read_handles", "Handles asked for in one read.", BATCH_BUCKETS),
    "heard": ("filament_change_delay_seconds", "Seconds from writing a change to forgetting it.", DELAY_BUCKETS),
}


class Metrics:
    """The figures of one process. Whoever is on the path increments `counts` and observes the histograms.

    Whoever answers for a handle counts it in `tally`, too, which is not exposed here.
    """

    def __init__(self, tally: Tally | None = None) -> None:
        self.counts = Counts()
        self.tally = tally or Tally()
        self.latency = Histogram(LATENCY_BUCKETS)
        self.miss_latency = Histogram(LATENCY_BUCKETS)
        self.batch = Histogram(BATCH_BUCKETS)
        self.heard = Histogram(DELAY_BUCKETS)
        self.cache_octets = 0
        self.cache_entries = 0
        self.missing_entries = 0
        self.waiting = 0
        self.native_connections = 0
        self.http_connections = 0
        self.ready_way = 0
        self.burst_way = 0
        self.overloaded = 0
        self.circuits_open = 0
        self.staleness = 0.0


class Exposition:
    """The figures of `metrics` as prometheus_client knows them, from the last flush on."""

    def __init__(self, metrics: Metrics, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._metrics = metrics
        self._flushed = Counts()
        families: dict[str, Counter] = {}
        self._counters: dict[str, Counter] = {}
        for field, (name, text, labels) in COUNTERS.items():
            if name not in families:
                families[name] = Counter(name, text, tuple(labels), registry=self.registry)
            self._counters[field] = families[name].labels(**labels) if labels else families[name]
        self._gauges = {
            field: Gauge(name, text, registry=self.registry, multiprocess_mode=_mode(field))
            for field, (name, text) in GAUGES.items()
        }
        self._histograms = {
            field: _Summed(name, text, registry=self.registry, buckets=bounds)
            for field, (name, text, bounds) in HISTOGRAMS.items()
        }

    def flush(self) -> None:
        """Hands over what was counted since the last flush."""
        counts = self._metrics.counts
        for field, counter in self._counters.items():
            value = getattr(counts, field)
            if difference := value - getattr(self._flushed, field):
                counter.inc(difference)
                setattr(self._flushed, field, value)
        for field, gauge in self._gauges.items():
            gauge.set(getattr(self._metrics, field))
        for field, histogram in self._histograms.items():
            histogram.follow(getattr(self._metrics, field))


class _Summed(PrometheusHistogram):
    """A histogram that takes the buckets of another as they stand, instead of one observation after the other."""

    def follow(self, figures: Histogram) -> None:
        before = getattr(self, "_taken", ([0] * len(figures.counts), 0.0))
        for bucket, count, old in zip(self._buckets, figures.counts, before[0], strict=True):
            if count != old:
                bucket.inc(count - old)
        if figures.total != before[1]:
            self._sum.inc(figures.total - before[1])
        self._taken = (list(figures.counts), figures.total)


def _mode(field: str) -> Literal["livesum", "livemax"]:
    """How the workers' figures become the node's: memory adds up, the stalest worker is what the operator must see."""
    return "livemax" if field == "staleness" else "livesum"
