"""What is asked of links, and the answers: a redirect, a link set, several choices, or what there is instead."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import orjson
from aiohttp import web

from registry.documentation import language_of
from registry.errors import HandleError, ProtocolFault
from registry.language import Language
from registry.links import Link
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.conditional import caching_headers, etag_of, unchanged
from resolver.listeners.http.link_choice import Level, Preferences, weighted
from resolver.listeners.http.linksets import CONTEXT, CONTEXT_LINK, JSON_LD, LINKSET, choices, linkset
from resolver.listeners.http.pages.layout import Reader
from resolver.listeners.http.pages.links import links_page
from resolver.listeners.http.pages.missing import refusal_page
from resolver.listeners.http.pages.response import page_response
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import BASE_HEADERS
from resolver.listeners.http.target import Destinations, path_of, query_of, target_of, with_query

LINK_TYPE: Final = "linkType"
CONTEXT_PARAMETER: Final = "context"
LINK_SETS: Final = frozenset({"linkset", "all"})  # What ?linkType= says for all links; the second is the older word.
MAX_ACCEPT: Final = 500  # Characters of a header that are read; browsers send about 150.
REDIRECT: Final = 307
METHODS: Final = "GET, HEAD, OPTIONS"
# Anybody's page may read what anybody may read: the standard asks for it without a question about an origin.
OPEN_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "Accept, Accept-Language",
    "Access-Control-Expose-Headers": "Link, Location",
}
VARY: Final = "Accept, Accept-Language, Authorization"
_LINK_SET: Final = f'?{LINK_TYPE}=linkset>; rel="linkset"; type="{LINKSET}"'
_PLAIN: Final = "application/json"
_PAGE: Final = frozenset({"text/html", "application/xhtml+xml"})
_HOST: Final = re.compile(r"[A-Za-z0-9._\[\]:-]{1,261}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of links. `form` is the media type that a link set is wanted in, "text/html", or empty: any."""

    link_type: str | None
    form: str
    preferences: Preferences
    query: str
    accept: str
    is_of_key: bool = False

    @classmethod
    def of(cls, request: web.Request) -> "Question":
        query = request.raw_path.partition("?")[2]
        accept = request.headers.get("Accept", "")[:MAX_ACCEPT]
        types = weighted(accept)
        languages = weighted(request.headers.get("Accept-Language", "")[:MAX_ACCEPT])
        asked = request.query if query else None
        link_type = asked.get(LINK_TYPE) if asked else None
        contexts = tuple(asked.getall(CONTEXT_PARAMETER, ())) if asked else ()
        return cls(link_type or None, _form(types), Preferences(types, languages, contexts), query, accept)

    def of_key(self) -> "Question":
        """The same question of a GS1 key, of which the link set is the JSON."""
        return replace(self, is_of_key=True)

    @property
    def wants_page(self) -> bool:
        return self.form == "text/html"

    @property
    def takes_link_sets(self) -> bool:
        return self.form in (LINKSET, JSON_LD)

    @property
    def wants_link_set(self) -> bool:
        if self.link_type is not None:
            return self.link_type in LINK_SETS
        return self.takes_link_sets or (self.is_of_key and self.form == _PLAIN)


class LinkAnswers:
    """Makes answers. The node's own address is what the request says of it."""

    def __init__(self, parts: Parts, authorization: Authorization) -> None:
        settings = parts.settings.resolver
        self._resolver = parts.resolver
        self._authorization = authorization
        self._name = settings.description
        self.destinations = Destinations.of(settings)

    def redirect(self, question: Question, path: str, link: Link, ttl: int) -> web.StreamResponse:
        """To a link that may be followed. Raises ProtocolFault when the query makes it too long."""
        target = target_of(link.href, self.destinations)
        assert target is not None
        # "SHALL transmit the entirety of the query string" (resolver standard, 2.12)
        location = with_query(target, question.query)
        headers = {**redirect_headers(ttl, self._resolver.staleness), "Link": link_to_set(path), "Location": location}
        return web.Response(status=REDIRECT, headers=headers)

    def link_set(
        self, request: web.Request, question: Question, name: str, levels: Sequence[Level], ttl: int
    ) -> web.StreamResponse:
        if question.wants_page:
            return self._page(request, 200, name, levels)
        form = linkset(self.root(request), levels, self.destinations)
        return self._json(request, question, form, 200, ttl)

    def choices(
        self,
        request: web.Request,
        question: Question,
        name: str,
        levels: Sequence[Level],
        links: tuple[Link, ...],
        ttl: int,
    ) -> web.StreamResponse:
        """Several links that fit equally well, or none of the type: what there is instead. Raises ProtocolFault."""
        status = 300 if links else 404
        if question.wants_page:
            shown = [Level(levels[0].path, links, None)] if links else levels
            return self._page(request, status, name, shown)
        if not links:
            types = ", ".join(sorted({link.rel for level in levels for link in level.links})) or "-"
            raise ProtocolFault("links.no_type", name=name, link_type=(question.link_type or "")[:100], types=types)
        form = choices(self.root(request), levels[0].path, links, self.destinations)
        return self._json(request, question, form, status, ttl)

    def refusal(self, request: web.Request, refused: HandleError, name: str, status: int) -> web.StreamResponse:
        """Why there is no answer, for a person."""
        language = language_of(request)
        shown = name.encode(errors="replace").decode()
        page = refusal_page(status, refused.text(language), shown, self._reader(language, path_of(shown)))
        return page_response(status, page.encode(errors="replace").decode(), language)

    def _reader(self, language: Language, path: str) -> Reader:
        query = f"{LINK_TYPE}=linkset"
        return Reader(
            self._name, language, path, lambda line: target_of(line, self.destinations), lambda _: None, query
        )

    def root(self, request: web.Request) -> str:
        """The address of this node, as the client reached it. Raises ProtocolFault."""
        host = request.headers.get("Host", "")
        if not _HOST.fullmatch(host):
            raise ProtocolFault("http.parameter", name="Host", value=host[:40], rule="names no host")
        return f"http{'s' if self._authorization.is_secure(request) else ''}://{host}"

    def _json(
        self, request: web.Request, question: Question, form: dict[str, object], status: int, ttl: int
    ) -> web.StreamResponse:
        media_type = question.form or LINKSET
        body = orjson.dumps({**CONTEXT, **form} if media_type == JSON_LD else form)
        headers = {**caching_headers(ttl, etag_of(body), self._resolver.staleness), "Vary": f"Host, {VARY}"}
        headers |= {**BASE_HEADERS, **OPEN_HEADERS, "Link": CONTEXT_LINK}
        if status == 200 and unchanged(request, headers):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, status=status, headers={**headers, "Content-Type": media_type})

    def _page(self, request: web.Request, status: int, name: str, levels: Iterable[Level]) -> web.StreamResponse:
        language = language_of(request)
        levels = list(levels)
        reader = self._reader(language, levels[0].path)
        form = linkset(self.root(request), levels, self.destinations)
        page = links_page(status, name, levels, {**CONTEXT, **form}, reader)
        response = page_response(status, page, language, staleness=self._resolver.staleness)
        response.headers.update({**OPEN_HEADERS, "Link": link_to_set(levels[0].path)})
        return response


def redirect_headers(ttl: int, staleness: float = 0.0) -> dict[str, str]:
    """Of a redirect, in the order in which they are sent; what is its own comes behind them."""
    return {**caching_headers(ttl, staleness=staleness), "Vary": VARY, **BASE_HEADERS, **OPEN_HEADERS}


def opening_headers(path: str) -> dict[str, str]:
    """What a page of another origin is told about a path before it asks (resolver standard, 2.2)."""
    return {**OPEN_HEADERS, "Link": link_to_set(query_of(path))}


def link_to_set(path: str) -> str:
    """Where the link set of an identifier is (RFC 9264, section 6)."""
    return f"<{path}{_LINK_SET}"


def _form(accept: Sequence[tuple[str, float]]) -> str:
    """The first of the best among the forms of link sets; a page when it is named and none of them is better."""
    weights = dict(accept)
    page = max((weights.get(kind, 0.0) for kind in _PAGE), default=0.0)
    form, weight = max(
        ((kind, weights.get(kind, 0.0)) for kind in (LINKSET, JSON_LD, _PLAIN)), key=lambda choice: choice[1]
    )
    if weight > page:
        return form
    return "text/html" if page else ""
