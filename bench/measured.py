"""What a run of the generator gave, added up over its processes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import zip_longest
from typing import Any, Final

from bench.histogram import Histogram

SHARES: Final = (50.0, 90.0, 99.0, 99.9, 99.99, 100.0)
SUMS: Final = ("sent", "answered", "wrong", "lost", "identifiers")
TOTALS: Final = ("again", "reconnects", "octets_in", "octets_out")


@dataclass(slots=True)
class Tally:
    """How many requests of one kind, or of all. Wrong answers are in no histogram and give no identifiers."""

    sent: int = 0
    answered: int = 0
    wrong: int = 0
    lost: int = 0
    identifiers: int = 0
    histogram: Histogram = field(default_factory=Histogram)

    def __add__(self, other: "Tally") -> "Tally":
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return Tally(**sums, histogram=self.histogram + other.histogram)

    @property
    def right(self) -> int:
        return self.answered - self.wrong

    def percentile(self, share: float) -> float:
        """Microseconds that `share` of 100 right answers took at most."""
        return self.histogram.percentile(share)

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in SUMS},
            "percentiles_us": {f"{share:g}": self.percentile(share) for share in SHARES},
            "histogram": self.histogram.pairs(),
        }


@dataclass(slots=True)
class Measured(Tally):
    """All that one run of a plan gave."""

    seconds: float = 0.0
    generator_cpu: float = 0.0  # seconds
    server_cpu: float = 0.0
    latest_send: float = 0.0  # microseconds that a request left after it was due, at worst
    again: int = 0  # datagrams that were sent once more
    reconnects: int = 0
    octets_in: int = 0
    octets_out: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    wrong_sample: bytes = b""  # the beginning of the first wrong answer
    kinds: list[Tally] = field(default_factory=list)
    per_second: list[int] = field(default_factory=list)  # identifiers
    memory: list[tuple[float, int]] = field(default_factory=list)  # seconds, octets of all servers

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.right / self.seconds if self.seconds else 0.0

    @property
    def identifier_rate(self) -> float:
        return self.identifiers / self.seconds if self.seconds else 0.0

    @property
    def per_cpu_second(self) -> float:
        """Right answers for each second of CPU that the servers used: what lasts when the machine was not quiet."""
        return self.right / self.server_cpu if self.server_cpu else 0.0

    def to_json(self) -> dict[str, Any]:
        """Everything; a histogram is pairs of microseconds and counts."""
        return {
            **Tally.to_json(self),
            "seconds": round(self.seconds, 6),
            "rate": round(self.rate, 1),
            "identifier_rate": round(self.identifier_rate, 1),
            "per_cpu_second": round(self.per_cpu_second, 1),
            "generator_cpu": round(self.generator_cpu, 4),
            "server_cpu": round(self.server_cpu, 4),
            "latest_send_us": self.latest_send,
            **{name: getattr(self, name) for name in TOTALS},
            "codes": {str(code): count for code, count in sorted(self.codes.items())},
            "wrong_sample": self.wrong_sample.decode("latin-1"),
            "kinds": [kind.to_json() for kind in self.kinds],
            "per_second": self.per_second,
            "memory": self.memory,
        }


def joined(reports: Sequence[dict[str, Any]]) -> Measured:
    """The lines of the processes of one run, put together."""
    by_process = [[_tally(kind) for kind in report["kinds"]] for report in reports]
    kinds = [reduce(Tally.__add__, same) for same in zip(*by_process, strict=True)]
    whole = reduce(Tally.__add__, kinds)
    sums = {name: getattr(whole, name) for name in SUMS}
    totals = {name: sum(report[name] for report in reports) for name in TOTALS}
    return Measured(
        **sums,
        histogram=whole.histogram,
        seconds=max(report["seconds"] for report in reports),
        generator_cpu=sum(report["cpu_seconds"] for report in reports),
        latest_send=max(report["latest_send_us"] for report in reports),
        **totals,
        codes=sum((Counter({int(code): count for code, count in one["codes"].items()}) for one in reports), Counter()),
        wrong_sample=next((bytes.fromhex(one["wrong_sample"]) for one in reports if one["wrong_sample"]), b""),
        kinds=kinds,
        per_second=[sum(same) for same in zip_longest(*(one["per_second"] for one in reports), fillvalue=0)],
    )


def _tally(kind: dict[str, Any]) -> Tally:
    return Tally(**{name: kind[name] for name in SUMS}, histogram=Histogram(kind["histogram"]))
