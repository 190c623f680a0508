"""The unified social credit code of an organisation (GB 32100): eighteen characters, the last one a check character."""

from typing import Final

from registry.errors import InvalidValue

LENGTH: Final = 18
_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # Without I, O, S, V and Z, which are read as others.
_MODULUS: Final = len(_CHARACTERS)
_BASE: Final = 3


def check_credit_code(code: str) -> None:
    """Raises InvalidValue for what is no such code."""
    if len(code) != LENGTH or not set(code) <= set(_CHARACTERS) or code[-1] != check_character(code[:-1]):
        raise InvalidValue("enterprise.credit_code", code=code[:40])


def check_character(code: str) -> str:
    """The character that makes the weighted sum of all a multiple of 31."""
    weighted = sum(_CHARACTERS.index(character) * pow(_BASE, place, _MODULUS) for place, character in enumerate(code))
    return _CHARACTERS[-weighted % _MODULUS]
