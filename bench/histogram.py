"""How long answers took: counts in buckets whose width is at most 1/128 of what they hold, at any size.

The generator in C counts into the same buckets (`bucket_of` in load.c). Histograms of several processes and rounds add
up, which percentiles do not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

SUB_BITS: Final = 7
SUB: Final = 1 << SUB_BITS
NANOSECONDS: Final = 1000  # In a microsecond.


def bucket_of(nanoseconds: int) -> int:
    if nanoseconds < SUB:
        return nanoseconds
    shift = nanoseconds.bit_length() - 1 - SUB_BITS
    return (shift + 1) * SUB + (nanoseconds >> shift) - SUB


def middle_of(bucket: int) -> float:
    """The value, in nanoseconds, that stands for all in a bucket."""
    shift, rest = divmod(bucket, SUB)
    if shift <= 1:
        return float(bucket)
    return ((rest + SUB) << (shift - 1)) + ((1 << (shift - 1)) - 1) / 2


class Histogram:
    """Nanoseconds go in, microseconds come out."""

    def __init__(self, counts: Mapping[int, int] | Iterable[tuple[int, int]] = ()) -> None:
        self.counts: Counter[int] = Counter()
        for bucket, count in counts.items() if isinstance(counts, Mapping) else counts:
            self.counts[bucket] += count

    def __len__(self) -> int:
        return self.counts.total()

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.counts + other.counts)

    def record(self, nanoseconds: int) -> None:
        self.counts[bucket_of(nanoseconds)] += 1

    def percentile(self, share: float) -> float:
        """What `share` of 100 took no longer than, in microseconds; 0 when nothing was counted."""
        wanted = max(1, -(-len(self) * share // 100))
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return middle_of(bucket) / NANOSECONDS
        return 0.0

    def pairs(self) -> list[tuple[float, int]]:
        """Microseconds and how many answers took that long, ascending: what a report draws."""
        return [(round(middle_of(one) / NANOSECONDS, 3), self.counts[one]) for one in sorted(self.counts)]
