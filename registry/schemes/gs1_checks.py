"""What the figures of a GS1 value must agree with: check digits and characters, dates, pieces.

A check is given the part of a value that it is about. What is wrong with it is the end of a rule's name and what would
have been right; None when nothing is (GS1 General Specifications, sections 3 and 7.9).
"""

from collections.abc import Callable, Mapping
from typing import Final

from registry.schemes.check_digit import check_digit

Fault = tuple[str, str]
"""The end of a rule's name, and what would have been right."""

# Character set 82, each at its value (General Specifications, figure 7.11-1).
CHARACTERS: Final = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(CHARACTERS)}
# Weights of the check character pair, from the right (General Specifications, 7.9.5).
_PRIMES: Final = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)
_PAIR: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_MODULUS: Final = 1021
_PREFIX: Final = 4  # Figures at least with which a key begins: the shortest company prefix.
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_pair(payload: str) -> str:
    """The two characters behind a model number's others (7.9.5)."""
    total = sum(_VALUES[character] * weight for character, weight in zip(reversed(payload), _PRIMES, strict=False))
    high, low = divmod(total % _MODULUS, len(_PAIR))
    return _PAIR[high] + _PAIR[low]


def _of_digit(part: str) -> Fault | None:
    right = check_digit(part[:-1])
    return None if part[-1] == right else ("check_digit", right)


def _of_pair(part: str) -> Fault | None:
    right = check_pair(part[:-2])
    return None if part[-2:] == right else ("check_pair", right)


def _of_company_prefix(part: str) -> Fault | None:
    beginning = part[:_PREFIX]
    return None if len(beginning) == _PREFIX and beginning.isdigit() else ("company_prefix", str(_PREFIX))


def _of_date(part: str) -> Fault | None:
    """YYMMDD; a day of 00 is the end of the month."""
    month, day = int(part[2:4]), int(part[4:])
    return None if 1 <= month <= 12 and day <= _DAYS[month - 1] else ("date", "YYMMDD")


def _of_day(part: str) -> Fault | None:
    return ("date", "YYMMDD") if part.endswith("00") else _of_date(part)


def _of_time(part: str) -> Fault | None:
    """hh, or hhmm."""
    return None if int(part[:2]) < 24 and int(part[2:] or 0) < 60 else ("time", "hhmm")


def _of_minute(part: str) -> Fault | None:
    return None if int(part) < 60 else ("time", "hhmmss")


def _of_piece(part: str) -> Fault | None:
    piece, total = part[:2], part[2:]
    return None if "00" < piece <= total else ("piece", total)


def _of_zero(part: str) -> Fault | None:
    return None if part == "0" else ("leading_zero", "0")


def _of_number(part: str) -> Fault | None:
    """Without zeros in front."""
    return ("number", str(int(part))) if part.startswith("0") and part != "0" else None


def _of_yes(part: str) -> Fault | None:
    return None if part in "01" else ("yes", "0, 1")


CHECKS: Final[Mapping[str, Callable[[str], Fault | None]]] = {
    "digit": _of_digit,
    "pair": _of_pair,
    "prefix": _of_company_prefix,
    "date": _of_date,
    "day": _of_day,
    "time": _of_time,
    "minute": _of_minute,
    "piece": _of_piece,
    "zero": _of_zero,
    "number": _of_number,
    "yes": _of_yes,
}
