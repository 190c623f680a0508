"""On which terms a request writes: If-Match, Idempotency-Key and ?dryRun= (RFC 9110, section 13.1.1)."""

from typing import Final

from aiohttp import web

from registry.authentication import Administrator
from registry.receipts import Receipt
from registry.writing import ANY_VERSION, Terms
from resolver.answer import version_of
from resolver.listeners.http.query import Query

NO_VERSION: Final = -1  # Of a validator that none of our answers has: it matches nothing.


def terms_of(request: web.Request, query: Query, by: Administrator | None, body: bytes = b"") -> Terms:
    """The terms of a write by somebody; a stranger is challenged before they matter. Raises ProtocolFault."""
    key = request.headers.get("Idempotency-Key")
    parts = (request.method.encode(), request.raw_path.encode("utf-8", "surrogateescape"), body)
    trial = query.flag("dryRun", False)
    receipt = Receipt.of(str(by), key, parts) if key is not None and by is not None and not trial else None
    return Terms(receipt, _version(request.headers.get("If-Match")), trial)


def _version(condition: str | None) -> int | None:
    if condition is None:
        return None
    if condition.strip() == "*":
        return ANY_VERSION
    version = version_of(condition.strip())
    return NO_VERSION if version is None else version
