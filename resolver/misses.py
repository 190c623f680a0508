"""Names that are not in the cache, read together.

Equal names in flight are one read; everything asked in one turn of the loop goes out as one query, and what is asked
while every connection is busy becomes the next. A name whose read began before a change was heard is disowned: those
who asked are served, but the answer is not kept, and whoever asks from then on has it read again. Requests for many
names join the same reads, one request after another and a window of its names at a time: whoever asks for one name
finds a connection free for it, or the next to be free. Who asks is told by a call: a task and a future for each name
would cost more than its share of the read.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice, takewhile
from math import inf
from time import monotonic
from typing import Final

from registry import spans
from registry.changes import Change, ChangeKind, covering
from registry.database import DATABASE_AWAY
from registry.errors import HandleError, ServerBusy
from registry.handle import HandleKey
from registry.packing import PackedRecord
from registry.perseverance import LOST
from registry.start_errors import SchemaMismatch
from registry.store import Store
from registry.waiting import turn
from resolver.answer import Answer
from resolver.metrics import Metrics
from resolver.namespaces import Namespaces
from resolver.overload import Overload

log = logging.getLogger(__name__)

MAX_BATCH: Final = 256  # Names in one read: rendering their answers holds up the loop for some five milliseconds.
# While the database is away one probe asks again after these seconds, doubling; everybody else is refused at once.
FIRST_PROBE: Final = 0.05
LAST_PROBE: Final = 1.0
# The newest full read's share of what a full read is taken to last: a single slow one does not close the queue.
NEWEST: Final = 0.25

Learn = Callable[[HandleKey, PackedRecord | None, bool], Answer]
Told = Callable[[Answer | HandleError], None]
"""What is called with an answer, or with why there is none; it must not raise."""


class _Flight:
    """One name on its way, and who waits for it."""

    __slots__ = ("askers", "begun", "key", "within")

    def __init__(self, key: HandleKey, begun: float) -> None:
        self.key = key
        self.begun = begun
        self.askers: list[Told] = []
        self.within = spans.current()  # What it is read for, as far as traces are wanted.


class Misses:
    """Reads of names over at most `readers` connections. `run` must be running; until it reached the database, busy."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        readers: int,
        queue: int,
        deadline: float,
        overload: Overload | None = None,
        goes_over: bool = False,
    ) -> None:
        """In `overload` only what a connection is free for is read; without one there never is any. With `goes_over`
        there are other servers to read from, for which names wait until their deadline."""
        self.fault = "database"  # Why nothing can be read: "", "database" or "schema".
        self.fault_detail = ""
        self._store = store
        self._namespaces = Namespaces(store)
        self._metrics = metrics
        self._free = readers
        self._queue = queue
        # One connection stays for those who ask for one name, and so does half of the queue.
        self._window = min(MAX_BATCH * max(1, readers - 1), max(1, queue // 2))
        self._turn = asyncio.Lock()
        self._deadline = deadline
        self.overload = overload or Overload(deadline)
        self._full_read = 0.0  # Seconds that one takes of late.
        self._longest = queue  # Names that can wait and still be read in time.
        self._readers = readers
        self._learn: Learn | None = None
        self._waiting: dict[HandleKey, _Flight] = {}
        self._reading: dict[HandleKey, _Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = False
        self._lost = asyncio.Event()
        self._goes_over = goes_over
        self._lost_at = -inf
        self._timer: asyncio.TimerHandle | None = None

    def deliver_to(self, learn: Learn) -> None:
        """`learn` makes the answer of each name that was read, and is told whether it may be kept."""
        self._learn = learn

    def limit(self, queue: int, deadline: float) -> None:
        """Other bounds from now on, for those who come from now on."""
        self._queue = self._longest = queue
        self._window = min(MAX_BATCH * max(1, self._readers - 1), max(1, queue // 2))
        self._deadline = deadline

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waited(self) -> float:
        """Seconds that the oldest waiting name has waited."""
        oldest = next(iter(self._waiting.values()), None)
        return 0.0 if oldest is None else monotonic() - oldest.begun

    def ask(self, key: HandleKey, told: Told) -> None:
        """Has a name read; `told` is called once, and never within this call. Raises ServerBusy."""
        (self._reading.get(key) or self._enqueue(key)).askers.append(told)

    async def read(self, key: HandleKey) -> Answer:
        """The answer for a name. Raises ServerBusy."""
        return await _outcome(self._reading.get(key) or self._enqueue(key))

    async def read_anew(self, key: HandleKey) -> Answer:
        """The answer for a name from a read that begins after this call. Raises ServerBusy."""
        return await _outcome(self._enqueue(key))

    async def read_many(self, keys: Iterable[HandleKey]) -> dict[HandleKey, Answer | HandleError]:
        """For each name its answer, or why there is none."""
        return await self._read_windows(keys, lambda key: self._reading.get(key) or self._enqueue(key))

    async def read_many_anew(self, keys: Iterable[HandleKey]) -> dict[HandleKey, Answer | HandleError]:
        """As `read_many`, from reads that begin after this call."""
        return await self._read_windows(keys, self._enqueue)

    def may_be_computed(self, key: HandleKey) -> bool:
        """Whether a name has the form of those that the template of its prefix makes."""
        return self._namespaces.divides(key)

    def widened(self, changes: Sequence[Change]) -> Sequence[Change]:
        """These changes, and those that follow from them."""
        return self._namespaces.widened(changes)

    def disown(self, changes: Sequence[Change]) -> None:
        """Reads that have begun may not have seen these changes."""
        if not self._reading:
            return
        wide = [change for change in changes if change.kind is not ChangeKind.HANDLE]
        for change in changes:
            self._reading.pop(change.key, None)
        if wide:
            for key in [key for key in self._reading if covering(wide, key)]:
                del self._reading[key]

    async def run(self) -> None:
        """Opens the store and opens it again whenever it was lost, until cancelled."""
        try:
            while True:
                await self._reach()
                self._lost.clear()
                self.fault = ""
                self._start_soon()
                await self._lost.wait()
        finally:
            self.fault = "database"
            self._refuse_waiting()
            if self._timer is not None:
                self._timer.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reach(self) -> None:
        pause = FIRST_PROBE
        while True:
            try:
                return await self._store.open()
            except DATABASE_AWAY as error:
                self.fault = "database"
                log.debug("the database is away: %r", error)
            except SchemaMismatch as error:
                if self.fault != "schema":
                    log.error("%s", error)  # the sentence says what to do; a traceback would not
                self.fault, self.fault_detail = "schema", str(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PROBE)

    def _enqueue(self, key: HandleKey) -> _Flight:
        if self.fault and not self._may_go_over():
            raise ServerBusy("server.busy")
        flight = self._waiting.get(key)
        if flight is None:
            if len(self._waiting) >= self._longest:
                raise ServerBusy("server.queue")
            if self.overload.on and len(self._waiting) >= self._free * MAX_BATCH:
                self.overload.shed += 1
                raise ServerBusy("server.overload")
            flight = self._waiting[key] = _Flight(key, monotonic())
            if self._timer is None:
                self._watch_deadline(flight.begun + self._deadline)
            self._start_soon()
        return flight

    async def _read_windows(
        self, keys: Iterable[HandleKey], board: Callable[[HandleKey], _Flight]
    ) -> dict[HandleKey, Answer | HandleError]:
        outcomes: dict[HandleKey, Answer | HandleError] = {}
        remaining = iter(keys)
        while window := list(islice(remaining, self._window)):
            try:
                await turn(self._turn, self._deadline)
            except ServerBusy as refused:
                outcomes |= dict.fromkeys(window, refused)
                continue
            try:
                await self._read_window(window, board, outcomes)
            finally:
                self._turn.release()
        return outcomes

    async def _read_window(
        self,
        keys: list[HandleKey],
        board: Callable[[HandleKey], _Flight],
        outcomes: dict[HandleKey, Answer | HandleError],
    ) -> None:
        unanswered = 0
        answered = asyncio.get_running_loop().create_future()

        def told(key: HandleKey, outcome: Answer | HandleError) -> None:
            nonlocal unanswered
            outcomes[key] = outcome
            unanswered -= 1
            if not unanswered and not answered.done():
                answered.set_result(None)

        for key in keys:
            try:
                board(key).askers.append(partial(told, key))
                unanswered += 1
            except HandleError as refused:
                outcomes[key] = refused
        if unanswered:
            await answered

    def _start_soon(self) -> None:
        if self._free and self._waiting and not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        while self._free and self._waiting and not self.fault:
            flights = list(islice(self._waiting.values(), MAX_BATCH))
            for flight in flights:
                del self._waiting[flight.key]
                self._reading[flight.key] = flight
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._read(flights))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read(self, flights: list[_Flight]) -> None:
        refusal = _busy
        try:
            self._metrics.counts.reads += 1
            self._metrics.batch.observe(len(flights))
            begun = monotonic()
            with spans.after("database", (flight.within for flight in flights), handles=len(flights)):
                records = await self._fetch(flights)
            for flight in flights:
                self._land(flight, records.get(flight.key))
            if len(flights) == MAX_BATCH:
                self._measure(monotonic() - begun)
        except DATABASE_AWAY as away:
            self._lose(away)
            if isinstance(away, LOST) and self._may_go_over():
                self._wait_on(flights)
                flights = []
        except Exception:  # The task ends here, and those who asked must hear of it.
            log.exception("reading %s handles failed", len(flights))
            refusal = _failed
        finally:
            self._free += 1
            self._refuse(flights, refusal)
            self._start_soon()

    async def _fetch(self, flights: list[_Flight]) -> dict[HandleKey, PackedRecord]:
        async with asyncio.timeout(self._deadline):
            records = await self._store.fetch_packed([flight.key for flight in flights])
            if len(records) < len(flights):
                records |= await self._namespaces.compute([one.key for one in flights if one.key not in records])
        return records

    def _measure(self, seconds: float) -> None:
        """Sets how many names may wait from how long a full read took. One read's worth always may, so that it is
        measured again."""
        self._full_read += (seconds - self._full_read) * (NEWEST if self._full_read else 1.0)
        reads = self._deadline / self._full_read * self._readers
        self._longest = min(self._queue, max(MAX_BATCH, int(reads * MAX_BATCH)))

    def _land(self, flight: _Flight, record: PackedRecord | None) -> None:
        assert self._learn is not None
        owned = self._reading.get(flight.key) is flight
        if owned:
            del self._reading[flight.key]
        answer = self._learn(flight.key, record, owned)
        askers, flight.askers = flight.askers, []
        for told in askers:
            told(answer)

    def _lose(self, away: BaseException) -> None:
        """One failed read tells for all: nobody else waits for a time-out of his own."""
        log.warning("the database is away: %r", away)
        if not self.fault:
            self._lost_at = monotonic()
        self.fault = "database"
        self._lost.set()
        if not self._may_go_over():
            self._refuse_waiting()

    def _may_go_over(self) -> bool:
        return self._goes_over and self.fault == "database" and monotonic() - self._lost_at < self._deadline

    def _wait_on(self, flights: list[_Flight]) -> None:
        """Has names read from the next server; they are older than all that wait."""
        for flight in flights:
            if self._reading.get(flight.key) is flight:
                del self._reading[flight.key]
            if (younger := self._waiting.pop(flight.key, None)) is not None:
                flight.askers += younger.askers
        self._waiting = {flight.key: flight for flight in flights} | self._waiting
        if self._timer is None:
            self._watch_deadline(flights[0].begun + self._deadline)

    def _refuse_waiting(self) -> None:
        waiting = list(self._waiting.values())
        self._waiting.clear()
        self._refuse(waiting, _busy)

    def _refuse(self, flights: list[_Flight], refusal: Callable[[], HandleError]) -> None:
        for flight in flights:
            if self._reading.get(flight.key) is flight:
                del self._reading[flight.key]
            askers, flight.askers = flight.askers, []
            for told in askers:
                told(refusal())

    def _watch_deadline(self, due: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - monotonic()), self._expire)

    def _expire(self) -> None:
        """What waited too long behind slow reads is refused; the oldest stand first."""
        self._timer = None
        begun_before = monotonic() - self._deadline
        late = list(takewhile(lambda flight: flight.begun <= begun_before, self._waiting.values()))
        for flight in late:
            del self._waiting[flight.key]
        self._refuse(late, _queue_full)
        oldest = next(iter(self._waiting.values()), None)
        if oldest is not None:
            self._watch_deadline(oldest.begun + self._deadline)


async def _outcome(flight: _Flight) -> Answer:
    """What comes of a flight. Raises what it is refused for."""
    # A future for each asker: one that goes away takes nothing from the others.
    asker: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def told(outcome: Answer | HandleError) -> None:
        if asker.done():
            return
        if isinstance(outcome, HandleError):
            asker.set_exception(outcome)
        else:
            asker.set_result(outcome)

    flight.askers.append(told)
    return await asker


# One exception for each who asked: each raise of it adds a traceback.
def _busy() -> HandleError:
    return ServerBusy("server.busy")


def _queue_full() -> HandleError:
    return ServerBusy("server.queue")


def _failed() -> HandleError:
    return HandleError("server.error")
