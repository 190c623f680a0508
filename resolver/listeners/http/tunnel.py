"""Messages of the native protocol in HTTP requests, for networks that let nothing else through.

The path is decoration, the body decides. An answer of several messages is one body, with its length in front: the
reference client reads no chunked answers.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from registry.errors import ProtocolFault
from registry.routes import Route
from resolver.conversation import Conversation
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.body import read_body
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import BASE_HEADERS, refusal
from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/x-hdl-message"
_HEADERS: Final = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **BASE_HEADERS}


class Tunnel:
    """Answers a message in a request with messages in its response."""

    def __init__(self, parts: Parts, authorization: Authorization) -> None:
        self._operations = parts.operations
        self._counts = parts.metrics.counts
        self._authorization = authorization

    async def serve(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        if request.content_type != MEDIA_TYPE:
            response = refusal(request, ProtocolFault("http.media_type", media_type=request.content_type[:80]))
            response.set_status(415)
            return response
        octets = await read_body(request, ENVELOPE + MAX_MESSAGE)
        answers = await self._answers(request, octets)
        return web.Response(body=b"".join([answer.to_wire() for answer in answers]), headers=_HEADERS)

    async def _answers(self, request: web.Request, octets: bytes) -> Sequence[Message | SealedMessage]:
        try:
            message = message_from_wire(octets)
        except ProtocolError as error:
            log.debug("no message of the native protocol: %s", error)
            refused = self._operations.refuse(error)
            if refused is None:
                raise ProtocolFault("http.malformed", reason=str(error)) from None
            return (refused,)
        self._counts.native_http += 1
        if not isinstance(message, SealedMessage):
            answer = self._operations.respond_now(message, "http", request.remote or "")
            if answer is not None:
                return (answer,)
        conversation = Conversation("http", request.remote or "", secure=self._authorization.is_private(request))
        return await self._operations.respond(message, conversation)


def routes(parts: Parts, authorization: Authorization) -> tuple[Route, ...]:
    tunnel = Tunnel(parts, authorization)
    return tuple(
        Route(
            *("POST", path, tunnel.serve, f"tunnel{name}"),
            *("A message of the native protocol.", "原生协议消息。"),
            request={MEDIA_TYPE: {"type": "string", "format": "binary"}},
            responses={200: MEDIA_TYPE, 400: "application/json", 415: "application/json"},
            documented=False,
        )
        for path, name in (("/{handle}", ""), ("/", "AtRoot"))
    )
