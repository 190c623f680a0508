"""Figures of our processes, read from /proc: the multi-process mode of prometheus-client has none of its own."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from resolver.memory import huge_octets

PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one process at one moment."""

    cpu_seconds: float
    resident_octets: int
    open_files: int
    threads: int
    started_at: float


def figures(pid: int, proc: Path = PROC) -> Figures | None:
    """None when the process is gone, is not ours to look at, or the system has no /proc."""
    try:
        # The name of the program stands in parentheses and may hold anything; the figures follow it.
        words = (proc / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        booted = next(
            int(line.split()[1])
            for line in (proc / "stat").read_text("ascii").splitlines()
            if line.startswith("btime ")
        )
        open_files = len(os.listdir(proc / str(pid) / "fd"))
    except (OSError, StopIteration):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return Figures(
        cpu_seconds=(int(words[11]) + int(words[12])) / ticks,
        resident_octets=int(words[21]) * os.sysconf("SC_PAGE_SIZE"),
        open_files=open_files,
        threads=int(words[17]),
        started_at=booted + int(words[19]) / ticks,
    )


class ProcessCollector(Collector):
    """The figures of the processes that it is given, by the names that it is given."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes

    def collect(self) -> Iterable[Metric]:
        found = [(name, seen) for name, pid in self._processes.items() if (seen := figures(pid)) is not None]
        yield from _families(found)
        huge = GaugeMetricFamily("filament_process_huge_page_bytes", "Memory in huge pages.", labels=["process"])
        for name, octets in in_huge_pages(self._processes).items():
            huge.add_metric([name], octets)
        yield huge


def in_huge_pages(processes: Mapping[str, int]) -> dict[str, int]:
    """Octets that processes hold in huge pages, of those that can be seen."""
    seen = {name: huge_octets(pid) for name, pid in processes.items()}
    return {name: octets for name, octets in seen.items() if octets is not None}


def _families(found: list[tuple[str, Figures]]) -> Iterator[Metric]:
    cpu = CounterMetricFamily("filament_process_cpu_seconds", "Processor time used.", labels=["process"])
    memory = GaugeMetricFamily("filament_process_resident_memory_bytes", "Memory in use.", labels=["process"])
    files = GaugeMetricFamily("filament_process_open_fds", "Open file descriptors.", labels=["process"])
    threads = GaugeMetricFamily("filament_process_threads", "Threads.", labels=["process"])
    started = GaugeMetricFamily(
        "filament_process_start_time_seconds",
        "When the process was started, in seconds since 1970.",
        labels=["process"],
    )
    for name, seen in found:
        cpu.add_metric([name], seen.cpu_seconds)
        memory.add_metric([name], seen.resident_octets)
        files.add_metric([name], seen.open_files)
        threads.add_metric([name], seen.threads)
        started.add_metric([name], seen.started_at)
    yield from (cpu, memory, files, threads, started)
