"""What the columns of a table mean to an enterprise, when its header does not say it: `丝饼号` is the handle.

A mapping says for each column `handle`, an index and a type as headers have them (`11:NET_WEIGHT_KG`), or nothing, and
then it is passed over; in which unit it is, where the attribute wants another; before all handles, a prefix; and which
template all rows name. It is kept for the set of names in a header, so the next sheet from the same machine is read
without asking, in whatever order its columns stand.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final

import msgspec

from registry.errors import ProtocolFault
from registry.tabular import HANDLE_COLUMNS, REMARK, Columns, Conversion, columns_from_names, header_names
from registry.template import INDEXES, TYPE, Attribute, Template, TemplateName
from registry.units import factor, name_and_unit

MAX_NAMES: Final = 500  # Columns that a mapping names.
MAX_NAME: Final = 200  # Characters of one.
HANDLE: Final = "handle"


class ColumnForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What one column means: `to` is `handle` or index:TYPE. `unit` is the column's, `into` the attribute's."""

    to: str = ""
    unit: str = ""
    into: str = ""


class MappingForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What the columns mean, by name. `prefix` stands before handles without one, `template` is named by every row."""

    columns: dict[str, ColumnForm]
    prefix: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping for a header, and the names that nothing was found for."""

    form: MappingForm
    unknown: list[str]


def header_digest(names: Iterable[str]) -> bytes:
    """What headers with the same names share, whatever their order."""
    return hashlib.sha256("\n".join(sorted({name.strip() for name in names if name.strip()})).encode()).digest()


def columns_of(form: MappingForm, names: Sequence[str]) -> Columns:
    """The columns of a table with this header. Raises ProtocolFault, which names the column."""
    given = header_names(names)
    meant = [form.columns.get(name, ColumnForm()) for name in given]
    # What has no meaning is a remark; the place of a column is no index here, since every type names its own.
    columns = columns_from_names([one.to or f"{REMARK}{place}" for place, one in enumerate(meant)])
    conversions = tuple(
        Conversion(place, _factor(place, one)) for place, one in enumerate(meant) if one.unit and one.unit != one.into
    )
    values: tuple[tuple[int, int, str], ...] = columns.values
    constants: tuple[str, ...] = ()
    if form.template:
        values = tuple(sorted((*values, (len(given), INDEXES[0], TYPE)), key=lambda value: value[1]))
        constants = (form.template,)
    return Columns(tuple(given), columns.handle, values, conversions, form.prefix, constants)


def reader_of(form: Mapping[str, Any]) -> Any:
    """What reads headers by a mapping in its form as JSON."""
    return partial(columns_of, msgspec.convert(form, MappingForm))


def check(form: MappingForm) -> None:
    """Refuses a mapping that no header could be read by. Raises ProtocolFault."""
    if not 0 < len(form.columns) <= MAX_NAMES or any(not 0 < len(name) <= MAX_NAME for name in form.columns):
        rule = f"names 1 to {MAX_NAMES} columns of at most {MAX_NAME} characters"
        raise ProtocolFault("json.field", path="$.columns", rule=rule, value=len(form.columns))
    if form.template:
        try:
            TemplateName.from_text(form.template)
        except ValueError as error:
            fault = {"path": "$.template", "rule": str(error), "value": form.template[:100]}
            raise ProtocolFault("json.field", **fault) from None
    columns_of(form, list(form.columns))


def propose(names: Sequence[str], template: Template | None, name: str, prefix: str) -> Proposal:
    """What a header probably means: by the words of a template, in either language, and its types."""
    columns: dict[str, ColumnForm] = {}
    unknown = []
    words = {} if template is None else _words(template.attributes)
    for header in header_names(names):
        bare, unit = name_and_unit(header)
        attribute = words.get(header.lower()) or words.get(bare.lower())
        if header.upper() in HANDLE_COLUMNS or bare in _HANDLES:
            columns[header] = ColumnForm(HANDLE)
        elif attribute is not None:
            into = attribute.unit if unit and factor(unit, attribute.unit) is not None else ""
            columns[header] = ColumnForm(f"{attribute.index}:{attribute.type}", unit if into else "", into)
        else:
            unknown.append(header)
    return Proposal(MappingForm(columns, prefix, name), unknown)


_HANDLES: Final = frozenset({"丝饼号", "编码", "产品编码", "条码", "序列号", "箱号", "卷号", "唯一码", "标识号"})


def _words(attributes: Iterable[Attribute]) -> dict[str, Attribute]:
    words: dict[str, Attribute] = {}
    for one in attributes:
        for word in (one.zh, one.en, one.type, f"{one.index}:{one.type}"):
            words.setdefault(word.lower(), one)
    return words


def _factor(place: int, one: ColumnForm) -> Fraction:
    found = factor(one.unit, one.into)
    if found is None:
        rule = f"{one.unit!r} cannot be converted into {one.into!r}"
        raise ProtocolFault("load.header", column=place + 1, rule=rule)
    return found
