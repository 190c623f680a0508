"""The web proxy: GET /{handle} sends a browser to the address that is registered, or shows what is.

An HS_ALIAS value wins over 10320/loc, and that over the first URL; ?noredirect, ?type= and ?index= show a page
instead, of an alias the page of what it stands for. Only values that the visitor may read count
(`resolver.listeners.http.sight`).
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from secrets import SystemRandom
from typing import Final

from aiohttp import web

from registry.documentation import VIEW_PARAMETER, language_of
from registry.errors import HandleError, HandleNotFound, InvalidHandle, PrefixNotHomed, ResponseCode
from registry.handle import HandleKey
from registry.language import Language
from registry.record import HandleRecord, first_of_type, ttl_of
from registry.rest import INTERNAL_ERROR, STATUS
from registry.routes import Handler, Route, percent_decode
from registry.value import HandleValue
from resolver.aliases import follow
from resolver.answer import Answer, Followed
from resolver.listeners.http.asking import ask_for
from resolver.listeners.http.background import Background
from resolver.listeners.http.conditional import caching_headers
from resolver.listeners.http.elsewhere import OtherNodes
from resolver.listeners.http.front import without_scheme
from resolver.listeners.http.locations import Chance, Locations
from resolver.listeners.http.pages.layout import POLICY, Reader, redirect_body
from resolver.listeners.http.pages.missing import missing_page, refusal_page, tombstone_page
from resolver.listeners.http.pages.record import Freshness, Origin, RecordPage, record_page
from resolver.listeners.http.pages.response import page_response
from resolver.listeners.http.responses import ASKED, BASE_HEADERS, FOUND, STATUS_OF_RULE, retry_after
from resolver.listeners.http.sight import LookUp, everybodys
from resolver.listeners.http.target import Destinations, path_of, target_of
from resolver.listeners.http.visit import PARAMETERS, Visit, prefers_json
from resolver.resolution import Resolver
from resolver.settings import ResolverSettings

_A_HANDLE: Final = re.compile(r"[^\s/]+/\S+")
_REFUSALS: Final[Mapping[ResponseCode, Callable[[str], HandleError]]] = {
    ResponseCode.HANDLE_NOT_FOUND: lambda handle: HandleNotFound("handle.not_found", handle=handle),
    ResponseCode.SERVER_NOT_RESPONSIBLE: lambda _: PrefixNotHomed("prefix.not_homed"),
}


@dataclass(frozen=True, slots=True)
class _Step:
    """What a value says should be done: go to `location`, or show the record because nobody should be sent there."""

    location: str | None
    status: int
    value: HandleValue


class Proxy:
    """Answers browsers. Chance chooses among locations of equal right, the clock says when an answer expires."""

    def __init__(
        self,
        resolver: Resolver,
        settings: ResolverSettings,
        answer_json: Handler,
        background: Background | None = None,
        chance: Chance | None = None,
        clock: Callable[[], float] = time.time,
        other_nodes: OtherNodes | None = None,
        sight_of: LookUp = everybodys,
    ) -> None:
        self._resolver = resolver
        self._names = resolver.names
        self._store = resolver.store
        self._name = settings.description
        self._destinations = Destinations.of(settings)
        self._max_staleness = settings.max_staleness
        self._answer_json = answer_json
        self._background = background
        self._chance = chance or SystemRandom()
        self._other_nodes = other_nodes or OtherNodes(None)
        self._clock = clock
        self._sight_of = sight_of

    async def serve(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        """One identifier."""
        raw = without_scheme(placeholders["handle"])
        if prefers_json(request.headers.get("Accept", "")):
            return await self._answer_json(request, {"handle": raw})
        asked = raw
        request[ASKED] = b""
        sight = await self._sight_of(request)  # Who has to say first who he is is told so as by all other routes.
        try:
            asked = _decoded(raw)
            key = self._names.key_of(asked.encode())
            ask_for(request, key)
            visit = Visit.from_request(request)
            answer = await self._resolve(request, asked, key, visit)
            if (record := answer.record) is None:
                return self._bury(visit.language, asked, answer)
            readable = replace(record, values=await sight.of(record))
            request[FOUND] = bool(readable.select(visit.indexes, visit.types))
            alias = asked if isinstance(answer, Followed) else ""
            name = str(record.handle) if alias else asked
            return sight.sealed(await self._respond(visit, name, readable, alias, sight.whose))
        except (HandleNotFound, PrefixNotHomed) as missing:
            return await self._miss(language_of(request), asked, HandleKey(request[ASKED]), missing)
        except HandleError as error:
            return self._refuse(language_of(request), asked, error)

    async def _resolve(self, request: web.Request, asked: str, key: HandleKey, visit: Visit) -> Answer:
        """An answer with a record or a tombstone. Raises HandleError: not found, not homed here, or busy."""
        authoritative = visit.authoritative
        answer = await (self._resolver.resolve_authoritative if authoritative else self._resolver.resolve)(key)
        if visit.wants_page and not visit.ignores_aliases:
            answer = await follow(self._resolver, answer, authoritative=authoritative)
        if answer.record is None and answer.tombstone is None:
            answer = await self._other_nodes.answer(request, asked, asked.encode(), answer)
        if answer.record is None and answer.tombstone is None:
            raise _REFUSALS[answer.code](asked)
        return answer

    def _bury(self, language: Language, asked: str, answer: Answer) -> web.StreamResponse:
        """Says why a handle is not resolved in its state, and what came in its place."""
        assert answer.tombstone is not None
        page = tombstone_page(asked, answer.tombstone, self._reader(language, path_of(asked)))
        return page_response(answer.status, page, language, staleness=self._resolver.staleness)

    async def _respond(
        self, visit: Visit, name: str, readable: HandleRecord, alias: str, whose: str
    ) -> web.StreamResponse:
        """A redirect or a page of a record with the values that may be read; `alias` is what was asked for, where it
        stands for the handle of the record."""
        step = None if visit.wants_page else self._step(visit, readable.values)
        if step is not None and step.location is not None:
            return self._redirect(visit, step, step.location)
        return await self._show(visit, name, readable, alias, whose, unsafe=step is not None)

    async def _show(
        self, visit: Visit, name: str, record: HandleRecord, alias: str, whose: str, *, unsafe: bool
    ) -> web.StreamResponse:
        """The page of a record with the values that may be read."""
        values = record.select(visit.indexes, visit.types)
        origin = await self._background.origin(record, values, visit.language) if self._background else Origin()
        freshness = Freshness(self._clock(), self._max_staleness, self._resolver.staleness)
        page = RecordPage(name, values, record.version, origin, freshness, record.standing, unsafe, alias, whose)
        shown = record_page(page, self._reader(visit.language, path_of(alias or name)))
        return page_response(200, shown, visit.language, staleness=freshness.staleness)

    def _step(self, visit: Visit, values: tuple[HandleValue, ...]) -> _Step | None:
        """Where the values lead; None when they lead nowhere."""
        alias = first_of_type(values, "HS_ALIAS")
        if alias is not None and not visit.ignores_aliases:
            return _Step(path_of(alias.text.strip()) + visit.carried_query, 301, alias)
        value = first_of_type(values, "10320/loc")
        if value is not None and (locations := Locations.from_xml(value.data)):
            href = locations.choose(visit.wishes, self._chance).href
            return _Step(target_of(href, self._destinations, visit.append), 302, value)
        value = first_of_type(values, "URL") or first_of_type(values, "URL.")
        if value is not None:
            return _Step(target_of(value.text, self._destinations, visit.append), 302, value)
        return None

    def _redirect(self, visit: Visit, step: _Step, location: str) -> web.StreamResponse:
        now = int(self._clock())
        ttl = ttl_of((step.value,), now)
        headers = {
            **caching_headers(ttl, staleness=self._resolver.staleness),
            **BASE_HEADERS,
            "Location": location,
            "Expires": formatdate(now + ttl, usegmt=True),
            "Vary": "Accept, Authorization",
            "Content-Security-Policy": POLICY,
        }
        status = 200 if visit.only_headers else step.status
        return web.Response(status=status, text=redirect_body(location), content_type="text/html", headers=headers)

    async def _miss(
        self, language: Language, asked: str, key: HandleKey, error: HandleNotFound | PrefixNotHomed
    ) -> web.StreamResponse:
        """Says which part of a name is not known here."""
        status = STATUS[error.code]
        if self._background is None:
            return self._refuse(language, asked, error)
        failure = await self._background.failure(key, language)
        return page_response(status, missing_page(asked, failure, self._reader(language, path_of(asked))), language)

    def _refuse(self, language: Language, asked: str, error: HandleError) -> web.StreamResponse:
        status = STATUS_OF_RULE.get(error.rule) or STATUS.get(error.code, INTERNAL_ERROR)
        shown = asked.encode(errors="replace").decode()  # A path may hold octets that are no text.
        page = refusal_page(status, error.text(language), shown, self._reader(language, path_of(shown)))
        response = page_response(status, page.encode(errors="replace").decode(), language)
        if after := retry_after(error):
            response.headers["Retry-After"] = after
        return response

    def _reader(self, language: Language, path: str) -> Reader:
        def page_of(line: str) -> str | None:
            """The page of an identifier that is answered for here."""
            if not _A_HANDLE.fullmatch(line) or self._store.prefixes.of(self._store.key_of(line.encode())) is None:
                return None
            return f"{path_of(line)}?noredirect&lang={language}"

        return Reader(self._name, language, path, lambda line: target_of(line, self._destinations), page_of)


def _decoded(raw: str) -> str:
    try:
        return percent_decode(raw).decode()
    except UnicodeDecodeError:
        raise InvalidHandle("handle.not_utf8") from None


def routes(
    resolver: Resolver,
    settings: ResolverSettings,
    answer_json: Handler,
    background: Background,
    other_nodes: OtherNodes | None = None,
    sight_of: LookUp = everybodys,
) -> tuple[Route, ...]:
    """The route of names, which comes last: it takes every path that nothing else has.

    `answer_json` serves the clients that prefer JSON, as GET /api/handles/{handle} does.
    """
    proxy = Proxy(resolver, settings, answer_json, background, other_nodes=other_nodes, sight_of=sight_of)
    return (
        Route(
            "GET",
            "/{handle}",
            proxy.serve,
            "visit",
            "Go to the registered address, or see what is registered.",
            "跳转到登记的网址，或查看登记的内容。",
            (*PARAMETERS, VIEW_PARAMETER),
            responses=dict.fromkeys((200, 301, 302, 400, 401, 403, 404, 410, 500, 503), "text/html, application/json"),
        ),
    )
