"""The start page, and where what was typed or scanned there leads: to the path of the identifier on this node."""

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from registry.documentation import LANGUAGE_PARAMETER, language_of
from registry.errors import ProtocolFault
from registry.routes import Parameter, Route, percent_decode
from resolver.listeners.http.pages.home import CAMERA_POLICY, HOME_POLICY, home_page
from resolver.listeners.http.pages.layout import Reader
from resolver.listeners.http.pages.response import page_response
from resolver.listeners.http.target import path_of
from resolver.listeners.http.visit import is_set

# hdl: doi: urn:hdl: info:hdl/, with their marks escaped or not.
_SCHEME: Final = re.compile(r"(?:(?:urn(?::|%3A))?hdl(?::|%3A)|doi(?::|%3A)|info(?::|%3A)hdl(?:/|%2F))", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"https?://[^/?#\s]+/([^?#\s]+)[^\s]*", re.IGNORECASE)
# What scanners put before the text to say which symbol it was (ISO/IEC 15424); of one of GS1 it belongs to the code.
_SYMBOLOGY: Final = re.compile(r"\](?!C1|e[0-2]|d2|Q3|J1)[A-Za-z][0-9A-Za-z]")
_HOST: Final = re.compile(r"[0-9A-Za-z.:\[\]-]+")


class Front:
    """`name` is what the node calls itself."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def serve(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        """The start page; with ?handle= it sends the form's reader on to the identifier typed."""
        language = language_of(request)
        typed = identifier_in(request.query.get("handle", ""))
        if not typed:
            reader = Reader(self._name, language, "/", lambda _: None, lambda _: None)
            page = home_page(reader, _secure_address(request))
            response = page_response(200, page, language, policy=HOME_POLICY)
            response.headers["Permissions-Policy"] = CAMERA_POLICY
            return response
        flags = ["noredirect"] if is_set(request, "noredirect") else []
        query = "&".join([*flags, f"lang={language}"])
        return web.Response(status=302, headers={"Location": f"{path_of(typed)}?{query}", "Cache-Control": "no-store"})


def identifier_in(typed: str) -> str:
    """The identifier in what somebody typed, pasted or scanned: bare, behind its scheme, or at the end of an address.

    Whatever node the address names: a label outlives the host that was printed on it.
    """
    text = typed.strip(" \t\r\n")
    text = text[3:] if _SYMBOLOGY.match(text) else text
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        try:
            text = percent_decode(address[1]).decode()
        except (ProtocolFault, UnicodeDecodeError):
            text = address[1]
    return without_scheme(text)


def without_scheme(name: str) -> str:
    return _SCHEME.sub("", name, count=1) if _SCHEME.match(name) else name


def _secure_address(request: web.Request) -> str:
    """This page over HTTPS, which is served on the same port; empty when that is how it was asked for."""
    host = request.headers.get("Host", "")
    return "" if request.secure or not _HOST.fullmatch(host) else f"https://{host}/"


def routes(name: str) -> tuple[Route, ...]:
    parameters = (
        Parameter("handle", "An identifier to go to.", "要查询的标识。"),
        Parameter("noredirect", "Show its values.", "只显示内容，不跳转。"),
        LANGUAGE_PARAMETER,
    )
    return (
        Route(
            *("GET", "/", Front(name).serve, "front"),
            *("Page that asks for an identifier.", "输入标识的页面。"),
            parameters,
            responses={200: "text/html", 302: ""},
        ),
    )
