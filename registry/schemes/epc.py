"""EPC URNs, as RFID middleware writes them, and the GS1 keys that they say (EPC Tag Data Standard, sections 6 and 7).

The company prefix stands by itself in front, so that the figures of the key are put together again here, and check
digits, which an EPC does not carry, are made. Tag URIs have the filter in front, which says nothing of the thing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from registry.errors import InvalidHandle
from registry.schemes.check_digit import check_digit
from registry.schemes.epc_binary import fields_of
from registry.schemes.gs1_identifiers import MAX_SHOWN
from registry.schemes.gs1_keys import GTIN, Key

_URN: Final = re.compile(r"urn:epc:(id|class|idpat|tag):([a-z]+)(?:-[0-9a-z+]+)?:(.+)", re.IGNORECASE | re.DOTALL)
_ANY: Final = "*"
_COMPANY_PREFIX: Final = range(4, 13)  # Figures.


def is_epc(text: str) -> bool:
    return text[:8].lower() == "urn:epc:"


def key_from_urn(text: str) -> Key:
    """Raises InvalidHandle."""
    urn = _URN.fullmatch(text)
    if urn is None:
        raise InvalidHandle("gs1.epc", text=text[:MAX_SHOWN])
    kind, scheme, rest = urn[1].lower(), urn[2].lower(), urn[3]
    make = _SCHEMES.get(scheme)
    if make is None:
        raise InvalidHandle("gs1.epc_scheme", scheme=scheme[:MAX_SHOWN])
    fields = rest.split(".")
    fields = fields[1:] if kind == "tag" else fields
    if len(fields) < 2 or not (fields[0].isascii() and fields[0].isdigit() and len(fields[0]) in _COMPANY_PREFIX):
        raise InvalidHandle("gs1.epc", text=text[:MAX_SHOWN])
    try:
        return make([unquote(field, errors="strict") for field in _known(fields, kind)])
    except (ValueError, IndexError):
        raise InvalidHandle("gs1.epc", text=text[:MAX_SHOWN]) from None


def key_from_binary(text: str) -> Key:
    """Of an EPC as a reader sends it (`epc_binary`). Raises InvalidHandle."""
    try:
        scheme, fields = fields_of(text)
        return _SCHEMES[scheme](fields)
    except ValueError:
        raise InvalidHandle("gs1.epc", text=text[:MAX_SHOWN]) from None


def _known(fields: Sequence[str], kind: str) -> list[str]:
    """What a pattern leaves open at its end is left out; a serial number may hold dots that are no divisions."""
    known = list(fields)
    while kind == "idpat" and known[-1] == _ANY:
        known.pop()
    return known


def _with_digit(payload: str) -> str:
    if not (payload.isascii() and payload.isdigit()):
        raise ValueError(payload)
    return payload + check_digit(payload)


def _behind(company: str, reference: str) -> str:
    """The indicator or extension, which an EPC has in front of its reference, stands in front of the whole key."""
    return _with_digit(reference[:1] + company + reference[1:])


def _serialized(ai: str, qualifier: str) -> Callable[[Sequence[str]], Key]:
    """Keys with an indicator, and a serial number or lot that may be left out."""

    def make(fields: Sequence[str]) -> Key:
        company, reference, *rest = fields
        return Key.of(ai, _behind(company, reference), [(qualifier, ".".join(rest))] if rest else [])

    return make


def _bare(ai: str) -> Callable[[Sequence[str]], Key]:
    """Keys of figures with an extension or none and a check digit."""

    def make(fields: Sequence[str]) -> Key:
        company, reference = fields
        key = _behind(company, reference) if ai == "00" else _with_digit(company + reference)
        return Key.of(ai, key)

    return make


def _joined(ai: str) -> Callable[[Sequence[str]], Key]:
    """Keys without a check digit."""

    def make(fields: Sequence[str]) -> Key:
        company, *reference = fields
        return Key.of(ai, company + ".".join(reference))

    return make


def _with_serial(ai: str, front: str = "") -> Callable[[Sequence[str]], Key]:
    """Keys whose serial number is a part of the value."""

    def make(fields: Sequence[str]) -> Key:
        company, reference, *serial = fields
        return Key.of(ai, front + _with_digit(company + reference) + ".".join(serial))

    return make


def _location(fields: Sequence[str]) -> Key:
    """An extension of 0 stands for none."""
    company, reference, *rest = fields
    extension = ".".join(rest)
    qualifiers = [("254", extension)] if extension not in ("", "0") else []
    return Key.of("414", _with_digit(company + reference), qualifiers)


def _piece(fields: Sequence[str]) -> Key:
    company, reference, piece, total, *rest = fields
    return Key.of("8006", _behind(company, reference) + piece + total, [("21", ".".join(rest))] if rest else [])


def _part(fields: Sequence[str]) -> Key:
    company, reference, *rest = fields
    return Key.of("8010", company + reference, [("8011", ".".join(rest))] if rest else [])


_SCHEMES: Final[Mapping[str, Callable[[Sequence[str]], Key]]] = {
    "sgtin": _serialized(GTIN, "21"),
    "lgtin": _serialized(GTIN, "10"),
    "upui": _serialized(GTIN, "235"),
    "sscc": _bare("00"),
    "gsrn": _bare("8018"),
    "gsrnp": _bare("8017"),
    "gsin": _bare("402"),
    "pgln": _bare("417"),
    "sgln": _location,
    "grai": _with_serial("8003", "0"),
    "gdti": _with_serial("253"),
    "sgcn": _with_serial("255"),
    "giai": _joined("8004"),
    "ginc": _joined("401"),
    "itip": _piece,
    "cpi": _part,
}
