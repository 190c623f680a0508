"""A page as it is sent: never kept without asking, in a language that it names, under a policy.

Packed, a page fits into what a server may send before it hears from a phone (ten segments, RFC 6928).
"""

from aiohttp import web

from registry.language import Language
from resolver.listeners.http.conditional import caching_headers
from resolver.listeners.http.pages.layout import POLICY
from resolver.listeners.http.responses import BASE_HEADERS


def page_response(
    status: int, page: str, language: Language, *, staleness: float = 0.0, policy: str = POLICY
) -> web.Response:
    headers = {
        **caching_headers(0, staleness=staleness),
        **BASE_HEADERS,
        "Content-Security-Policy": policy,
        "Content-Language": language,
        "Cache-Control": "no-cache",
        "Vary": "Accept, Accept-Language, Accept-Encoding, Authorization",
        "Referrer-Policy": "no-referrer",
    }
    response = web.Response(status=status, text=page, content_type="text/html", headers=headers)
    response.enable_compression()
    return response
