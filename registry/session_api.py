"""/api/sessions at the registry: the challenge of the Handle API opened, answered, shown and ended.

A machine that holds a key proves it once and names its session from then on. A wrong answer is refused and leaves the
challenge open until its time is over.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import JSON, REFUSED, form_of, octets_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import AuthenticationNeeded
from registry.handle_scheme import HandleScheme, cnonce_of, header_fields, session_form
from registry.routes import Route
from registry.sessions import Session, Sessions

THIS: Final = "/api/sessions/this"
MAX_PROOF: Final = 16 << 10  # Octets of an answer; a signature of the longest key that is read has some 3,000.

_SESSION: Final = {
    "type": "object",
    "required": ["sessionId", "nonce"],
    "properties": {name: {"type": "string"} for name in ("sessionId", "nonce", "id", "serverAlg", "serverSignature")},
}


class OpeningForm(msgspec.Struct):
    """A nonce of the client's, in base64, over which the server is to prove itself."""

    cnonce: str | None = None


class SessionHandlers:
    """Handlers of /api/sessions. None is there over plain HTTP."""

    def __init__(self, callers: Callers, sessions: Sessions, handle: HandleScheme) -> None:
        self._callers = callers
        self._sessions = sessions
        self._handle = handle

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                *("POST", "/api/sessions", self.open, "openSession", "Open a challenge.", "获取质询。"),
                (LANGUAGE_PARAMETER,),
                request={JSON: OpeningForm},
                body_required=False,
                responses=REFUSED | {201: JSON},
                answers={201: _SESSION},
                on_terms=False,  # A challenge that is told a second time is none.
            ),
            Route(
                *("PUT", THIS, self.answer, "answerChallenge", "Prove an identity.", "应答质询。"),
                (LANGUAGE_PARAMETER,),
                request={JSON: {"type": "object"}},
                body_required=False,
                responses=REFUSED | {200: JSON},
                answers={200: _SESSION},
                authenticated=True,
                on_terms=False,
            ),
            Route(
                *("GET", THIS, self.show, "showSession", "Show the session.", "查看会话。"),
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {200: JSON},
                answers={200: _SESSION},
                authenticated=True,
            ),
            Route(
                *("DELETE", THIS, self.end, "endSession", "End the session.", "结束会话。"),
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {204: ""},
                authenticated=True,
                on_terms=False,
            ),
        )

    async def open(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._callers.check_hidden(request)
        octets = await octets_of(request, MAX_PROOF)
        form = form_of(octets, OpeningForm) if octets else OpeningForm()
        cnonce = None if form.cnonce is None else cnonce_of({"cnonce": form.cnonce})
        session = await self._sessions.open()
        told = session_form(session, None)
        if cnonce is not None:
            told |= self._handle.server_proof(session, cnonce)
        return asked.json_answer(told, HTTPStatus.CREATED)

    async def answer(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        octets = await octets_of(request, MAX_PROOF)
        fields = header_fields(request) | (form_of(octets, dict[str, Any]) if octets else {})
        session = await self._named(request, fields)
        return asked.json_answer(session_form(session, str(await self._handle.prove(session, fields))))

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        session = await self._named(request, header_fields(request))
        return asked.json_answer(session_form(session, session.identity))

    async def end(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        session = await self._named(request, header_fields(request))
        await self._sessions.end(session.session_id)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _named(self, request: web.Request, fields: Mapping[str, Any]) -> Session:
        self._callers.check_hidden(request)
        if "sessionId" not in fields:
            raise AuthenticationNeeded("authentication.needed")
        return await self._handle.session(fields)
