"""Who asks, over HTTP: the connection that may carry a secret, and who sent one, a key or a token (RFC 7617, 6750), or
proved a key without sending it: with a client certificate (RFC 8446), or by the challenge of the Handle API."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from registry.authentication import Administrator, Authenticator
from registry.credentials import basic_credentials
from registry.errors import AuthenticationFailed, AuthenticationNeeded
from registry.grants import Scope
from registry.handle_scheme import HandleScheme
from registry.limits import Limits, digest_of
from registry.once import claim
from registry.settings import RegistrySettings
from registry.shown_certificate import shown_certificate
from registry.sources import IpAddress, address_from_text, is_in, networks_from, source_of
from registry.tokens import SCHEME, Tokens

CHALLENGE: Final = 'Basic realm="handle", charset="UTF-8"'
READING: Final = frozenset({"GET", "HEAD"})


class Callers:
    """Finds out who sent a request."""

    def __init__(
        self, authenticator: Authenticator, tokens: Tokens, settings: RegistrySettings, handle: HandleScheme
    ) -> None:
        self._authenticator = authenticator
        self._tokens = tokens
        self._plain = settings.plain_authentication
        self._asks_for_certificates = bool(settings.client_ca)
        self._fronts = networks_from(settings.trusted_proxies)
        self._limits = Limits(fronts=self._fronts)
        self.limit(settings)
        self._by_scheme: Mapping[str, Callable[[web.Request, str], Awaitable[Administrator | None]]] = {
            "basic": self._by_password,
            "handle": handle.administrator,
        }

    def limit(self, settings: RegistrySettings) -> None:
        """The limits of these settings from now on."""
        self._limits.limit(client=settings.client_rate, prefix=0, enterprise=0, exempt=settings.unlimited_clients)

    def count(self, request: web.Request) -> None:
        """Counts a request for whoever was known by what it shows, or for its address. Raises TooManyRequests."""
        proof = request.headers.get("Authorization")
        known = None if proof is None else self._limits.allowance_of_token(digest_of(proof))
        allowance = known or self._limits.allowance("http", str(self.source(request) or ""))
        if allowance is not None and (excess := allowance.client_excess()) is not None:
            raise excess.error()

    async def administrator(self, request: web.Request, *scopes: Scope) -> Administrator:
        """Raises AuthenticationNeeded for a stranger, and what Authenticator, HandleScheme and Tokens raise.

        A token needs one of `scopes`: where none are named, `read` to look and `registry.write` for the rest.
        """
        self.check_hidden(request)
        by = await self._proved(request, scopes)
        if by is None:
            raise AuthenticationNeeded("authentication.needed")
        if "Authorization" in request.headers:
            self._limits.vouch(digest_of(request.headers["Authorization"]))
        await claim(request, by)
        return by

    async def _proved(self, request: web.Request, scopes: tuple[Scope, ...]) -> Administrator | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return await self._by_certificate(request)
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == SCHEME:
            needed: tuple[Scope, ...] = scopes or (("read",) if request.method in READING else ("registry.write",))
            return await self._tokens.administrator(rest.strip(), self.source(request), *needed)
        prove = self._by_scheme.get(scheme.lower())
        if prove is None:
            raise AuthenticationNeeded(
                "authentication.malformed", reason=f"scheme {scheme[:20]!r} is none of Basic, Bearer and Handle"
            )
        return await prove(request, rest)

    async def _by_password(self, _: web.Request, rest: str) -> Administrator:
        identity, password = basic_credentials(rest)
        return await self._authenticator.by_password(identity, password)

    async def _by_certificate(self, request: web.Request) -> Administrator | None:
        shown = shown_certificate(request, self._fronts) if self._asks_for_certificates else None
        return None if shown is None else await self._authenticator.by_certificate(shown)

    def check_hidden(self, request: web.Request) -> None:
        """Refuses a connection on which somebody else could read a secret. Raises AuthenticationFailed."""
        remote = address_from_text(request.remote)
        if is_in(remote, self._fronts):
            is_hidden = request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
        else:
            is_hidden = request.secure or (self._plain and remote is not None and remote.is_loopback)
        if not is_hidden:
            raise AuthenticationFailed("authentication.plain_http")

    def source(self, request: web.Request) -> IpAddress | None:
        return source_of(request.remote, request.headers.get("X-Forwarded-For", ""), self._fronts)
