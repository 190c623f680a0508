"""GS1 element strings: what a barcode or tag says, application identifiers and values one behind the other.

A scanner sends them with the separator FNC1 as octet 29 behind values of no known length, and perhaps the name of the
symbology in front; people write the identifiers in parentheses (GS1 General Specifications, 7.8).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from registry.errors import InvalidHandle
from registry.schemes.gs1_identifiers import MAX_SHOWN, identifier_at, identifier_of
from registry.schemes.gs1_keys import SEQUENCES, Key, ordered

SEPARATOR: Final = "\x1d"
# GS1-128, DataBar and composite, GS1 DataMatrix, GS1 QR Code, GS1 DotCode (ISO/IEC 15424).
_SYMBOLOGY: Final = re.compile(r"\](?:C1|e[0-2]|d2|Q3|J1)")
_BRACKETED: Final = re.compile(r"\(([0-9]{2,4})\)")
# Where something goes or who pays is said beside the key that a label is about.
_PLACES: Final = frozenset({"410", "411", "412", "413", "414", "415", "417"})


def is_bracketed(text: str) -> bool:
    return _BRACKETED.match(text) is not None


def is_scanned(text: str) -> bool:
    return text.startswith(SEPARATOR) or _SYMBOLOGY.match(text) is not None or SEPARATOR in text[:MAX_SHOWN]


def key_from_bracketed(text: str) -> Key:
    """Raises InvalidHandle. A value may hold what looks like an identifier in parentheses, but none that is one."""
    elements: dict[str, str] = {}
    begin = _BRACKETED.match(text)
    while begin is not None:
        end = _BRACKETED.search(text, begin.end())
        _add(elements, begin[1], text[begin.end() : end.start() if end else len(text)])
        begin = end
    return _key_of(elements, text)


def key_from_scanned(text: str) -> Key:
    """Raises InvalidHandle."""
    symbology = _SYMBOLOGY.match(text)
    elements: dict[str, str] = {}
    for ai, value in _elements(text[symbology.end() :] if symbology else text):
        _add(elements, ai, value)
    return _key_of(elements, text)


def _elements(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        if text[place] == SEPARATOR:
            place += 1
            continue
        identifier = identifier_at(text, place)
        place += len(identifier.ai)
        end = text.find(SEPARATOR, place) if identifier.is_ended else place + identifier.length
        end = len(text) if end < 0 else end
        yield identifier.ai, text[place:end]
        place = end


def _add(elements: dict[str, str], ai: str, value: str) -> None:
    identifier_of(ai).check(value)
    if ai in elements:
        raise InvalidHandle("gs1.repeated", ai=ai)
    elements[ai] = value


def _key_of(elements: Mapping[str, str], text: str) -> Key:
    """The key that the string is about: the first that is no place beside another one."""
    keys = [ai for ai in elements if ai in SEQUENCES]
    if not keys:
        raise InvalidHandle("gs1.no_key_in", text=text[:MAX_SHOWN])
    ai = next((ai for ai in keys if ai not in _PLACES), keys[0])
    return Key.of(ai, elements[ai], ordered(ai, elements))
