"""What a range fills in for each member, read backward: from a filled text to the member whose it is."""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Final

from registry.handle_range import DIGITS, MAX_MEMBERS, PLACE, HandleRange

_POSITION: Final = f"[1-9][0-9]{{0,{len(str(MAX_MEMBERS)) - 1}}}"


def beginning(of: HandleRange, data: bytes) -> bytes:
    """What is the same in front, whichever member it is filled in for."""
    # 1 and 10 begin alike and 2 does not, so nothing is known of what a place begins with.
    first = _filled(data, of.filling(of.first) | {b"position": b"\0"})
    last = _filled(data, of.filling(of.last) | {b"position": b"\1"})
    alike = takewhile(lambda ends: ends[0] == ends[1], zip(first, last, strict=False))
    return bytes(one for one, _ in alike)


def member_of(of: HandleRange, data: bytes, text: str) -> str | None:
    """The key of the suffix of the only member that this may have been filled in for, but for the case of letters."""
    found = _pattern(data, of.head, of.width, of.radix).fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    if "serial" in parts:
        suffix = of.first[: -of.width] + parts["serial"].upper()
        return suffix if of.position(suffix) is not None else None
    position = int(parts["position"])
    return of.suffix_at(position) if position <= of.members else None


def _filled(data: bytes, filling: Mapping[bytes, bytes]) -> bytes:
    return PLACE.sub(lambda place: filling[place[1]], data)


@lru_cache(maxsize=1024)  # A range is asked about many targets, and many ranges say the same.
def _pattern(data: bytes, head: str, width: int, radix: int) -> re.Pattern[str]:
    digits = f"[{DIGITS[radix]}]{{{width}}}"
    named: set[str] = set()

    def group(name: str, expression: str) -> str:
        if name in named:
            return f"(?P={name})"
        named.add(name)
        return f"(?P<{name}>{expression})"

    parts = PLACE.split(data)
    expression = re.escape(parts[0].decode("utf-8", "replace"))
    for place, literal in zip(parts[1::2], parts[2::2], strict=True):
        if place == b"position":
            expression += group("position", _POSITION)
        else:
            expression += (re.escape(head) if place == b"suffix" else "") + group("serial", digits)
        expression += re.escape(literal.decode("utf-8", "replace"))
    return re.compile(expression, re.IGNORECASE | re.ASCII | re.DOTALL)
