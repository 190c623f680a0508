"""One worker of a node, put together: the only place where everything meets. Started from below, stopped from above.

It listens before the database is there: what is asked meanwhile is refused as busy, and the node says that it is not
ready, and why. Nothing has to be done by hand when the database comes, goes and returns.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from registry.accounts import SharedAccounts
from registry.authentication import Authenticator
from registry.certificate import Certificate
from registry.change_reading import ChangeReader
from registry.exchanges import Exchanges
from registry.inheritance import Inheritance, inherit
from registry.lag import Lag
from registry.limits import Limits
from registry.nearest import nearest_of
from registry.port import Port, listen
from registry.registration import Registration
from registry.sessions import Sessions
from registry.setting_rules import hosts_of
from registry.signing import Signer
from registry.sources import networks_from
from registry.spans import exporting
from registry.statistics import Statistics
from registry.store import Store
from resolver.cache import Cache
from resolver.edge.book import EdgeBook, Uncounted
from resolver.edge.feed import FeedReader
from resolver.edge.resolution import EdgeResolver
from resolver.housekeeping import flush, leave_answers_alone, leave_old_objects_alone, tend_memory
from resolver.invalidation import Follower, follow_changes, sweep
from resolver.limit_settings import LimitSettings
from resolver.listeners.dns import DnsPort
from resolver.listeners.http.app import create_server
from resolver.listeners.http.parts import Parts
from resolver.listeners.native import NativePort
from resolver.measurements import shared_directory
from resolver.metrics import Metrics
from resolver.misses import Misses
from resolver.operations import Operations
from resolver.overload import Overload
from resolver.own_site import OwnSite
from resolver.recursion import Recursion
from resolver.referral import Referrals
from resolver.resolution import Resolver
from resolver.settings import ResolverSettings, Settings
from resolver.succession import DATAGRAMS, DNS_DATAGRAMS, DNS_STREAMS, HTTP, STREAMS, Succession
from resolver.tally import Reporter, Tally
from resolver.warmth import Warmth

log = logging.getLogger(__name__)

DRAIN: Final = 10.0  # Seconds for requests in flight when the node stops.
# Seconds for which a worker that takes over waits for the database; without it, neither has more to answer with.
SUCCEED: Final = 15.0
SUCCEED_INTERVAL: Final = 0.05
NAMES: Final = "names-{}.warm"  # The file of names that a worker was asked for most.
READER_PROGRAM: Final = "changes"
MEGABYTE: Final = 1 << 20

Unready = tuple[str, Mapping[str, Any]]


class Node:
    """A worker that runs. `resolver` is what it answers with, `settings` have the port that was really bound."""

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        misses: Misses,
        follower: Follower,
        certificate: Certificate,
        metrics: Metrics,
    ) -> None:
        self.settings = settings
        self.resolver = resolver
        self.follower = follower
        self.certificate = certificate
        self.metrics = metrics
        self.signer = Signer(settings.registry.data_directory)
        self.site = OwnSite(
            lambda: self.settings.resolver, certificate.node_key, self.signer, primary=not settings.is_edge
        )
        self.stopping = False
        self.bounded: list[Callable[[ResolverSettings], None]] = []  # the listeners, once they are open
        self._misses = misses

    @property
    def look_interval(self) -> float:
        return self.settings.edge.interval if self.settings.is_edge else self.settings.resolver.poll_interval

    @property
    def port(self) -> int:
        return self.settings.resolver.port

    @property
    def native_port(self) -> int:
        return self.settings.resolver.native_port

    def unready(self) -> list[Unready]:
        """Why it is not ready: rules of the status port and their culprits; nothing when it is."""
        if self.stopping:
            return [("stopping", {})]
        if self._misses.fault == "schema":
            return [("schema", {"detail": self._misses.fault_detail})]
        is_edge = self.settings.is_edge
        if self._misses.fault:
            return [("upstream" if is_edge else "database", {})]
        if not self.resolver.hearing:
            return [("feed" if is_edge else "change_log", {"seconds": self.resolver.staleness})]
        return []

    def notices(self) -> list[Unready]:
        """What its operator should know though it is ready."""
        edge: list[Unready] = [("edge", {"address": self.settings.edge.address})] if self.settings.is_edge else []
        return [*edge, ("overload", {})] if self._misses.overload.on else edge

    def reload(self) -> None:
        """Uses the certificate's files as they are now."""
        self.certificate.reload()

    def apply(self, settings: Settings) -> None:
        """Takes up what reloading.LIVE lists."""
        ours = settings.resolver
        self.settings = settings
        self.certificate.use(ours.certificate, ours.private_key, ours.client_ca)
        self._misses.limit(ours.miss_queue, ours.miss_deadline)
        self._misses.overload.bound = ours.overload_wait
        limit_questions(self.metrics.tally.limits, settings.limits)
        for limit in self.bounded:
            limit(ours)


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    *,
    worker: int = 0,
    predecessor: int | None = None,
    started: Callable[[Node], None] | None = None,
) -> None:
    """Runs one worker until `stop` is set; `started` is told when its port is open, ready or not.

    From the process that is its predecessor it takes over sockets and connections, as soon as it can answer.
    """
    async with running(settings, worker=worker, predecessor=predecessor) as node:
        leave_old_objects_alone()
        if started is not None:
            started(node)
        await stop.wait()


@asynccontextmanager
async def running(settings: Settings, *, worker: int = 0, predecessor: int | None = None) -> AsyncIterator[Node]:
    """One worker, from an open port to the last request answered."""
    ours = settings.resolver
    program = f"resolver {worker}" if worker else "resolver"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(exporting(settings.registry.traces, "filament-resolver"))
        store = _store(settings, program)
        stack.push_async_callback(store.close)
        metrics = Metrics(Tally(lambda: store.prefixes, limits=_limits(settings, store)))
        reporter = Reporter(metrics.tally, Uncounted(store) if settings.is_edge else Statistics(store))
        stack.push_async_callback(reporter.close)
        cache = Cache(ours.cache_megabytes * MEGABYTE, ours.missing_entries, ours.found_ttl, ours.missing_ttl)
        misses = Misses(
            store,
            metrics,
            readers=ours.readers,
            queue=ours.miss_queue,
            deadline=ours.miss_deadline,
            overload=Overload(ours.overload_wait),
            goes_over=bool(hosts_of(settings.registry.nearest_dsn or settings.registry.dsn)),
        )
        resolver, reader = _resolution(settings, store, cache, misses, metrics)
        stack.push_async_callback(reader.close)
        lag = Lag(store)
        stack.push_async_callback(lag.close)
        kept = settings.registry.change_log_hours * 3600.0
        follower = Follower(reader, store, resolver, metrics, kept, lambda: lag.is_small)
        certificate = _certificate(settings)
        names = Path(settings.registry.data_directory) / NAMES.format(worker)
        node = Node(settings, resolver, misses, follower, certificate, metrics)
        recursion = Recursion(resolver, Referrals(resolver), settings.recursion, node.site.current, metrics)
        stack.push_async_callback(recursion.close)
        await stack.enter_async_context(
            _tasks(
                misses.run(),
                misses.overload.watch(lambda: misses.waited),
                follow_changes(follower, node.look_interval, ours.stale_limit),
                lag.run(),
                sweep(cache),
                Warmth(names, resolver, cache, leave_answers_alone).run(),
                tend_memory(cache),
                flush(metrics, cache, misses, resolver, recursion),
                reporter.take(),
                reporter.run(),
                certificate.watch(),
            )
        )
        inheritance = None if predecessor is None else await _inherit(node, predecessor)
        await stack.enter_async_context(_listening(node, store, recursion, inheritance))
        if not settings.is_edge:
            await stack.enter_async_context(_tasks(node.site.publish(store)))
        log.info("listening on port %s, and %s for the native protocol", node.port, node.native_port)
        try:
            yield node
        finally:
            node.stopping = True


def _store(settings: Settings, program: str) -> Store:
    """The book, or what stands in its place where another node has it."""
    if settings.is_edge:
        return EdgeBook(settings, program)
    return Store(settings.registry, program, settings.resolver.readers, nearest_of(settings.registry))


def _resolution(
    settings: Settings, store: Store, cache: Cache, misses: Misses, metrics: Metrics
) -> tuple[Resolver, ChangeReader]:
    ours = settings.resolver
    if not isinstance(store, EdgeBook):
        resolver = Resolver(store, cache, misses, metrics, max_staleness=ours.max_staleness, quarantine=ours.quarantine)
        return resolver, ChangeReader(f"{store.program} {READER_PROGRAM}", store)
    store.do_not_keep = misses.disown
    reader = FeedReader(store)
    limits = {"max_staleness": ours.max_staleness, "stale_limit": ours.stale_limit}
    return EdgeResolver(store, reader, cache, misses, metrics, **limits), reader


async def _inherit(node: Node, predecessor: int) -> Inheritance | None:
    """What a former worker hands over, taken when there is nothing that it could answer and we could not."""
    ends = asyncio.get_running_loop().time() + SUCCEED
    while node.unready() and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110  # the database comes
        await asyncio.sleep(SUCCEED_INTERVAL)
    return await asyncio.to_thread(inherit, predecessor)


@asynccontextmanager
async def _tasks(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Tasks that live as long as the block; one that fails ends the block, and so the worker."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def _listening(
    node: Node, store: Store, recursion: Recursion, inheritance: Inheritance | None
) -> AsyncIterator[None]:
    ours = node.settings.resolver
    taken = (lambda _: []) if inheritance is None else inheritance.listening
    sockets = taken(HTTP) or listen(ours.listen, ours.port)
    native = NativePort(ours.listen, ours.native_port, (taken(STREAMS), taken(DATAGRAMS)))
    dns = DnsPort(ours, (taken(DNS_STREAMS), taken(DNS_DATAGRAMS)))
    bound = replace(ours, port=sockets[0].getsockname()[1], native_port=native.port, dns_port=dns.port)
    node.settings = replace(node.settings, resolver=bound)
    parts = _parts(node, store, recursion)
    server = create_server(parts)
    port = Port(sockets, server, lambda: node.certificate.context)
    port.open()
    node.bounded = [server.limit, native.limit, dns.limit]
    # Never cut short, should another part fail meanwhile: uvloop waits for ever for a socket that is half open.
    opening = asyncio.create_task(native.open(parts.operations, node.metrics, bound))
    succession = Succession(port, server, native, dns)
    try:
        await server.shorten()
        await asyncio.shield(opening)
        await dns.open(node.resolver, node.metrics, bound)
        if inheritance is not None:
            succession.take_over(inheritance)
        async with succession.legacy.offered():
            try:
                yield
            finally:
                if succession.legacy.taken.is_set():
                    await succession.give_way()
    finally:
        await asyncio.wait({opening})
        await port.close()
        server.pre_shutdown()
        async with asyncio.TaskGroup() as group:
            group.create_task(native.close(DRAIN))
            group.create_task(dns.close(DRAIN))
            group.create_task(server.shutdown(DRAIN))


def _limits(settings: Settings, store: Store) -> Limits:
    limits = Limits(lambda: store.prefixes, networks_from(settings.registry.trusted_proxies), shared=_accounts())
    limit_questions(limits, settings.limits)
    return limits


def _accounts() -> SharedAccounts | None:
    """The accounts of all workers; None where this is the only one, or where there is no room for them."""
    directory = shared_directory()
    try:
        return None if directory is None else SharedAccounts(directory)
    except OSError as error:
        log.warning("limits are of each process: %s", error)
        return None


def limit_questions(limits: Limits, ours: LimitSettings) -> None:
    limits.limit(
        client=ours.client_rate,
        prefix=ours.prefix_rate,
        enterprise=ours.enterprise_rate,
        exempt=ours.unlimited_clients,
    )


def _parts(node: Node, store: Store, recursion: Recursion) -> Parts:
    """What answers over all protocols."""
    elsewhere = store.elsewhere if isinstance(store, EdgeBook) else None
    registration = Registration(store, node.settings.registry.administrators)
    authenticator = Authenticator(store)
    key = node.certificate.node_key
    exchanges = Exchanges(store, _secret(key))
    operations = Operations(
        node.resolver,
        registration,
        authenticator,
        exchanges,
        node.site.current,
        key,
        tally=node.metrics.tally,
        recursion=recursion,
        reach=None if elsewhere else node.follower.reach,
        authoritative=elsewhere is None,
    )
    return Parts(
        recursion=recursion,
        elsewhere=elsewhere,
        resolver=node.resolver,
        registration=registration,
        authenticator=authenticator,
        sessions=Sessions(store),
        settings=node.settings,
        metrics=node.metrics,
        operations=operations,
        site=node.site.current,
        node_key=key,
        signer=node.signer,
        position=store.position_elsewhere if isinstance(store, EdgeBook) else node.follower.cursor,
        position_of=node.follower.position_of,
        reach=store.reach_elsewhere if isinstance(store, EdgeBook) else node.follower.reach,
    )


def _certificate(settings: Settings) -> Certificate:
    ours = settings.resolver
    return Certificate(
        Path(settings.registry.data_directory),
        certificate=ours.certificate,
        private_key=ours.private_key,
        client_authorities=ours.client_ca,
        names=(ours.public_address,),
    )


def _secret(key: RSAPrivateKey) -> bytes:
    """What every worker of the node knows and nobody else: what they share is kept under it."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
