"""Templates that a prefix makes compulsory: a handle of a class of suffixes says which of them it is made after.

The rules of a prefix's suffixes tell its classes apart; the first one that takes a suffix says what is compulsory.
"""

from collections.abc import Iterable, Sequence

from registry.errors import InvalidValue
from registry.suffixes import ANY_TEMPLATE, SuffixRule
from registry.template import INDEXES, TYPE, named_template
from registry.value import HandleValue


def check_named(
    rules: Sequence[SuffixRule], suffix: str, values: Iterable[HandleValue], before: Sequence[HandleValue] = ()
) -> None:
    """Refuses values of a handle that name no template of its class. Raises InvalidValue.

    A handle that was there `before` its class had to name one stays what it is and can be changed.
    """
    allowed = _compulsory(rules, suffix)
    if not allowed or _names_one(allowed, values) or (before and not _is_held(allowed, before)):
        return
    raise InvalidValue("template.compulsory", index=INDEXES[0], type=TYPE, templates=", ".join(allowed)[:1000])


def _compulsory(rules: Sequence[SuffixRule], suffix: str) -> tuple[str, ...]:
    if not any(rule.templates for rule in rules):
        return ()
    return next((rule.templates for rule in rules if rule.takes(suffix)), ())


def _is_held(allowed: Sequence[str], before: Sequence[HandleValue]) -> bool:
    try:
        return _names_one(allowed, before)
    except InvalidValue:
        return False  # Stored before templates were looked at.


def _names_one(allowed: Sequence[str], values: Iterable[HandleValue]) -> bool:
    named = named_template(values)
    if named is None:
        return False
    name = named[1]
    return ANY_TEMPLATE in allowed or f"{name.owner}/{name.name}".upper() in map(str.upper, allowed)
