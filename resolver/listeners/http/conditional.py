"""Answers that clients may keep: validators, times, and the mark of what may be out of date (RFC 9110 and 9111)."""

import hashlib
from collections.abc import Mapping
from typing import Final

from aiohttp import web

# What an answer about a handle depends on besides its address.
VARY: Final = "Authorization, Origin"
PRIVATE: Final = "private, no-store"
STALE: Final = '110 - "Response is Stale"'  # RFC 7234, section 5.5.1; monitors and people still look for it.


def caching_headers(ttl: int, etag: str = "", staleness: float = 0.0) -> dict[str, str]:
    """`ttl` is in seconds; `staleness` says since when changes have not been heard, 0 for a fresh answer."""
    headers = {"Cache-Control": f"max-age={ttl}", "Vary": VARY}
    if etag:
        headers["ETag"] = etag
    if staleness:
        headers |= {"Warning": STALE, "Age": str(int(staleness))}
    return headers


def private_headers() -> dict[str, str]:
    """For what only the one who asked may see."""
    return {"Cache-Control": PRIVATE, "Vary": VARY}


def etag_of(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'


def unchanged(request: web.Request, headers: Mapping[str, str]) -> bool:
    """Whether the client already has the answer with these headers."""
    etag = headers.get("ETag")
    if etag is None or "If-None-Match" not in request.headers:
        return False
    known = request.if_none_match or ()
    return any(one.value in (etag[1:-1], "*") for one in known)
