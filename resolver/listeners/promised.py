"""What the prober wrote into the book of the node's promises, read again for the status port and its figures.

The prober is another process, perhaps on another machine, and both count only what was written: a minute is there once
it is over. While the book is away nothing is said of promises, and the alarm that misses the figures is the right one.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

import asyncpg
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from registry.database import DATABASE_AWAY, connect
from registry.promises import LATELY, Standing, standing
from registry.settings import RegistrySettings
from registry.statistics import month_of

FRESH: Final = 30.0  # Seconds; minutes are written once a minute, and a month of them is no small reading.
PATIENCE: Final = 2.0  # Seconds; Prometheus waits ten for all figures, which are wanted most while the book is away.


class Promised:
    """The standing of the promises; `settings` are asked each time, because the database of a node may come later."""

    def __init__(self, settings: Callable[[], RegistrySettings]) -> None:
        self._settings = settings
        self._reading = asyncio.Lock()
        self._standing: Standing | None = None
        self._until = 0.0

    async def look(self) -> Standing | None:
        """None while the book is away."""
        async with self._reading:
            if time.monotonic() >= self._until:
                self._standing = await self._read()
                self._until = time.monotonic() + FRESH
        return self._standing

    async def _read(self) -> Standing | None:
        settings = self._settings()
        if not settings.dsn:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                connection = await connect(settings, "status")
                try:
                    now = datetime.now(UTC)
                    return await standing(connection, *month_of(now), now)
                finally:
                    await connection.close(timeout=PATIENCE)
        except (*DATABASE_AWAY, asyncpg.PostgresError):
            return None


class PromiseCollector(Collector):
    """A standing as figures."""

    def __init__(self, seen: Standing, now: datetime) -> None:
        self._seen = seen
        self._now = now

    def collect(self) -> Iterable[Metric]:
        yield from self._services()
        yield from self._probes()
        if self._seen.newest is not None:
            age = GaugeMetricFamily("filament_promise_age_seconds", "Since the newest minute began that was probed.")
            age.add_metric([], (self._now - self._seen.newest).total_seconds())
            yield age

    def _services(self) -> Iterable[Metric]:
        up = _family("up", "0 from the first minute in which 51 in 100 probes failed to the last.", "service")
        measured = _family("measured_seconds", "Of this month, in minutes with probes.", "service")
        down = _family("down_seconds", "Of this month, in minutes in which 51 in 100 probes failed.", "service")
        failing = {incident.service for incident in self._seen.incidents if incident.ended_at is None}
        for one in self._seen.accounts:
            if one.minutes or one.service in failing:  # What nobody has measured is neither.
                up.add_metric([one.service], 0.0 if one.service in failing else 1.0)
            measured.add_metric([one.service], 60.0 * one.minutes)
            down.add_metric([one.service], 60.0 * one.down)
        return up, measured, down

    def _probes(self) -> Iterable[Metric]:
        within = f"over the last {LATELY.total_seconds() / 60:.0f} minutes"
        failed = _family("failed_ratio", f"Probes that failed, of all, {within}.", "probe")
        mean = _family("mean_seconds", f"Mean of probes that succeeded, {within}.", "probe")
        slowest = _family("slowest_seconds", f"Slowest of probes that succeeded, {within}.", "probe")
        for one in self._seen.lately:
            failed.add_metric([one.probe], 1.0 - one.answered / one.asked)
            if one.mean is not None:
                mean.add_metric([one.probe], one.mean)
                slowest.add_metric([one.probe], one.slowest)
        return failed, mean, slowest


def _family(name: str, documentation: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"filament_promise_{name}", documentation, labels=[label])
