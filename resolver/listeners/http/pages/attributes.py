"""What the types of values are called by people, and in which unit they count.

`attribute_of` is the one place that is asked. A template that the handle names says it; else the templates that every
node has, which name the types of the textile chain; a type that nobody named is shown as it is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from registry import library, template
from registry.language import Language
from registry.links import LINK
from registry.relations import Relation
from registry.template import Template


class Kind(Enum):
    """How a value reads best."""

    TEXT = "text"
    QUANTITY = "quantity"
    TIME = "time"
    OPTION = "option"
    MEMBERS = "members"  # Other identifiers that this one holds; all other links lead to what it is part of.
    ADDRESS = "address"
    INTERNAL = "internal"  # Says something to programs; people find it among all values.


@dataclass(frozen=True, slots=True)
class Attribute:
    """A type in one language: its name, its unit ("" for none), its kind, and what its options are called."""

    name: str
    unit: str = ""
    kind: Kind = Kind.TEXT
    options: Mapping[str, str] = field(default_factory=dict)


TITLES: Final = ("PRODUCT", "NAME", "TITLE", "DESC")  # What heads a page, the first that is there.

_KIND_OF: Final = {
    "number": Kind.QUANTITY,
    "date": Kind.TIME,
    "time": Kind.TIME,
    "enumeration": Kind.OPTION,
    "url": Kind.ADDRESS,
}
# Types that no template need name: in English, in Chinese, and their kind.
_COMMON: Final[Mapping[str, tuple[str, str, Kind]]] = {
    "URL": ("Web page", "网页", Kind.ADDRESS),
    "EMAIL": ("E-mail", "电子邮箱", Kind.TEXT),
    "DESC": ("Description", "说明", Kind.TEXT),
    "NAME": ("Name", "名称", Kind.TEXT),
    "TITLE": ("Title", "名称", Kind.TEXT),
    "HS_ALIAS": ("Other name of", "别名，指向", Kind.TEXT),
    "10320/LOC": ("Locations", "网址选择", Kind.INTERNAL),
    LINK: ("Link", "链接", Kind.INTERNAL),
    template.TYPE: ("Template", "数据模板", Kind.INTERNAL),
    Relation.PART_OF.name: ("Part of", "所属整体", Kind.TEXT),
    Relation.MADE_FROM.name: ("Made from", "原料", Kind.TEXT),
    Relation.PACKED_IN.name: ("Packed in", "装入", Kind.TEXT),
    Relation.ON_MACHINE.name: ("Made on", "生产设备", Kind.TEXT),
}
_OF_LIBRARY: Final[Mapping[str, template.Attribute]] = {
    attribute.type: attribute for each in library.TEMPLATES.values() for attribute in each.attributes
}


def attribute_of(value_type: str, language: Language, of: Template | None = None) -> Attribute:
    """The attribute that values of a type are, of a handle with this template."""
    for attribute in of.attributes if of is not None else ():
        if attribute.type == value_type:
            return _typed(attribute, language)
    folded = value_type.upper()
    if folded in _COMMON:
        english, chinese, kind = _COMMON[folded]
        return Attribute(chinese if language == "zh" else english, kind=kind)
    if folded in _OF_LIBRARY:
        return _typed(_OF_LIBRARY[folded], language)
    if folded.startswith("URL."):
        return Attribute(value_type, kind=Kind.ADDRESS)
    return Attribute(value_type, kind=Kind.INTERNAL if folded.startswith("HS_") else Kind.TEXT)


def _typed(attribute: template.Attribute, language: Language) -> Attribute:
    chinese = language == "zh"
    english = attribute.en[:1].upper() + attribute.en[1:]
    options = {one.value: (one.zh if chinese else one.en) or one.value for one in attribute.options}
    kind = Kind.MEMBERS if attribute.many else _KIND_OF.get(attribute.kind, Kind.TEXT)
    return Attribute(attribute.zh if chinese else english, attribute.unit, kind, options)
