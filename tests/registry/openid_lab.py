"""An OpenID provider of our own: it signs what it is told to, after checking the code and its verifier."""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "filament-node"
SECRET = "s3cret +:/ä"


@cache
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """`claims` of its next ID Token overlay the usual ones; None takes one out. `asked` counts requests by path."""

    def __init__(self) -> None:
        self.key = signing_key()
        self.key_id = "first"
        self.issuer = ""
        self.claims: dict[str, Any] = {}
        self.now = 0.0
        self.asked: dict[str, int] = {}
        self.keys: list[dict[str, Any]] | None = None
        self.algorithm, self.signs_with = "RS256", self.key
        self.is_away = False
        self.refuses = ""
        self.proves: list[str] | None = None  # How clients prove themselves; None: it does not say so.
        self._codes: dict[str, tuple[str, str, str]] = {}

    def code(self, nonce: str, verifier: str, redirect_uri: str = "http://127.0.0.1/") -> str:
        """What the browser brings back, after somebody logged in for this challenge."""
        code = secrets.token_urlsafe(8)
        self._codes[code] = nonce, _challenge(verifier), redirect_uri
        return code

    def id_token(self, nonce: str) -> str:
        usual = {
            "iss": self.issuer,
            "sub": "u-1",
            "aud": CLIENT,
            "iat": self.now,
            "exp": self.now + 300,
            "nonce": nonce,
        }
        claims = {name: said for name, said in (usual | self.claims).items() if said is not None}
        return jwt.encode(claims, self.signs_with, algorithm=self.algorithm, headers={"kid": self.key_id})

    def shown_keys(self) -> list[dict[str, Any]]:
        if self.keys is not None:
            return self.keys
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return [shown | {"kid": self.key_id, "use": "sig", "alg": "RS256"}]

    async def describe(self, request: web.Request) -> web.Response:
        self._count(request)
        if self.is_away:
            raise web.HTTPBadGateway
        places = {name: f"{self.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        said = {} if self.proves is None else {"token_endpoint_auth_methods_supported": self.proves}
        return web.json_response({"issuer": self.issuer} | places | said)

    async def keys_of(self, request: web.Request) -> web.Response:
        self._count(request)
        return web.json_response({"keys": self.shown_keys()})

    async def authorize(self, request: web.Request) -> web.Response:
        """Somebody logs in with a browser, who needs no password here; `refuses` says why he may not."""
        asked = request.query
        assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (CLIENT, "code", "S256")
        said = {"error": self.refuses}
        if not self.refuses:
            said = {"code": secrets.token_urlsafe(8), "iss": self.issuer}
            self._codes[said["code"]] = asked["nonce"], asked["code_challenge"], asked["redirect_uri"]
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(said | {'state': asked['state']})}")

    async def exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        nonce, challenge, redirect_uri = self._codes.pop(str(form["code"]), ("", "", ""))
        told = (form["client_id"], _challenge(str(form["code_verifier"])), form["redirect_uri"])
        if told != (CLIENT, challenge, redirect_uri) or not self._is_proved(request, form.get("client_secret")):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"id_token": self.id_token(nonce), "access_token": "x", "token_type": "Bearer"})

    def _is_proved(self, request: web.Request, secret: object) -> bool:
        if self.proves is not None and "client_secret_basic" not in self.proves:
            return secret == SECRET
        pair = f"{CLIENT}:{quote_plus(SECRET)}".encode()
        return secret is None and request.headers.get("Authorization") == "Basic " + base64.b64encode(pair).decode()

    def _count(self, request: web.Request) -> None:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1


@asynccontextmanager
async def open_provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.describe)
    app.router.add_get("/authorization_endpoint", provider.authorize)
    app.router.add_get("/jwks_uri", provider.keys_of)
    app.router.add_post("/token_endpoint", provider.exchange)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
