"""Links of a handle that say what they lead to: values of type LINK, one link each, written as JSON.

    {"rel": "gs1:pip", "href": "https://example.com/", "title": "Product page", "type": "text/html",
     "hreflang": ["zh"], "context": ["CN"], "default": true}

The attributes are those of a link set (RFC 9264) as the GS1-Conformant Resolver Standard has them (section 2.5). Where
several links are marked as default, the first of them is, and the others refine it by language, type and context.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson

from registry.errors import InvalidValue
from registry.value import HandleValue

LINK: Final = "LINK"
MAX_TITLE: Final = 255  # Characters; a line on a phone has 40.
MAX_HREF: Final = 4096  # Characters; twice what browsers promise each other.
MAX_ATTRIBUTES: Final = 32  # Languages, or contexts, of one link.

GS1_VOCABULARY: Final = "https://ref.gs1.org/voc/"
_GS1: Final = re.compile(r"(?:gs1:|https?://(?:(?:ref|www)\.)?gs1\.org/voc/)([A-Za-z][0-9A-Za-z]*)")
# The forms of a relation that the standard's schema of link sets knows.
_RELATION: Final = re.compile(r"[a-z][a-z-]*|https?://[0-9A-Za-z./_]+")
# Words with which a question asks for something else (resolver standard, 2.9), and what `default` says.
_RESERVED: Final = frozenset({"all", "linkset", f"{GS1_VOCABULARY}defaultLink", f"{GS1_VOCABULARY}defaultLinkMulti"})
_HREF: Final = re.compile(r"https?://[^\s/?#\\][^\s\\]*", re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(r"[0-9a-z][-!#$&^_.+0-9a-z]*/[0-9a-z][-!#$&^_.+0-9a-z]*(?:;[ -~]+)?", re.IGNORECASE)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[0-9A-Za-z]{1,8})*")  # RFC 5646, without its tables.
_CONTEXT: Final = re.compile(r"[^\s,&;#]{1,64}")  # It is asked for in a query.


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    rel: str
    href: str
    title: str
    type: str = ""
    hreflang: str | list[str] = []
    context: str | list[str] = []
    default: bool = False


_decoder = msgspec.json.Decoder(_Form)


@dataclass(frozen=True, slots=True)
class Link:
    """`rel` is written out: a relation of the GS1 vocabulary is a URI here."""

    rel: str
    href: str
    title: str
    type: str = ""
    hreflang: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    default: bool = False

    @classmethod
    def from_data(cls, data: bytes) -> "Link":
        """Raises ValueError, which says what is wrong."""
        try:
            form = _decoder.decode(data)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from None
        link = cls(
            relation(form.rel),
            form.href,
            form.title,
            form.type,
            _listed(form.hreflang),
            _listed(form.context),
            form.default,
        )
        link._check()
        return link

    def _check(self) -> None:
        if not _RELATION.fullmatch(self.rel) or self.rel in _RESERVED:
            raise ValueError(f"rel {self.rel!r} is neither gs1: and a word, a registered relation, nor a web address")
        if len(self.href) > MAX_HREF or not self.href.isprintable() or not _HREF.fullmatch(self.href):
            raise ValueError(f"href {self.href[:100]!r} is no web address of at most {MAX_HREF} characters")
        if not 0 < len(self.title.strip()) <= MAX_TITLE or not self.title.isprintable():
            raise ValueError(f"title must have 1 to {MAX_TITLE} characters that can be shown")
        if self.type and not _MEDIA_TYPE.fullmatch(self.type):
            raise ValueError(f"type {self.type!r} is no media type")
        _check_each("hreflang", self.hreflang, _LANGUAGE)
        _check_each("context", self.context, _CONTEXT)


def relation(text: str) -> str:
    """A link type written out, as the keys of a link set have it."""
    gs1 = _GS1.fullmatch(text)
    return f"{GS1_VOCABULARY}{gs1[1]}" if gs1 else text


def is_link(value_type: str) -> bool:
    return value_type[:1] in "Ll" and value_type.upper() == LINK


def links_of(values: Iterable[HandleValue]) -> tuple[Link, ...]:
    """The links of a record; a value that was stored before it was looked at and is none is left out."""
    links: list[Link] = []
    for value in values:
        if is_link(value.type):
            try:
                links.append(Link.from_data(value.data))
            except ValueError:
                continue
    return tuple(links)


def check_link(index: int, data: bytes) -> None:
    """Raises InvalidValue."""
    try:
        Link.from_data(data)
    except ValueError as error:
        raise InvalidValue("value.data", index=index, type=LINK, rule=str(error)) from None


def link_from_json(form: Any) -> bytes:
    """Raises ValueError or TypeError."""
    data = orjson.dumps(form)
    Link.from_data(data)
    return data


def _listed(given: str | list[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_each(name: str, values: tuple[str, ...], form: re.Pattern[str]) -> None:
    if len(values) > MAX_ATTRIBUTES:
        raise ValueError(f"{name} has more than {MAX_ATTRIBUTES} entries")
    for value in values:
        if not form.fullmatch(value):
            raise ValueError(f"{name} {value[:100]!r} is not written as it should be")
