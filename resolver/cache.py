"""Answers kept in memory, exact to the change: found and missing apart.

A found answer costs one look-up and one mark when it is hit; order, expiry and memory are kept outside the table, in a
ring that is only turned when an answer is put or swept (second chance: a marked answer survives one turn). A changed
range is not searched for, because a million entries would hold up the loop for every chunk of a bulk load: it is
remembered, an answer that was put before it is held against it when it is next hit, and a sweep in small slices
forgets the rest and then the range. A changed range makes every missing name doubtful, so those all go at once.
"""

import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache

from registry.changes import Change, ChangeKind
from registry.handle import HandleKey
from resolver.answer import MISSING, Answer

log = logging.getLogger(__name__)

# Ranges remembered before a sweep is begun: ten seconds of a load over thirty prefixes at worst, and a sweep over a
# million answers takes two. They are sorted anew when some were added, in a third of a millisecond.
RANGES: Final = 1024
# A new range is held against so many before it, and takes the place of those inside it: chunks of one load mostly cover
# those before them.
RECENT: Final = 64
# More than a sweep can let come together: beyond it everything is forgotten, which is always right.
MAX_RANGES: Final = 8192
SWEEP_SLICE: Final = 1000  # Entries looked at between two turns of the loop: about a millisecond.
# Marked answers that a put passes over at most; a whole turn of the ring would hold up the loop.
SECOND_CHANCES: Final = 16
DEAD: Final = 1000  # Forgotten entries that the ring may hold, or as many as there are answers.

_HIGHEST: Final = HandleKey(b"\xff" * 4096)  # Above every key: names have 2048 octets at most.
_EVERYTHING: Final = (HandleKey(b""), _HIGHEST)


class _Entry:
    """A kept answer: `used` since the ring last passed, `checked` against the ranges up to this number."""

    __slots__ = ("answer", "checked", "expires", "key", "used")

    def __init__(self, key: HandleKey, answer: Answer, expires: float, checked: int) -> None:
        self.key = key
        self.answer: Answer | None = answer
        self.expires = expires
        self.checked = checked
        self.used = False


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


class Cache:
    """Kept answers. Its clock is set from outside (`advance`) and stands still while the book cannot be heard."""

    def __init__(self, octets: int, missing_entries: int, found_ttl: float, missing_ttl: float) -> None:
        self.octets = 0
        self.evictions = 0
        self._limit = octets
        self.found_ttl = found_ttl
        self._now = 0.0
        self._found: dict[HandleKey, _Entry] = {}
        self._ring: deque[_Entry] = deque()
        self._dead = 0  # Entries of the ring that were forgotten and hold nothing any more.
        self._missing_limits = (missing_entries, missing_ttl)
        self._missing = self._no_missing()
        self._ranges: list[_Range] = []
        self._merged: _Intervals | None = None
        self._number = 0  # Of the newest range.
        self._unswept = 0  # Entries at the left of the ring that the sweep has still to look at.
        self._swept_to = 0  # All other entries were checked against the ranges up to this number.
        self._sweep_wanted = 0  # Up to which number a sweep should have been made.

    def __len__(self) -> int:
        return len(self._found)

    @property
    def missing(self) -> int:
        """How many names are held as not registered."""
        return len(self._missing)

    @property
    def sweeping(self) -> bool:
        """Whether `sweep` has something to do."""
        return self._unswept > 0 or self._swept_to < self._sweep_wanted or self._dead > max(DEAD, len(self._found))

    def get(self, key: HandleKey) -> Answer | None:
        """The answer held for a key: found, or MISSING, or None when nothing is held."""
        entry = self._found.get(key)
        if entry is None:
            return self._missing.get(key)
        if entry.expires < self._now or (entry.checked != self._number and self._is_changed(entry)):
            self._bury(entry)
            return None
        entry.used = True
        return entry.answer

    def put(self, key: HandleKey, answer: Answer) -> None:
        """Keeps an answer, in place of the one that was held; others give way when memory is short."""
        self.forget_key(key)
        if answer is MISSING:
            self._missing[key] = answer
            return
        size = answer.octets + len(key)
        if size > self._limit:
            return
        self._make_room(size)
        entry = _Entry(key, answer, self._now + self.found_ttl, self._number)
        self._found[key] = entry
        self._ring.append(entry)
        self.octets += size

    def advance(self, now: float) -> None:
        """Sets the clock, in seconds; answers older than their time to live are no longer given."""
        self._now = now

    def forget(self, change: Change) -> None:
        """From here on nothing is given that was put before and that the change covers."""
        if change.kind is ChangeKind.HANDLE:
            self.forget_key(change.key)
        elif change.kind is ChangeKind.RANGE:
            self._forget_range(change.key, change.last)
        elif change.kind is ChangeKind.PREFIX:
            # The key of a prefix change ends in '/'; '0' is the octet behind it.
            self._forget_range(change.key, HandleKey(change.key[:-1] + b"0"))
        else:
            self._forget_range(*_EVERYTHING)
            self._sweep_wanted = self._number

    def forget_key(self, key: HandleKey) -> None:
        entry = self._found.get(key)
        if entry is not None:
            self._bury(entry)
        else:
            self._missing.pop(key, None)

    def sweep(self) -> None:
        """One slice: looks at the next entries, drops the changed and the expired, ends with the ranges forgotten."""
        if self._unswept == 0:
            self._swept_to = self._number
            self._unswept = len(self._ring)
        for _ in range(min(SWEEP_SLICE, self._unswept)):
            entry = self._next()
            if entry.answer is None:
                continue
            if entry.expires < self._now or self._is_changed(entry):
                self._release(entry)
            else:
                self._ring.append(entry)
        if self._unswept == 0:
            self._ranges = [kept for kept in self._ranges if kept.number > self._swept_to]
            self._merged = None

    def _forget_range(self, first: HandleKey, last: HandleKey) -> None:
        self._missing = self._no_missing()
        self._number += 1
        if not self._found:
            return
        if len(self._ranges) >= MAX_RANGES:
            log.warning("more than %s changed ranges wait for their sweep: everything is forgotten", MAX_RANGES)
            first, last = _EVERYTHING
        self._ranges[-RECENT:] = [
            old for old in self._ranges[-RECENT:] if not (first <= old.first and old.last <= last)
        ]
        self._ranges.append(_Range(self._number, first, last))
        self._merged = None
        if len(self._ranges) >= RANGES:
            self._sweep_wanted = self._number

    def _is_changed(self, entry: _Entry) -> bool:
        """Whether a range that came after the entry was last checked covers it; newest first."""
        if self._merged is None:
            self._merged = _Intervals(self._ranges)
        if entry.key in self._merged:
            for changed in reversed(self._ranges):
                if changed.number <= entry.checked:
                    break
                if changed.first <= entry.key <= changed.last:
                    return True
        entry.checked = self._number
        return False

    def _make_room(self, size: int) -> None:
        chances = SECOND_CHANCES
        while self.octets + size > self._limit:
            entry = self._next()
            if entry.answer is None:
                continue
            if entry.used and chances and entry.expires >= self._now and not self._is_changed(entry):
                chances -= 1
                entry.used = False
                self._ring.append(entry)
            else:
                self._release(entry)
                self.evictions += 1

    def _next(self) -> _Entry:
        """Takes the entry under the hand out of the ring."""
        entry = self._ring.popleft()
        if self._unswept:
            self._unswept -= 1
        if entry.answer is None:
            self._dead -= 1
        return entry

    def _bury(self, entry: _Entry) -> None:
        """Forgets an entry whose place in the ring is not known; the ring drops it when it comes by."""
        self._release(entry)
        self._dead += 1

    def _release(self, entry: _Entry) -> None:
        assert entry.answer is not None
        del self._found[entry.key]
        self.octets -= entry.answer.octets + len(entry.key)
        entry.answer = None

    def _no_missing(self) -> "TTLCache[HandleKey, Answer]":
        entries, ttl = self._missing_limits
        return TTLCache(entries, ttl, timer=lambda: self._now)
