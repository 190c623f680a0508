"""The part of a code that says who issued it: a company prefix, an arc, a number system, an organization.

Who was granted a start may write every code whose part begins with it. Parts of names end at a division, so that
1.2.156.1 does not hold 1.2.156.10; parts of figures do not, because company prefixes have no fixed length.
"""

import re
from collections.abc import Mapping
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.schemes.systems import HANDLE, system_of

_GS1: Final = "gs1"
# Where the company prefix of a key begins: behind the indicator, the extension digit, or a leading zero.
_BEGINS: Final[Mapping[str, int]] = {"00": 1, "01": 1, "8003": 1, "8006": 1}
_FIGURES: Final = frozenset({_GS1, "ecode"})
_DIVISIONS: Final = "./:"
# How a start is written, by system; others have no issuers here.
_STARTS: Final[Mapping[str, re.Pattern[str]]] = {
    _GS1: re.compile(r"[0-9]{4,12}"),
    "oid": re.compile(r"[012](?:\.(?:0|[1-9][0-9]*))+"),
    "ecode": re.compile(r"(?:[012][0-9]{4}|3[0-9]{5})[0-9A-Za-z]*"),
    "ma": re.compile(r"[0-9]{3}\.[0-9A-Za-z]{1,8}\.[0-9]{1,12}"),
    "did": re.compile(r"(?:bid|cn|vaa|web)/[!-~]+"),
}
MAX_START: Final = 255


def part_of(handle: Handle) -> tuple[str, str] | None:
    """The system of a handle and its part, folded; None for a handle of no other system."""
    system = system_of(handle.prefix)
    if system == HANDLE:
        return None
    part = handle.suffix.upper()
    if system == _GS1:
        key, _, value = part.partition("/")
        part = value[_BEGINS.get(key, 0) :]
    return system, part


def covers(system: str, start: str, part: str) -> bool:
    """Whether a folded part begins with a start."""
    if not part.startswith(start):
        return False
    behind = part[len(start) : len(start) + 1]
    return system in _FIGURES or not behind or behind in _DIVISIONS or start[-1] in _DIVISIONS


def checked_start(system: str, text: str) -> str:
    """A start as it is kept, folded. Raises InvalidHandle."""
    start = text.strip()
    if system == "ma":
        start = re.sub(r"^MA\.", "", start, flags=re.IGNORECASE)
    form = _STARTS.get(system)
    if form is None:
        raise InvalidHandle("issuer.system", system=system, systems=", ".join(_STARTS))
    if len(start) > MAX_START or not form.fullmatch(start):
        raise InvalidHandle("issuer.start", system=system, start=text)
    return start.upper()
