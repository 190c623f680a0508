"""The registry's own interface over HTTP, for administrators; and the program that serves it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from aiohttp import web

from registry.api_routes import routes
from registry.applications import Applications
from registry.applications_api import ApplicationHandlers
from registry.archive_api import ArchiveHandlers
from registry.audit_api import AuditHandlers
from registry.authentication import Authenticator
from registry.bodies import MAX_BODY, octets_of
from registry.bulk_api import BulkHandlers
from registry.callers import Callers
from registry.certificate import Certificate, node_key
from registry.documentation import with_documentation
from registry.enterprise_api import Enterprises
from registry.enterprise_standing import EnterpriseStanding
from registry.enterprise_standing_api import StandingHandlers
from registry.errors import ProtocolFault
from registry.evidence import EvidenceFiles
from registry.feed_api import FeedHandlers
from registry.handle_scheme import HandleScheme
from registry.handover_api import TransferHandlers
from registry.history_api import HistoryHandlers
from registry.inheritance import Legacy, inherit
from registry.issuer_api import IssuerHandlers
from registry.job_runner import JobRunner
from registry.jobs_api import JobHandlers
from registry.label_api import LabelHandlers
from registry.mappings_api import MappingHandlers
from registry.once import with_terms
from registry.openid import OpenIdProvider
from registry.openid_api import OpenIdHandlers
from registry.openid_people import OpenIdPeople
from registry.passwords import Passwords
from registry.people import People
from registry.people_api import PeopleHandlers
from registry.personal import Vault
from registry.port import Port, listen
from registry.problems import problem
from registry.purge_api import PurgeHandlers
from registry.range_api import RangeHandlers
from registry.rights import Rights
from registry.routes import Handler, Route, Router, raw_path
from registry.sealing import Sealer
from registry.search_api import SearchHandlers
from registry.session_api import SessionHandlers
from registry.sessions import Sessions
from registry.settings import RegistrySettings
from registry.snms_api import SnmsHandlers
from registry.snms_envelope import enveloped
from registry.snms_identifiers import SnmsIdentifiers
from registry.snms_template_api import SnmsTemplateHandlers
from registry.spans import asked_by, exporting
from registry.state_api import StateHandlers
from registry.statistics_api import StatisticsHandlers
from registry.stewardship import Stewardship
from registry.store import Store
from registry.suffix_api import SuffixHandlers
from registry.template_api import TemplateHandlers
from registry.tokens import Tokens
from registry.tokens_api import TokenHandlers
from registry.trace_api import TraceHandlers
from registry.upkeep import Unready, Upkeep
from registry.view_api import ViewHandlers
from registry.webhook_api import WebhookHandlers
from registry.webhook_delivery import Deliverer

log = logging.getLogger(__name__)

DRAIN: Final = 10.0  # Seconds for requests in flight when the registry stops; a load is taken up again.
MAX_CONNECTIONS: Final = 4096  # Of programs of enterprises and people in browsers; each idle one costs some kilobytes.
IDLE: Final = 75.0  # Seconds for which an idle connection is kept, as the resolver keeps its own.
LONGEST_BODY: Final = 16 << 20  # Octets of a request that is sent on terms: the most that any route takes.
TITLES: Final = ("Filament: registry", "Filament：注册接口")
PROGRAM: Final = "registry"
KIND: Final = "registry"  # Of the socket that is handed to a successor.
GIVE_WAY: Final = 5.0  # Seconds for connections to ask once more and be told to come again, to the successor.
GIVE_WAY_INTERVAL: Final = 0.05
# Whether each answer is the last of its connection.
LAST_ANSWERS: Final = web.AppKey("last_answers", asyncio.Event)
CALLERS: Final = web.AppKey("callers", Callers)

Limit = Callable[[RegistrySettings], None]


def create_app(store: Store) -> web.Application:
    """The application over an open store, or over one whose database is still to come."""
    tokens, passwords, sessions = Tokens(store), Passwords(), Sessions(store)
    authenticator = Authenticator(store)
    handle = HandleScheme(authenticator, sessions, cache(lambda: node_key(Path(store.settings.data_directory))))
    callers = Callers(authenticator, tokens, store.settings, handle)
    people = People(store, tokens, passwords)
    rights = Rights(store, store.settings.administrators)
    bulk = BulkHandlers(store, callers, rights)
    enterprises = Enterprises(store, callers, rights)
    statistics, search = StatisticsHandlers(store, callers, rights), SearchHandlers(store, callers, rights)
    feed, history = FeedHandlers(store, callers, rights), HistoryHandlers(store, callers, rights)
    ranges, webhooks = RangeHandlers(store, callers), WebhookHandlers(store, callers, rights)
    templates, suffixes = TemplateHandlers(store, callers, rights), SuffixHandlers(store, callers, rights)
    states, audit = StateHandlers(store, callers, rights), AuditHandlers(store, callers, rights)
    served = (
        feed.route(),
        LabelHandlers(callers).route(),
        *webhooks.routes(),
        *IssuerHandlers(store, callers, rights).routes(),
        *TransferHandlers(store, callers, rights).routes(),
        *TraceHandlers(store, callers, rights).routes(),
        *(audit.route(), PurgeHandlers(store, callers, rights).route()),
        *ViewHandlers(store, callers, rights).routes(),
        ArchiveHandlers(store, callers, rights).route(),
        *MappingHandlers(store, callers).routes(),
        *JobHandlers(store, callers, rights).routes(),
        *states.routes(),
        *templates.routes(),
        *suffixes.routes(),
        *ranges.routes(),
        *history.routes(),
        *routes(bulk, enterprises, statistics, search),
        *SessionHandlers(callers, sessions, handle).routes(),
        *_routes_of_people(store, callers, tokens, rights, people, passwords),
        *_openid(store, callers, people, sessions).routes(),
    )
    written = with_terms(store, _body, served)
    snms = _routes_of_snms(store, callers, rights, people)
    router = Router(with_documentation((*written, *snms), TITLES, version("filament-node")))

    async def answer(request: web.Request) -> web.StreamResponse:
        route, placeholders, methods = router.match(request.method, path := raw_path(request))
        if route is not None:
            try:
                return await _handled(callers, route.handler, request, placeholders)
            except Exception as error:  # the request ends here, whatever it failed of
                return problem(error, request)
        if not methods:
            unknown = ProtocolFault("http.endpoint", method=request.method[:20], path=path[:200])
            return problem(unknown, request)
        return problem(ProtocolFault("http.method", method=request.method[:20]), request, methods)

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", r"/{path:[\s\S]*}", answer)
    app[LAST_ANSWERS] = asyncio.Event()
    app[CALLERS] = callers
    app.on_response_prepare.append(_sign_off)
    return app


async def _handled(
    callers: Callers, handler: Handler, request: web.Request, placeholders: Mapping[str, str]
) -> web.StreamResponse:
    """Within the limit of its client, and within its trace. Raises what the handler raises, and TooManyRequests."""
    callers.count(request)
    with asked_by(request.headers):
        return await handler(request, placeholders)


def _routes_of_people(
    store: Store, callers: Callers, tokens: Tokens, rights: Rights, people: People, passwords: Passwords
) -> tuple[Route, ...]:
    vault = Vault(Path(store.settings.data_directory))
    stewardship, applications = Stewardship(store, rights), Applications(store, vault, passwords)
    return (
        *PeopleHandlers(callers, people, tokens, stewardship).routes(),
        *TokenHandlers(store, callers, tokens, stewardship).routes(),
        *ApplicationHandlers(callers, rights, applications, EvidenceFiles(store, vault), people).routes(),
        *StandingHandlers(callers, rights, EnterpriseStanding(store, vault), stewardship).routes(),
    )


def _routes_of_snms(store: Store, callers: Callers, rights: Rights, people: People) -> tuple[Route, ...]:
    identifiers = SnmsIdentifiers(store)
    served = (
        *SnmsHandlers(callers, people, identifiers).routes(),
        *SnmsTemplateHandlers(store, callers, rights, identifiers).routes(),
    )
    return enveloped(with_terms(store, _body, served))


def _openid(store: Store, callers: Callers, people: People, sessions: Sessions) -> OpenIdHandlers:
    provider = OpenIdProvider(store.settings)
    return OpenIdHandlers(callers, provider, OpenIdPeople(store, people, sessions, provider, store.settings))


async def _body(request: web.Request) -> bytes:
    return await octets_of(request, LONGEST_BODY)


async def _sign_off(request: web.Request, response: web.StreamResponse) -> None:
    """Our name instead of the versions of Python and aiohttp, which only help who looks for weak ones."""
    response.headers["Server"] = "Filament"
    if request.app[LAST_ANSWERS].is_set():
        response.headers["Connection"] = "close"
        response.force_close()


def _bounded(server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
    """Makes protocols of no more connections than there may be; the others are ended at once."""
    return lambda: server() if len(server.connections) < MAX_CONNECTIONS else _Crowded()


class _Crowded(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _give_way(runner: web.AppRunner, port: Port) -> None:
    """Accepts no more, and tells whoever asks on an open connection that it is over with the answer."""
    runner.app[LAST_ANSWERS].set()
    port.stop_accepting()
    ends = asyncio.get_running_loop().time() + GIVE_WAY
    while runner.server is not None and runner.server.connections:  # what is awaited, clients do
        if asyncio.get_running_loop().time() > ends:
            break
        await asyncio.sleep(GIVE_WAY_INTERVAL)


def _certificate(settings: RegistrySettings) -> Certificate:
    return Certificate(
        Path(settings.data_directory),
        certificate=settings.certificate,
        private_key=settings.private_key,
        client_authorities=settings.client_ca,
    )


async def serve(
    settings: RegistrySettings,
    stop: asyncio.Event,
    *,
    predecessor: int | None = None,
    started: Callable[[Unready], None] | None = None,
    limited: Callable[[Limit], None] | None = None,
) -> None:
    """Listens until `stop` is set, for HTTP and HTTPS on one port, whether the database is there or not.

    From the process that is its predecessor it takes over the socket, with whoever has not been accepted yet.
    `started` is given who says what is wrong, `limited` who takes other limits while it runs. Raises OSError, and
    ValueError for a certificate that cannot be used.
    """
    async with exporting(settings.traces, "filament-registry"):
        await _serve(settings, stop, predecessor, started, limited)


async def _serve(
    settings: RegistrySettings,
    stop: asyncio.Event,
    predecessor: int | None,
    started: Callable[[Unready], None] | None,
    limited: Callable[[Limit], None] | None,
) -> None:
    inheritance = None if predecessor is None else await asyncio.to_thread(inherit, predecessor)
    inherited = [] if inheritance is None else inheritance.listening(KIND)
    sockets = inherited or listen((settings.listen,), settings.port, shared=False)
    store = Store(settings, PROGRAM)
    runner = web.AppRunner(create_app(store), access_log=None, shutdown_timeout=DRAIN, keepalive_timeout=IDLE)
    await runner.setup()
    assert runner.server is not None
    certificate = _certificate(settings)
    port = Port(sockets, _bounded(runner.server), lambda: certificate.context)
    legacy = Legacy(lambda: {KIND: port.sockets})
    upkeep = Upkeep(store)
    tasks = {
        asyncio.create_task(work, name=name)
        for name, work in (
            ("certificate", certificate.watch()),
            ("upkeep", upkeep.run()),
            ("webhooks", Deliverer(store).run()),
            ("jobs", JobRunner(store, Rights(store, settings.administrators)).run()),
            ("sealing", Sealer(store, settings.data_directory).run()),
        )
    }
    try:
        port.open()
        if inheritance is not None:
            inheritance.serve(lambda _, connection: connection.close())
        log.info("the registry listens on %s:%d", settings.listen, sockets[0].getsockname()[1])
        if started is not None:
            started(upkeep.unready)
        if limited is not None:
            limited(runner.app[CALLERS].limit)
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())  # A registry nobody keeps up ends, and is started again.
        async with legacy.offered():
            await stop.wait()
        if legacy.taken.is_set():
            await _give_way(runner, port)
    finally:
        await port.close()
        await runner.cleanup()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await store.close()
    for task in tasks:
        if not task.cancelled():
            task.result()
