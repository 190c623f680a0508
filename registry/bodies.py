"""JSON bodies of the registry's own interface: read into forms, and described."""

from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web

from registry.errors import ProtocolFault
from registry.form_faults import fault_of
from registry.routes import Parameter

MAX_BODY: Final = 1 << 20  # Octets of a JSON body; a template of 200 attributes has some sixty thousand.

PROBLEM: Final = "application/problem+json"
REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 409, 413, 503), PROBLEM)
JSON: Final = "application/json"
OBJECT: Final = {"type": "object"}
OBJECTS: Final = {"type": "array", "items": OBJECT}
MAX_NUMBER: Final = 999_999_999  # Of an enterprise, a person, a token: what nine digits hold.
_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER}
ENTERPRISE: Final = Parameter("enterprise", "Number of the enterprise; one's own.", "企业编号，默认为本企业。", _NUMBER)
AFTER: Final = Parameter("after", "Only those behind this number.", "只返回该编号之后的。", _NUMBER)

_OCTETS: Final = web.RequestKey("octets", bytes)

Form = TypeVar("Form")
EnterpriseNumber = Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]


async def body_of(request: web.Request, kind: type[Form], most: int = MAX_BODY) -> Form:
    """Raises as `form_of` and `octets_of`."""
    return form_of(await octets_of(request, most), kind)


async def octets_of(request: web.Request, most: int = MAX_BODY) -> bytes:
    """A body read whole, as often as it is asked for. Raises ProtocolFault for one of more octets."""
    if _OCTETS not in request:
        received = bytearray()
        async for octets in request.content.iter_any():
            received += octets
            if len(received) > most:
                raise ProtocolFault("http.body_too_long", limit=most)
        request[_OCTETS] = bytes(received)
    if len(request[_OCTETS]) > most:
        raise ProtocolFault("http.body_too_long", limit=most)
    return request[_OCTETS]


def form_of(octets: bytes, kind: type[Form]) -> Form:
    """JSON as a form. Raises ProtocolFault with the path of what is not as the form has it."""
    try:
        return msgspec.json.decode(octets, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise fault_of(error, octets) from None


def number_from(name: str, text: str) -> int:
    """Raises ProtocolFault."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ProtocolFault("http.parameter", name=name, value=text[:40], rule="is no number")
    return int(text)
