"""JSON bodies of requests to the registry's own interface, read into the forms that describe them."""

from typing import Final, TypeVar

import msgspec
from aiohttp import web

from registry.errors import ProtocolFault

MAX_BODY: Final = 1 << 16  # Octets; an enterprise has a few hundred, a thousand handles some 45,000.

Form = TypeVar("Form")


async def read_form(request: web.Request, kind: type[Form]) -> Form:
    """Raises ProtocolFault, which names the culprit by its path."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except web.HTTPRequestEntityTooLarge:
        raise ProtocolFault("http.body_too_long", limit=MAX_BODY) from None
    except msgspec.ValidationError as error:
        rule, _, path = str(error).partition(" - at `")
        raise ProtocolFault("json.field", path=path.rstrip("`") or "$", rule=rule, value="that") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault("json.syntax", reason=str(error)) from None
