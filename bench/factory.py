"""A day at the factories of the demo, as those who ask and register see it; the same seed gives the same day.

Three shifts with a rush at each change; pallets scanned 5 to 15 times on their way; Zipf's law over what was registered
in the last thirty days; a tenth anywhere in the registry; lists of a doff, a pallet and a lorry; robots; names that
nobody registered. One identifier is registered for eight that are resolved, by lists of a doff as it is packed and by
larger ones that other systems send over. An identifier is asked for LAG after its registration at the soonest.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, count, islice
from random import Random
from typing import Final, NamedTuple
from zlib import crc32

from bench.identifiers import SEED, Record
from bench.production import DAYS
from bench.schedule import consignment, cut

SECONDS: Final = 86_400.0
SLOTS: Final = 144  # Ten minutes each.
CHANGES: Final = (0, 48, 96)  # The slots in which shifts change, at 0, 8 and 16 o'clock; the rush begins one before.
RUSH: Final = 3.0
NIGHT, DAYTIME = 0.6, 1.2  # Of an average slot; daytime from 7 to 19 o'clock.
LAG: Final = 1200.0  # Seconds: goods lie about before anybody scans them.

SINGLY: Final = 0.55  # Of the identifiers that are resolved; the others are asked for in lists.
MISSING: Final = 0.07  # Of all that are asked for; between 5 and 10 % in the field.
ROBOTS: Final = 0.015
ANYWHERE: Final = 0.1  # Of what is asked singly: old goods, claims.
SCANNED: Final = 0.4  # Of what is asked singly: pallets on their way.
SCANS: Final = (5, 15)
BETWEEN_SCANS: Final = (120.0, 5400.0)  # Seconds.
LISTS: Final = {24: 0.2, 48: 0.3, 96: 0.2, 1500: 0.3}  # Identifiers of a list, and its share of all in lists.
FLAWED: Final = 20  # One list in so many names something that is not there.

REGISTERED: Final = 1 / 8  # For each identifier that is resolved.
ARRIVALS: Final = {1: 0.01, 24: 0.09, 96: 0.3, 1500: 0.6}  # Identifiers registered at once, and their share.

CIRCULATION: Final = 30  # Days.
CIRCULATING: Final = 3000  # Consignments, up to twice as many; as many of the whole registry are asked for anywhere.
DAMAGED: Final = 24  # One label in so many is misread whenever it is scanned.


class Kind(IntEnum):
    """What is counted apart."""

    ONE = 0
    LIST = 1
    MISSING = 2
    ROBOT = 3
    REGISTRATION = 4
    LOAD = 5


class Event(NamedTuple):
    """Something that happens at a second of the day. `missing` of the names are not there; `records` are registered.

    `arrivals` is how many registrations and loads must be over, because the names stand in the last of them.
    """

    at: float
    kind: Kind
    names: Sequence[str]
    missing: int = 0
    arrivals: int = 0
    records: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the registry is when the day begins, and how many identifiers are resolved in it."""

    registered: int
    resolved: int = 1_000_000
    seed: int = SEED

    @property
    def to_register(self) -> int:
        """Identifiers that are registered on the day."""
        return round(self.resolved * REGISTERED)


def line(begin: int, number: int, seed: int = SEED) -> Iterator[Record]:
    """The records of the demo from the one with number `begin` on."""
    whole, rest = cut(begin)
    following = (record for one in count(whole) for record in consignment(one, seed))
    return islice(following, rest, rest + number)


def day(scale: Scale) -> list[Event]:
    """Everything that happens, in order of time."""
    return sorted(_Day(scale).events(), key=lambda event: event.at)


def _weight(slot: int) -> float:
    if any((slot - change) % SLOTS in (SLOTS - 1, 0, 1) for change in CHANGES):
        return RUSH
    return DAYTIME if 42 <= slot < 114 else NIGHT


_CUMULATED: Final = tuple(accumulate(map(_weight, range(SLOTS))))


class _Day:
    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._chance = Random(f"{scale.seed}:{scale.registered}")
        self._fresh = list(line(scale.registered, scale.to_register))
        self._old = self._drawn(0)
        recent = self._drawn(scale.registered - scale.registered * CIRCULATION // DAYS)
        self._arrivals = self._arrive()
        # All that circulates, in the order of registration; from FIRST on it came today.
        self._line = recent + [record.handle for record in self._fresh]
        self._first = len(recent)
        self._arrived_at = [at for at, records in self._arrivals for _ in records]
        self._arrival_of = [number for number, (_, records) in enumerate(self._arrivals, 1) for _ in records]

    def events(self) -> Iterator[Event]:
        for at, records in self._arrivals:
            kind = Kind.REGISTRATION if len(records) == 1 else Kind.LOAD
            yield Event(at, kind, [record.handle for record in records], records=records)
        resolved = self._scale.resolved
        lists, singly = resolved - round(resolved * SINGLY), round(resolved * SINGLY)
        yield from self._lists(lists)
        robots, scans = round(resolved * ROBOTS), round(singly * SCANNED)
        yield from self._scans(scans)
        yield from self._by_rank(singly - scans - round(singly * ANYWHERE) - robots)
        yield from (
            Event(at, Kind.ONE, (self._chance.choice(self._old),)) for at in self._times(round(singly * ANYWHERE))
        )
        probed = self._line[0]
        yield from (Event(number * SECONDS / robots, Kind.ROBOT, (probed,)) for number in range(robots))
        yield from self._missing(round(resolved * MISSING / (1 - MISSING)))

    def _times(self, number: int) -> list[float]:
        slots = self._chance.choices(range(SLOTS), cum_weights=_CUMULATED, k=number)
        return [(slot + self._chance.random()) * SECONDS / SLOTS for slot in slots]

    def _drawn(self, begin: int) -> list[str]:
        """Names of consignments that were registered behind `begin`, in that order; mostly yesterday's."""
        numbers = range(cut(begin)[0], cut(self._scale.registered)[0])
        every = 1 << max(0, (len(numbers) // CIRCULATING).bit_length() - 1)
        drawn = (number for number in numbers if crc32(b"%d:%d" % (self._scale.seed, number)) % every == 0)
        return [record.handle for number in drawn for record in consignment(number, SEED)]

    def _arrive(self) -> list[tuple[float, Sequence[Record]]]:
        sizes = [
            size for size, share in ARRIVALS.items() for _ in range(max(1, round(len(self._fresh) * share / size)))
        ]
        sizes.append(max(0, len(self._fresh) - sum(sizes)))  # what rounding left over
        self._chance.shuffle(sizes)
        ends = accumulate(sizes)
        parts = [self._fresh[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        times = sorted(self._times(len(parts)))
        return [(at, part) for at, part in zip(times, parts, strict=True) if part]

    def _known(self, at: float) -> int:
        """How many of the line may be asked for."""
        return self._first + bisect_right(self._arrived_at, at - LAG)

    def _asked(self, at: float, place: int) -> Event:
        return Event(at, Kind.ONE, (self._line[place],), arrivals=self._arrivals_until(place))

    def _arrivals_until(self, place: int) -> int:
        return 0 if place < self._first else self._arrival_of[place - self._first]

    def _by_rank(self, number: int) -> Iterator[Event]:
        ranks = range(len(self._line))
        cumulated = tuple(accumulate(1 / (rank + 1) for rank in ranks))
        for at, rank in zip(
            self._times(number), self._chance.choices(ranks, cum_weights=cumulated, k=number), strict=True
        ):
            known = self._known(at)
            yield self._asked(at, (known - 1 - rank) % known)

    def _scans(self, number: int) -> Iterator[Event]:
        pallets = [place for place, name in enumerate(self._line) if "/P." in name] or list(range(len(self._line)))
        while number > 0:
            place = self._chance.choice(pallets)
            since = 0.0 if place < self._first else self._arrived_at[place - self._first] + LAG
            at = since + self._chance.random() * (SECONDS - since)
            for _ in range(min(number, self._chance.randint(*SCANS))):
                number -= 1
                # What would be scanned tomorrow was scanned this morning, or at once.
                yield self._asked(at if at < SECONDS else max(since, at - SECONDS), place)
                at += self._chance.uniform(*BETWEEN_SCANS)

    def _lists(self, number: int) -> Iterator[Event]:
        for size, share in LISTS.items():
            for at in self._times(max(1, round(number * share / size))):
                last = self._known(at)
                begin = max(0, last - size - int(self._chance.paretovariate(1.0) * size))
                names = self._line[begin : min(last, begin + size)]
                flawed = self._chance.randrange(FLAWED) == 0
                asked = [*names[:-1], _misread(names[-1])] if flawed else names
                yield Event(at, Kind.LIST, asked, int(flawed), self._arrivals_until(begin + len(names) - 1 - flawed))

    def _missing(self, number: int) -> Iterator[Event]:
        """Damaged labels, and goods of tomorrow."""
        damaged = [_misread(name) for name in self._line if crc32(name.encode()) % DAMAGED == 0]
        damaged = damaged or [_misread(self._line[0])]
        tomorrow = [record.handle for record in line(self._scale.registered + len(self._fresh), 1 + number // 100)]
        for at in self._times(number):
            yield Event(at, Kind.MISSING, (self._chance.choice(damaged if self._chance.random() < 0.8 else tomorrow),))


def _misread(name: str) -> str:
    """The last character was not legible."""
    return name[:-1] + "_"
