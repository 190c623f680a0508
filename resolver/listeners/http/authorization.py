"""Who asks over HTTP, and the challenge to whoever does not say (RFC 9110, section 11; the Handle API's own scheme).

A secret that was sent in the clear is no secret, so over plain HTTP every proof is passed over as if it were not
there. Behind a front that ends TLS, the front says what the client used, if it is one that is believed.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from registry.authentication import Administrator
from registry.credentials import basic_credentials
from registry.grants import SCOPES, Scope
from registry.handle_scheme import HandleScheme
from registry.limits import Allowance, digest_of
from registry.once import claim
from registry.shown_certificate import shown_certificate
from registry.sources import IpAddress, address_from_text, is_in, networks_from, source_of
from registry.tokens import SCHEME, Tokens
from resolver.listeners.http.parts import Parts

BASIC_CHALLENGE: Final = 'Basic realm="handle"'

READING: Final = frozenset({"GET", "HEAD"})
# Public values are public: a token that is good for something else is no reason to know less.
LOOKING: Final[tuple[Scope, ...]] = ("read", *(scope for scope in SCOPES if scope != "read"))

_FORWARDED: Final = ("X-Forwarded-Proto", "X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")


class Authorization:
    """Finds out who asks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._asks_for_certificates = bool(parts.settings.resolver.client_ca)
        self._plain_allowed = parts.settings.registry.plain_authentication
        self._trusted = networks_from(parts.settings.registry.trusted_proxies)
        self.handle = HandleScheme(parts.authenticator, parts.sessions, lambda: parts.node_key)
        self._schemes: Mapping[str, Callable[[web.Request, str], Awaitable[Administrator | None]]] = {
            "basic": self._by_password,
            "handle": self.handle.administrator,
        }
        self._tokens = Tokens(parts.resolver.store)

    def is_private(self, request: web.Request) -> bool:
        """Whether nobody between the client and us can read along."""
        if self.is_secure(request):
            return True
        # A front that nobody named stands on loopback too, but says whom it stands for.
        direct = not any(name in request.headers for name in _FORWARDED)
        peer = _peer(request)
        return self._plain_allowed and direct and peer is not None and peer.is_loopback and not self._is_front(request)

    def is_secure(self, request: web.Request) -> bool:
        """Whether the client asked over HTTPS: the node, or a front that is believed."""
        said = request.headers.get("X-Forwarded-Proto", "") if self._is_front(request) else ""
        return said.rpartition(",")[2].strip().lower() == "https" if said else _is_tls(request)

    def _is_front(self, request: web.Request) -> bool:
        return is_in(_peer(request), self._trusted)

    def is_anonymous(self, request: web.Request) -> bool:
        """Whether the request brings nothing that could say who asks."""
        return "Authorization" not in request.headers and self._certificate(request) is None

    def allowance(self, request: web.Request) -> Allowance | None:
        """What the client of a request may still ask for: whoever was known by what he shows, or his address."""
        limits = self._parts.metrics.tally.limits
        token = request.headers.get("Authorization")
        if token is not None and (known := limits.allowance_of_token(digest_of(token))) is not None:
            return known
        source = self._source(request) if self._is_front(request) else None
        return limits.allowance("http", request.remote or "" if source is None else str(source))

    async def administrator(self, request: web.Request, *scopes: Scope) -> Administrator | None:
        """Who asks; None for a stranger. Raises HandleError for a claim that does not hold.

        A token needs one of `scopes`: where none are named, `read` to look and `registry.write` for the rest.
        """
        if self.is_anonymous(request) or not self.is_private(request):
            return None
        perseverance = self._parts.resolver.store.perseverance
        by = await perseverance.make(lambda: self._found(request, *scopes), is_safe=True)
        if by is not None:
            if "Authorization" in request.headers:
                self._parts.metrics.tally.limits.vouch(digest_of(request.headers["Authorization"]))
            await claim(request, by)
        return by

    async def _found(self, request: web.Request, *scopes: Scope) -> Administrator | None:
        scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() == SCHEME:
            needed: tuple[Scope, ...] = scopes or (("read",) if request.method in READING else ("registry.write",))
            return await self._tokens.administrator(rest.strip(), self._source(request), *needed)
        if scheme:
            read = self._schemes.get(scheme.lower())
            return None if read is None else await read(request, rest)
        certificate = self._certificate(request)
        return None if certificate is None else await self._parts.authenticator.by_certificate(certificate)

    async def _by_password(self, _request: web.Request, rest: str) -> Administrator:
        identity, password = basic_credentials(rest)
        return await self._parts.authenticator.by_password(identity, password)

    def _source(self, request: web.Request) -> IpAddress | None:
        return source_of(request.remote, request.headers.get("X-Forwarded-For", ""), self._trusted)

    def _certificate(self, request: web.Request) -> bytes | None:
        """The certificate that this client, and not a front of ours, showed in its handshake."""
        return shown_certificate(request, self._trusted) if self._asks_for_certificates else None


def _peer(request: web.Request) -> IpAddress | None:
    return address_from_text(request.remote)


def _is_tls(request: web.Request) -> bool:
    return request.transport is not None and request.transport.get_extra_info("sslcontext") is not None
