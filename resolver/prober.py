"""The node asked as a client asks it, on and on, by a process that is none of its own: the meter of its promises.

Every round asks over each protocol, over connections of its own so that every worker has its turn; where a handle is
given to write, it is written, and asked for over each protocol until all of them say what was written. What is seen is
kept in the book, minute by minute; while the book is away it is remembered, and written down afterwards.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg
from prometheus_client import Counter, Gauge, Histogram

from registry.database import DATABASE_AWAY, connect
from registry.errors import HandleError
from registry.handle import Handle
from registry.promises import REGISTER, SERVICES, VISIBLE, Minute, judge, keep
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.questions import PROTOCOLS, Questioner

log = logging.getLogger(__name__)

PROBER: Final = "filament probe"  # Who the handle's history names.
REMEMBERED: Final = 1440  # Minutes that wait for the book: a day.
VISIBLE_WITHIN: Final = 5.0  # Seconds; a change shows in well under one, so this one has failed.
LOOKS: Final = 4  # Connections over each protocol that have to say it: they fall to the workers by chance.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

ASKED = Counter("filament_probe_asked", "Probes of the node from outside.", ["probe"])
ANSWERED = Counter("filament_probe_answered", "Probes that succeeded in time.", ["probe"])
SECONDS = Histogram("filament_probe_seconds", "Seconds of probes that succeeded.", ["probe"], buckets=BUCKETS)
UP = Gauge("filament_service_up", "0 in a minute in which 51 in 100 probes of a service failed.", ["service"])


@dataclass(frozen=True, slots=True)
class Probed:
    """One probe; with a reason it failed."""

    probe: str
    seconds: float
    reason: str


class Prober:
    """Probes one place; `written` is the handle that it may write, with whatever else it holds."""

    def __init__(
        self, settings: RegistrySettings, questioner: Questioner, asked: str, written: Handle | None = None
    ) -> None:
        self._settings = settings
        self._questioner = questioner
        self._asked = asked
        self._written = written
        self._store = Store(settings, "probe")
        self._minutes: OrderedDict[datetime, dict[str, Minute]] = OrderedDict()
        self._round: list[Probed] = []

    async def run(self, interval: float) -> None:
        """Until cancelled."""
        try:
            while True:
                began = time.monotonic()
                await self.probe()
                await self.write_down(datetime.now(UTC))
                await asyncio.sleep(max(0.0, interval - (time.monotonic() - began)))
        finally:
            await self.close()

    async def close(self) -> None:
        """Gives the connections to the book back."""
        await self._store.close()

    async def probe(self) -> tuple[Probed, ...]:
        """One round: what each probe of it took, or why it failed."""
        self._round.clear()
        for protocol in PROTOCOLS:
            answer = await self._questioner.ask(protocol, self._asked)
            self._count(protocol, answer.seconds, "" if answer.answered else answer.reason or f"code {answer.code}")
        if self._written is not None:
            await self._write_and_look(self._written)
        return tuple(self._round)

    async def write_down(self, now: datetime) -> None:
        """Every minute that is over, once the book can be written."""
        this = now.replace(second=0, microsecond=0)
        over = [at for at in self._minutes if at < this]
        if not over:
            return
        try:
            connection = await connect(self._settings, "probe")
            try:
                for at in over:
                    await keep(connection, at, self._minutes[at])
                    self._show(self._minutes.pop(at))
            finally:
                await connection.close()
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            log.warning("what was probed is remembered until the book can be written: %s", error)
            while len(self._minutes) > REMEMBERED:
                self._minutes.popitem(last=False)

    async def _write_and_look(self, handle: Handle) -> None:
        said = datetime.now(UTC).isoformat()
        began = time.perf_counter()
        try:
            await self._write(handle, said)
        except (*DATABASE_AWAY, asyncpg.PostgresError, HandleError) as error:
            self._count(REGISTER, 0.0, str(error) or type(error).__name__)
            return
        committed = time.perf_counter()
        self._count(REGISTER, committed - began, "")
        late = await self._until_said(handle, said, committed + VISIBLE_WITHIN)
        self._count(VISIBLE, time.perf_counter() - committed, late)

    async def _write(self, handle: Handle, said: str) -> None:
        value = HandleValue(1, "PROBED", said.encode())
        if not len(self._store.prefixes):
            await self._store.open()
        async with begin(self._store, PROBER) as transaction:
            record = await transaction.lock(handle)
            if record is None:
                await transaction.create(handle, (value,))
            else:
                await transaction.replace(record, (value,))

    async def _until_said(self, handle: Handle, said: str, deadline: float) -> str:
        """Why it was not said over some protocol in time; nothing when it was."""
        for protocol in PROTOCOLS:
            looks = 0
            while looks < LOOKS:
                if time.perf_counter() > deadline:
                    return f"{protocol}: not visible after {VISIBLE_WITHIN:g} s"
                texts = await self._questioner.texts(protocol, str(handle))
                looks = looks + 1 if said in texts else 0
        return ""

    def _count(self, probe: str, seconds: float, reason: str) -> None:
        at = datetime.now(UTC).replace(second=0, microsecond=0)
        self._round.append(Probed(probe, seconds, reason))
        self._minutes.setdefault(at, {}).setdefault(probe, Minute()).add(seconds, reason)
        ASKED.labels(probe).inc()
        if not reason:
            ANSWERED.labels(probe).inc()
            SECONDS.labels(probe).observe(seconds)

    def _show(self, probes: dict[str, Minute]) -> None:
        for service in set(SERVICES.values()):
            minutes = [one for probe, one in probes.items() if SERVICES.get(probe) == service]
            if minutes:
                UP.labels(service).set(0.0 if judge(minutes) else 1.0)
