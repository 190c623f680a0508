"""One process of the node: started, listened to, started again when it ends, and stopped.

Between us and the child is one pair of sockets, its standard input. We write one line of orders; it writes a line about
its state every second, and more often while it is not ready. When either side ends, the other sees the stream end.
"""

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.multiprocess import mark_process_dead

from registry.inheritance import InheritedProcess
from resolver.listeners.status import Reason

log = logging.getLogger(__name__)

FIRST_DELAY: Final = 0.5  # Seconds before a crashed process is started again; doubled while it does not become ready
LAST_DELAY: Final = 30.0
SILENCE: Final = 10.0  # Seconds without a report (there is one a second) after which a process counts as unready
STUCK: Final = 120.0  # Seconds without a report after which it is killed: no request waits that long for an answer
MAX_LINE: Final = 1 << 16  # Octets of a report; it names at most a few reasons

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to do: its name for people, the program, and the particulars it is given as JSON."""

    name: str
    program: str
    particulars: Mapping[str, Any] = field(default_factory=dict)

    def after(self, predecessor: int) -> "Order":
        """The same for one that takes over from a process."""
        return Order(self.name, self.program, {**self.particulars, "predecessor": predecessor})

    def line(self) -> bytes:
        return json.dumps({"name": self.name, "program": self.program, **self.particulars}).encode() + b"\n"


class Child:
    """Keeps one process alive from `start` to `stop`."""

    def __init__(
        self,
        order: Order,
        changed: Callable[[], None],
        clock: Clock = time.monotonic,
        inherited: tuple[InheritedProcess, socket.socket] | None = None,
    ) -> None:
        """`inherited` is a process that runs already, and the line to it."""
        self.order = order
        self._inherited = inherited
        self.restarts = 0
        self._changed = changed
        self._clock = clock
        self._process: asyncio.subprocess.Process | InheritedProcess | None = None
        self._reasons: list[Reason] | None = None
        self.notices: list[Reason] = []  # What its operator should know though it is ready.
        self._heard_at = 0.0
        self._keeper: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._was_ready = False
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def reasons(self) -> list[Reason]:
        """Why it is not ready."""
        name = self.order.name
        if self._stopping:
            return [Reason("stopping", name)]
        if self._reasons is None:
            return [Reason("restarting" if self.restarts else "starting", name)]
        silence = self._clock() - self._heard_at
        return [*self._reasons, *([Reason("silent", name, {"seconds": silence})] if silence > SILENCE else [])]

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name=self.order.name)

    @property
    def channel(self) -> int | None:
        """The open file of our end of the line to it."""
        return None if self._writer is None else self._writer.get_extra_info("socket").fileno()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def becomes_ready(self, within: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), within)
        return self._ready.is_set()

    def tell(self, order: Order) -> None:
        """Other particulars, at once where it listens, and for whoever is started in its place."""
        self.order = order
        if self._writer is not None:
            self._writer.write(order.line())

    async def stop(self, deadline: float, at_once: asyncio.Event) -> None:
        """Lets it finish what it does for `deadline` seconds, or until `at_once` is set; then it is killed."""
        self._stopping = True
        self._changed()
        self.signal(signal.SIGTERM)
        if self._keeper is not None:
            if self.pid is None:
                self._keeper.cancel()
            impatience = asyncio.create_task(at_once.wait())
            await asyncio.wait({self._keeper, impatience}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            impatience.cancel()
            if not self._keeper.done():
                log.warning("%s did not stop in time and is killed", self.order.name)
                self.signal(signal.SIGKILL)
            await asyncio.wait({self._keeper})
            if not self._keeper.cancelled():
                self._keeper.result()

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            self._was_ready = False
            status = await self._live()
            if self._stopping:
                return
            self.restarts += 1
            self._changed()
            if self._was_ready:
                delay = FIRST_DELAY
            log.error("%s ended with status %s; it is started again in %.1f s", self.order.name, status, delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_DELAY)

    async def _live(self) -> int:
        inherited, self._inherited = self._inherited, None
        process, ours = inherited or await self._start_process()
        self._process = process
        if self._stopping:  # stop() came while the process was being made, and could not signal it
            self.signal(signal.SIGTERM)
        listening = asyncio.create_task(self._listen(ours, began=inherited is None))
        try:
            return await (process.ended() if isinstance(process, InheritedProcess) else process.wait())
        finally:
            listening.cancel()
            self._reasons, self.notices = None, []
            self._ready.clear()
            mark_process_dead(process.pid)  # type: ignore[no-untyped-call]  # the library has no types here

    async def _start_process(self) -> tuple[asyncio.subprocess.Process, socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own: the terminal's Ctrl-C is for us, and we stop our children in order.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "resolver.worker", stdin=theirs.fileno(), start_new_session=True
            )
        log.info("%s is process %d", self.order.name, process.pid)
        return process, ours

    async def _listen(self, ours: socket.socket, *, began: bool) -> None:
        """With `began` the process has still to be told what to be; else what comes first may be half a report."""
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        try:
            if began:
                writer.write(self.order.line())
            else:
                await reader.readline()
            self._writer = writer
            self._heard_at = self._clock()
            while True:
                try:
                    line = await asyncio.wait_for(reader.readline(), STUCK)
                except TimeoutError:
                    log.error("%s has said nothing for %.0f s and is killed", self.order.name, STUCK)
                    self.signal(signal.SIGKILL)
                    return
                if not line:
                    return
                self._hear(line)
        except (ConnectionError, ValueError) as error:
            log.warning("%s: its reports cannot be read: %s", self.order.name, error)
        finally:
            self._writer = None
            writer.close()

    def _hear(self, line: bytes) -> None:
        report = json.loads(line)
        self._heard_at = self._clock()
        self._reasons = [Reason(rule, self.order.name, culprit) for rule, culprit in report["reasons"]]
        self.notices = [Reason(rule, self.order.name, culprit) for rule, culprit in report.get("notices", ())]
        (self._ready.clear if self._reasons else self._ready.set)()
        self._was_ready = self._was_ready or not self._reasons
        self._changed()
