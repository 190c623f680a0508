"""Who asks over HTTP, and the challenge to whoever does not say (RFC 9110, section 11; the Handle API's own scheme).

A secret that was sent in the clear is no secret, so over plain HTTP every proof is passed over as if it were not
there. Behind a front that ends TLS, the front says what the client used, if it is one that is believed.
"""

import base64
import binascii
import hashlib
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from registry.authentication import Administrator
from registry.credentials import basic_credentials, handle_parameters, proof_from_fields
from registry.errors import AuthenticationNeeded, ProtocolFault
from registry.grants import SCOPES, Scope
from registry.once import claim
from registry.sessions import Session
from registry.sources import IpAddress, address_from_text, source_of
from registry.tokens import SCHEME, Tokens
from resolver.limits import Allowance
from resolver.listeners.http.parts import Parts

BASIC_CHALLENGE: Final = 'Basic realm="handle"'
SERVER_ALGORITHM: Final = "SHA-256"
MAX_CNONCE: Final = 1024  # Octets of a client's nonce; clients send 16.

READING: Final = frozenset({"GET", "HEAD"})
# Public values are public: a token that is good for something else is no reason to know less.
LOOKING: Final[tuple[Scope, ...]] = ("read", *(scope for scope in SCOPES if scope != "read"))

_FORWARDED: Final = ("X-Forwarded-Proto", "X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")
_SESSION: Final = web.RequestKey("session", Session)  # One that has proved nobody yet.
_CNONCE: Final = web.RequestKey("cnonce", bytes)  # The client's nonce, which the server is to prove itself over.


class UnknownSession(AuthenticationNeeded):
    """A session that ended, or never was: the client gets a new challenge."""


class Authorization:
    """Finds out who asks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._asks_for_certificates = bool(parts.settings.resolver.client_ca)
        self._plain_allowed = parts.settings.registry.plain_authentication
        self._trusted = [ipaddress.ip_network(text, strict=False) for text in parts.settings.registry.trusted_proxies]
        self._schemes: Mapping[str, Callable[[web.Request, str], Awaitable[Administrator | None]]] = {
            "basic": self._by_password,
            "handle": self._by_session,
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
        peer = _peer(request)
        return peer is not None and any(peer in network for network in self._trusted)

    def is_anonymous(self, request: web.Request) -> bool:
        """Whether the request brings nothing that could say who asks."""
        return "Authorization" not in request.headers and self._certificate(request) is None

    def allowance(self, request: web.Request) -> Allowance | None:
        """What the client of a request may still ask for: whoever was known by what he shows, or his address."""
        limits = self._parts.metrics.tally.limits
        token = request.headers.get("Authorization")
        if token is not None and (known := limits.allowance_of_token(_digest(token))) is not None:
            return known
        source = self._source(request) if self._is_front(request) else None
        return limits.allowance("http", request.remote or "" if source is None else str(source))

    async def administrator(self, request: web.Request, *scopes: Scope) -> Administrator | None:
        """Who asks; None for a stranger. Raises HandleError for a claim that does not hold.

        A token needs one of `scopes`: where none are named, `read` to look and `registry.write` for the rest.
        """
        by = await self._found(request, *scopes)
        if by is not None:
            if "Authorization" in request.headers:
                self._parts.metrics.tally.limits.vouch(_digest(request.headers["Authorization"]))
            await claim(request, by)
        return by

    async def _found(self, request: web.Request, *scopes: Scope) -> Administrator | None:
        if self.is_anonymous(request) or not self.is_private(request):
            return None
        scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() == SCHEME:
            needed: tuple[Scope, ...] = scopes or (("read",) if request.method in READING else ("registry.write",))
            return await self._tokens.administrator(rest.strip(), self._source(request), *needed)
        if scheme:
            read = self._schemes.get(scheme.lower())
            return None if read is None else await read(request, rest)
        certificate = self._certificate(request)
        return None if certificate is None else await self._parts.authenticator.by_certificate(certificate)

    async def challenge(self, request: web.Request) -> str:
        """What a stranger may prove himself over, as WWW-Authenticate says it. Raises DATABASE_AWAY, ServerBusy."""
        session = request.get(_SESSION) or await self._parts.sessions.open()
        challenge = f'Handle sessionId="{session.session_id}", nonce="{to_base64(session.nonce)}"'
        cnonce = request.get(_CNONCE)
        if cnonce is not None:
            proof = self.server_proof(session, cnonce)
            challenge += "".join(f', {name}="{text}"' for name, text in proof.items())
        return challenge

    def server_proof(self, session: Session, cnonce: bytes) -> dict[str, str]:
        """The server's own proof: it holds the private key of the site record."""
        signature = self._parts.node_key.sign(session.nonce + cnonce, padding.PKCS1v15(), hashes.SHA256())
        return {"serverAlg": SERVER_ALGORITHM, "serverSignature": to_base64(signature)}

    async def prove(self, session: Session, fields: Mapping[str, Any]) -> Administrator:
        """Makes a session that of whoever answers its challenge. Raises HandleError."""
        administrator = await self._parts.authenticator.by_proof(proof_from_fields(fields), session.nonce)
        if not await self._parts.sessions.authenticate(session.session_id, str(administrator)):
            raise UnknownSession("authentication.needed")
        return administrator

    async def session(self, fields: Mapping[str, Any]) -> Session:
        """The session that these fields name. Raises UnknownSession."""
        name = fields.get("sessionId")
        session = await self._parts.sessions.find(name) if isinstance(name, str) else None
        if session is None:
            raise UnknownSession("authentication.needed")
        return session

    async def _by_password(self, _request: web.Request, rest: str) -> Administrator:
        identity, password = basic_credentials(rest)
        return await self._parts.authenticator.by_password(identity, password)

    async def _by_session(self, request: web.Request, rest: str) -> Administrator | None:
        fields = handle_parameters(rest)
        if "sessionId" not in fields:
            if "cnonce" in fields:
                request[_CNONCE] = cnonce_of(fields)
            return None
        session = await self.session(fields)
        if "signature" in fields:
            return await self.prove(session, fields)
        if session.identity is not None:
            return Administrator.from_text(session.identity)
        request[_SESSION] = session
        return None

    def _source(self, request: web.Request) -> IpAddress | None:
        return source_of(request.remote, request.headers.get("X-Forwarded-For", ""), self._trusted)

    def _certificate(self, request: web.Request) -> bytes | None:
        """The certificate that this client, and not a front of ours, showed in its handshake."""
        if not self._asks_for_certificates or request.transport is None:
            return None
        tls = request.transport.get_extra_info("ssl_object")
        peer = _peer(request)
        if not isinstance(tls, ssl.SSLObject | ssl.SSLSocket) or peer is None:
            return None
        fronted = any(peer in network for network in self._trusted)
        return None if fronted else tls.getpeercert(binary_form=True)


def cnonce_of(fields: Mapping[str, Any]) -> bytes:
    """The client's nonce. Raises ProtocolFault."""
    text = fields.get("cnonce")
    try:
        cnonce = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        cnonce = b""
    if not 0 < len(cnonce) <= MAX_CNONCE:
        raise ProtocolFault("authentication.malformed", reason="cnonce is not base64")
    return cnonce


def _digest(proof: str) -> bytes:
    return hashlib.blake2b(proof.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _peer(request: web.Request) -> IpAddress | None:
    return address_from_text(request.remote)


def _is_tls(request: web.Request) -> bool:
    return request.transport is not None and request.transport.get_extra_info("sslcontext") is not None


def to_base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
