"""Which answers a cache keeps when it cannot keep all: the node's way beside three others, on made-up days.

`python -m bench.admission [--quick] [--keep]` plays the same requests to each and prints the share that each answered
from memory. The requests fall by Zipf's law over names that stay the same, some of them beside names that are asked for
once; or by age, over names of which new ones keep coming, as on a factory's day. All is drawn from a seed. Not
measured: time, and answers of different sizes.
"""

import argparse
import json
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, Protocol

from bench.surroundings import keep, surroundings
from registry.handle import HandleKey
from resolver.answer import Answer
from resolver.cache import Cache

SEED: Final = 1
CHANCES: Final = 16
FOREVER: Final = 1e9


class Policy(Protocol):
    def holds(self, key: HandleKey) -> bool:
        """Whether a name is held when it is asked for; it may be from then on."""


class Ours:
    """The cache of the node."""

    def __init__(self, size: int) -> None:
        self._cache = Cache(size * self._answer(HandleKey(b"%016d" % 0)).octets, 1, FOREVER, FOREVER)

    def holds(self, key: HandleKey) -> bool:
        if self._cache.get(key) is not None:
            return True
        self._cache.put(key, self._answer(key))
        return False

    def _answer(self, key: HandleKey) -> Answer:
        return Answer(key, b"}", 1)


class LeastRecentlyUsed:
    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[HandleKey, None] = OrderedDict()

    def holds(self, key: HandleKey) -> bool:
        if key in self._held:
            self._held.move_to_end(key)
            return True
        self._held[key] = None
        if len(self._held) > self._size:
            self._held.popitem(last=False)
        return False


class SecondChance:
    """One ring: whoever was used since the hand last passed stays for another turn."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used: dict[HandleKey, bool] = {}
        self._ring: deque[HandleKey] = deque()

    def holds(self, key: HandleKey) -> bool:
        if key in self._used:
            self._used[key] = True
            return True
        if len(self._used) < self._size or self._make_room(key):
            self._used[key] = False
            self._ring.append(key)
        return False

    def _make_room(self, key: HandleKey) -> bool:
        for _ in range(CHANCES):
            if not self._used[self._ring[0]]:
                break
            passed = self._ring.popleft()
            self._used[passed] = False
            self._ring.append(passed)
            self._pass(passed)
        return self._replace(key)

    def _pass(self, key: HandleKey) -> None:
        """A name was passed over."""

    def _replace(self, key: HandleKey) -> bool:
        del self._used[self._ring.popleft()]
        return True


class ByFrequency(SecondChance):
    """The same, and a new name must have been seen more often than the one whose place it takes (TinyLFU); counts are
    exact, and halved after ten sights for each place."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._seen: dict[HandleKey, int] = {}
        self._sights = 0

    def _pass(self, key: HandleKey) -> None:
        self._seen[key] = self._seen.get(key, 0) + 1
        self._sights += 1
        if self._sights == 10 * self._size:
            self._sights = 0
            self._seen = {name: count >> 1 for name, count in self._seen.items() if count > 1}

    def _replace(self, key: HandleKey) -> bool:
        self._pass(key)
        return self._seen.get(key, 0) > self._seen.get(self._ring[0], 0) and super()._replace(key)


def lasting(skew: float, once: float, names: int, count: int) -> Iterator[HandleKey]:
    """Names that stay the same, and a share of names that are asked for once."""
    chance = random.Random(SEED)
    single = names
    for number in _ranks(skew, names, count, chance):
        if chance.random() < once:
            single += 1
            number = single
        yield HandleKey(b"%016d" % number)


def ageing(skew: float, every: int, names: int, count: int) -> Iterator[HandleKey]:
    """Names by their age, and a new one with every so many requests."""
    for moment, age in enumerate(_ranks(skew, names, count, random.Random(SEED))):
        yield HandleKey(b"%016d" % (names + moment // every - age))


def _ranks(skew: float, names: int, count: int, chance: random.Random) -> list[int]:
    weights = list(accumulate(1 / rank**skew for rank in range(1, names + 1)))
    return chance.choices(range(names), cum_weights=weights, k=count)


Requests = Callable[[int, int], Iterator[HandleKey]]
POLICIES: Final[Mapping[str, Callable[[int], Policy]]] = {
    "least recently used": LeastRecentlyUsed,
    "second chance": SecondChance,
    "by frequency": ByFrequency,
    "ours": Ours,
}
DAYS: Final[Mapping[str, Requests]] = {
    "Zipf 0.8": lambda names, count: lasting(0.8, 0.0, names, count),
    "Zipf 0.8, 30 % once": lambda names, count: lasting(0.8, 0.3, names, count),
    "Zipf 0.99": lambda names, count: lasting(0.99, 0.0, names, count),
    "Zipf 0.99, 30 % once": lambda names, count: lasting(0.99, 0.3, names, count),
    "by age 0.8, a new one in 4": lambda names, count: ageing(0.8, 4, names, count),
    "by age 1.1, a new one in 4": lambda names, count: ageing(1.1, 4, names, count),
    "by age 0.8, a new one in 50": lambda names, count: ageing(0.8, 50, names, count),
    "by age 1.1, a new one in 50": lambda names, count: ageing(1.1, 50, names, count),
}


def share(policy: Policy, requests: Iterable[HandleKey], count: int) -> float:
    """Answered from memory in the second half, when memory has long been full."""
    held = 0
    for number, key in enumerate(requests):
        is_held = policy.holds(key)
        if number >= count // 2:
            held += is_held
    return round(held / (count - count // 2), 4)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.admission", description="Which answers a cache keeps.")
    parser.add_argument("--quick", action="store_true", help="a quarter of the requests")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    names, count, size = 200_000, 200_000 if arguments.quick else 800_000, 5_000
    print(f"{'':<30}" + "".join(f"{policy:>21}" for policy in POLICIES))
    shares: dict[str, dict[str, float]] = {}
    for day, requests in DAYS.items():
        shares[day] = {name: share(made(size), requests(names, count), count) for name, made in POLICIES.items()}
        print(f"{day:<30}" + "".join(f"{figure:>21.4f}" for figure in shares[day].values()))
    report = {"program": "admission", **where, "names": names, "requests": count, "places": size, "shares": shares}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("admission", report), file=sys.stderr)


if __name__ == "__main__":
    main()
