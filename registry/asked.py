"""What a request of the registry's own interface asks for, parameter by parameter, and the form of its answer."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web

from registry.callers import Callers
from registry.errors import InvalidHandle, ProtocolFault
from registry.grants import Scope
from registry.handle import Handle
from registry.prefix import Prefix
from registry.rights import Rights
from registry.routes import percent_decode
from registry.writing import ANY_VERSION

NO_VERSION: Final = -1  # Of a validator that is none of ours: it matches nothing.
_SEEN: Final = re.compile(r'"([0-9]{1,9})"')

Form = TypeVar("Form")


async def prefix(request: web.Request, callers: Callers, rights: Rights, *scopes: Scope) -> Prefix | None:
    """?prefix=, if its askers may list it; without one, only the node's administrators may ask. Raises what
    `Callers.administrator` and `Rights.listable` raise."""
    by = await callers.administrator(request, *scopes)
    named = request.query.get("prefix")
    if named is None:
        rights.check_node(by)
        return None
    return await rights.listable(named, by)


def handle(placeholders: Mapping[str, str]) -> Handle:
    """The handle in the path. Raises InvalidHandle, ProtocolFault."""
    try:
        return Handle.from_text(percent_decode(placeholders["handle"]).decode())
    except UnicodeDecodeError:
        raise InvalidHandle("handle.not_utf8") from None


def number(request: web.Request, name: str, most: int) -> int | None:
    """A whole number from 1 to `most`. Raises ProtocolFault."""
    text = request.query.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most:
        return int(text)
    raise fault(name, text, f"is not between 1 and {most}")


def time(request: web.Request, name: str, zone: tzinfo = UTC) -> datetime | None:
    """A date or a time, of this zone when it names none. Raises ProtocolFault."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault(name, text, "is no date or time as ISO 8601 writes it") from None


def fault(name: str, value: str, rule: str) -> ProtocolFault:
    """The refusal of a parameter."""
    return ProtocolFault("http.parameter", name=name, value=value[:40], rule=rule)


def json_answer(form: Any, status: int = 200) -> web.Response:
    """An answer for those who asked alone."""
    body = orjson.dumps(form, option=orjson.OPT_UTC_Z)
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def version_seen(request: web.Request) -> int | None:
    """If-Match: the version that a writer has seen, which this interface told him (RFC 9110, section 13.1.1)."""
    condition = request.headers.get("If-Match")
    if condition is None:
        return None
    found = _SEEN.fullmatch(condition.strip())
    return ANY_VERSION if condition.strip() == "*" else int(found[1]) if found else NO_VERSION
