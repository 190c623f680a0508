"""Answers kept in memory, exact to the change: found and missing apart.

A found answer costs one look-up and one count when it is hit; order, expiry and memory are kept outside the table, in
two rings that are only turned when an answer is put or swept. Every answer begins in the ring of the new ones; when
memory is short, those that were used move on to the ring of the proven, and the others go. So names that are asked for
once pass by, however many. A proven answer that was used since the hand last passed survives another turn.

A changed range is not searched for, because a million entries would hold up the loop for every chunk of a bulk load: an
answer that was put before it is held against it when it is next hit, and a sweep in small slices forgets the rest, and
what has expired. A changed range makes every missing name doubtful, so those all go at once; one in which handles were
only registered makes nothing else doubtful.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from registry.changes import Change, ChangeKind
from registry.handle import HandleKey
from resolver.answer import MISSING, NOT_KEPT, STRING, Answer
from resolver.ranges import EVERYTHING, ChangedRanges
from resolver.ranking import Ranking

# Ranges remembered before a sweep is begun: ten seconds of a load over thirty prefixes at worst, and a sweep over a
# million answers takes two. They are sorted anew when some were added, in a third of a millisecond.
RANGES: Final = 1024
SWEEP_SLICE: Final = 1000  # Entries looked at between two turns of the loop: about a millisecond.
# Sweeps in the time for which an answer is kept at most: what nobody asks for any more leaves a quarter of it late.
SWEEPS: Final = 4
# Ends of answers that are put in one turn, over the second half of the time for which they may be kept: names that were
# asked for together are not all read again together. Each is one object for all that end then.
ENDS: Final = 64
# New answers, to all of them, when memory is short. bench/admission.py: with a tenth, names that are asked for some
# times soon after they were registered leave too early; with half, the proven ones have too little room.
NEW: Final = 0.25
# Used answers that a put passes over at most; a whole turn of a ring would hold up the loop.
SECOND_CHANCES: Final = 16
DEAD: Final = 1000  # Places of forgotten answers that the rings may hold, or an eighth of the answers.
_SHARES: Final = [1 - number / (2 * ENDS) for number in range(ENDS)]
WARM: Final = 100_000  # Names that a new process asks for at most: some twenty seconds of a database at its leisure.


class _Ring:
    """Keys in the order in which they came or were passed; the sweep has still to look at the first `unswept`."""

    __slots__ = ("places", "unswept")

    def __init__(self) -> None:
        self.places: deque[HandleKey] = deque()
        self.unswept = 0

    def take(self) -> HandleKey:
        if self.unswept:
            self.unswept -= 1
        return self.places.popleft()


class Cache:
    """Kept answers. Its clock is set from outside (`advance`) and stands still while the book cannot be heard."""

    def __init__(self, octets: int, missing_entries: int, found_ttl: float, missing_ttl: float) -> None:
        self.octets = 0
        self.evictions = 0
        self.most_used: list[HandleKey] = []  # As the last whole sweep saw them.
        self._limit = octets
        self.found_ttl = found_ttl
        self._now = 0.0
        self._ends = self._ends_from(0.0)
        self._end = 0  # The one of the next answer.
        self._found: dict[HandleKey, Answer] = {}
        self._new = _Ring()
        self._proven = _Ring()
        self._dead: dict[HandleKey, int] = {}  # How many places of a key stand for answers that were forgotten.
        self._missing_entries = missing_entries
        self._missing_ttl = missing_ttl
        self._missing: OrderedDict[HandleKey, float] = OrderedDict()  # Until when each is held, the oldest first.
        self._ranges = ChangedRanges()
        self._number = 0  # Of the newest range.
        self._swept_to = 0  # All other entries were checked against the ranges up to this number.
        self._sweep_wanted = 0  # Up to which number a sweep should have been made.
        self._sweep_due = found_ttl / SWEEPS
        self._ranking = Ranking(WARM)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, key: HandleKey) -> bool:
        """Whether something is held for a key; what is there may have expired."""
        return key in self._found or key in self._missing

    @property
    def missing(self) -> int:
        """How many names are held as not registered, those included that have expired."""
        return len(self._missing)

    @property
    def sweeping(self) -> bool:
        """Whether `sweep` has something to do."""
        kept = len(self._found)
        return (
            self._unswept > 0
            or self._swept_to < self._sweep_wanted
            or self._now >= self._sweep_due
            or len(self._new.places) + len(self._proven.places) - kept > max(DEAD, kept // 8)
        )

    @property
    def _unswept(self) -> int:
        return self._new.unswept + self._proven.unswept

    def get(self, key: HandleKey) -> Answer | None:
        """★ The answer held for a key: found, or MISSING, or None when nothing is held."""
        answer = self._found.get(key)
        if answer is None:
            expires = self._missing.get(key)
            return None if expires is None or expires <= self._now else MISSING
        if answer.expires < self._now or (answer.checked != self._number and self._is_changed(key, answer)):
            self._bury(key, answer)
            return None
        answer.used += 1
        return answer

    def get_many(self, keys: Sequence[HandleKey]) -> list[Answer | None]:
        """★ As `get` for each key."""
        answers: list[Answer | None] = list(map(self._found.get, keys))
        now, number = self._now, self._number
        for place, answer in enumerate(answers):
            if answer is None or answer.expires < now or answer.checked != number:
                answers[place] = self.get(keys[place])
            else:
                answer.used += 1
        return answers

    def still_gives(self, answers: Iterable[tuple[HandleKey, Answer]]) -> bool:
        """★ Whether `get` gives exactly these. An answer that is kept no more says so itself, and no key is held as
        missing and found, so that one look at each is enough."""
        now, number, missing = self._now, self._number, self._missing
        for key, answer in answers:
            if answer is MISSING:
                if missing.get(key, now) <= now:
                    return False
            elif answer.expires >= now and answer.checked == number:
                answer.used += 1
            elif self.get(key) is not answer:
                return False
        return True

    def put(self, key: HandleKey, answer: Answer) -> None:
        """Keeps an answer that was not kept before, in place of the one that was held; others give way when memory is
        short."""
        self.forget_key(key)
        if answer is MISSING:
            self._put_missing(key)
            return
        if answer.name == key:
            answer.name = key  # Most are: one string for both.
        size = _size(key, answer)
        if size > self._limit:
            return
        self._make_room(size)
        answer.expires = self._ends[self._end]
        self._end = (self._end + 1) % ENDS
        answer.checked = self._number
        self._found[key] = answer
        self._new.places.append(key)
        self.octets += size

    def _put_missing(self, key: HandleKey) -> None:
        """One comes and two that have expired go, so that all of them go soon and no put holds up the loop."""
        missing = self._missing
        missing[key] = self._now + self._missing_ttl
        for oldest in [*islice(missing, 2)]:
            if missing[oldest] > self._now and len(missing) <= self._missing_entries:
                return
            del missing[oldest]

    def wire_of(self, answer: Answer) -> bytes:
        """The octets of an answer in the native protocol, made when they are first asked for."""
        if answer.wire is None:
            before = answer.octets
            answer.wire = answer.to_wire()
            if answer.expires != NOT_KEPT:
                self.octets += answer.octets - before
                self._make_room(0)
        return answer.wire

    def advance(self, now: float) -> None:
        """Sets the clock, in seconds; answers older than their time to live are no longer given."""
        self._now = now
        self._ends = self._ends_from(now)

    def forget(self, change: Change) -> None:
        """From here on nothing is given that was put before and that the change covers."""
        if change.kind is ChangeKind.HANDLE:
            self.forget_key(change.key)
        elif change.kind is ChangeKind.RANGE and change.created:
            self._missing = OrderedDict()
        elif change.kind is ChangeKind.RANGE:
            self._forget_range(change.key, change.last)
        elif change.kind is ChangeKind.PREFIX:
            # The key of a prefix change ends in '/'; '0' is the octet behind it.
            self._forget_range(change.key, HandleKey(change.key[:-1] + b"0"))
        else:
            self._forget_range(*EVERYTHING)
            self._sweep_wanted = self._number

    def forget_key(self, key: HandleKey) -> None:
        answer = self._found.get(key)
        if answer is not None:
            self._bury(key, answer)
        else:
            self._missing.pop(key, None)

    def sweep(self) -> None:
        """One slice: looks at the next entries, drops the changed and the expired, ends with the ranges forgotten."""
        if self._unswept == 0:
            self.begin_sweep()
        for _ in range(min(SWEEP_SLICE, self._unswept)):
            ring = self._new if self._new.unswept else self._proven
            key, answer = self._next(ring)
            if answer is None:
                continue
            if self._is_over(key, answer):
                self._release(key, answer)
            else:
                self._ranking.see(key, answer.used)
                ring.places.append(key)
        if self._unswept == 0:
            self.most_used = self._ranking.take()
            self._ranges.forget(self._swept_to)

    def begin_sweep(self) -> None:
        """Has all entries looked at."""
        self._swept_to = self._number
        for ring in (self._new, self._proven):
            ring.unswept = len(ring.places)
        self._sweep_due = self._now + self.found_ttl / SWEEPS

    def _ends_from(self, now: float) -> list[float]:
        return [now + self.found_ttl * share for share in _SHARES]

    def _forget_range(self, first: HandleKey, last: HandleKey) -> None:
        self._missing = OrderedDict()
        self._number += 1
        if not self._found:
            return
        self._ranges.add(self._number, first, last)
        if len(self._ranges) >= RANGES:
            self._sweep_wanted = self._number

    def _is_changed(self, key: HandleKey, answer: Answer) -> bool:
        """Whether a range covers the answer that came after it was last checked."""
        if self._ranges.cover(key, answer.checked):
            return True
        answer.checked = self._number
        return False

    def _is_over(self, key: HandleKey, answer: Answer) -> bool:
        return answer.expires < self._now or self._is_changed(key, answer)

    def _make_room(self, size: int) -> None:
        chances = SECOND_CHANCES
        while self.octets + size > self._limit:
            crowded = len(self._new.places) > NEW * len(self._found) or not self._proven.places
            key, answer = self._next(self._new if crowded else self._proven)
            if answer is None:
                continue
            if answer.used and chances and not self._is_over(key, answer):
                chances -= 1
                answer.used >>= 1
                self._proven.places.append(key)
            else:
                self._release(key, answer)
                self.evictions += 1

    def _next(self, ring: _Ring) -> tuple[HandleKey, Answer | None]:
        """Takes the entry under the hand out of a ring; without an answer, when that was forgotten."""
        key = ring.take()
        places = self._dead.pop(key, 0) if self._dead else 0
        if not places:
            return key, self._found[key]
        if places > 1:
            self._dead[key] = places - 1
        return key, None

    def _bury(self, key: HandleKey, answer: Answer) -> None:
        """Forgets an entry whose place is not known; it is dropped when the hand comes by."""
        self._release(key, answer)
        self._dead[key] = self._dead.get(key, 0) + 1

    def _release(self, key: HandleKey, answer: Answer) -> None:
        del self._found[key]
        self.octets -= _size(key, answer)
        answer.expires = NOT_KEPT


def _size(key: HandleKey, answer: Answer) -> int:
    return answer.octets if answer.name == key else answer.octets + STRING + len(key)
