"""XML of a stranger that fits in a value: read by expat as UTF-8 with no DOCTYPE, so no entities, and bounded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

MAX_OCTETS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Element:
    """An element, and what it holds."""

    name: str
    attributes: Mapping[str, str]
    children: "list[Element]" = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def read(document: bytes, *, elements: int, depth: int) -> Element | None:
    """The root; None for what is not well-formed, too long or deep, of too many elements, or has a DOCTYPE."""
    if len(document) > MAX_OCTETS:
        return None
    reader = _Reader(elements, depth)
    try:
        reader.read(document)
    except (expat.ExpatError, _Refused):
        return None
    return reader.root


class _Refused(Exception):
    """The document goes beyond a bound, or has a DOCTYPE."""


class _Reader:
    def __init__(self, elements: int, depth: int) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._elements_left = elements
        self._depth = depth

    def read(self, document: bytes) -> None:
        parser = expat.ParserCreate("utf-8")  # In place of what the document says of itself.
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(document, True)

    def _refuse(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements_left -= 1
        if self._elements_left < 0 or len(self._open) >= self._depth:
            raise _Refused
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].texts.append(text)
