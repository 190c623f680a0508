"""A GS1-conformant resolver (standard, release 1.2.0), and typed links of every other identifier.

/01/{gtin}/10/{batch}/21/{serial} and the paths of other keys lead to their default link, or to the one that ?linkType=
and the headers ask for; what an item says nothing about its batch and its product answer for. An identifier of another
system is asked for links in the same way, by ?linkType= or by taking link sets; anything else is a visit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from registry.errors import HandleError, HandleNotFound, InvalidHandle, ProtocolFault
from registry.links import Link, relation
from registry.routes import Handler, Parameter, Route, percent_decode
from registry.schemes import gs1
from registry.schemes.gs1_digital_link import check_query, is_compressed, is_plausible, key_from_path
from registry.standing import closed
from resolver.aliases import follow_many
from resolver.answer import Answer
from resolver.listeners.http import resolver_description
from resolver.listeners.http.asking import ask_for
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.front import without_scheme
from resolver.listeners.http.link_answers import CONTEXT_PARAMETER, LINK_TYPE, LinkAnswers, Question
from resolver.listeners.http.link_choice import Level, best_of, default_of, links_of_type
from resolver.listeners.http.link_levels import Asked
from resolver.listeners.http.linksets import DEFAULT_LINK, JSON_LD, LINKSET, VARIANTS
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import ASKED, FOUND, STATUS_OF_RULE
from resolver.listeners.http.sight import LookUp, Sight
from resolver.listeners.http.target import path_of
from resolver.listeners.http.visit import is_set, prefers_json
from resolver.resolution import Resolver

WRONG: Final = 400  # What is not written as its system writes it.
ANSWERS: Final = f"text/html, application/json, {LINKSET}, {JSON_LD}"
PARAMETERS: Final = (
    Parameter(
        LINK_TYPE,
        "Type of the link to go to, such as gs1:pip; 'linkset' for all links.",
        "要跳转的链接类型，如 gs1:pip;linkset 表示返回全部链接。",
        {"type": "string", "examples": ["linkset", "gs1:pip"]},
    ),
    Parameter(CONTEXT_PARAMETER, "Context of the link wanted.", "所需链接的上下文。"),
)


class Links:
    """Answers questions for links, and leaves all others to `visit`."""

    def __init__(self, resolver: Resolver, answers: LinkAnswers, visit: Handler, sight_of: LookUp) -> None:
        self._resolver = resolver
        self._sight_of = sight_of
        self._answers = answers
        self._visit = visit

    async def serve(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        """Any identifier, in any writing."""
        raw = placeholders["handle"]
        if self._is_key(raw):
            return await self._serve_key(request, raw)
        question = Question.of(request)
        asks = question.link_type is not None or question.takes_link_sets
        name = without_scheme(raw)
        if not asks and self._may_be_compressed(raw):
            refused = InvalidHandle("gs1.compressed", text=raw[:100])
            return await self._refuse(request, question, refused, raw, WRONG)
        if not asks and (prefers_json(question.accept) or not gs1.shape(unquote(name))):
            return await self._visit(request, placeholders)
        request[ASKED] = b""
        try:
            asked = self._asked(percent_decode(name).decode(errors="replace"))
        except HandleError as refused:
            return await self._refuse(request, question, refused, raw, WRONG)
        return await (self._answer(request, question, asked, raw) if asks else self._show(request, asked, raw))

    def _may_be_compressed(self, raw: str) -> bool:
        """Whether a path is what compression leaves of a Digital Link, and no prefix that is known here."""
        store = self._resolver.store
        return is_compressed(f"/{raw}") and store.prefixes.find(store.key_of(raw.strip("/").encode())) is None

    def _asked(self, name: str) -> Asked:
        """An identifier in any writing; the levels above a code of GS1 speak for it however it was written. Raises
        HandleError."""
        names = self._resolver.names
        handle = names.handle_of(name)
        if handle.prefix.lower() == gs1.SYSTEM:
            return Asked.of_gs1(gs1.key_from_text(handle.suffix), self._resolver.store.key_of)
        return Asked(name, (path_of(name),), (names.plain(handle.octets),), (str(handle),))

    async def _show(self, request: web.Request, asked: Asked, raw: str) -> web.StreamResponse:
        """A visit to the first that is registered of what was asked for and what speaks for it."""
        answers = await self._resolver.resolve_many(asked.keys)
        for name, answer in zip(asked.names, answers, strict=True):
            if isinstance(answer, Answer) and (answer.registered or answer.tombstone is not None):
                return await self._visit(request, {"handle": path_of(name)[1:]})
        return await self._visit(request, {"handle": raw})

    def _is_key(self, raw: str) -> bool:
        """Whether a path is a GS1 key's: its beginning could be a prefix, which is answered for when it is homed."""
        if not is_plausible(f"/{raw}"):
            return False
        store = self._resolver.store
        return store.prefixes.of(store.key_of(raw.partition("/")[0].encode() + b"/")) is None

    async def _serve_key(self, request: web.Request, raw: str) -> web.StreamResponse:
        question = Question.of(request)
        request[ASKED] = b""
        try:
            key = key_from_path(raw)
            check_query(key, question.query)
        except InvalidHandle as refused:
            return await self._refuse(request, question, refused, raw, WRONG)
        asked = Asked.of_gs1(key, self._resolver.store.key_of)
        if is_set(request, "noredirect"):  # A name of the node's own among the keys of a query (URI Syntax, 4.10.1).
            return await self._show(request, asked, raw)
        # Clients that prefer plain JSON are served the link set too (resolver standard, 2.10).
        return await self._answer(request, question.of_key(), asked, raw)

    async def _answer(self, request: web.Request, question: Question, asked: Asked, raw: str) -> web.StreamResponse:
        ask_for(request, asked.keys[0])
        sight = await self._sight_of(request)
        answers = await self._resolver.resolve_many(asked.keys)
        await follow_many(self._resolver.names, answers, self._resolver.resolve_many)
        try:
            every = await self._levels(asked, answers, sight)
        except HandleNotFound as gone:
            return await self._refuse(request, question, gone, raw, STATUS_OF_RULE.get(gone.rule, 404))
        levels = [level for level in every if level is not None]
        request[FOUND] = bool(levels)
        if not levels:
            refusal = ProtocolFault("links.not_found", name=asked.name)
            return await self._refuse(request, question, refusal, raw, 404)
        ttls = [answer.ttl for answer in answers if isinstance(answer, Answer)]
        ttl = min(ttls)
        if question.wants_link_set:
            return sight.sealed(self._answers.link_set(request, question, asked.name, levels, ttl))
        if question.link_type is None:
            for place, level in enumerate(every):
                if level is not None and (link := default_of(level, question.preferences)) is not None:
                    ttl = min(ttls[: place + 1])
                    return sight.sealed(self._answers.redirect(question, asked.paths[0], link, ttl))
            # A record without any link is shown.
            shown = next(name for name, level in zip(asked.names, every, strict=True) if level is not None)
            return await self._visit(request, {"handle": path_of(shown)[1:]})
        chosen = _chosen(levels, question)
        if len(chosen) == 1:
            return sight.sealed(self._answers.redirect(question, asked.paths[0], chosen[0], ttl))
        return sight.sealed(self._answers.choices(request, question, asked.name, levels, chosen, ttl))

    async def _levels(self, asked: Asked, answers: Sequence[Answer | HandleError], sight: Sight) -> list[Level | None]:
        """What is seen of each. Raises HandleError when one could not be read, and HandleNotFound when the most
        exact one was withdrawn: what is said of a product is not said of an item that is none of it any more."""
        levels: list[Level | None] = []
        for place, answer in enumerate(answers):
            if isinstance(answer, HandleError):
                raise answer
            if answer.tombstone is not None and not any(levels):
                raise closed(asked.name, answer.tombstone)
            if (record := answer.record) is None:
                levels.append(None)
                continue
            values = await (sight.beside if any(levels) else sight.of)(record)
            levels.append(asked.level(place, values, self._answers.destinations))
        return levels

    async def _refuse(
        self, request: web.Request, question: Question, refused: HandleError, raw: str, status: int
    ) -> web.StreamResponse:
        """A person is told on a page, and what is missing as of any other identifier. Raises `refused` for machines."""
        if not question.wants_page:
            raise refused
        if status == WRONG:
            return self._answers.refusal(request, refused, unquote(raw), status)
        response = await self._visit(request, {"handle": raw})
        if response.status != 503:
            response.set_status(status)
        return response


def _chosen(levels: Sequence[Level], question: Question) -> tuple[Link, ...]:
    """The links that a link type asks for, as far as the question chooses among them."""
    wanted = relation(question.link_type or "")
    if wanted == DEFAULT_LINK:
        return next(((level.default,) for level in levels if level.default), ())
    if wanted == VARIANTS:
        return best_of(next((level.variants for level in levels if level.variants), ()), question.preferences)
    return best_of(links_of_type(levels, wanted), question.preferences)


def routes(parts: Parts, authorization: Authorization, visits: Sequence[Route], sight_of: LookUp) -> tuple[Route, ...]:
    """The route of names, which comes last, with what links add to it; and what the node says of itself."""
    answers = LinkAnswers(parts, authorization)
    (visit,) = visits
    every = replace(
        visit,
        handler=Links(parts.resolver, answers, visit.handler, sight_of).serve,
        parameters=(*visit.parameters, *PARAMETERS),
        responses={**visit.responses, **dict.fromkeys((300, 404), ANSWERS), 200: ANSWERS, 304: "", 307: "text/html"}
        | {414: "application/json"},
    )
    return (*resolver_description.routes(answers, parts.settings.resolver.description), every)
