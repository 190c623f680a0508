"""The data of a value as JSON: text, base64, or the form that its type has (the Handle.Net HTTP JSON API).

A table from format name to its two directions; what cannot be shown in its type's form is shown as base64, so that
every octet stored can be read back.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
import orjson

from registry.admin import (
    AdminRecord,
    permissions_from_text,
    permissions_to_text,
    value_list_from_wire,
    value_list_to_wire,
)
from registry.errors import InvalidValue
from registry.keys import COORDINATE, FIELDS, SM2, PublicKey
from registry.links import LINK, Link, link_from_json
from registry.octets import Truncated
from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import Reference

# Octets that text does not hold: with one of them, data is shown as base64.
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_KEY_TYPES: Final = {"RSA_PUB_KEY": "RSA", "DSA_PUB_KEY": "DSA", "DH_PUB_KEY": "DH"}
_SM2_FORM: Final = {"kty": "EC", "crv": "SM2"}
_KINDS: Final = {name: kind for kind, name in _KEY_TYPES.items()}


class _AdminForm(msgspec.Struct):
    handle: str
    index: int
    permissions: str


class _ReferenceForm(msgspec.Struct):
    handle: str
    index: int


class _InterfaceForm(msgspec.Struct):
    protocol: str
    port: int
    query: bool = True
    admin: bool = False


class _ServerForm(msgspec.Struct, rename="camel"):
    server_id: int
    address: str
    interfaces: list[_InterfaceForm]
    public_key: dict[str, Any] | None = None


class _AttributeForm(msgspec.Struct):
    name: str
    value: str


class _SiteForm(msgspec.Struct, rename="camel"):
    servers: list[_ServerForm]
    serial_number: int
    version: int = 1
    protocol_version: str = "2.11"
    primary_site: bool = True
    multi_primary: bool = False
    attributes: list[_AttributeForm] = []
    hash_option: int = 2


def data_to_json(value_type: str, data: bytes) -> dict[str, Any]:
    """The `data` member of a value: its format and its value in that format."""
    form = _form_of(value_type)
    if form is not None:
        try:
            return {"format": form, "value": _TO_JSON[form](data)}
        except Truncated:
            pass  # A value of this type that is no such record: shown as it is.
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    # Nearly all texts can be printed, which is faster to find out.
    if text is not None and (text.isprintable() or not _NOT_TEXT.search(data)):
        return {"format": "string", "value": text}
    return {"format": "base64", "value": base64.b64encode(data).decode()}


def has_form(value_type: str) -> bool:
    """Whether data of this type is a record, and no text."""
    return _form_of(value_type) is not None


@lru_cache(maxsize=4096)  # A registry uses some hundreds of types, a million times each.
def _form_of(value_type: str) -> str | None:
    name = value_type.upper()
    return _FORM_OF_TYPE.get(name) or (_FORM_OF_TYPE.get(name.partition(".")[0]) if name.startswith("HS_") else None)


def data_from_json(index: int, value_type: str, form: str, value: Any) -> bytes:
    """Octets of a `data` member. Raises InvalidValue, which names what is wrong with it."""
    read = _FROM_JSON.get(form)
    if read is None:
        rule = f"data format {form!r} is none of {', '.join(sorted(_FROM_JSON))}"
        raise InvalidValue("value.data", index=index, type=value_type, rule=rule)
    try:
        return read(value)
    except (ValueError, KeyError, TypeError, OverflowError, msgspec.ValidationError) as error:
        raise InvalidValue("value.data", index=index, type=value_type, rule=f"format {form}: {error}") from None


def check_data(index: int, value_type: str, data: bytes) -> None:
    """Refuses data that is not the record which its type promises, such as text in an HS_ADMIN. Raises InvalidValue."""
    form = _form_of(value_type)
    if form is None:
        return
    try:
        _TO_JSON[form](data)
    except Truncated as error:
        raise InvalidValue("value.data", index=index, type=value_type, rule=f"no {form}: {error}") from None


def site_to_json(site: SiteInfo) -> dict[str, Any]:
    """A site as /api/site shows it."""
    return {
        "version": site.format_version,
        "protocolVersion": ".".join(map(str, site.protocol_version)),
        "serialNumber": site.serial,
        "primarySite": site.primary,
        "multiPrimary": site.multi_primary,
        "attributes": [{"name": name, "value": value} for name, value in site.attributes],
        "servers": [_server_to_json(server) for server in site.servers],
    }


def key_to_json(key: PublicKey) -> dict[str, Any]:
    """A public key in the manner of a JSON Web Key (RFC 7517)."""
    if key.kind == SM2:
        x, y = key.point[:COORDINATE], key.point[COORDINATE:]
        return {**_SM2_FORM, "x": _octets_to_base64url(x), "y": _octets_to_base64url(y)}
    numbers = {name: _base64url(key.integers[name]) for name in reversed(FIELDS[key.kind])}
    return {"kty": _KEY_TYPES[key.kind], **numbers}


def key_from_json(form: Mapping[str, Any]) -> PublicKey:
    """Raises ValueError or KeyError."""
    if form["kty"] == _SM2_FORM["kty"]:
        return _sm2_from_json(form)
    kind = _KINDS.get(str(form["kty"]))
    if kind is None:
        raise ValueError(f"kty {form['kty']!r} is none of {', '.join(_KINDS)}, EC")
    return PublicKey(kind, {name: _from_base64url(str(form[name])) for name in FIELDS[kind]})


def _sm2_from_json(form: Mapping[str, Any]) -> PublicKey:
    if form["crv"] != _SM2_FORM["crv"]:
        raise ValueError(f"crv {form['crv']!r} is not {_SM2_FORM['crv']}")
    x, y = (_octets_from_base64url(str(form[name])) for name in ("x", "y"))
    if (len(x), len(y)) != (COORDINATE, COORDINATE):
        raise ValueError(f"x and y have {len(x)} and {len(y)} octets; {COORDINATE} are expected")
    return PublicKey.from_point(x + y)


def _admin_to_json(data: bytes) -> dict[str, Any]:
    record = AdminRecord.from_wire(data)
    return {"handle": record.handle, "index": record.index, "permissions": permissions_to_text(record.permissions)}


def _admin_from_json(value: Any) -> bytes:
    form = msgspec.convert(value, _AdminForm, strict=False)
    return AdminRecord(permissions_from_text(form.permissions), form.handle, form.index).to_wire()


def _value_list_to_json(data: bytes) -> list[dict[str, Any]]:
    return [{"handle": one.handle, "index": one.index} for one in value_list_from_wire(data)]


def _value_list_from_json(value: Any) -> bytes:
    forms = msgspec.convert(value, list[_ReferenceForm], strict=False)
    return value_list_to_wire(tuple(Reference(form.handle, form.index) for form in forms))


def _site_to_json(data: bytes) -> dict[str, Any]:
    return site_to_json(SiteInfo.from_wire(data))


def _server_to_json(server: ServerInfo) -> dict[str, Any]:
    form: dict[str, Any] = {"serverId": server.server_id, "address": str(server.address)}
    if server.public_key:
        try:
            form["publicKey"] = {"format": "key", "value": key_to_json(PublicKey.from_wire(server.public_key))}
        except Truncated:
            form["publicKey"] = {"format": "base64", "value": base64.b64encode(server.public_key).decode()}
    form["interfaces"] = [
        {
            "query": bool(interface.kind & InterfaceKind.QUERY),
            "admin": bool(interface.kind & InterfaceKind.ADMINISTRATION),
            "protocol": Protocol(interface.protocol).name if interface.protocol in (0, 1, 2, 3) else "UNKNOWN",
            "port": interface.port,
        }
        for interface in server.interfaces
    ]
    return form


def _site_from_json(value: Any) -> bytes:
    form = msgspec.convert(value, _SiteForm, strict=False)
    major, _, minor = form.protocol_version.partition(".")
    return SiteInfo(
        form.serial_number,
        tuple(_server_from_form(server) for server in form.servers),
        tuple((attribute.name, attribute.value) for attribute in form.attributes),
        form.primary_site,
        form.multi_primary,
        form.hash_option,
        protocol_version=(int(major), int(minor or 0)),
        format_version=form.version,
    ).to_wire()


def _server_from_form(form: _ServerForm) -> ServerInfo:
    return ServerInfo(
        form.server_id,
        ipaddress.ip_address(form.address),
        _public_key_from_json(form.public_key) if form.public_key else b"",
        tuple(
            Interface(
                (InterfaceKind.QUERY if one.query else 0) | (InterfaceKind.ADMINISTRATION if one.admin else 0),
                Protocol[one.protocol.upper()],
                one.port,
            )
            for one in form.interfaces
        ),
    )


def _public_key_from_json(form: Mapping[str, Any]) -> bytes:
    if form.get("format") == "base64":
        return _from_base64(form["value"])
    return key_from_json(form["value"] if form.get("format") == "key" else form).to_wire()


def _key_to_json(data: bytes) -> dict[str, Any]:
    return key_to_json(PublicKey.from_wire(data))


def _key_from_json(value: Any) -> bytes:
    return key_from_json(value).to_wire()


def _link_to_json(data: bytes) -> dict[str, Any]:
    try:
        Link.from_data(data)
        form: dict[str, Any] = orjson.loads(data)
    except ValueError as error:
        raise Truncated(str(error)) from None
    return form


def _string_from_json(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError("is not a string")
    return value.encode()


def _from_base64(value: Any) -> bytes:
    try:
        return base64.b64decode(_string_from_json(value), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _base64url(integer: int) -> str:
    return _octets_to_base64url(integer.to_bytes((integer.bit_length() + 7) // 8, "big"))


def _octets_to_base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _from_base64url(text: str) -> int:
    return int.from_bytes(_octets_from_base64url(text), "big")


def _octets_from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_FORM_OF_TYPE: Final = {
    "HS_ADMIN": "admin",
    "HS_VLIST": "vlist",
    "HS_SITE": "site",
    "HS_NA_DELEGATE": "site",
    "HS_PUBKEY": "key",
    LINK: "link",
}
_TO_JSON: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "admin": _admin_to_json,
    "vlist": _value_list_to_json,
    "site": _site_to_json,
    "key": _key_to_json,
    "link": _link_to_json,
}
_FROM_JSON: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "string": _string_from_json,
    "base64": _from_base64,
    "hex": lambda value: bytes.fromhex(value),
    "admin": _admin_from_json,
    "vlist": _value_list_from_json,
    "site": _site_from_json,
    "key": _key_from_json,
    "link": link_from_json,
}
