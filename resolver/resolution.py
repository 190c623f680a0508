"""From a key to an answer: kept, read, or refused. `peek` is the path of a cached answer.

Prefixes that are not homed here are known in memory, so a foreign name costs no query and is never kept.
"""

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic, time
from typing import Final, cast

from registry import spans
from registry.changes import Change, ChangeKind
from registry.errors import HandleError, ServerBusy
from registry.handle import HandleKey
from registry.names import Names
from registry.packing import PackedRecord
from registry.store import Store
from resolver.answer import MISSING, NOT_RESPONSIBLE, Answer, found
from resolver.cache import Cache
from resolver.metrics import Metrics
from resolver.misses import Misses, Told
from resolver.quarantine import Quarantine

NEVER: Final = float("-inf")
FOREVER: Final = float("inf")

ReadMany = Callable[[Iterable[HandleKey]], Awaitable[dict[HandleKey, Answer | HandleError]]]


class Resolver:
    """Answers for keys. Whoever hears of changes calls `heard` for every look at the log, after `forget`."""

    def __init__(
        self,
        store: Store,
        cache: Cache,
        misses: Misses,
        metrics: Metrics,
        *,
        max_staleness: float = 2.0,
        quarantine: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.store = store
        self.names = Names(store.key_of, lambda: store.prefixes)
        self._cache = cache
        self._misses = misses
        self._metrics = metrics
        self._max_staleness = max_staleness
        self._clock = clock
        self._heard_at = NEVER
        self._quarantine = Quarantine(quarantine, clock)
        self._others: list[Callable[[Sequence[Change]], None]] = []
        misses.deliver_to(self._learn)

    @property
    def fault(self) -> str:
        """Why nothing can be read just now: "", "database" or "schema"."""
        return self._misses.fault

    @property
    def hearing(self) -> bool:
        """Whether changes are heard; until they first are, nothing is kept."""
        return self._clock() - self._heard_at <= self._max_staleness

    @property
    def staleness(self) -> float:
        """Seconds since changes were last heard, when that is too long ago to call kept answers fresh; else 0."""
        silence = self._clock() - self._heard_at
        return silence if self._max_staleness < silence < FOREVER else 0.0

    @property
    def fresh_for(self) -> float:
        """Seconds for which kept answers can be called fresh without news; not above 0 when they cannot."""
        return self._heard_at + self._max_staleness - self._clock()

    @property
    def staleness_anew(self) -> float:
        """The same of what is read anew, which is old where the server that is read from is behind the primary."""
        return self.staleness if self.store.nearest.is_apart else 0.0

    def peek(self, key: HandleKey) -> Answer | None:
        """The answer, when none has to be waited for."""
        counts = self._metrics.counts
        answer = self._cache.get(key)
        if answer is None:
            prefixes = self.store.prefixes
            if prefixes.of(key) is None and len(prefixes):
                counts.not_responsible += 1
                return NOT_RESPONSIBLE
            return None
        counts.hits += 1
        if answer is MISSING:
            counts.not_found += 1
        else:
            counts.found += 1
        if self._clock() - self._heard_at > self._max_staleness:
            counts.stale += 1
        return answer

    def peek_fresh(self, key: HandleKey) -> Answer | None:
        """★ The answer, when it is kept and known to be fresh. What is not given here is not counted here."""
        answer = self._cache.get(key)
        if answer is None or self._clock() - self._heard_at > self._max_staleness:
            return None
        counts = self._metrics.counts
        counts.hits += 1
        if answer is MISSING:
            counts.not_found += 1
        else:
            counts.found += 1
        return answer

    def still_gives(self, answers: Iterable[tuple[HandleKey, Answer]]) -> bool:
        """★ Whether all of them are what is kept, and known to be fresh; they are counted as one, that was found."""
        if self._clock() - self._heard_at > self._max_staleness:
            return False
        if not self._cache.still_gives(answers):
            return False
        counts = self._metrics.counts
        counts.hits += 1
        counts.found += 1
        return True

    async def resolve(self, key: HandleKey) -> Answer:
        """The answer, kept or read. Raises ServerBusy."""
        return self.peek(key) or await self._read(key, self._misses.read)

    def ask(self, key: HandleKey, told: Told) -> None:
        """As `resolve`, for who does not wait: `told` is called once, and never within this call."""
        answer = self.peek(key)
        if answer is not None:
            get_running_loop().call_soon(told, answer)
            return
        self._metrics.counts.misses += 1
        begun = self._clock()

        miss = spans.begin("miss", handle=key.decode(errors="replace"))

        def count_and_tell(outcome: Answer | HandleError) -> None:
            miss.end()
            self._count_read(outcome, begun)
            told(outcome)

        try:
            with miss.here():
                self._misses.ask(key, count_and_tell)
        except ServerBusy as refused:
            get_running_loop().call_soon(count_and_tell, refused)

    async def resolve_authoritative(self, key: HandleKey) -> Answer:
        """The answer as the book has it now; what is kept gives way to it. Raises ServerBusy."""
        answer = await self._read(key, self._misses.read_anew)
        return NOT_RESPONSIBLE if self._is_foreign(key, answer) else answer

    def peek_many(self, keys: Sequence[HandleKey]) -> list[Answer | None]:
        """★ As `peek` for each key."""
        outcomes = self._cache.get_many(keys)
        unkept, missing = 0, 0
        for outcome in outcomes:
            if outcome is None:
                unkept += 1
            elif outcome is MISSING:
                missing += 1
        counts, hits = self._metrics.counts, len(outcomes) - unkept
        counts.hits += hits
        counts.not_found += missing
        counts.found += hits - missing
        if self._clock() - self._heard_at > self._max_staleness:
            counts.stale += hits
        if unkept and len(prefixes := self.store.prefixes):
            for place, key in enumerate(keys):
                if outcomes[place] is None and prefixes.of(key) is None:
                    counts.not_responsible += 1
                    outcomes[place] = NOT_RESPONSIBLE
        return outcomes

    async def resolve_many(self, keys: Sequence[HandleKey]) -> list[Answer | HandleError]:
        """For each key its answer, kept or read, or why there is none; equal keys are read once."""
        outcomes: list[Answer | HandleError | None] = [*self.peek_many(keys)]
        unkept = [place for place, answer in enumerate(outcomes) if answer is None]
        if unkept:
            read = await self._read_many([keys[place] for place in unkept], self._misses.read_many)
            for place, outcome in zip(unkept, read, strict=True):
                outcomes[place] = outcome
        return cast("list[Answer | HandleError]", outcomes)  # all places are filled

    async def resolve_many_authoritative(self, keys: Sequence[HandleKey]) -> list[Answer | HandleError]:
        """As `resolve_authoritative` for each key."""
        answers = await self._read_many(keys, self._misses.read_many_anew)
        pairs = zip(keys, answers, strict=True)
        return [NOT_RESPONSIBLE if self._is_foreign(key, answer) else answer for key, answer in pairs]

    def wire_of(self, answer: Answer) -> bytes:
        """What ends the body of a native answer, kept from then on; empty when there is nothing to show."""
        return self._cache.wire_of(answer)

    def may_be_computed(self, key: HandleKey) -> bool:
        """Whether what is said of a name may follow from other handles than its own."""
        return self._misses.may_be_computed(key)

    async def warm(self, keys: Sequence[HandleKey]) -> bool:
        """Has names kept that nobody asked for yet, and says whether all could be read; nothing of it is counted."""
        unkept = [key for key in keys if key not in self._cache]
        outcomes = await self._misses.read_many(unkept)
        return not any(isinstance(outcome, HandleError) for outcome in outcomes.values())

    def forget(self, change: Change) -> None:
        """From here on nothing is answered that was read before the change."""
        self.forget_all((change,))

    def forget_also(self, forget: Callable[[Sequence[Change]], None]) -> None:
        """Has somebody told of changes who keeps what was read, too."""
        self._others.append(forget)

    def forget_all(self, changes: Sequence[Change]) -> None:
        changes = self._misses.widened(changes)
        self._misses.disown(changes)
        self._quarantine.add(changes)
        for forget in self._others:
            forget(changes)
        for change in changes:
            self._cache.forget(change)
            if change.kind is ChangeKind.EVERYTHING:
                self._metrics.counts.forgotten_everything += 1

    def heard(self) -> None:
        """Every change up to now has been heard and forgotten."""
        self._heard_at = now = self._clock()
        self._cache.advance(now)

    def deafen(self) -> None:
        """Forgets everything, and keeps nothing until changes are heard again."""
        self._heard_at = NEVER
        self.forget(Change(ChangeKind.EVERYTHING))

    def _is_foreign(self, key: HandleKey, outcome: Answer | HandleError) -> bool:
        """Whether nothing was found because the prefix lives elsewhere, by the prefixes as they are after the read."""
        return outcome is MISSING and self.store.prefixes.of(key) is None

    async def _read(self, key: HandleKey, read: Callable[[HandleKey], Awaitable[Answer]]) -> Answer:
        self._metrics.counts.misses += 1
        begun = self._clock()
        try:
            with spans.span("miss", handle=key.decode(errors="replace")):
                answer = await read(key)
        except HandleError as refused:
            self._count_read(refused, begun)
            raise
        self._count_read(answer, begun)
        return answer

    def _count_read(self, outcome: Answer | HandleError, begun: float) -> None:
        counts = self._metrics.counts
        if isinstance(outcome, ServerBusy):
            counts.busy += 1
        elif isinstance(outcome, HandleError):
            counts.errors += 1
        else:
            self._metrics.miss_latency.observe(self._clock() - begun)
            if outcome is MISSING:
                counts.not_found += 1
            else:
                counts.found += 1

    async def _read_many(self, keys: Sequence[HandleKey], read: ReadMany) -> list[Answer | HandleError]:
        """For each key, equal ones included, what came of it; each is counted as if it had been asked for alone."""
        counts = self._metrics.counts
        counts.misses += len(keys)
        begun = self._clock()
        with spans.span("miss", handles=len(keys)):
            by_key = await read(dict.fromkeys(keys))
        outcomes = [by_key[key] for key in keys]
        answered = 0
        for outcome in outcomes:
            if isinstance(outcome, HandleError):
                if isinstance(outcome, ServerBusy):
                    counts.busy += 1
                else:
                    counts.errors += 1
                continue
            answered += 1
            if outcome is MISSING:
                counts.not_found += 1
            else:
                counts.found += 1
        self._metrics.miss_latency.observe(self._clock() - begun, answered)
        return outcomes

    def _learn(self, key: HandleKey, packed: PackedRecord | None, owned: bool) -> Answer:
        answer = MISSING if packed is None else found(packed, int(time() + self._cache.found_ttl))
        if owned and self._heard_at != NEVER and not self._quarantine.holds(key):
            self._cache.put(key, answer)
        return answer
