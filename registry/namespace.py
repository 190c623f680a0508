"""Template handles: what a handle that is not registered says, computed from a base handle and an extension.

The handle of a prefix may hold an HS_NAMESPACE value: XML with a template and the delimiter that divides names into
base and extension (Handle.Net technical manual, template handles). The value is a tenant's: bounded in its size, in the
steps that it takes, and in what it makes. A pattern is matched only when it cannot take long: each choice in it may
double the steps, each repetition multiplies them.
"""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from registry.errors import HandleError
from registry.record import MAX_INDEX, MAX_VALUES, check_values
from registry.small_xml import Element, read
from registry.value import HandleValue

TYPE: Final = "HS_NAMESPACE"
MAX_ELEMENTS: Final = 1_000
MAX_DEPTH: Final = 32
MAX_STEPS: Final = 20_000  # Elements looked at for one handle: some ten milliseconds.
MAX_TEXT: Final = 65_536  # Characters of a text that is filled in; each may be filled into the next.
MAX_MATCHED: Final = 255  # Characters of a text that is held against a pattern, and of the pattern.
# A match takes at most two to this power steps: a repetition counts for all characters of a text, eight doublings.
MAX_DOUBLINGS: Final = 20
REPETITION: Final = 8

_PLACE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,63})(?:\[([0-9]{1,3})\])?\}")
_PATTERN_PART: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?!:)|\((?:\?:)?|\)[*+{]|[*+?{|]", re.DOTALL)

Scope = dict[str, Sequence[str]]
"""By name a text, and behind it the groups of the pattern that it matched."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A template, and what divides the names that it is for."""

    delimiter: str
    template: Element

    @classmethod
    def of(cls, values: Iterable[HandleValue]) -> "Namespace | None":
        """The first that the values of a prefix's handle hold."""
        for value in values:
            if value.type.upper() == TYPE and (found := cls.from_xml(value.data)) is not None:
                return found
        return None

    @classmethod
    def from_xml(cls, document: bytes) -> "Namespace | None":
        """None for what is not well-formed, too long or deep, without a template, or has a DOCTYPE."""
        root = read(document, elements=MAX_ELEMENTS, depth=MAX_DEPTH)
        if root is None or root.name != "namespace":
            return None
        template = next((one for one in root.children if one.name == "template"), None)
        if template is None or not template.attributes.get("delimiter"):
            return None
        return cls(template.attributes["delimiter"], template)

    def divide(self, name: str) -> tuple[str, str] | None:
        """Base and extension of a name with a prefix; None for one that the template is not for."""
        prefix, _, suffix = name.partition("/")
        if self.delimiter == "/":
            return f"0.NA/{prefix}", suffix
        base, delimiter, extension = suffix.partition(self.delimiter)
        return (f"{prefix}/{base}", extension) if base and delimiter else None

    def values(self, name: str, base: str, extension: str, of_base: Iterable[HandleValue]) -> tuple[HandleValue, ...]:
        """What the handle of this name says; nothing when the template finds that there is none."""
        making = _Making(tuple(of_base))
        try:
            making.run(self.template.children, {"handle": [name], "base": [base], "extension": [extension]}, None)
            return check_values(tuple(making.made.values()))
        except (_Refused, HandleError):
            return ()


class _Refused(Exception):
    """The template, or what it makes, goes beyond a bound; or it says that there is no such handle."""


class _Making:
    """The making of one handle."""

    def __init__(self, of_base: tuple[HandleValue, ...]) -> None:
        self.made: dict[int, HandleValue] = {}
        self._of_base = of_base
        self._steps = 0

    def run(self, elements: Iterable[Element], scope: Scope, current: HandleValue | None) -> None:
        held = True  # Whether the condition before an "else" did.
        for element in elements:
            self._steps += 1
            if self._steps > MAX_STEPS or element.name == "notfound":
                raise _Refused
            if element.name == "if":
                inner = dict(scope)
                held = _holds(element, inner)
                if held:
                    self.run(element.children, inner, current)
            elif element.name == "else" and not held:
                self.run(element.children, dict(scope), current)
            elif element.name == "foreach":
                for value in self._of_base:
                    described: Scope = {"index": [str(value.index)], "type": [value.type], "data": [value.text]}
                    self.run(element.children, scope | described, value)
            elif element.name == "def" and (name := element.attributes.get("parameter")):
                scope[name] = [_filled("".join(element.texts).strip(), scope)]
            elif element.name == "value":
                self._make(element.attributes, scope, current)

    def _make(self, attributes: Mapping[str, str], scope: Scope, current: HandleValue | None) -> None:
        """A value: what the element does not say is that of the value of the base that is at hand."""
        given = {name: _filled(attributes[name], scope) for name in ("index", "type", "data") if name in attributes}
        value = current or HandleValue(1, "URL", b"")
        if "index" in given:
            if not (given["index"].isascii() and given["index"].isdecimal() and len(given["index"]) <= 10):
                raise _Refused
            value = replace(value, index=int(given["index"]))
        if "type" in given:
            value = replace(value, type=given["type"])
        if "data" in given:
            value = replace(value, data=given["data"].encode())
        if not 0 < value.index <= MAX_INDEX or len(self.made) >= MAX_VALUES:
            raise _Refused
        self.made.setdefault(value.index, value)


def _holds(element: Element, scope: Scope) -> bool:
    """Whether a condition does; the groups of a pattern that matched are in the scope then."""
    name = element.attributes.get("value", "")
    text = scope.get(name, [""])[0]
    expression = element.attributes.get("expression", "")
    if element.attributes.get("test") == "matches":
        found = _matched(expression, text)
        holds = found is not None
        if found is not None:
            scope[element.attributes.get("parameter") or name] = [found[0], *(group or "" for group in found.groups())]
    else:
        holds = text == _filled(expression, scope)
    return holds != (element.attributes.get("negate", "").lower() == "true")


def _filled(text: str, scope: Scope) -> str:
    pieces: list[str] = []
    length = end = 0
    for place in _PLACE.finditer(text):
        groups, number = scope.get(place[1], ()), int(place[2] or 0)
        pieces += (text[end : place.start()], groups[number] if number < len(groups) else "")
        length += len(pieces[-1]) + len(pieces[-2])
        end = place.end()
        if length > MAX_TEXT:
            raise _Refused
    return "".join((*pieces, text[end:]))


def _matched(expression: str, text: str) -> re.Match[str] | None:
    if len(expression) > MAX_MATCHED or len(text) > MAX_MATCHED:
        return None
    pattern = _pattern(expression)
    return None if pattern is None else pattern.fullmatch(text)


@lru_cache(maxsize=1024)
def _pattern(expression: str) -> re.Pattern[str] | None:
    """None for what is no pattern, or could take long."""
    doublings = 0
    for part in _PATTERN_PART.findall(expression):
        if part in {")*", ")+", "){", "(?"} or (part[0] == "\\" and part[1].isdigit()):
            return None  # A repeated group, one that looks around, one that is repeated elsewhere.
        if part in "*+{":
            doublings += REPETITION
        elif part in "?|":
            doublings += 1
    if doublings > MAX_DOUBLINGS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # What later versions may read otherwise is no fault of the tenant's.
            return re.compile(expression)
    except (re.error, OverflowError):
        return None
