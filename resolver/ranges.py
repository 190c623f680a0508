"""Ranges of keys that changed, remembered until every kept answer was held against them."""

import logging
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from registry.handle import HandleKey

log = logging.getLogger(__name__)

# A new range is held against so many before it, and takes the place of those inside it: chunks of one load mostly cover
# those before them.
RECENT: Final = 64
# More than a sweep can let come together: beyond it everything is forgotten, which is always right.
MAX_RANGES: Final = 8192

_HIGHEST: Final = HandleKey(b"\xff" * 4096)  # Above every key: names have 2048 octets at most.
EVERYTHING: Final = (HandleKey(b""), _HIGHEST)


@dataclass(frozen=True, slots=True)
class _Range:
    number: int
    first: HandleKey
    last: HandleKey


class _Intervals:
    """All ranges as one set of keys; whether a key is in it takes a bisection, however many there are."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[_Range]) -> None:
        self._firsts: list[HandleKey] = []
        self._lasts: list[HandleKey] = []
        for first, last in sorted((changed.first, changed.last) for changed in ranges):
            if self._lasts and first <= self._lasts[-1]:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def __contains__(self, key: HandleKey) -> bool:
        place = bisect_right(self._firsts, key)
        return place > 0 and key <= self._lasts[place - 1]


class ChangedRanges:
    """Ranges, numbered as they come; each covers what was kept before it."""

    def __init__(self) -> None:
        self._ranges: list[_Range] = []
        self._merged: _Intervals | None = None

    def __len__(self) -> int:
        return len(self._ranges)

    def add(self, number: int, first: HandleKey, last: HandleKey) -> None:
        """`number` is larger than all before."""
        if len(self._ranges) >= MAX_RANGES:
            log.warning("more than %s changed ranges wait for their sweep: everything is forgotten", MAX_RANGES)
            first, last = EVERYTHING
        self._ranges[-RECENT:] = [
            old for old in self._ranges[-RECENT:] if not (first <= old.first and old.last <= last)
        ]
        self._ranges.append(_Range(number, first, last))
        self._merged = None

    def cover(self, key: HandleKey, checked: int) -> bool:
        """Whether a range that came after the one of the number `checked` covers a key; newest first."""
        if self._merged is None:
            self._merged = _Intervals(self._ranges)
        if key in self._merged:
            for changed in reversed(self._ranges):
                if changed.number <= checked:
                    break
                if changed.first <= key <= changed.last:
                    return True
        return False

    def forget(self, number: int) -> None:
        """Forgets the ranges up to this number: nothing is left that was kept before them."""
        self._ranges = [kept for kept in self._ranges if kept.number > number]
        self._merged = None
