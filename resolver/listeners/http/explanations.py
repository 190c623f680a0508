"""?explain: an answer, and how it came about, step by step with the time of each.

    read     which code system the name belongs to, by what, and the handle it is kept under
    route    the prefix that is answered for here, or that none is
    cache    whether an answer was kept; `book` follows when one had to be read
    alias    one for each handle on the way from an alias to its record
    filter   which values were asked for and how many are shown; how many are not is nobody's business
    answer   status, octets, and how long they may be kept

The answer is the one that would have been given without the question, and the whole is never kept by anybody.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any, Final

import orjson
from aiohttp import web

from registry.errors import HandleError
from registry.handle import HandleKey
from registry.language import Language, preferred
from registry.schemes.systems import SYSTEMS
from resolver.aliases import Way
from resolver.answer import MISSING, NOT_RESPONSIBLE, Answer
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import refusal_form, refusal_head

EXPLAIN: Final = "explain"

Select = Callable[[web.Request, str, HandleKey, Query], Awaitable[web.StreamResponse]]

_HOMED: Final = ("its prefix is homed here, so it is a plain handle", "前缀在本节点，按普通标识处理")


class _Steps:
    """What was done, each step with the microseconds since the one before."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []
        self._begun = self._last = perf_counter_ns()

    def add(self, step: str, **told: object) -> None:
        now = perf_counter_ns()
        self.done.append({"step": step, **told, "microseconds": round((now - self._last) / 1000, 1)})
        self._last = perf_counter_ns()

    @property
    def total(self) -> float:
        return round((perf_counter_ns() - self._begun) / 1000, 1)


class Explanations:
    """Explains answers. `select` gives them."""

    def __init__(self, parts: Parts, select: Select) -> None:
        self._resolver = parts.resolver
        self._names = parts.resolver.names
        self._select = select

    async def explain(self, request: web.Request, octets: bytes, query: Query) -> tuple[int, dict[str, Any]]:
        """The status and the body of the answer for one name, with its explanation in it."""
        language = preferred(request.headers.get("Accept-Language"))
        asked = octets.decode(errors="replace")
        steps = _Steps()
        try:
            key = self._read(octets, asked, steps, language)
            await self._find(key, steps)
            response = await self._select(request, asked, key, query)
        except HandleError as refused:
            form = refusal_form(refused, language, asked)
            status = refusal_head(refused, language)[0]
            steps.add("answer", status=status, rule=refused.rule)
        else:
            status = response.status
            form = _body(response) or {"responseCode": 1, "handle": asked}
            self._show(query, form, response, steps)
        return status, form | {"explanation": {"steps": steps.done, "microseconds": steps.total}}

    def _read(self, octets: bytes, asked: str, steps: _Steps, language: Language) -> HandleKey:
        recognised = self._names.recognised(asked)
        key = self._names.key_of(octets)
        why = _HOMED if recognised is None else SYSTEMS[recognised.system]
        system = "handle" if recognised is None else recognised.system
        handle = asked if recognised is None else str(recognised.handle)
        steps.add("read", system=system, handle=handle, why=why[language == "zh"])
        return key

    async def _find(self, key: HandleKey, steps: _Steps) -> None:
        """The steps of finding what is asked for, which `select` then finds kept."""
        prefix = self._resolver.store.prefixes.of(key)
        steps.add("route", prefix=None if prefix is None else prefix.spelling, here=prefix is not None)
        way = Way(self._names)
        following: HandleKey | None = key
        while following is not None:
            answer = await self._find_one(following, steps)
            following = way.next(answer)
            if following is not None:
                steps.add("alias", handle=answer.name.decode(), target=following.decode(errors="replace"))

    async def _find_one(self, key: HandleKey, steps: _Steps) -> Answer:
        answer = self._resolver.peek(key)
        stale = round(self._resolver.staleness, 3)
        steps.add("cache", outcome=_outcome(answer), stale=stale)
        if answer is None:
            answer = await self._resolver.resolve(key)
            steps.add("book", outcome=_outcome(answer))
        return answer

    def _show(self, query: Query, form: dict[str, Any], response: web.StreamResponse, steps: _Steps) -> None:
        indexes, types = query.numbers("index"), query.every("type")
        public_only = query.first("publicOnly")
        steps.add("filter", indexes=indexes, types=types, publicOnly=public_only, shown=len(form.get("values", ())))
        body = response.body if isinstance(response, web.Response) else None
        octets = len(body) if isinstance(body, bytes) else 0
        kept = response.headers.get("Cache-Control", "")
        steps.add("answer", status=response.status, octets=octets, cacheControl=kept, etag=response.headers.get("ETag"))


def _outcome(answer: Answer | None) -> str:
    if answer is None:
        return "not kept"
    if answer is NOT_RESPONSIBLE:
        return "not of this node"
    return "not registered" if answer is MISSING else "found"


def _body(response: web.StreamResponse) -> dict[str, Any]:
    body = response.body if isinstance(response, web.Response) else None
    form = orjson.loads(body) if isinstance(body, bytes) and body else {}
    return form if isinstance(form, dict) else {}
