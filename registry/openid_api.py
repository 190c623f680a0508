"""Logging in at an OpenID provider: the authorisation code flow with PKCE (RFC 6749, section 4.1; RFC 7636; RFC 8252).

The client, a program on the person's machine or a page, asks here where to go and for a nonce, sends the browser there
with a code challenge of its own, and brings back the code with its verifier. The code is exchanged here, so that no
client ever holds the node's secret, and answered as a password is: with a token for a shift.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import JSON, REFUSED, body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.openid import Exchange, OpenIdProvider
from registry.openid_people import OpenIdPeople
from registry.people_api import LoggedInForm, logged_in
from registry.routes import Route

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class BegunForm(msgspec.Struct):
    """Where to send the browser, and what to send with it."""

    issuer: str
    authorization_endpoint: str
    client_id: str
    nonce: str
    scope: str = "openid profile email"
    response_type: str = "code"
    code_challenge_method: str = "S256"


class CodeForm(msgspec.Struct):
    """What the browser came back with. A verifier is as RFC 7636, section 4.1, has it."""

    code: _Text
    code_verifier: Annotated[str, msgspec.Meta(min_length=43, max_length=128, pattern="^[A-Za-z0-9._~-]+$")]
    redirect_uri: _Text
    nonce: _Text

    def __repr__(self) -> str:
        return "CodeForm()"


class OpenIdHandlers:
    """Handlers of /api/login/openid."""

    def __init__(self, callers: Callers, provider: OpenIdProvider, people: OpenIdPeople) -> None:
        self._callers = callers
        self._provider = provider
        self._people = people

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                *("POST", "/api/login/openid", self.begin, "beginOpenIdLogIn"),
                *("Begin to log in at the OpenID provider.", "开始通过 OpenID 提供方登录。"),
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {201: JSON},
                answers={201: BegunForm},
                on_terms=False,  # A nonce that is told a second time is none.
            ),
            Route(
                *("POST", "/api/login/openid/code", self.finish, "finishOpenIdLogIn"),
                *("Log in with the code of the OpenID provider, for a token.", "以 OpenID 授权码登录，换取令牌。"),
                (LANGUAGE_PARAMETER,),
                request={JSON: CodeForm},
                responses=REFUSED | {200: JSON},
                answers={200: LoggedInForm},
                on_terms=False,  # A code is good once, whatever becomes of the request.
            ),
        )

    async def begin(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._callers.check_hidden(request)
        endpoints = await self._provider.endpoints()
        nonce = await self._people.nonce()
        form = BegunForm(self._provider.issuer, endpoints.authorization_endpoint, self._provider.client, nonce)
        return asked.json_answer(msgspec.to_builtins(form), HTTPStatus.CREATED)

    async def finish(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._callers.check_hidden(request)
        form = await body_of(request, CodeForm)
        exchange = Exchange(form.code, form.code_verifier, form.redirect_uri)
        return asked.json_answer(logged_in(*await self._people.log_in(exchange, form.nonce)))
