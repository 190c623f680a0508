"""Object identifiers (ITU-T X.660, GB/T 26231-2017): dotted, as URN, as OID-IRI, or in the notation of ASN.1.

All writings are one canonical text, the arcs divided by dots. GB/T 26231 allows arcs of letters below the numbers, and
they match in any case; a name whose number only a register could tell is refused rather than guessed.
"""

import re
from collections.abc import Sequence
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import Handle

SYSTEM: Final = "oid"

MAX_OID: Final = 100  # Octets of the dotted form (GB/T 26231-2017).
MAX_ARC: Final = 63  # Octets of an arc of letters (GB/T 26231-2017); a label of DNS has as many.
_SECOND: Final = 40  # Below the first arcs 0 and 1 the second one is less (X.660, section 6).

_DOTTED: Final = re.compile(r"[012](?:\.[0-9]+){2}(?:\.[0-9A-Za-z-]+)*")
_URN: Final = re.compile(r"(?:urn:)?oid:", re.IGNORECASE)  # RFC 3061; the short one is what people type.
_ASN1: Final = re.compile(r"\{\s*(.+?)\s*\}")
_NAMED: Final = re.compile(r"[a-z][0-9A-Za-z-]*\(([0-9]+)\)")  # A name with its number: joint-iso-itu-t(2)
_NUMBER: Final = re.compile(r"0|[1-9][0-9]*")
_LETTERS: Final = re.compile(r"(?!-)[0-9a-z-]*[a-z][0-9a-z-]*(?<!-)")

# Labels whose arcs the standards themselves give, folded. The last ones are long arcs: two arcs under one label
# (X.660, annex A; ISO/IEC 9834-1).
_ROOTS: Final = {
    "0": ("0",),
    "1": ("1",),
    "2": ("2",),
    "itu-t": ("0",),
    "iso": ("1",),
    "joint-iso-itu-t": ("2",),
    "country": ("2", "16"),
    "international-organizations": ("2", "23"),
    "uuid": ("2", "25"),
    "tag-based": ("2", "27"),
    "alerting": ("2", "49"),
    "gs1": ("2", "51"),
}
_BELOW: Final = {
    ("1", "standard"): "0",
    ("1", "registration-authority"): "1",
    ("1", "member-body"): "2",
    ("1", "identified-organization"): "3",
    ("1.2", "cn"): "156",
    ("2", "country"): "16",
    ("2", "alerting"): "49",
    ("2.16", "cn"): "156",
}


def shape(text: str) -> bool:
    """Bare arcs must be three at least: `1.2` alone could be a prefix. A '/' behind them makes them one."""
    first = text[:1]
    if first == "/":
        return text[1:].partition("/")[0].lower() in _ROOTS
    return (first in "012" and _DOTTED.fullmatch(text) is not None) or (
        first in "{uUoO" and (_ASN1.fullmatch(text) is not None or _URN.match(text) is not None)
    )


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    oid = ".".join(_checked(text, _arcs(text)))
    if len(oid) > MAX_OID:
        raise InvalidHandle("oid.too_long", octets=len(oid), limit=MAX_OID)
    return Handle(SYSTEM, oid)


def _arcs(text: str) -> list[str]:
    if text.startswith("/"):
        return _from_labels(text[1:].split("/"))
    if asn1 := _ASN1.fullmatch(text):
        return _from_labels([named[1] if (named := _NAMED.fullmatch(arc)) else arc for arc in asn1[1].split()])
    urn = _URN.match(text)
    return (text[urn.end() :] if urn else text).split(".")


def _from_labels(labels: Sequence[str]) -> list[str]:
    """The arcs of labels, of which the first ones may be the standards' own names."""
    arcs = [*_ROOTS.get(labels[0].lower(), (labels[0],))]
    for label in labels[1:]:
        arcs.append(_BELOW.get((".".join(arcs), label.lower()), label))
    return arcs


def _checked(text: str, arcs: Sequence[str]) -> list[str]:
    folded = [arc.lower() for arc in arcs]
    for place, arc in enumerate(folded, 1):
        if _NUMBER.fullmatch(arc):
            continue
        if place <= 2 or not _LETTERS.fullmatch(arc):
            rule = "oid.name" if arc and not arc.isdigit() else "oid.arc"
            raise InvalidHandle(rule, oid=text, arc=arcs[place - 1], place=place)
        if len(arc) > MAX_ARC:
            raise InvalidHandle("oid.arc_too_long", oid=text, place=place, limit=MAX_ARC)
    if folded[0] not in {"0", "1", "2"} or len(folded) < 2 or (folded[0] != "2" and int(folded[1][:3]) >= _SECOND):
        raise InvalidHandle("oid.root", oid=text)
    return folded
