"""Units of the field and what one is of another, so that a column in grams fills an attribute in kilograms."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

DIGITS: Final = 12  # Of a converted number: more than any scale has.
MAX_NUMBER: Final = 40  # Characters of a number that is converted.

# By quantity, each in one unit of it. Linear density: 1 tex is 1 g a kilometre, 1 den 1 g on nine kilometres.
_QUANTITIES: Final[tuple[Mapping[str, Fraction], ...]] = (
    {
        "t": Fraction(1000), "吨": Fraction(1000), "kg": Fraction(1), "千克": Fraction(1), "公斤": Fraction(1),
        "斤": Fraction(1, 2), "g": Fraction(1, 1000), "克": Fraction(1, 1000), "mg": Fraction(1, 1_000_000),
    },
    {
        "km": Fraction(1000), "千米": Fraction(1000), "m": Fraction(1), "米": Fraction(1), "cm": Fraction(1, 100),
        "厘米": Fraction(1, 100), "mm": Fraction(1, 1000), "毫米": Fraction(1, 1000), "码": Fraction(9144, 10000),
    },
    {
        "tex": Fraction(1), "特": Fraction(1), "dtex": Fraction(1, 10), "分特": Fraction(1, 10), "den": Fraction(1, 9),
        "d": Fraction(1, 9), "旦": Fraction(1, 9),
    },
    {
        "h": Fraction(3600), "小时": Fraction(3600), "min": Fraction(60), "分钟": Fraction(60), "s": Fraction(1),
        "秒": Fraction(1),
    },
)  # fmt: skip
_NAMED: Final = re.compile(r"^(.*?)\s*[(（\[]\s*([^()（）\[\]]{1,8})\s*[)）\]]\s*$")


def factor(given: str, wanted: str) -> Fraction | None:
    """What a number in one unit is multiplied with to be in the other; None where they measure different things."""
    given, wanted = given.lower(), wanted.lower()
    if given == wanted:
        return Fraction(1)
    for units in _QUANTITIES:
        if given in units and wanted in units:
            return units[given] / units[wanted]
    return None


def name_and_unit(header: str) -> tuple[str, str]:
    """A header such as `净重(g)` in its parts; the unit is empty where none is named."""
    found = _NAMED.match(header.strip())
    if found is None or not any(found[2].lower() in units for units in _QUANTITIES):
        return header.strip(), ""
    return found[1], found[2]


def converted(text: str, by: Fraction) -> str:
    """A number in another unit, as short as it can be written; what is no number stays as it is, to be refused."""
    if not text or len(text) > MAX_NUMBER:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > DIGITS:
        return text
    exact = Fraction(number) * by
    shown = Decimal(exact.numerator) / Decimal(exact.denominator)
    return format(Decimal(f"{shown:.{DIGITS}g}").normalize(), "f")
