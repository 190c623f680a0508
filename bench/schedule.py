"""Which enterprise registers what, and when: the demo as one numbered line of consignments.

The line repeats a cycle of slots that Zipf's law has dealt out among the enterprises. What stands before any place
in the line is known by formula, so a total is cut to the record, and any process finds its own part, without
generating what comes before.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from random import Random

from bench import fibre, garment, logistics, machinery
from bench.enterprises import ENTERPRISES, Enterprise, Industry
from bench.vocabulary import Record

SLOTS = 280
"""Consignments in a cycle: enough that the smallest of 28 enterprises has one of its own."""

SUPPLY_REACH = 400
"""Weavers and carriers take what left a mill at most this many consignments ago."""

# From the largest to the smallest. A fibre mill must lead: the first slot of all cannot ask for supplies.
_BY_SIZE = (10, 1, 4, 7, 15, 2, 12, 5, 21, 8, 3, 16, 11, 26, 6, 9, 23, 17, 13, 18, 14, 22, 19, 27, 24, 20, 25, 28)


def _shares() -> dict[int, int]:
    """Slots of each enterprise in a cycle: in inverse proportion to its rank, by largest remainder."""
    whole = sum(1 / rank for rank in range(1, len(_BY_SIZE) + 1))
    exact = {number: SLOTS / whole / rank for rank, number in enumerate(_BY_SIZE, start=1)}
    shares = {number: int(share) for number, share in exact.items()}
    by_remainder = sorted(exact, key=lambda number: shares[number] - exact[number])
    for number in by_remainder[: SLOTS - sum(shares.values())]:
        shares[number] += 1
    return shares


_SHARES = _shares()

# Every enterprise's slots are spread evenly over the cycle.
_CYCLE: tuple[Enterprise, ...] = tuple(
    ENTERPRISES[number - 1]
    for _, _, number in sorted(
        ((turn + 0.5) / share, -share, number) for number, share in _SHARES.items() for turn in range(share)
    )
)


def _turns_before(enterprise: Enterprise) -> tuple[int, ...]:
    return tuple(accumulate((slot is enterprise for slot in _CYCLE), initial=0))


_BEFORE: dict[Enterprise, tuple[int, ...]] = {enterprise: _turns_before(enterprise) for enterprise in ENTERPRISES}

# For each slot the nearest slot of a fibre enterprise, at or before it.
_FIBRE_SLOT: tuple[int, ...] = tuple(
    accumulate((i if slot.industry is Industry.CHEMICAL_FIBRE else 0 for i, slot in enumerate(_CYCLE)), max)
)

_COUNT_BEFORE: dict[Industry, Callable[[int], int]] = {
    Industry.CHEMICAL_FIBRE: fibre.count_before,
    Industry.GARMENT: garment.count_before,
    Industry.LOGISTICS: logistics.count_before,
    Industry.EQUIPMENT: machinery.count_before,
}


def consignment(number: int, seed: int) -> Iterator[Record]:
    """The records of one consignment, the same in whichever process and order it is asked for."""
    chance = Random(f"{seed}:{number}")
    enterprise, ordinal = _turn(number)
    if enterprise.industry is Industry.CHEMICAL_FIBRE:
        return fibre.consignment(enterprise, ordinal, chance)
    if enterprise.industry is Industry.EQUIPMENT:
        return machinery.consignment(enterprise, ordinal, chance)
    supply = partial(_supply, number, chance)
    if enterprise.industry is Industry.GARMENT:
        return garment.consignment(enterprise, ordinal, supply, chance)
    return logistics.consignment(enterprise, ordinal, supply, chance)


def count_before(number: int) -> int:
    """How many records stand in the line before this consignment."""
    cycle, slot = divmod(number, SLOTS)
    return sum(_COUNT_BEFORE[each.industry](cycle * _SHARES[each.number] + _BEFORE[each][slot]) for each in ENTERPRISES)


def cut(count: int) -> tuple[int, int]:
    """How many whole consignments `count` records make, and how many records of the next one remain."""
    whole = bisect_right(range(count + 1), count, key=count_before) - 1
    return whole, count - count_before(whole)


def _turn(number: int) -> tuple[Enterprise, int]:
    """Whose consignment it is, and the how manieth of that enterprise."""
    cycle, slot = divmod(number, SLOTS)
    enterprise = _CYCLE[slot]
    return enterprise, cycle * _SHARES[enterprise.number] + _BEFORE[enterprise][slot]


def _supply(number: int, chance: Random) -> tuple[Enterprise, int]:
    """A pallet that some mill registered before this consignment."""
    near = number - 1 - int(chance.random() * min(number, SUPPLY_REACH))
    return _turn(near - near % SLOTS + _FIBRE_SLOT[near % SLOTS])
