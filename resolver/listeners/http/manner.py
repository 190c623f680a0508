"""How an ordinary question is asked: what of its headers its answer depends on, beside the name.

A question is ordinary when it asks for a whole public answer: a GET without parameters, body or credentials, from a
client that takes JSON. Everything else is served by aiohttp's own way.
"""

import re
from dataclasses import dataclass
from typing import Final

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader
from aiohttp.http_parser import RawRequestMessage

from resolver.listeners.http.responses import origin_headers

# Headers that change the answer, announce a body, or ask for more than an answer.
TELLING: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"expect",
        b"if-match",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-filament-position",
    }
)
# Headers that change the answer in a way that is known here.
COLOURING: Final = frozenset({b"accept-language", b"if-none-match", b"origin"})
# One entity tag, weak or not; lists of them are rare and left to aiohttp (RFC 9110, section 8.8.3).
_TAG: Final = re.compile(r'(?:W/)?"([!#-~]+)"')
ANY_TAG: Final = "*"


@dataclass(frozen=True, slots=True)
class Manner:
    """`known` is the entity tag of the answer that the client has, `opening` the header lines that let a page of
    another origin read the new one; `names_json` says that the client would take JSON rather than be sent on."""

    accept_language: str | None = None
    known: str | None = None
    opening: bytes = b""
    names_json: bool = False


PLAIN: Final = Manner()


def is_whole(message: object, payload: StreamReader) -> bool:
    """Whether a message ends with its head, and the connection goes on as it was."""
    return (
        isinstance(message, RawRequestMessage)
        and payload is EMPTY_PAYLOAD
        and not (message.should_close or message.upgrade or message.chunked)
    )


def manner_of(message: RawRequestMessage, payload: StreamReader) -> Manner | None:
    """How a question is asked; None when it is no ordinary one."""
    if not is_whole(message, payload) or message.method != "GET" or message.version != HttpVersion11:
        return None
    names = {name.lower() for name, _ in message.raw_headers}
    if not TELLING.isdisjoint(names):
        return None
    accept = message.headers.get("Accept")
    if accept is not None and "*/*" not in accept and "json" not in accept:
        return None
    names_json = accept is not None and "json" in accept
    if not COLOURING.isdisjoint(names):
        return _coloured(message, names_json)
    return Manner(names_json=True) if names_json else PLAIN


def _coloured(message: RawRequestMessage, names_json: bool) -> Manner | None:
    headers = message.headers
    known = headers.get("If-None-Match") or None
    if known is not None and known != ANY_TAG:
        tag = _TAG.fullmatch(known)
        if tag is None:
            return None
        known = tag[1]
    origin = headers.get("Origin")
    opening = "" if origin is None else "".join(f"{name}: {text}\r\n" for name, text in origin_headers(origin).items())
    return Manner(headers.get("Accept-Language"), known, opening.encode(), names_json)
