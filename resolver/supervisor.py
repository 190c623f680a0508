"""A whole node on one machine: Postgres, the registry and the resolvers, kept running and stopped in order.

Started from below: database, schema, processes; stopped from above: processes first, which finish what they do, then
the database. The status port is there from the first moment to the last, to say what is missing.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from registry.inheritance import InheritedProcess
from registry.settings import InvalidSettings
from registry.start_checks import refuse_strange_book
from registry.start_errors import StartRefused
from resolver import control, notification, ports, upgrade
from resolver.child import Child, Order
from resolver.listeners.promised import Promised
from resolver.listeners.status import Reason, create_app
from resolver.logs import set_up
from resolver.measurements import counted_together
from resolver.own_postgres import POSTGRES, OwnPostgres
from resolver.preparation import bring_schema_up_to_date, only_one, prepare_nothing, refuse_unfit, refuse_upstream
from resolver.reloading import Reloaded, compare, merged, refused
from resolver.renewal import renew
from resolver.settings import Settings
from resolver.upgrade import Estate, Kept

log = logging.getLogger(__name__)

FAREWELL: Final = 0.2  # Seconds for an answer to leave before the program that gave it is another.
DRAIN: Final = 15.0  # Seconds for what is in flight: the resolvers give their requests ten
REGISTRY: Final = "registry"


class Prepare(Protocol):
    """What is done to the book before processes start; without `post` while those of another program still run."""

    def __call__(self, settings: Settings, *, post: bool = True) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Programs:
    """Which parts of a node this supervisor runs."""

    postgres: bool = True
    registry: bool = True
    resolvers: bool = True


class Supervisor:
    """Runs the parts of a node until `stop` is set; `stop_at_once` ends the patience with what is in flight."""

    def __init__(
        self,
        settings: Settings,
        *,
        prepare: Prepare = bring_schema_up_to_date,
        programs: Programs | None = None,
        reread: Callable[[], Settings] | None = None,
        estate: Estate | None = None,
    ) -> None:
        """`reread` reads the settings again, as they were read for this start, and raises InvalidSettings. `estate` is
        what a former program of this process left."""
        self.settings = self._asked = settings
        self.stop = asyncio.Event()
        self.stop_at_once = asyncio.Event()
        self.ready = asyncio.Event()
        self._prepare = prepare_nothing if settings.is_edge else prepare
        self._reread = reread
        self._renewing = asyncio.Lock()
        self._estate = estate
        self._measurements: tuple[Path, int] | None = None
        self._status_socket: socket.socket | None = None
        self._replacing: asyncio.Task[Mapping[str, Any]] | None = None
        self._programs = Programs(postgres=False, registry=False) if settings.is_edge else programs or Programs()
        self._postgres: OwnPostgres | None = None
        self._children: list[Child] = []
        self._stopping = False

    def reasons(self) -> list[Reason]:
        """Why the node is not ready."""
        if self._stopping:
            return [Reason("stopping", "filament")]
        if not self._children:
            return [Reason("starting", "filament")]
        return [reason for child in self._children for reason in child.reasons()]

    def notices(self) -> list[Reason]:
        return [notice for child in self._children for notice in child.notices]

    def processes(self) -> Mapping[str, int]:
        running = {child.order.name: child.pid for child in self._children if child.pid is not None}
        if self._postgres is not None and self._postgres.pid is not None:
            running[POSTGRES] = self._postgres.pid
        return {"supervisor": os.getpid(), **running}

    def restarts(self) -> Mapping[str, int]:
        of_postgres = 0 if self._postgres is None else self._postgres.restarts
        return {POSTGRES: of_postgres} | {child.order.name: child.restarts for child in self._children}

    async def run(self) -> None:
        """Returns when stopped. Raises PortTaken, EmbeddedPostgresError or StartRefused when it cannot start."""
        refuse_unfit(self.settings)
        async with AsyncExitStack() as stack:
            left = self._estate
            inherited = None if left is None else (Path(left.measurements), left.measurements_lock)
            self._measurements = stack.enter_context(counted_together(inherited))
            self._claim_ports(stack)
            await stack.enter_async_context(self._status())
            await stack.enter_async_context(notification.signs_of_life())
            if await self._unless_stopped(asyncio.create_task(self._start(stack))):
                await self.stop.wait()
            self._stopping = True
            notification.notify(notification.STOPPING)

    async def _start(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._database())
        await self._prepare(self.settings, post=self._estate is None)
        if self.settings.is_edge:
            await refuse_upstream(self.settings)
        else:
            await refuse_strange_book(self.settings.registry)
        if self._programs.registry:
            await stack.enter_async_context(only_one(self.settings.registry))
        await stack.enter_async_context(self._running())
        if self._estate is not None:
            self._replacing = asyncio.create_task(self._replace(), name="renewal")
        if self._programs.registry:
            directory = Path(self.settings.registry.data_directory)
            await stack.enter_async_context(control.obeying(directory, self._orders_obeyed()))

    def follow_signals(self, *, terminal: bool) -> None:
        """The first SIGTERM or SIGINT stops in order, the second at once; SIGHUP reads settings and certificates again,
        SIGUSR2 puts the program in its place that is installed now."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_more)
        loop.add_signal_handler(signal.SIGUSR2, self.upgrade)
        # A terminal that is closed says SIGHUP too, and means that nobody is there any more.
        loop.add_signal_handler(signal.SIGHUP, self._stop_more if terminal else self.reload)

    def _stop_more(self) -> None:
        (self.stop_at_once if self.stop.is_set() else self.stop).set()

    def reload(self) -> Reloaded:
        """Reads settings and certificates again. With a fault nothing is changed."""
        try:
            asked = self._asked if self._reread is None else self._reread()
            outcome = compare(self._asked, asked)
        except (InvalidSettings, StartRefused) as error:
            outcome = refused(error)
            for refusal in outcome.refusals:
                log.error("settings are not read again: %s", refusal.text("en"))
            return outcome
        finally:
            notification.notify(notification.RELOADED)
        self.settings = merged(self.settings, asked, outcome.applied)
        self._asked = merged(self._asked, asked, outcome.applied)
        set_up(self.settings.status)
        log.info("read again: %s; with new processes: %s", outcome.applied, outcome.later)
        for child, order in zip(self._children, self._orders(), strict=True):
            child.tell(order)
            child.signal(signal.SIGHUP)
        return outcome

    async def renew(self) -> str:
        """Replaces every process by a new one. The name of the one that did not become ready, or nothing."""
        async with self._renewing:
            failed = await renew(self._children, self._orders(), self._look)
            log.info("every process is new" if not failed else "the node stays as it was")
            return failed

    def _orders_obeyed(self) -> Mapping[str, control.Order]:
        return {
            "reload": self._obey_reload,
            "renew": self._obey_renew,
            "upgrade": self._obey_upgrade,
            "outcome": self._obey_outcome,
        }

    async def _replace(self) -> Mapping[str, Any]:
        failed = await self.renew()
        if not failed:
            await self._prepare(self.settings)
        return {"failed": failed}

    async def _obey_outcome(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What became of the renewal after an upgrade, once it is over."""
        return {"failed": ""} if self._replacing is None else await asyncio.shield(self._replacing)

    async def _obey_upgrade(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        words = upgrade.program()
        try:
            await upgrade.try_out(words)
        except (upgrade.TrialFailed, OSError) as error:
            log.error("the program in our place would not start, and is left alone: %s", error)
            return {"refused": str(error)}
        asyncio.get_running_loop().call_later(FAREWELL, self._become, words)
        return {"refused": ""}

    def upgrade(self) -> None:
        """As the order does it, for a signal."""
        self._replacing = asyncio.create_task(self._obey_upgrade({}))

    def _become(self, words: list[str]) -> None:
        if self._stopping or self._renewing.locked() or self._reread is None:
            return
        log.info("another program takes over: %s", words[0])
        try:
            upgrade.become(words, self._estate_of_ours())
        except (OSError, ValueError) as error:
            log.error("the program cannot be replaced: %s", error)  # the system says it all

    def _estate_of_ours(self) -> Estate:
        """Raises ValueError while a child is being started."""
        children = tuple(
            Kept(child.order.name, child.pid, child.channel)
            for child in self._children
            if child.pid is not None and child.channel is not None
        )
        if len(children) != len(self._children):
            raise ValueError("a process is being started; try again")
        assert self._measurements is not None
        assert self._status_socket is not None
        resolver, postgres = self.settings.resolver, None if self._postgres is None else self._postgres.left()
        return Estate(
            children, resolver.listen, resolver.port, resolver.native_port, self.settings.registry.port,
            self._status_socket.fileno(), str(self._measurements[0]), self._measurements[1], postgres,
            resolver.dns_port if resolver.dns_zone else 0,
        )  # fmt: skip

    async def _obey_renew(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"failed": await self.renew()}

    async def _obey_reload(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        outcome, language = self.reload(), asked["language"]
        refusals = [refusal.text(language) for refusal in outcome.refusals]
        return {"applied": outcome.applied, "later": outcome.later, "refusals": refusals}

    async def _unless_stopped(self, task: asyncio.Task[None]) -> bool:
        """Whether the task came to its end before somebody wanted to stop."""
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            finished = task.done()
            stopping.cancel()
            task.cancel()
            await asyncio.wait({task})
        if finished:
            task.result()
        return finished

    def _claim_ports(self, stack: AsyncExitStack) -> None:
        resolver, registry, left = self.settings.resolver, self.settings.registry, self._estate
        if left is not None:
            resolver = ports.taken_over(resolver, left, stack)
            registry = replace(registry, port=left.registry_port)
        else:
            resolver = ports.reserved(resolver, stack) if self._programs.resolvers else resolver
            registry = ports.free(registry) if self._programs.registry else registry
        self.settings = replace(self.settings, resolver=resolver, registry=registry)

    @asynccontextmanager
    async def _status(self) -> AsyncIterator[None]:
        status = self.settings.status
        self._status_socket = listening = ports.listening_for_status(status, self._estate)
        promised = Promised(lambda: self.settings.registry)
        runner = web.AppRunner(create_app(self, promised), access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            self.settings = replace(self.settings, status=replace(status, port=listening.getsockname()[1]))
            yield
        finally:
            await runner.cleanup()

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[None]:
        registry = self.settings.registry
        if registry.dsn or not self._programs.postgres:
            yield
            return
        self._postgres = OwnPostgres(registry)
        async with self._postgres.running(None if self._estate is None else self._estate.postgres):
            self.settings = replace(self.settings, registry=replace(registry, dsn=self._postgres.dsn))
            yield

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        left = {} if self._estate is None else {kept.name: kept for kept in self._estate.children}
        self._children = [self._child(order, left.get(order.name)) for order in self._orders()]
        for child in self._children:
            child.start()
        try:
            yield
        finally:
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(child.stop(DRAIN, self.stop_at_once))

    def _child(self, order: Order, kept: Kept | None) -> Child:
        if kept is None:
            return Child(order, self._look)
        process = InheritedProcess(kept.process), socket.socket(fileno=kept.channel)
        return Child(order, self._look, inherited=process)

    def _orders(self) -> list[Order]:
        settings: dict[str, Any] = msgspec.to_builtins(self.settings)
        orders = [Order(REGISTRY, REGISTRY, {"settings": settings})] if self._programs.registry else []
        workers = (self.settings.resolver.workers or os.cpu_count() or 1) if self._programs.resolvers else 0
        return orders + [
            Order(f"worker {number}", "resolver", {"settings": settings, "worker": number})
            for number in range(1, workers + 1)
        ]

    def _look(self) -> None:
        if not self.ready.is_set() and not self.reasons():
            self.ready.set()
            notification.notify(notification.READY)
            log.info("the node is ready")
