"""Identifiers as the interface of the national secondary-node software (SNMS) has them, and its envelope.

What that interface calls the version of a template is the template: a text that the enterprise chose. Here it is the
newest published version of a template of that prefix, whose name is made from the text. Every answer has a status of
its own beside that of HTTP.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from registry.data_forms import data_to_json
from registry.errors import HandleError, InvalidValue, ResponseCode
from registry.handle import Handle
from registry.language import Language, preferred
from registry.links import is_link
from registry.relations import is_relation
from registry.template import TYPE, Template, TemplateName
from registry.value import HandleValue

SUCCESS: Final = 1
NOT_LOGGED_IN: Final = -1
REFUSED: Final = -2  # The message says why.
FORBIDDEN: Final = -3
FAILED: Final = -4

TEMPLATE_INDEX: Final = 1001  # Where that interface keeps the template of an identifier.
READABLE: Final = "1"  # The `auth` of every value shown: the field is reserved, and clients send back what they got.
FOUND: Final = "200"  # The `code` of an identifier that is there.
STRING: Final = "string"

_STATUS: Final[Mapping[ResponseCode, int]] = {
    ResponseCode.ERROR: FAILED,
    ResponseCode.SERVER_BUSY: FAILED,
    ResponseCode.SERVER_READ_ONLY: FAILED,
    ResponseCode.AUTHENTICATION_NEEDED: NOT_LOGGED_IN,
    ResponseCode.INVALID_ADMINISTRATOR: FORBIDDEN,
    ResponseCode.INSUFFICIENT_PERMISSION: FORBIDDEN,
}
_TOKEN_OVER: Final = "token.unknown"  # noqa: S105  # the name of a rule
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")
_SPELLED: Final = 32  # Characters of a version's spelling in a template's name, before its digest.
_DIGITS: Final = 12  # Of that digest: 48 bits tell apart what one prefix has.


class DataForm(msgspec.Struct):
    """The data of a value: `format` is string."""

    format: str
    value: str


class ValueForm(msgspec.Struct):
    """A value. `auth` is reserved."""

    index: int
    type: str
    data: DataForm
    auth: str | None = None


class IdentifierForm(msgspec.Struct, rename="camel"):
    """An identifier to be registered or updated."""

    handle: str
    template_version: str
    value: list[ValueForm]


class NamedForm(msgspec.Struct):
    """An identifier to be deleted."""

    handle: str


class NamesForm(msgspec.Struct):
    """Identifiers to be deleted, by those who name the list."""

    handles: list[str]


class OutcomeForm(msgspec.Struct):
    """What became of one identifier of several."""

    handle: str
    code: int
    msg: str


class EnvelopeForm(msgspec.Struct):
    """An answer: its status, a sentence, and what was asked for."""

    status: int
    message: str
    data: Any


def language_of(accept_language: str | None) -> Language:
    """Chinese for whoever says nothing: the software that asks here was made for its readers."""
    return preferred(accept_language, "zh")


def envelope(data: Any) -> dict[str, Any]:
    return {"status": SUCCESS, "message": "success", "data": data}


def status_of(error: HandleError) -> int:
    return NOT_LOGGED_IN if error.rule == _TOKEN_OVER else _STATUS.get(error.code, REFUSED)


def name_of(version: str) -> str:
    """The name of the template that is called this: it can be read, and another text has another one."""
    spelled = _NOT_IN_NAMES.sub("-", version.lower()).strip("-")[:_SPELLED]
    digest = hashlib.sha256(version.encode(errors="replace")).hexdigest()[:_DIGITS]
    return f"snms-{spelled}-{digest}"


def values_from_form(form: IdentifierForm, name: TemplateName, template: Template) -> tuple[HandleValue, ...]:
    """The values of an identifier, with the one that names its template. Raises InvalidValue."""
    types = {attribute.index: attribute.type for attribute in template.attributes}
    for value in form.value:
        if types.get(value.index) != value.type:
            version = form.template_version[:200]
            raise InvalidValue("snms.not_in_template", index=value.index, type=value.type[:200], template=version)
        if value.data.format != STRING:
            raise InvalidValue("snms.format", index=value.index, format=value.data.format[:40])
        if value.auth not in (None, "", READABLE):
            raise InvalidValue("snms.auth", index=value.index, auth=str(value.auth)[:40])
    given = (HandleValue(value.index, value.type, value.data.value.encode()) for value in form.value)
    return (*given, HandleValue(TEMPLATE_INDEX, TYPE, str(name).encode()))


def updated(before: Iterable[HandleValue], given: Sequence[HandleValue]) -> tuple[HandleValue, ...]:
    """The values of an identifier after its update: those given, and those of which this interface does not speak."""
    indexes = {value.index for value in given}
    kept = (value for value in before if _is_of_protocol(value.type) and value.index not in indexes)
    return (*given, *kept)


def shown(handle: Handle, prefix: str, version: str, values: Iterable[HandleValue]) -> dict[str, Any]:
    """An identifier as it is resolved; `version` is what its template is called."""
    return {
        "code": FOUND,
        "prefix": prefix,
        "handle": str(handle),
        "templateVersion": version,
        "value": [_value_shown(value, version) for value in values],
    }


def _value_shown(value: HandleValue, version: str) -> dict[str, Any]:
    named = value.index == TEMPLATE_INDEX and value.type == TYPE
    data = {"format": STRING, "value": version} if named else data_to_json(value.type, value.data)
    return {"index": value.index, "type": value.type, "auth": READABLE, "data": data}


def _is_of_protocol(value_type: str) -> bool:
    return value_type.upper().startswith("HS_") or is_link(value_type) or is_relation(value_type)
