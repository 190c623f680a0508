"""Check characters at the end of codes: whoever mistypes one character, or swaps two, is noticed.

A code is checked over its letters and digits, or its digits alone where the method knows no letters; dots and dashes
between them do not count, and a small letter counts as its capital. The last that counts is the check character.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

Check = Literal["none", "gs1", "luhn", "mod37-36"]

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = frozenset(_ALPHABET[:10])
_LETTERS_AND_DIGITS: Final = frozenset(_ALPHABET)


def check_character(check: Check, code: str) -> str:
    """The character to be put behind a code; empty for the check 'none'."""
    return "" if check == "none" else _METHODS[check](_counted(check, code))


def expected_character(check: Check, code: str) -> str | None:
    """The check character that a code should end in, when it ends in another; None for a code that is right.

    A code in which nothing counts ends in none, and so should.
    """
    counted = _counted(check, code)
    if check == "none":
        return None
    expected = _METHODS[check](counted[:-1])
    return None if counted and counted[-1] == expected else expected


def _counted(check: Check, code: str) -> str:
    counting = _LETTERS_AND_DIGITS if check == "mod37-36" else _DIGITS
    # Only of ASCII: elsewhere a capital may be two characters, or the capital of another letter.
    return "".join(large for one in code if one.isascii() and (large := one.upper()) in counting)


def _gs1(digits: str) -> str:
    """GS1 General Specifications, section 7.9: weights 3 and 1 in turn, from the right."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _luhn(digits: str) -> str:
    """ISO/IEC 7812-1, annex B."""
    total = sum(
        int(digit) if place % 2 else sum(divmod(2 * int(digit), 10)) for place, digit in enumerate(reversed(digits))
    )
    return str(-total % 10)


def _mod_37_36(characters: str) -> str:
    """ISO/IEC 7064, the hybrid system MOD 37,36."""
    product = 36
    for character in characters:
        product = ((product + _ALPHABET.index(character)) % 36 or 36) * 2 % 37
    return _ALPHABET[(37 - product) % 36]


_METHODS: Final[Mapping[str, Callable[[str], str]]] = {"gs1": _gs1, "luhn": _luhn, "mod37-36": _mod_37_36}
