"""Templates: which values a class of objects has, and what each of them may say (typed attributes).

A handle names its template in a value of type TEMPLATE, at one of the two indexes that the national secondary-node
interface reserves for that; its values stay handle values, text for whoever knows no templates. An attribute is the
values of one type, wherever they stand; `index` is where forms and tables put them. A published version never changes,
so what fitted it once fits for ever.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from registry import industry, patterns
from registry.errors import InvalidValue, ProtocolFault
from registry.value import HandleValue

TYPE: Final = "TEMPLATE"
INDEXES: Final = (1000, 1001)
MAX_ATTRIBUTES: Final = 200  # Of one template; the widest form seen in the field has some eighty.
MAX_OPTIONS: Final = 500  # Of one enumeration.
MAX_WORDS: Final = 200  # Characters of a name, a unit or an option.
MAX_ATTRIBUTE_INDEX: Final = (1 << 31) - 1
MAX_SNMS_VERSION: Final = 128  # Characters, as the documentation of that interface has it.

Kind = Literal["string", "number", "date", "time", "enumeration", "json", "reference", "url", "digest"]
Bound = str | float | None

_NAME: Final = re.compile(r"([0-9A-Za-z._-]{1,255})/([a-z0-9][a-z0-9-]{0,63})@([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class TemplateName:
    """Whose template it is (a prefix, or LIBRARY of `registry.library`), what it is called there, and its version."""

    owner: str
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}@{self.version}"

    @property
    def key(self) -> str:
        """Two spellings of one name have the same."""
        return f"{self.owner.upper()}/{self.name}@{self.version}"

    @classmethod
    def from_text(cls, text: str) -> "TemplateName":
        """Raises ValueError."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError("is not owner/name@version, the name of small letters, digits and '-'")
        return cls(found[1], found[2], int(found[3]))


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of the values that an enumeration allows, and what people call it."""

    value: str
    zh: str = ""
    en: str = ""


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What values of one type may say.

    `minimum` and `maximum` bound numbers, and dates and times as ISO 8601 writes them; the lengths count characters.
    `many` lets a value hold several references, one a line.
    """

    index: int
    type: str
    kind: Kind = "string"
    zh: str
    en: str
    required: bool = False
    many: bool = False
    unit: str = ""
    minimum: Bound = None
    maximum: Bound = None
    min_length: int = 0
    max_length: int | None = None
    pattern: str = ""
    options: tuple[Option, ...] = ()


class Snms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a template is called in the interface of the national secondary-node software, which `registry.snms` serves,
    and whether what it describes has an active carrier."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SNMS_VERSION)]
    active_carrier: bool = False


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One version of a template, without its name. `industry` is a code of GB/T 4754."""

    zh: str
    en: str
    industry: str = ""
    attributes: tuple[Attribute, ...] = ()
    snms: Snms | None = None


def named_template(values: Iterable[HandleValue]) -> tuple[int, TemplateName] | None:
    """The template that values name, and at which index. Raises InvalidValue for what names none."""
    for value in values:
        if value.index in INDEXES and value.type == TYPE:
            try:
                return value.index, TemplateName.from_text(value.text)
            except ValueError as error:
                rule = str(error)
                raise InvalidValue("value.data", index=value.index, type=TYPE, rule=rule) from None
    return None


def check_template(template: Template) -> None:
    """Refuses a template that nothing could be held to. Raises ProtocolFault with the path of the culprit."""
    for path, rule, culprit in _faults(template):
        raise ProtocolFault("json.field", path=path, rule=rule, value=repr(culprit)[:MAX_WORDS])


def _faults(template: Template) -> Iterator[tuple[str, str, Any]]:
    if not 0 < len(template.zh) <= MAX_WORDS or not 0 < len(template.en) <= MAX_WORDS:
        yield "$.zh", f"names in Chinese (zh) and English (en) have 1 to {MAX_WORDS} characters", template.zh
    if template.industry:
        try:
            industry.levels(template.industry)
        except ValueError as error:
            yield "$.industry", str(error), template.industry
    if not 0 < len(template.attributes) <= MAX_ATTRIBUTES:
        yield "$.attributes", f"has 1 to {MAX_ATTRIBUTES} attributes", len(template.attributes)
    types: set[str] = set()
    indexes: set[int] = set()
    for place, attribute in enumerate(template.attributes):
        path = f"$.attributes[{place}]"
        if attribute.type in types:
            yield f"{path}.type", "is the type of another attribute", attribute.type
        if attribute.index in indexes:
            yield f"{path}.index", "is the index of another attribute", attribute.index
        types.add(attribute.type)
        indexes.add(attribute.index)
        for field, rule, culprit in _attribute_faults(attribute):
            yield f"{path}.{field}", rule, culprit


def _attribute_faults(attribute: Attribute) -> Iterator[tuple[str, str, Any]]:
    if not 0 < attribute.index <= MAX_ATTRIBUTE_INDEX or attribute.index in INDEXES:
        yield "index", f"is 1 to {MAX_ATTRIBUTE_INDEX}, but neither of {INDEXES}", attribute.index
    named = 0 < len(attribute.type.encode(errors="replace")) <= 128 and attribute.type.isprintable()
    if not named or attribute.type.upper().startswith("HS_") or attribute.type == TYPE:
        yield "type", "has 1 to 128 octets that can be shown, and is no type of the protocol's own", attribute.type
    if not 0 < len(attribute.zh) <= MAX_WORDS or not 0 < len(attribute.en) <= MAX_WORDS:
        yield "zh", f"names in Chinese (zh) and English (en) have 1 to {MAX_WORDS} characters", attribute.zh
    if len(attribute.unit) > MAX_WORDS or (attribute.unit and attribute.kind != "number"):
        yield "unit", "is for numbers alone", attribute.unit
    if attribute.many and attribute.kind != "reference":
        yield "many", "is for references alone", attribute.many
    yield from _text_faults(attribute)
    yield from _option_faults(attribute)
    yield from _bound_faults(attribute)


def _text_faults(attribute: Attribute) -> Iterator[tuple[str, str, Any]]:
    least, most = attribute.min_length, attribute.max_length
    if least < 0 or (most is not None and most < max(least, 1)):
        yield "max_length", "is no less than min_length, and at least 1", most
    if not attribute.pattern:
        return
    if attribute.kind != "string":
        yield "pattern", "is for strings alone", attribute.pattern
    try:
        patterns.compiled(attribute.pattern)
    except patterns.PatternFault as fault:
        yield "pattern", str(fault), attribute.pattern


def _option_faults(attribute: Attribute) -> Iterator[tuple[str, str, Any]]:
    values = [option.value for option in attribute.options]
    if bool(values) != (attribute.kind == "enumeration") or len(values) > MAX_OPTIONS:
        yield "options", f"are 1 to {MAX_OPTIONS} of an enumeration, and of nothing else", len(values)
    if len(set(values)) < len(values) or any(not 0 < len(value) <= MAX_WORDS for value in values):
        yield "options", f"have 1 to {MAX_WORDS} characters, each other ones", values


def _bound_faults(attribute: Attribute) -> Iterator[tuple[str, str, Any]]:
    bounds = {"minimum": attribute.minimum, "maximum": attribute.maximum}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    wrong = [name for name, bound in given.items() if not _is_bound(attribute.kind, bound)]
    for name in wrong:
        yield name, "bounds numbers by numbers, dates and times by ISO 8601, and nothing else", given[name]
    if not wrong and len(given) == 2 and _order(given["minimum"]) > _order(given["maximum"]):
        yield "minimum", "is more than the maximum", list(given.values())


def _is_bound(kind: str, bound: str | float) -> bool:
    if kind == "number":
        return isinstance(bound, float | int)
    return kind in ("date", "time") and isinstance(bound, str) and _is_moment(bound)


def _order(bound: str | float) -> tuple[float, str]:
    return (0.0, bound) if isinstance(bound, str) else (float(bound), "")


def _is_moment(text: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?", text) is not None
