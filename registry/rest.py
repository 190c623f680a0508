"""JSON of records and outcomes, and the HTTP status of each (the Handle.Net HTTP JSON API).

What is read is checked field by field; a refusal names the path of the culprit.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
import orjson

from registry.data_forms import data_from_json, data_to_json
from registry.errors import HandleError, InvalidValue, ProtocolFault, ResponseCode
from registry.form_faults import fault_of
from registry.value import DEFAULT_PERMISSIONS, DEFAULT_TTL, HandleValue, Reference

# The only map from a response code to an HTTP status; what is not here is 500.
STATUS: Final[Mapping[ResponseCode, int]] = {
    ResponseCode.SUCCESS: 200,
    ResponseCode.SERVER_BUSY: 503,
    ResponseCode.PROTOCOL_ERROR: 400,
    ResponseCode.OPERATION_NOT_SUPPORTED: 501,
    ResponseCode.RECURSION_LIMIT: 508,
    ResponseCode.SERVER_READ_ONLY: 503,
    ResponseCode.HANDLE_NOT_FOUND: 404,
    ResponseCode.HANDLE_ALREADY_EXISTS: 409,
    ResponseCode.INVALID_HANDLE: 400,
    ResponseCode.VALUES_NOT_FOUND: 400,
    ResponseCode.VALUE_ALREADY_EXISTS: 409,
    ResponseCode.INVALID_VALUE: 400,
    ResponseCode.SERVER_NOT_RESPONSIBLE: 400,
    ResponseCode.SERVICE_REFERRAL: 300,
    ResponseCode.PREFIX_REFERRAL: 300,
    ResponseCode.INVALID_ADMINISTRATOR: 403,
    ResponseCode.INSUFFICIENT_PERMISSION: 403,
    ResponseCode.AUTHENTICATION_NEEDED: 401,
    ResponseCode.AUTHENTICATION_FAILED: 403,
    ResponseCode.INVALID_CREDENTIAL: 403,
    ResponseCode.TOO_MANY_REQUESTS: 429,
    ResponseCode.TOO_MANY_HANDLES: 403,
    ResponseCode.TOO_MANY_PREFIXES: 403,
    ResponseCode.UNABLE_TO_AUTHENTICATE: 403,  # The reference says 500; but a key that is not here is no fault of ours.
}
Form = TypeVar("Form")

INTERNAL_ERROR: Final = 500
MAX_TIME: Final = (1 << 32) - 1  # Times and indexes are four octets on the wire: times end in 2106.

_PERMISSIONS = re.compile(r"[01]{1,8}")


class ReferenceForm(msgspec.Struct):
    handle: str
    index: int = 0


class DataForm(msgspec.Struct):
    format: str
    value: Any


class ValueForm(msgspec.Struct):
    """A handle value as clients write it; what they may leave out has the protocol's default."""

    index: int
    type: str
    data: str | DataForm
    permissions: str | None = None
    ttl: int | str | None = None
    timestamp: Any = None
    references: list[ReferenceForm] | None = None


class NameForm(msgspec.Struct):
    """The name alone; other members are passed over."""

    handle: str


class RecordForm(msgspec.Struct):
    """A line of a bulk load, or the object form of a PUT body."""

    values: list[ValueForm]
    handle: str | None = None


# Clients write numbers as strings, and 1.0 for 1: both are read as what they mean.
_record_decoder = msgspec.json.Decoder(RecordForm, strict=False)
_name_decoder = msgspec.json.Decoder(NameForm)
_values_decoder = msgspec.json.Decoder(list[ValueForm], strict=False)
_value_decoder = msgspec.json.Decoder(ValueForm, strict=False)


def form_from_json(kind: type[Form], body: bytes) -> Form:
    """A body of another interface, read as leniently. Raises ProtocolFault."""
    return _decode(msgspec.json.Decoder(kind, strict=False), body)


def values_to_json(values: Iterable[HandleValue]) -> list[dict[str, Any]]:
    return [value_to_json(value) for value in values]


def value_to_json(value: HandleValue) -> dict[str, Any]:
    form: dict[str, Any] = {"index": value.index, "type": value.type, "data": data_to_json(value.type, value.data)}
    if value.permissions != DEFAULT_PERMISSIONS:
        form["permissions"] = f"{value.permissions:04b}"
    form["ttl"] = time_to_text(value.ttl) if value.ttl_absolute else value.ttl
    form["timestamp"] = time_to_text(value.timestamp)
    if value.references:
        form["references"] = [{"handle": one.handle, "index": one.index} for one in value.references]
    return form


def values_from_shown(forms: Iterable[Mapping[str, Any]]) -> tuple[HandleValue, ...]:
    """Values as `values_to_json` showed them, exact to the octet where their forms of data are."""
    return tuple([_from_shown(form) for form in forms])


def _from_shown(form: Mapping[str, Any]) -> HandleValue:
    index, value_type, data, ttl = form["index"], form["type"], form["data"], form["ttl"]
    absolute = isinstance(ttl, str)
    return HandleValue(
        index,
        value_type,
        data_from_json(index, value_type, data["format"], data["value"]),
        _seconds_of(ttl) if absolute else ttl,
        absolute,
        _seconds_of(form["timestamp"]),
        int(form["permissions"], 2) if "permissions" in form else DEFAULT_PERMISSIONS,
        tuple([Reference(one["handle"], one["index"]) for one in form.get("references", ())]),
    )


def found_to_json(handle: str, values: Iterable[HandleValue]) -> bytes:
    """The body of a successful resolution, with the handle in the spelling that was asked for."""
    return orjson.dumps({"responseCode": 1, "handle": handle, "values": values_to_json(values)})


def record_from_json(line: bytes) -> tuple[str, tuple[HandleValue, ...]]:
    """A handle's name and its values. Raises ProtocolFault or InvalidValue."""
    handle, forms = record_forms(line)
    return handle, values_from_forms(forms)


def name_from_json(line: bytes) -> str:
    """A handle's name, whatever is said beside it. Raises ProtocolFault."""
    return _decode(_name_decoder, line).handle


def record_forms(line: bytes) -> tuple[str, list[ValueForm]]:
    """A handle's name and its values as they were written, for who can use them so. Raises ProtocolFault."""
    form = _decode(_record_decoder, line)
    if form.handle is None:
        raise ProtocolFault("json.missing", path="$.handle")
    return form.handle, form.values


def values_from_forms(forms: Iterable[ValueForm]) -> tuple[HandleValue, ...]:
    """Raises InvalidValue."""
    return tuple([_value(form) for form in forms])


def values_from_json(body: bytes) -> tuple[str | None, tuple[HandleValue, ...]]:
    """Reads a PUT body: an array of values, an object with `values` and perhaps `handle`, or one value. Raises both."""
    start = body.lstrip()[:1]
    if start == b"[":
        return None, tuple([_value(value) for value in _decode(_values_decoder, body)])
    if start == b"{" and _has_values(body):
        form = _decode(_record_decoder, body)
        return form.handle, tuple([_value(value) for value in form.values])
    return None, (_value(_decode(_value_decoder, body)),)


def refusal_to_json(error: HandleError, language: str, handle: str | None = None) -> dict[str, Any]:
    """A refusal in the Handle API's own form."""
    form: dict[str, Any] = {
        "responseCode": int(error.code),
        "message": error.text("zh" if language == "zh" else "en"),
    }
    if handle is not None:
        form["handle"] = handle
    return form


@lru_cache(maxsize=4096)  # Values of one record, and of one load, were mostly written in the same second.
def time_to_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def time_from_text(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 time; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if not 0 <= seconds <= MAX_TIME:
        raise ValueError(f"{text!r} is not between 1970 and 2106")
    return seconds


@lru_cache(maxsize=4096)
def _seconds_of(text: str) -> int:
    return time_from_text(text)


def permissions_from_text(text: str) -> int:
    """Admin read, admin write, public read, public write; '*' is all of them. Raises ValueError."""
    if text == "*":
        return 15
    if not _PERMISSIONS.fullmatch(text):
        raise ValueError(f"{text!r} is not four characters 0 or 1")
    return int(text, 2) & 15


def _decode(decoder: "msgspec.json.Decoder[Form]", body: bytes) -> Form:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise fault_of(error, body) from None


def _has_values(body: bytes) -> bool:
    try:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault("json.syntax", reason=str(error)) from None
    return "values" in raw


def _value(form: ValueForm) -> HandleValue:
    if isinstance(form.data, str):
        data = form.data.encode()
    else:
        data = data_from_json(form.index, form.type, form.data.format, form.data.value)
    ttl, absolute = _ttl(form)
    return HandleValue(
        form.index,
        form.type,
        data,
        ttl,
        absolute,
        0,
        DEFAULT_PERMISSIONS if form.permissions is None else _permissions(form),
        _references(form) if form.references else (),
    )


def _references(form: ValueForm) -> tuple[Reference, ...]:
    references = tuple([Reference(one.handle, one.index) for one in form.references or ()])
    for reference in references:
        if not 0 <= reference.index <= MAX_TIME:
            rule = f"reference {reference} has no index between 0 and {MAX_TIME}"
            raise InvalidValue("value.data", index=form.index, type=form.type, rule=rule)
    return references


def _ttl(form: ValueForm) -> tuple[int, bool]:
    if form.ttl is None:
        return DEFAULT_TTL, False
    try:
        if isinstance(form.ttl, str) and not form.ttl.isdecimal():
            return time_from_text(form.ttl), True
        seconds = int(form.ttl)
        if not 0 <= seconds <= MAX_TIME:
            raise ValueError(f"ttl {seconds} is not between 0 and {MAX_TIME}")
    except ValueError as error:
        raise InvalidValue("value.data", index=form.index, type=form.type, rule=str(error)) from None
    return seconds, False


def _permissions(form: ValueForm) -> int:
    try:
        return permissions_from_text(form.permissions or "")
    except ValueError as error:
        raise InvalidValue("value.data", index=form.index, type=form.type, rule=f"permissions {error}") from None
