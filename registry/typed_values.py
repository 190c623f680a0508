"""Values held to the attributes of a template: whether a text is the number, date, option or digest that it should be.

A load checks a million rows whose values repeat, so what was right once is remembered for each attribute.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Final
from urllib.parse import urlsplit

import orjson

from registry.errors import HandleError, InvalidValue
from registry.handle import Handle, check_new
from registry.patterns import fits
from registry.template import Attribute, Kind, Template
from registry.value import HandleValue

MAX_REMEMBERED: Final = 4096  # Texts of one attribute: grades and specifications repeat, weights among a few hundred.
MAX_REMEMBERED_OCTETS: Final = 256  # Of one text; a longer one seldom comes again.
MAX_SHOWN: Final = 100  # Characters of a text in a refusal.
MAX_NUMBER: Final = 40  # Characters: more digits than any scale has.
MAX_REFERENCES: Final = 10_000  # Lines of one value: a truck holds some 1,500 boxes.

# Hexadecimal digits of a digest by each algorithm, the national one among them.
DIGESTS: Final[Mapping[str, int]] = {"sha256": 64, "sha384": 96, "sha512": 128, "sm3": 64}

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_DIGEST: Final = re.compile(r"([a-z0-9]+):([0-9a-fA-F]+)")


class Checker:
    """Holds values to one template."""

    def __init__(self, name: str, template: Template) -> None:
        self._name = name
        self._places = {one.type: _Place(one, 1 << place) for place, one in enumerate(template.attributes)}
        self._needed = sum(1 << place for place, one in enumerate(template.attributes) if one.required)

    def check(self, values: Iterable[HandleValue]) -> None:
        """Raises InvalidValue for the first value that is not what it should be, or one that is missing."""
        seen = 0
        for value in values:
            place = self._places.get(value.type)
            if place is not None:
                seen |= place.bit
                if value.data not in place.remembered:
                    place.check(value)
        if seen & self._needed != self._needed:
            self._refuse_missing(seen)

    def check_parts(self, parts: Iterable[tuple[int, str, bytes]]) -> None:
        """The same of public values, of which only those are made that were not found right before."""
        seen = 0
        for index, value_type, data in parts:
            place = self._places.get(value_type)
            if place is not None:
                seen |= place.bit
                if data not in place.remembered:
                    place.check(HandleValue(index, value_type, data))
        if seen & self._needed != self._needed:
            self._refuse_missing(seen)

    def _refuse_missing(self, seen: int) -> None:
        needed = (
            place.attribute for place in self._places.values() if place.attribute.required and not place.bit & seen
        )
        missing = next(needed)
        raise InvalidValue(
            "template.required",
            template=self._name,
            index=missing.index,
            type=missing.type,
            zh=missing.zh,
            en=missing.en,
        )


class _Place:
    """One attribute, and texts that were found to be right for it."""

    def __init__(self, attribute: Attribute, bit: int) -> None:
        self.attribute = attribute
        self.bit = bit
        self.remembered: set[bytes] = set()

    def check(self, value: HandleValue) -> None:
        try:
            text = value.data.decode()
        except UnicodeDecodeError:
            raise _refused("template.text", self.attribute, value) from None
        _CHECKS[self.attribute.kind](self.attribute, value, text)
        if len(value.data) <= MAX_REMEMBERED_OCTETS:
            if len(self.remembered) >= MAX_REMEMBERED:
                self.remembered.clear()
            self.remembered.add(value.data)


def _refused(rule: str, attribute: Attribute, value: HandleValue, **culprit: object) -> InvalidValue:
    # Whoever may modify a value may not always read it.
    shown = value.text[:MAX_SHOWN] if value.is_public else "…"
    return InvalidValue(rule, index=value.index, type=attribute.type, value=shown, **culprit)


def _string(attribute: Attribute, value: HandleValue, text: str) -> None:
    most = attribute.max_length
    if len(text) < attribute.min_length or (most is not None and len(text) > most):
        limits = {"least": attribute.min_length, "most": "∞" if most is None else most}
        raise _refused("template.length", attribute, value, length=len(text), **limits)
    if attribute.pattern and not fits(attribute.pattern, text):
        raise _refused("template.pattern", attribute, value, pattern=attribute.pattern)


def _number(attribute: Attribute, value: HandleValue, text: str) -> None:
    if len(text) > MAX_NUMBER or not _NUMBER.fullmatch(text):
        raise _refused("template.number", attribute, value)
    number = float(text)
    least, most = attribute.minimum, attribute.maximum
    if (least is not None and number < float(least)) or (most is not None and number > float(most)):
        raise _out_of_range(attribute, value)


def _date(attribute: Attribute, value: HandleValue, text: str) -> None:
    if not _DATE.fullmatch(text) or not _exists(date.fromisoformat, text):
        raise _refused("template.date", attribute, value)
    _check_moment(attribute, value, text)


def _time(attribute: Attribute, value: HandleValue, text: str) -> None:
    if not _TIME.fullmatch(text) or not _exists(datetime.fromisoformat, text):
        raise _refused("template.time", attribute, value)
    _check_moment(attribute, value, text)


def _check_moment(attribute: Attribute, value: HandleValue, text: str) -> None:
    """Compared as far as the bound is written out: every moment of its last day is within a bound that is a day."""
    least, most = attribute.minimum, attribute.maximum
    if least is not None and text[: len(str(least))] < str(least):
        raise _out_of_range(attribute, value)
    if most is not None and text[: len(str(most))] > str(most):
        raise _out_of_range(attribute, value)


def _exists(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False  # The 30th of February.
    return True


def _out_of_range(attribute: Attribute, value: HandleValue) -> InvalidValue:
    bounds = {"least": attribute.minimum, "most": attribute.maximum}
    shown = {name: "∞" if bound is None else bound for name, bound in bounds.items()}
    return _refused("template.range", attribute, value, **shown, unit=attribute.unit)


def _enumeration(attribute: Attribute, value: HandleValue, text: str) -> None:
    allowed = [option.value for option in attribute.options]
    if text not in allowed:
        raise _refused("template.option", attribute, value, options=", ".join(allowed)[:1000])


def _json(attribute: Attribute, value: HandleValue, _: str) -> None:
    try:
        orjson.loads(value.data)
    except orjson.JSONDecodeError as error:
        raise _refused("template.json", attribute, value, reason=str(error)) from None


def _reference(attribute: Attribute, value: HandleValue, text: str) -> None:
    """Whether its form is that of an identifier: what it names may be registered later."""
    names = text.split("\n") if attribute.many else [text]
    if len(names) > MAX_REFERENCES:
        raise _refused("template.references", attribute, value, limit=MAX_REFERENCES)
    for name in names:
        try:
            if "/" not in name:
                raise InvalidValue("template.reference")
            check_new(Handle.from_text(name))
        except HandleError:
            raise _refused("template.reference", attribute, value, name=name[:MAX_SHOWN]) from None


def _url(attribute: Attribute, value: HandleValue, text: str) -> None:
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or not text.isprintable() or " " in text:
        raise _refused("template.url", attribute, value)


def _digest(attribute: Attribute, value: HandleValue, text: str) -> None:
    found = _DIGEST.fullmatch(text)
    if found is None or DIGESTS.get(found[1]) != len(found[2]):
        raise _refused("template.digest", attribute, value, algorithms=", ".join(DIGESTS))


_CHECKS: Final[Mapping[Kind, Callable[[Attribute, HandleValue, str], None]]] = {
    "string": _string,
    "number": _number,
    "date": _date,
    "time": _time,
    "enumeration": _enumeration,
    "json": _json,
    "reference": _reference,
    "url": _url,
    "digest": _digest,
}
