"""Refusals of the registry's own interface as problem details (RFC 9457), in the reader's language."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from registry.callers import CHALLENGE
from registry.database import DATABASE_AWAY, refusal_of
from registry.documentation import language_of
from registry.errors import HandleError, ResponseCode, TooManyRequests
from registry.refusal import Refusal
from registry.rest import INTERNAL_ERROR, STATUS
from registry.routes import raw_path
from registry.tokens import INVALID_TOKEN

log = logging.getLogger(__name__)

MAX_SHOWN: Final = 200  # Characters of a path in the log.
RETRY_AFTER: Final = "2"  # Seconds; a database that restarts is back sooner, a long load is not.
# What this interface says otherwise than the Handle API, whose table of statuses is older than most of HTTP.
_OWN_STATUS: Final[Mapping[ResponseCode, int]] = {
    ResponseCode.UNABLE_TO_AUTHENTICATE: 403,
    ResponseCode.AUTHENTICATION_FAILED: 403,
}
_STATUS_OF_RULE: Final[Mapping[str, int]] = {
    "http.media_type": 415,
    "http.endpoint": 404,
    "http.method": 405,
    "http.body_too_long": 413,
    "http.too_slow": 408,
    "application.state": 409,
    "application.evidence": 409,
    "enterprise.step": 409,
    "openid.none": 404,
    "prefix.in_use": 409,
    "token.unknown": 401,
    "job.disk_full": 507,
    "job.results_gone": 410,
    "state.fixed": 409,
    "state.next": 409,
    "write.version": 412,
    "write.key_reused": 422,
}


def problem(error: Exception, request: web.Request, allowed: tuple[str, ...] = ()) -> web.Response:
    """The answer to a request that failed, whatever it failed of. Faults of our own are logged here, once."""
    refusal = refusal_from(error, request)
    status = _STATUS_OF_RULE.get(refusal.rule) or _OWN_STATUS.get(refusal.code) or STATUS.get(refusal.code)
    status = status or INTERNAL_ERROR
    headers = {"Vary": "Accept-Language", "Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE if refusal.rule != "token.unknown" else INVALID_TOKEN
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER
    if isinstance(refusal, TooManyRequests):
        headers["Retry-After"] = str(refusal.seconds)
    if allowed:
        headers["Allow"] = ", ".join(allowed)
    form = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": refusal.text(language_of(request)),
        "rule": refusal.rule,
        "culprit": Refusal.of(0, "", refusal).culprit,
        "responseCode": int(refusal.code),
    }
    content_type = "application/problem+json"
    return web.Response(body=orjson.dumps(form), status=status, headers=headers, content_type=content_type)


def refusal_from(error: Exception, request: web.Request) -> HandleError:
    """The refusal of a request that failed of anything; a fault of our own is logged."""
    if isinstance(error, HandleError):
        return error
    if isinstance(error, DATABASE_AWAY):
        log.warning("the database cannot be reached: %s", error)
        return refusal_of(error)
    # The beginning of a key tells whoever sent it which request it was. The whole of it opens a kept answer.
    key = request.headers.get("Idempotency-Key", "")
    path = raw_path(request)[:MAX_SHOWN]
    log.error("%s %r, sent as %r, failed", request.method[:20], path, key[: len(key) // 4], exc_info=error)
    return HandleError("server.error")
