"""Requests that write, each in one transaction where it is sent on terms: once, under an Idempotency-Key; or on trial.

One place gives every writing route these terms. A request that is sent again is answered as the first time, before any
of it is done: when it is known who asks. One on trial is done as any other, and then taken back, so it is answered with
exactly what the real one would be.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from registry import receipts
from registry.errors import ProtocolFault
from registry.receipts import Answer, Receipt
from registry.routes import FLAGS, Parameter, Route
from registry.store import Store
from registry.unit import Unit

READING: Final = frozenset({"GET", "HEAD"})
TERMS: Final = (
    Parameter(
        "Idempotency-Key",
        "Name of the write, chosen at random: sent again under it within 48 hours, the same request is not made again "
        "and answered as the first time.",
        "写入的名称（随机选取）：48 小时内以相同的键重发同一请求不会重复执行，并返回与首次相同的结果。",
        place="header",
    ),
    Parameter(
        "dryRun",
        "Check and answer as if it were done, and do nothing.",
        "只检查并返回结果，不实际写入。",
        {"type": "string", "enum": list(FLAGS)},
    ),
)
_REFUSAL: Final = 400

Read = Callable[[web.Request], Awaitable[bytes]]


class AnsweredBefore(Exception):  # no error: the request was made already
    """The request is a second sending."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Sent:
    """A request that was sent on terms."""

    def __init__(self, unit: Unit, key: str | None, said: Iterable[bytes]) -> None:
        self._unit = unit
        self._key = key
        self._said = tuple(said)
        self._receipt: Receipt | None = None

    async def claim(self, by: str) -> None:
        """From here on it is known whose it is. Raises AnsweredBefore, ProtocolFault."""
        if self._key is None or self._receipt is not None:
            return
        self._receipt = Receipt.of(by, self._key, self._said)
        if (answer := await receipts.claim(self._unit.connection, self._receipt)) is not None:
            raise AnsweredBefore(answer)

    async def keep(self, response: web.Response) -> None:
        if self._receipt is not None:
            body = response.body if isinstance(response.body, bytes) else b""
            answer = Answer(response.status, dict(response.headers), body)
            await receipts.keep(self._unit.connection, self._receipt, answer)


SENT: Final = web.RequestKey("sent", Sent)


async def claim(request: web.Request, by: object) -> None:
    """To be called when it is known who asks. Raises AnsweredBefore, ProtocolFault."""
    if (sent := request.get(SENT)) is not None:
        await sent.claim(str(by))


def with_terms(store: Store, read: Read, routes: Iterable[Route]) -> tuple[Route, ...]:
    """The routes, of which those that write take terms. `read` reads a body whole, as often as it is asked."""
    return tuple(
        route if route.method in READING or not route.on_terms else _on_terms(store, read, route) for route in routes
    )


def _on_terms(store: Store, read: Read, route: Route) -> Route:
    async def handle(request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        key, trial = request.headers.get("Idempotency-Key"), is_trial(request)
        if key is None and not trial:
            return await store.perseverance.make(lambda: route.handler(request, placeholders))
        said = (request.method.encode(), request.raw_path.encode("utf-8", "surrogateescape"), await read(request))
        once = partial(_as_one, store, route, request, placeholders, None if trial else key, said)
        try:
            return await store.perseverance.make(once, is_safe=True)
        except _TakenBack as taken:
            return taken.response
        except AnsweredBefore as before:
            answer = before.answer
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body or None)

    refused = {422: route.responses.get(400, "application/json")}
    parameters = (*route.parameters, *TERMS)
    return replace(route, handler=handle, parameters=parameters, responses={**route.responses, **refused})


async def _as_one(
    store: Store,
    route: Route,
    request: web.Request,
    placeholders: Mapping[str, str],
    key: str | None,
    said: Iterable[bytes],
) -> web.StreamResponse:
    async with store.as_one() as unit:
        sent = request[SENT] = Sent(unit, key, said)
        if not route.authenticated:
            await sent.claim(f"a stranger at {request.remote}")
        response = await route.handler(request, placeholders)
        assert isinstance(response, web.Response)
        if key is None or response.status >= _REFUSAL:
            raise _TakenBack(response)
        await sent.keep(response)
    return response


class _TakenBack(Exception):  # no error: the end of a trial
    """What was written goes."""

    def __init__(self, response: web.Response) -> None:
        self.response = response


def is_trial(request: web.Request) -> bool:
    """Raises ProtocolFault."""
    if "dryRun" not in request.raw_path:
        return False
    query = request.raw_path.partition("?")[2].encode("utf-8", "surrogateescape").decode(errors="replace")
    text = dict(parse_qsl(query, keep_blank_values=True)).get("dryRun")
    flag = False if text is None else FLAGS.get(text.lower())
    if flag is None:
        rule = "is neither true nor false"
        raise ProtocolFault("http.parameter", name="dryRun", value=str(text)[:40], rule=rule)
    return flag
