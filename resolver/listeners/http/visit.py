"""What a visitor asks of the web proxy: the query and the headers, read once."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from registry.documentation import LANGUAGE_PARAMETER, language_of
from registry.errors import ProtocolFault
from registry.language import Language
from registry.record import MAX_INDEX
from registry.routes import Parameter
from resolver.listeners.http.locations import Wishes
from resolver.listeners.http.target import query_of

MAX_CARRIED_QUERY: Final = 1_024  # Characters of a query that an alias takes along; nobody needs more.
_MAX_ACCEPT: Final = 500  # Characters of an Accept header that are read; browsers send about 150.
_PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml", "text/*", "*/*"})
_NO: Final = frozenset({"false", "0", "no"})
_FLAG: Final = {"type": "string", "examples": ["", "true"]}

PARAMETERS: Final = (
    Parameter("noredirect", "Show the values instead of going to the address.", "只显示内容，不跳转。", _FLAG),
    Parameter(
        "type",
        "Show only values of these types.",
        "只显示这些类型的值。",
        {"type": "array", "items": {"type": "string"}},
    ),
    Parameter(
        "index",
        "Show only the values at these indexes.",
        "只显示这些索引的值。",
        {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": MAX_INDEX}},
    ),
    Parameter("auth", "Ask the registry, not the cache.", "绕过缓存，直接查询注册库。", _FLAG),
    Parameter("ignore_aliases", "Do not follow HS_ALIAS.", "不跟随 HS_ALIAS。", _FLAG),
    Parameter("urlappend", "Text to put behind the address.", "附加到网址末尾的文本。"),
    Parameter(
        "locatt",
        "Attributes of the location wanted, as name:value.",
        "所需 10320/loc 地址的属性，写作 名:值。",
        {"type": "array", "items": {"type": "string"}},
    ),
    Parameter("country", "Country of the visitor, for 10320/loc.", "访问者的国家代码，用于 10320/loc。"),
    Parameter("redirectionHeaders", "Answer 200 with the Location header.", "以 200 应答并给出 Location 头。", _FLAG),
    LANGUAGE_PARAMETER,
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to the proxy. A flag is set by being there, unless it says false, 0 or no."""

    language: Language
    indexes: tuple[int, ...]
    types: tuple[str, ...]
    wants_page: bool
    authoritative: bool
    ignores_aliases: bool
    only_headers: bool
    append: str
    wishes: Wishes
    carried_query: str

    @classmethod
    def from_request(cls, request: web.Request) -> "Visit":
        """Raises ProtocolFault for an index that is none."""
        indexes = tuple(_index(text) for text in request.query.getall("index", []))
        types = tuple(request.query.getall("type", []))
        query = request.raw_path.partition("?")[2]
        return cls(
            language_of(request),
            indexes,
            types,
            wants_page=bool(indexes or types or is_set(request, "noredirect")),
            authoritative=is_set(request, "auth"),
            ignores_aliases=is_set(request, "ignore_aliases"),
            only_headers=is_set(request, "redirectionHeaders"),
            append=request.query.get("urlappend", ""),
            wishes=_wishes(request),
            carried_query=f"?{query_of(query)}" if 0 < len(query) <= MAX_CARRIED_QUERY else "",
        )


def is_set(request: web.Request, flag: str) -> bool:
    return flag in request.query and request.query[flag].lower() not in _NO


def prefers_json(accept: str) -> bool:
    """Whether a client names JSON above pages; '*/*' names neither."""
    weights = {"application/json": 0.0, "text/html": 0.0}
    for choice in accept[:_MAX_ACCEPT].split(","):
        name, _, parameters = choice.partition(";")
        kind = name.strip().lower()
        if kind in weights:
            weights[kind] = max(weights[kind], _quality(parameters))
    return weights["application/json"] > weights["text/html"]


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _index(text: str) -> int:
    if text.isascii() and text.isdigit() and (index := int(text[:20])) <= MAX_INDEX:
        return index
    raise ProtocolFault("http.parameter", name="index", value=text[:40], rule=f"is not between 0 and {MAX_INDEX}")


def _wishes(request: web.Request) -> Wishes:
    """What ?locatt= and ?country= ask for; an Accept that names no page is a wish for that ctype."""
    asked = [part.partition(":") for part in request.query.getall("locatt", [])]
    attributes = [(name, value) for name, colon, value in asked if colon]
    accept = request.headers.get("Accept", "").partition(",")[0].partition(";")[0].strip().lower()
    if not attributes and accept and accept not in _PAGE_TYPES:
        attributes = [("ctype", accept)]
    return Wishes(tuple(attributes), request.query.get("country", ""))
