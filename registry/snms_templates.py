"""Templates as the interface of the national secondary-node software (SNMS) has them.

There they are changed in place, and their items are disabled and never taken out. Here a change is a new version, which
leaves disabled items out; so the items of a template are those of its newest version, and of former ones disabled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from registry import industry
from registry.errors import ProtocolFault
from registry.snms import STRING
from registry.template import MAX_SNMS_VERSION, Attribute, Snms, Template, TemplateName

FIRST_INDEX: Final = 2000  # Of items without one: below it, indexes are reserved there.
DISABLED, ENABLED = 0, 1
ACTIVE_CARRIER, OTHER = 1, 2

Version = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SNMS_VERSION)]


class MetadataForm(msgspec.Struct, rename="camel"):
    """What the values of an item may be."""

    min_length: int
    max_length: int
    type: str = STRING


class ItemForm(msgspec.Struct, rename="camel"):
    """An item. In a change, one without `id_index` is new, and one without `state` stays as it is."""

    name: str
    id_type: str
    metadata: MetadataForm
    required: bool = False
    id_index: int | None = None
    state: Annotated[int, msgspec.Meta(ge=DISABLED, le=ENABLED)] | None = None


class TemplateForm(msgspec.Struct, rename="camel"):
    """A template. `type` is 1 for what has an active carrier, and otherwise 2."""

    prefix: str
    version: Version
    type: Annotated[int, msgspec.Meta(ge=ACTIVE_CARRIER, le=OTHER)]
    items: list[ItemForm]
    industry_category: str | None = None
    industry_specific: str | None = None
    industry_trade: str | None = None
    industry_subclass: str | None = None
    description: str | None = None


class NamedTemplateForm(msgspec.Struct):
    """A template to be deleted."""

    prefix: str
    version: Version


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a template, and whether it is enabled."""

    attribute: Attribute
    enabled: bool


Items = Mapping[int, Item]


def items_of(versions: Sequence[Template]) -> Items:
    """The items of a template by index, from its versions, the newest first."""
    items: dict[int, Item] = {}
    for place, template in enumerate(versions):
        for attribute in template.attributes:
            items.setdefault(attribute.index, Item(attribute, place == 0))
    return dict(sorted(items.items()))


def new_template(form: TemplateForm) -> Template:
    """Raises ProtocolFault."""
    attributes: list[Attribute] = []
    for item in form.items:
        index = _free(one.index for one in attributes) if item.id_index is None else item.id_index
        attributes.append(_attribute(item, index))
    return _template(form, attributes)


def changed_template(form: TemplateForm, items: Items) -> Template:
    """The template with the items of a change in place of those it has. Raises ProtocolFault."""
    after = dict(items)
    for item in form.items:
        index, enabled = item.id_index, item.state != DISABLED
        if index is None:
            if any(one.attribute.type == item.id_type for one in after.values()):
                raise ProtocolFault("snms.item_index", type=item.id_type[:200], index="")
            index = _free(after)
        elif index not in after or after[index].attribute.type != item.id_type:
            raise ProtocolFault("snms.item_index", type=item.id_type[:200], index=index)
        elif item.state is None:
            enabled = after[index].enabled
        after[index] = Item(_attribute(item, index), enabled)
    return _template(form, [item.attribute for item in after.values() if item.enabled])


def shown(name: TemplateName, template: Template, items: Items) -> dict[str, Any]:
    """A template in version 5 of the interface."""
    levels = [*(industry.levels(template.industry) if template.industry else ()), *[""] * 4]
    own = template.snms
    return {
        "prefix": name.owner,
        "name": "",
        "version": own.version if own else str(name),
        "industryCategory": levels[0],
        "industrySpecific": levels[1],
        "industryTrade": levels[2],
        "industrySubclass": levels[3],
        "type": ACTIVE_CARRIER if own and own.active_carrier else OTHER,
        "description": template.zh,
        "items": [_item_shown(item) for item in items.values()],
    }


def shown_in_v3(form: Mapping[str, Any]) -> dict[str, Any]:
    """The same in version 3, which knows no indexes and shows what is enabled."""
    enabled = [item for item in form["items"] if item["state"] == ENABLED]
    return {**form, "items": [{name: item[name] for name in _IN_V3} for item in enabled]}


_IN_V3: Final = ("name", "idType", "metadata", "required")


def _item_shown(item: Item) -> dict[str, Any]:
    attribute = item.attribute
    return {
        "name": attribute.zh,
        "idType": attribute.type,
        "idIndex": attribute.index,
        # The values of every kind are text there; what else they are held to is told when they are not.
        "metadata": {"type": STRING, "minLength": attribute.min_length, "maxLength": attribute.max_length},
        "required": attribute.required,
        "state": ENABLED if item.enabled else DISABLED,
    }


def _template(form: TemplateForm, attributes: Iterable[Attribute]) -> Template:
    description = form.description or form.version
    return Template(
        zh=description,
        en=description,
        industry=_industry(form),
        attributes=tuple(attributes),
        snms=Snms(form.version, form.type == ACTIVE_CARRIER),
    )


def _attribute(item: ItemForm, index: int) -> Attribute:
    if item.metadata.type != STRING:
        raise ProtocolFault("snms.item_type", type=item.id_type[:200], kind=item.metadata.type[:40])
    return Attribute(
        index=index,
        type=item.id_type,
        zh=item.name,
        en=item.id_type,
        required=item.required,
        min_length=item.metadata.min_length,
        max_length=item.metadata.max_length,
    )


def _free(indexes: Iterable[int]) -> int:
    return max((FIRST_INDEX - 1, *indexes)) + 1


def _industry(form: TemplateForm) -> str:
    """The code of four levels, of which the last may be missing. Raises ProtocolFault."""
    given = (form.industry_category, form.industry_specific, form.industry_trade, form.industry_subclass)
    levels = tuple(level for level in given if level)
    if not levels:
        return ""
    code = levels[-1]
    try:
        if industry.levels(code) == levels:
            return code
    except ValueError:
        pass
    raise ProtocolFault("snms.industry", code=", ".join(levels)[:40])
