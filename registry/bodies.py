"""JSON bodies of the registry's own interface: read into forms, answered, and described."""

from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import msgspec
import orjson
from aiohttp import web

from registry.errors import ProtocolFault
from registry.routes import Parameter

MAX_BODY: Final = 1 << 16  # Octets of a JSON body; an enterprise has a few hundred.

PROBLEM: Final = "application/problem+json"
REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 409, 413, 503), PROBLEM)
JSON: Final = "application/json"
OBJECT: Final = {"type": "object"}
OBJECTS: Final = {"type": "array", "items": OBJECT}
_NUMBER: Final = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
ENTERPRISE: Final = Parameter("enterprise", "Number of the enterprise; one's own.", "企业编号,默认为本企业。", _NUMBER)
AFTER: Final = Parameter("after", "Only those behind this number.", "只返回该编号之后的。", _NUMBER)

Form = TypeVar("Form")
EnterpriseNumber = Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]


async def body_of(request: web.Request, kind: type[Form]) -> Form:
    """Raises ProtocolFault, which names the field."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except web.HTTPRequestEntityTooLarge:
        raise ProtocolFault("http.body_too_long", limit=MAX_BODY) from None
    except msgspec.ValidationError as error:
        rule, _, path = str(error).partition(" - at `")
        raise ProtocolFault("json.field", path=path.rstrip("`") or "$", rule=rule, value="that") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault("json.syntax", reason=str(error)) from None


def json_answer(form: Any, status: int = HTTPStatus.OK) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    body = orjson.dumps(form, option=orjson.OPT_UTC_Z)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def number_in(request: web.Request, name: str, usual: int | None = None) -> int | None:
    """?name= as a number. Raises ProtocolFault."""
    text = request.query.get(name)
    return usual if text is None else number_from(name, text)


def number_from(name: str, text: str) -> int:
    """Raises ProtocolFault."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ProtocolFault("http.parameter", name=name, value=text[:40], rule="is no number")
    return int(text)
