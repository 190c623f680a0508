"""The one table of HTTP routes: what serves a request is what the OpenAPI description is made from.

Paths are matched as they were sent, before anybody decodes or tidies them: the rule for names in paths is that
everything between the route and the first '?' is the name, percent-decoded once, octet by octet. So '%2F', '#', '?',
';', a space and Chinese text all come back as they went in, and '+' is a plus sign.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from registry.errors import ProtocolFault

Handler = Callable[[web.Request, Mapping[str, str]], Awaitable[web.StreamResponse]]

_HOST = re.compile(r"https?://[^/?]*", re.IGNORECASE)  # RFC 9112, section 3.2.2
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("", "true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
REST_OF_PATH: Final = ("handle", "prefix")  # Placeholders that take slashes too, because names have them.


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or header, as OpenAPI describes it."""

    name: str
    english: str
    chinese: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    place: str = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. GET serves HEAD too.

    `request` gives the form of the body by media type, `responses` the media type by status (none: no body; several:
    divided by ", "), `answers` the form of a JSON body by status: a msgspec type, or a JSON Schema as a mapping. JSON
    of a status from 400 on is a refusal unless `answers` says otherwise.
    """

    method: str
    path: str
    handler: Handler
    operation: str
    english: str
    chinese: str
    parameters: tuple[Parameter, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    responses: Mapping[int, str] = field(default_factory=lambda: {200: "application/json"})
    authenticated: bool = False
    answers: Mapping[int, Any] = field(default_factory=dict)
    documented: bool = True
    body_required: bool = True
    on_terms: bool = True  # Of one that writes: whether `registry.once` makes it so; not of one that has its own way.


class Router:
    """Finds the route of a request by its method and raw path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in routes:
            if "{" in route.path:
                self._patterns.setdefault(route.path, (_pattern(route.path), {}))[1][route.method] = route
            else:
                self._exact.setdefault(route.path, {})[route.method] = route

    def match(self, method: str, path: str) -> tuple[Route | None, Mapping[str, str], tuple[str, ...]]:
        """The route, its raw placeholders, and the methods that this path has. No methods: no such path."""
        wanted = "GET" if method == "HEAD" else method
        if (methods := self._exact.get(path)) is not None:
            return methods.get(wanted), {}, tuple(methods)
        for pattern, by_method in self._patterns.values():
            if found := pattern.fullmatch(path):
                return by_method.get(wanted), found.groupdict(), tuple(by_method)
        return None, {}, ()


def raw_path(request: web.Request) -> str:
    """The path of a request as it was sent, without its query, nor the host that a proxy's client writes before it."""
    target = request.raw_path
    if not target.startswith("/") and (host := _HOST.match(target)):
        target = target[host.end() :] or "/"
    return target.partition("?")[0]


def percent_decode(raw: str) -> bytes:
    """The octets that a part of a path stands for. Raises ProtocolFault for an incomplete escape."""
    octets = raw.encode("utf-8", "surrogateescape")
    if b"%" not in octets:
        return octets
    if broken := _BROKEN_ESCAPE.search(octets):
        raise ProtocolFault("http.percent_encoding", target=raw[:200], position=broken.start() + 1)
    return _ESCAPE.sub(lambda escape: bytes((int(escape[1], 16),)), octets)


def _pattern(path: str) -> re.Pattern[str]:
    def capture(placeholder: re.Match[str]) -> str:
        name = placeholder[1]
        return f"(?P<{name}>.*)" if name in REST_OF_PATH else f"(?P<{name}>[^/]+)"

    return re.compile(_PLACEHOLDER.sub(capture, re.escape(path)), re.DOTALL)
