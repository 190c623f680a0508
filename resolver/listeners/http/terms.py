"""Of which version a request writes: If-Match (RFC 9110, section 13.1.1)."""

from typing import Final

from aiohttp import web

from registry.writing import ANY_VERSION
from resolver.answer import version_of

NO_VERSION: Final = -1  # Of a validator that none of our answers has: it matches nothing.


def version_seen(request: web.Request) -> int | None:
    condition = request.headers.get("If-Match")
    if condition is None:
        return None
    if condition.strip() == "*":
        return ANY_VERSION
    version = version_of(condition.strip())
    return NO_VERSION if version is None else version
