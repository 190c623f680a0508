"""Refusals of the interface of the national secondary-node software (SNMS): in its envelope, in the reader's language.

Its clients read the status in the envelope, and take any other than 200 of HTTP for a broken connection. So a refusal
is answered 200, and only a failure of the node has a status of HTTP that says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from registry.errors import HandleError
from registry.problems import RETRY_AFTER, refusal_from
from registry.rest import INTERNAL_ERROR, STATUS
from registry.routes import Handler, Route
from registry.snms import FAILED, language_of, status_of

_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept-Language"}


def enveloped(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The routes, which answer whatever they are refused for in the envelope."""
    return tuple(replace(route, handler=_enveloped(route.handler)) for route in routes)


def _enveloped(handler: Handler) -> Handler:
    async def handle(request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        try:
            return await handler(request, placeholders)
        except Exception as error:  # the request ends here, whatever it failed of
            return _answer(request, refusal_from(error, request))

    return handle


def _answer(request: web.Request, refusal: HandleError) -> web.Response:
    status = status_of(refusal)
    message = refusal.text(language_of(request.headers.get("Accept-Language")))
    http = STATUS.get(refusal.code, INTERNAL_ERROR) if status == FAILED else HTTPStatus.OK
    headers = _HEADERS | ({"Retry-After": RETRY_AFTER} if http == HTTPStatus.SERVICE_UNAVAILABLE else {})
    body = orjson.dumps({"status": status, "message": message, "data": None})
    return web.Response(body=body, status=http, headers=headers, content_type="application/json")
