"""Bodies of requests, read whole within a length and a time."""

import asyncio
from typing import Any, Final

import orjson
from aiohttp import HttpVersion11, web

from registry.errors import AuthenticationNeeded, ProtocolFault

BODY_TIMEOUT: Final = 30.0  # Seconds; the longest body that is taken by default then needs 35 kB/s.
JSON_TYPES: Final = frozenset({"application/json", "text/json"})

_BODY: Final = web.RequestKey("body", bytes)


async def read_body(request: web.Request, limit: int, timeout: float = BODY_TIMEOUT) -> bytes:  # noqa: ASYNC109  # whoever calls has no time limit of his own
    """The octets of a body. Raises ProtocolFault for one that is too long, too slow, packed or cut off."""
    if _BODY in request:
        return request[_BODY]
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # Unpacked, a few octets could fill the memory; nothing that is written here is worth packing.
        raise ProtocolFault("http.content_encoding", encoding=request.headers["Content-Encoding"][:40])
    if (request.content_length or 0) > limit:
        raise ProtocolFault("http.body_too_long", limit=limit)
    await _invite(request)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for octets in request.content.iter_any():
                body += octets
                if len(body) > limit:
                    raise ProtocolFault("http.body_too_long", limit=limit)
    except TimeoutError:
        raise ProtocolFault("http.body_slow", seconds=timeout) from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise ProtocolFault("http.malformed", reason=str(error)[:200] or "the body was cut off") from None
    request[_BODY] = bytes(body)
    return request[_BODY]


async def read_object(request: web.Request, limit: int) -> dict[str, Any]:
    """The JSON object of a body; no body is an empty one. Raises ProtocolFault."""
    body = await read_body(request, limit)
    if not body.strip():
        return {}
    try:
        form = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProtocolFault("json.syntax", reason=str(error)) from None
    if not isinstance(form, dict):
        raise ProtocolFault("json.field", path="$", rule="is no object", value=repr(form)[:40])
    return form


def expect_json(request: web.Request, *, anonymous: bool) -> None:
    """Refuses a body that does not say it is JSON. Raises ProtocolFault; whoever shows nothing of himself is told of
    both: AuthenticationNeeded."""
    if request.content_type not in JSON_TYPES:
        named = request.headers.get("Content-Type", request.content_type)[:80]
        if anonymous:
            raise AuthenticationNeeded("authentication.and_media_type", media_type=named)
        raise ProtocolFault("http.media_type", media_type=named)


async def _invite(request: web.Request) -> None:
    """Tells a client that waits to be asked for its body to send it (RFC 9110, section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # The answer itself has not begun.
