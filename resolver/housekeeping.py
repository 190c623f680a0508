"""What a worker does besides answering: its figures are handed over, its memory is tended."""

import asyncio
import gc
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import REGISTRY, Collector

from resolver.cache import Cache
from resolver.memory import ask_for_huge_pages, give_back_memory
from resolver.metrics import Exposition, Metrics
from resolver.misses import Misses
from resolver.recursion import Recursion
from resolver.resolution import Resolver

FLUSH_INTERVAL: Final = 1.0  # Seconds between two hand-overs of the figures.
MEMORY_INTERVAL: Final = 60.0  # Seconds between two looks at how the cache has grown or shrunk.
# Allocations before the collector looks at young objects, and how often until it looks at those of middle age, and at
# all. Kept answers are a million objects that are in no cycle: each is looked at twice when it is new, 8,000 at a time,
# which takes some milliseconds; all of them would take a second, so that is left to where it is really needed.
COLLECT: Final = (2_000, 4, 10_000)


async def flush(metrics: Metrics, cache: Cache, misses: Misses, resolver: Resolver, recursion: Recursion) -> None:
    """Hands the figures over each second, until cancelled."""
    exposition = Exposition(metrics)
    shown = _Shown(exposition)
    REGISTRY.register(shown)
    try:
        while True:
            metrics.counts.evictions = cache.evictions
            metrics.cache_octets, metrics.cache_entries = cache.octets, len(cache)
            metrics.missing_entries, metrics.waiting = cache.missing, len(misses)
            overload = misses.overload
            metrics.overloaded, metrics.counts.overloads, metrics.counts.shed = (
                overload.on,
                overload.times,
                overload.shed,
            )
            for limited, times in metrics.tally.limits.refused.items():
                setattr(metrics.counts, f"limited_{limited}", times)
            metrics.staleness = resolver.staleness
            metrics.circuits_open = recursion.breakers.opened
            exposition.flush()
            await asyncio.sleep(FLUSH_INTERVAL)
    finally:
        REGISTRY.unregister(shown)


class _Shown(Collector):
    """The figures of this worker for whoever collects those of the process. It names nothing in advance, so that two
    workers may run in one process."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._exposition.registry.collect()


async def tend_memory(cache: Cache) -> None:
    """Gives back what a cache that shrank has left, and asks for huge pages, until cancelled."""
    most = 0
    while True:
        await asyncio.sleep(MEMORY_INTERVAL)
        most = max(most, cache.octets)
        if cache.octets < most // 2:
            most = cache.octets
            await asyncio.to_thread(give_back_memory)
        await asyncio.to_thread(ask_for_huge_pages)


def leave_old_objects_alone() -> None:
    """For a process that is a worker and nothing else."""
    gc.collect()
    gc.freeze()  # Modules, classes and code: they live as long as the process.
    gc.set_threshold(*COLLECT)


def leave_answers_alone() -> None:
    """Once the answers of the former process are kept."""
    gc.collect(0)  # What is young and already garbage would never be freed.
    gc.freeze()
