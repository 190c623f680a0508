"""What clients write to say who they are: the Authorization header, and the same fields in a JSON body.

Reading only. Whether it is true is for `registry.authentication` to say.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from registry.errors import ProtocolFault
from registry.proofs import Proof

_PARAMETER = re.compile(r'\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def basic_credentials(header_rest: str) -> tuple[str, bytes]:
    """Identity and password behind "Basic " (RFC 7617). Raises ProtocolFault.

    An identity has a colon of its own, so clients percent-encode it.
    """
    try:
        octets = base64.b64decode(header_rest.strip(), validate=True)
    except ValueError:
        raise ProtocolFault("authentication.malformed", reason="the credentials are not base64") from None
    identity, colon, password = octets.partition(b":")
    if not colon:
        raise ProtocolFault("authentication.malformed", reason="no ':' between identity and password")
    try:
        return unquote_to_bytes(identity).decode(), password
    except UnicodeDecodeError:
        raise ProtocolFault("authentication.malformed", reason="the identity is not UTF-8") from None


def handle_parameters(header_rest: str) -> dict[str, str]:
    """The parameters behind "Handle ": name="text", separated by commas. Raises ProtocolFault."""
    parameters: dict[str, str] = {}
    text = header_rest.strip()
    position = 0
    while position < len(text):
        found = _PARAMETER.match(text, position)
        if found is None:
            raise ProtocolFault("authentication.malformed", reason=f"no parameter at position {position + 1}")
        name, quoted, token = found.groups()
        if name in parameters:
            raise ProtocolFault("authentication.malformed", reason=f"{name} stands there twice")
        parameters[name] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = found.end()
    return parameters


def proof_from_fields(fields: Mapping[str, Any]) -> Proof:
    """An answer to a challenge, from the parameters of a header or the members of a JSON body. Raises ProtocolFault."""
    return Proof(
        _text(fields, "id"),
        _text(fields, "type").upper(),
        _octets(fields, "cnonce"),
        _text(fields, "alg"),
        _octets(fields, "signature"),
        _octets(fields, "salt") if "salt" in fields else b"",
        _number(fields, "iterations") if "iterations" in fields else 0,
        _number(fields, "length") if "length" in fields else 0,
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        raise ProtocolFault("authentication.malformed", reason=f"{name} is missing or no text")
    return text


def _octets(fields: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_text(fields, name), validate=True)
    except ValueError:
        raise ProtocolFault("authentication.malformed", reason=f"{name} is not base64") from None


def _number(fields: Mapping[str, Any], name: str) -> int:
    number = fields[name]
    if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) <= 10:
        return int(number)
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    raise ProtocolFault("authentication.malformed", reason=f"{name} is no number")
