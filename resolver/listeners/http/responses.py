"""Answers in the Handle API's own form: JSON, in the order of members that its clients know, and refusals."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from registry.errors import HandleElsewhere, HandleError, ProtocolFault, ResponseCode, TooManyRequests
from registry.language import Language, preferred
from registry.rest import INTERNAL_ERROR, STATUS, refusal_to_json
from registry.written import POSITION
from resolver.listeners.http.query import Query

JSON: Final = "application/json;charset=utf-8"
SCRIPT: Final = "application/javascript;charset=utf-8"
RETRY_AFTER: Final = "1"  # Seconds; a database that restarts is back within a few.
MAX_CALLBACK: Final = 128  # Characters of a function's name; a longer one is no name but a payload.
SERVER: Final = "Filament"  # Without versions: they would tell an attacker more than a client.
BASE_HEADERS: Final[Mapping[str, str]] = {"Server": SERVER, "X-Content-Type-Options": "nosniff"}
METHODS: Final = ("GET", "POST", "HEAD", "PUT", "DELETE")
CORS_HEADERS: Final[Mapping[str, str]] = {
    "Access-Control-Max-Age": "86400",
    "Access-Control-Allow-Methods": ",".join(METHODS),
    "Access-Control-Allow-Headers": f"X-Requested-With,Authorization,Origin,Accept,Content-Type,{POSITION}",
}
ELSEWHERE: Final = 307  # The same request, with its method and body, at the upstream.
# Where a request keeps the name that it asks for, in the spelling of a refusal.
HANDLE: Final = web.RequestKey("handle", str)
# Of a request for a handle: its key, for the statistics, and whether content was found and is shown.
ASKED: Final = web.RequestKey("asked", bytes)
FOUND: Final = web.RequestKey("found", bool)

# Refusals of a request rather than of what it asks for have a status of their own.
STATUS_OF_RULE: Final[Mapping[str, int]] = {
    "http.endpoint": 404,
    "links.no_type": 404,
    "links.not_found": 404,
    "http.method_of_path": 405,
    "http.body_slow": 408,
    "batch.too_long": 413,
    "http.body_too_long": 413,
    "http.target_too_long": 414,
    "http.header_too_long": 431,
    "http.method": 501,
    "proof.pending": 404,
    "write.version": 412,
    "state.revoked": 410,
    "state.expired": 410,
    "state.fixed": 409,
    "write.key_reused": 422,
    "token.unknown": 401,
}
# Codes that say everything: the reference server sends no message with them, and clients compare.
_SILENT: Final = frozenset(
    {
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.HANDLE_ALREADY_EXISTS,
        ResponseCode.VALUES_NOT_FOUND,
        ResponseCode.AUTHENTICATION_NEEDED,
    }
)
# Where such a code does not say everything, because the reference server would have answered with another one.
_SPOKEN: Final = frozenset({"authentication.and_media_type", "authentication.plain_http"})
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_$]")


def json_response(
    request: web.Request, form: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON, indented or handed to a function when the request says so."""
    return respond(request, orjson.dumps(form), status, headers)


def respond(
    request: web.Request, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A body of JSON, as `json_response` sends it. Raises ProtocolFault."""
    content_type = JSON
    if "?" in request.raw_path:
        query = Query.from_request(request)
        if query.flag("pretty", False):
            body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
        callback = query.first("callback")
        if callback:
            body, content_type = _script(callback, body), SCRIPT
    return web.Response(
        body=body, status=status, headers={"Content-Type": content_type, **BASE_HEADERS, **(headers or {})}
    )


def refusal(request: web.Request, error: HandleError) -> web.Response:
    """What is refused and why, in the reader's language where there is more to say than the code; or where to ask."""
    if isinstance(error, HandleElsewhere):
        location = error.address + request.raw_path
        headers = {**BASE_HEADERS, "Location": location, "Cache-Control": "no-store"}
        return web.Response(status=ELSEWHERE, headers=headers)
    language = preferred(request.headers.get("Accept-Language"))
    form = refusal_form(error, language, None if isinstance(error, ProtocolFault) else request.get(HANDLE))
    status, headers = refusal_head(error, language)
    try:
        return json_response(request, form, status, headers)
    except ProtocolFault:  # The parameters themselves are what is wrong.
        headers |= {"Content-Type": JSON, **BASE_HEADERS}
        return web.Response(body=orjson.dumps(form), status=status, headers=headers)


def refusal_head(error: HandleError, language: Language) -> tuple[int, dict[str, str]]:
    """The status of a refusal, and the headers that are its own."""
    headers = {"Cache-Control": "no-store"}
    if not _is_silent(error):
        headers |= {"Vary": "Accept-Language", "Content-Language": language}
    if after := retry_after(error):
        headers["Retry-After"] = after
    return STATUS_OF_RULE.get(error.rule) or STATUS.get(error.code, INTERNAL_ERROR), headers


def retry_after(error: HandleError) -> str:
    """After how many seconds it may be asked again; nothing where asking again changes nothing."""
    if isinstance(error, TooManyRequests):
        return str(error.seconds)
    return RETRY_AFTER if error.code is ResponseCode.SERVER_BUSY else ""


def refusal_form(error: HandleError, language: Language, handle: str | None) -> dict[str, Any]:
    """A refusal as its answer has it."""
    form = refusal_to_json(error, language, handle)
    if _is_silent(error):
        del form["message"]
    return form


def _is_silent(error: HandleError) -> bool:
    return error.code in _SILENT and error.rule not in _SPOKEN


def open_to_scripts(request: web.Request, response: web.StreamResponse) -> None:
    """Any page may read what anybody may read (the Fetch standard's CORS protocol)."""
    response.headers.update(origin_headers(request.headers["Origin"], request.method))


def origin_headers(origin: str, method: str = "GET") -> dict[str, str]:
    """What says that a page of this origin may read an answer."""
    allowed = {"Access-Control-Allow-Origin": origin if origin.isascii() else "*"}
    if method == "OPTIONS":
        return {**allowed, **CORS_HEADERS}
    return {**allowed, "Access-Control-Expose-Headers": f"Content-Length, {POSITION}"}


def _script(callback: str, body: bytes) -> bytes:
    name = _NOT_A_NAME.sub("_", callback[:MAX_CALLBACK])
    # Both end a line for a script and not for JSON.
    escaped = body.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return b"%b(%b);" % (name.encode(), escaped)
