"""What the contestants are asked: names in an order of chance, other ones in every round.

Over the rounds every key is asked for about once, so that no processor's cache holds the part of the table that is
asked for. PowerDNS's packet cache is asked for few names only, as in its favour as can be.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import pools
from bench.rivals import job
from bench.rivals.powerdns import FEW

BATCH: Final = 1_000
UNCACHED: Final = 100_000  # Names of a round that no cache holds; nobody answers as many in it.


def write_pools(directory: Path, keys: int, rows: int, rounds: int) -> Mapping[tuple[str, int], Path]:
    """A file for each sort of question and round."""
    chance = random.Random(rows)
    shuffled = chance.sample(range(keys), keys)
    batches = pools.write_pool(directory / "batch.pool", _batch(shuffled))
    written = {}
    for turn in range(rounds):
        of_round = shuffled[turn::rounds]
        of_rows = [chance.randrange(rows) for _ in range(min(UNCACHED, rows))]
        few = chance.sample(range(min(FEW, keys)), min(FEW, keys))
        numbers = {"http-rows": of_rows, "dns-rows": of_rows, "dns-few": few}
        written["batch", turn] = batches
        for sort, ask in SORTS.items():
            path = directory / f"{sort}-{turn}.pool"
            written[sort, turn] = pools.write_pool(path, ask(numbers.get(sort, of_round)))
    return written


def _http(numbers: Sequence[int]) -> Iterable[pools.Request]:
    return (pools.resolution(job.name(number)) for number in numbers)


def _static(numbers: Sequence[int]) -> Iterable[pools.Request]:
    """The same octets as over HTTP; the answer cannot be the right one."""
    return (pools.Request(one.octets) for one in _http(numbers))


def _native(numbers: Sequence[int]) -> Iterable[pools.Request]:
    return (pools.native(job.name(number)) for number in numbers)


def _redis(numbers: Sequence[int]) -> Iterable[pools.Request]:
    return (pools.redis_get(job.name(number), job.name(number)) for number in numbers)


def _dns(numbers: Sequence[int]) -> Iterable[pools.Request]:
    return (pools.dns_query(job.domain_name(number), marker=job.name(number).encode()) for number in numbers)


def _batch(numbers: Sequence[int]) -> Iterable[pools.Request]:
    return (
        pools.batch([job.name(number) for number in numbers[start : start + BATCH]])
        for start in range(0, len(numbers), BATCH)
    )


SORTS: Final[Mapping[str, Callable[[Sequence[int]], Iterable[pools.Request]]]] = {
    "http": _http,
    "static": _static,
    "native": _native,
    "redis": _redis,
    "dns-few": _dns,
    "http-rows": _http,
    "dns-rows": _dns,
}
