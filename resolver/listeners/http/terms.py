"""On which terms a request writes: If-Match, Idempotency-Key and ?dryRun= (RFC 9110, section 13.1.1)."""

import re
from typing import Final

from aiohttp import web

from registry.authentication import Administrator
from registry.receipts import Receipt
from registry.writing import ANY_VERSION, Terms
from resolver.listeners.http.query import Query

NO_VERSION: Final = -1  # Of a validator that none of our answers has: it matches nothing.

_VERSION = re.compile(r'"([0-9a-f]{1,7})-[0-9a-f]{8}"')  # As resolver/answer.py makes them.


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
    found = _VERSION.fullmatch(condition.strip())
    return NO_VERSION if found is None else int(found[1], 16)
