"""Who asks, over HTTP: the connection that may carry a secret, and who sent one, a key or a token (RFC 7617, 6750)."""

from typing import Final

from aiohttp import web

from registry.authentication import Administrator, Authenticator
from registry.credentials import basic_credentials
from registry.errors import AuthenticationFailed, AuthenticationNeeded
from registry.grants import Scope
from registry.once import claim
from registry.settings import RegistrySettings
from registry.sources import IpAddress, address_from_text, is_in, networks_from, source_of
from registry.tokens import SCHEME, Tokens

CHALLENGE: Final = 'Basic realm="handle", charset="UTF-8"'
READING: Final = frozenset({"GET", "HEAD"})


class Callers:
    """Finds out who sent a request."""

    def __init__(self, authenticator: Authenticator, tokens: Tokens, settings: RegistrySettings) -> None:
        self._authenticator = authenticator
        self._tokens = tokens
        self._plain = settings.plain_authentication
        self._fronts = networks_from(settings.trusted_proxies)

    async def administrator(self, request: web.Request, *scopes: Scope) -> Administrator:
        """Raises AuthenticationNeeded for a stranger, and what Authenticator.by_password and Tokens raise.

        A token needs one of `scopes`: where none are named, `read` to look and `registry.write` for the rest.
        """
        header = request.headers.get("Authorization", "")
        self.check_hidden(request)
        if not header:
            raise AuthenticationNeeded("authentication.needed")
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == SCHEME:
            needed: tuple[Scope, ...] = scopes or (("read",) if request.method in READING else ("registry.write",))
            by = await self._tokens.administrator(rest.strip(), self.source(request), *needed)
            await claim(request, by)
            return by
        if scheme.lower() != "basic":
            raise AuthenticationNeeded(
                "authentication.malformed", reason=f"scheme {scheme[:20]!r} is neither Basic nor Bearer"
            )
        identity, password = basic_credentials(rest)
        by = await self._authenticator.by_password(identity, password)
        await claim(request, by)
        return by

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
