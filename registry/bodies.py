"""Bodies of requests and answers of the registry's own interface: JSON, held to a form when it is read."""

from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
import orjson
from aiohttp import web

from registry.errors import ProtocolFault

MAX_BODY: Final = 1 << 20  # Octets of a JSON body; a template of 200 attributes has some sixty thousand.

Form = TypeVar("Form")


async def read_form(request: web.Request, kind: type[Form]) -> Form:
    """Raises as `form_of`, and ProtocolFault for a body that is too long."""
    try:
        return form_of(await request.read(), kind)
    except web.HTTPRequestEntityTooLarge:
        raise ProtocolFault("http.body_too_long", limit=MAX_BODY) from None


def form_of(octets: bytes, kind: type[Form]) -> Form:
    """JSON as a form. Raises ProtocolFault with the path of what is not as the form has it."""
    try:
        return msgspec.json.decode(octets, type=kind)
    except msgspec.ValidationError as error:
        rule, _, path = str(error).partition(" - at `")
        raise ProtocolFault("json.field", path=path.rstrip("`") or "$", rule=rule, value="that") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault("json.syntax", reason=str(error)) from None


def json_answer(form: Any, status: int = HTTPStatus.OK) -> web.Response:
    """An answer that nobody keeps."""
    headers = {"Cache-Control": "no-store"}
    body = orjson.dumps(form, option=orjson.OPT_UTC_Z)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
