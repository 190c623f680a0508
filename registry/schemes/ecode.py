"""Ecode (GB/T 31866-2023): version, number system and main code, written without anything between them.

How long a main code is in versions 1 to 3 no source we rely on says, and nothing here needs it: it is what follows the
number system. How long the number system of version 4 is, and what version 0 holds but codes of GS1, is refused. Digits
alone are taken for an Ecode only where version and number system are known to be in use.
"""

import re
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.schemes.check_digit import has_check_digit

SYSTEM: Final = "ecode"

MAX_ECODE: Final = 128  # Characters; bar codes that hold an Ecode have fewer.

# Digits of the number system by version. Those of version 3 follow from systems in use (300121).
_NUMBER_SYSTEM: Final = {"0": 4, "1": 4, "2": 4, "3": 5}
_GTIN: Final = (
    "00001"  # Version 0 keeps codes of GS1; of its number systems one is known, 0001 with a GTIN of 13 digits.
)
_LABEL: Final = re.compile(r"ecode:", re.IGNORECASE)
_KNOWN: Final = re.compile(r"(?:00001|10064|10096|20128|300121)[0-9]+")
_MAIN: Final = re.compile(r"[0-9A-Za-z]+")


def shape(text: str) -> bool:
    return (text[:1] in "0123" and _KNOWN.fullmatch(text) is not None) or _LABEL.match(text) is not None


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    label = _LABEL.match(text)
    code = text[label.end() :] if label else text
    version = code[:1]
    if version == "4":
        raise InvalidHandle("ecode.unsure", code=text)
    digits = _NUMBER_SYSTEM.get(version)
    if digits is None:
        raise InvalidHandle("ecode.version", code=text)
    number_system, main = code[1 : 1 + digits], code[1 + digits :]
    if not re.fullmatch(f"[0-9]{{{digits}}}", number_system) or not _MAIN.fullmatch(main) or len(code) > MAX_ECODE:
        raise InvalidHandle("ecode.syntax", code=text, version=version, digits=digits, limit=MAX_ECODE)
    if version == "0":
        _check_gtin(text, version + number_system, main)
    return Handle(SYSTEM, code)


def _check_gtin(text: str, start: str, main: str) -> None:
    if start != _GTIN:
        raise InvalidHandle("ecode.unsure", code=text)
    if len(main) != 13 or not has_check_digit(main):
        raise InvalidHandle("ecode.gtin", code=text, main=main)
