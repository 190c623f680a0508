"""/api/sessions: a challenge opened, answered, and ended. Over plain HTTP there are none.

These answers have a form of their own, without responseCode. A wrong answer to the challenge says so in `error` and
changes nothing, not even for a session that somebody has proved already.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from registry.authentication import Administrator
from registry.errors import HandleError, ProtocolFault, ServerBusy
from registry.handle_scheme import UnknownSession, cnonce_of, header_fields, session_form
from registry.language import preferred
from registry.sessions import Session
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.body import read_object
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import BASE_HEADERS, json_response

THIS: Final = "/api/sessions/this"

_PRIVATE: Final = {"Cache-Control": "no-store"}


class SessionApi:
    """Answers for sessions."""

    def __init__(self, parts: Parts, authorization: Authorization) -> None:
        self._sessions = parts.sessions
        self._authorization = authorization
        self._max_body = parts.settings.resolver.request_octets

    async def open(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        """A new challenge, or a session for whoever proves himself with this very request."""
        if not self._authorization.is_private(request):
            return _forbidden()
        fields = await read_object(request, self._max_body)
        cnonce = cnonce_of(fields) if "cnonce" in fields else None
        by = await self._authorization.administrator(request)
        if by is not None and by.grant is not None:
            raise ProtocolFault("token.no_session")  # It would last longer than the token, and be good for more.
        session = await self._sessions.open(None if by is None else str(by))
        form = session_form(session, session.identity)
        if cnonce is not None:
            form |= self._authorization.handle.server_proof(session, cnonce)
        return json_response(request, form, 201, {**_PRIVATE, "Location": THIS})

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        session = await self._find(request, {})
        if session is None:
            return _forbidden()
        return json_response(request, session_form(session, session.identity), headers=_PRIVATE)

    async def answer(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        if not self._authorization.is_private(request):
            return _forbidden()
        fields = await read_object(request, self._max_body)
        session = await self._find(request, fields)
        if session is None:
            return _forbidden()
        identity, error = session.identity, None
        try:
            identity = str(await self._prove(request, session, fields))
        except ServerBusy:
            raise
        except HandleError as refused:
            error = refused.text(preferred(request.headers.get("Accept-Language")))
        form = session_form(session, identity)
        if error is not None:
            form["error"] = error
        return json_response(request, form, headers=_PRIVATE)

    async def end(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        session = await self._find(request, {})
        if session is None:
            return _forbidden()
        await self._sessions.end(session.session_id)
        return web.Response(status=204, headers=BASE_HEADERS)

    async def _prove(self, request: web.Request, session: Session, fields: Mapping[str, Any]) -> Administrator:
        return await self._authorization.handle.prove(session, {**header_fields(request), **fields})

    async def _find(self, request: web.Request, fields: Mapping[str, Any]) -> Session | None:
        """The session that the request names, in its body or its Authorization header."""
        if not self._authorization.is_private(request):
            return None
        try:
            return await self._authorization.handle.session({**header_fields(request), **fields})
        except UnknownSession:
            return None


def _forbidden() -> web.Response:
    return web.Response(status=403, headers={**BASE_HEADERS, **_PRIVATE})
