"""The Handle API's own scheme of authentication over HTTP: a challenge, and the session that it becomes once answered.

`Authorization: Handle sessionId="…"` names a session that was proved before; with the parameters of a proof it answers
the challenge in the same request. A client that sends a `cnonce` has the server prove itself over it.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.authentication import Administrator, Authenticator
from registry.credentials import handle_parameters, proof_from_fields
from registry.errors import AuthenticationNeeded, ProtocolFault
from registry.sessions import Session, Sessions

SERVER_ALGORITHM: Final = "SHA-256"
MAX_CNONCE: Final = 1024  # Octets of a client's nonce; clients send 16.

_SESSION: Final = web.RequestKey("session", Session)  # One that has proved nobody yet.
_CNONCE: Final = web.RequestKey("cnonce", bytes)  # The client's nonce, which the server is to prove itself over.


class UnknownSession(AuthenticationNeeded):
    """A session that ended, or never was: the client gets a new challenge."""


class HandleScheme:
    """Opens challenges and takes their answers. `node_key` is asked for when the server is to prove itself."""

    def __init__(self, authenticator: Authenticator, sessions: Sessions, node_key: Callable[[], RSAPrivateKey]) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._node_key = node_key

    async def administrator(self, request: web.Request, rest: str) -> Administrator | None:
        """Who the words behind "Handle" prove; None where they only begin. Raises HandleError, UnknownSession."""
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

    async def challenge(self, request: web.Request) -> str:
        """What a stranger may prove himself over, as WWW-Authenticate says it. Raises DATABASE_AWAY, ServerBusy."""
        session = request.get(_SESSION) or await self._sessions.open()
        challenge = f'Handle sessionId="{session.session_id}", nonce="{to_base64(session.nonce)}"'
        cnonce = request.get(_CNONCE)
        if cnonce is not None:
            proof = self.server_proof(session, cnonce)
            challenge += "".join(f', {name}="{text}"' for name, text in proof.items())
        return challenge

    def server_proof(self, session: Session, cnonce: bytes) -> dict[str, str]:
        """The server's own proof: it holds the private key of the site record."""
        signature = self._node_key().sign(session.nonce + cnonce, padding.PKCS1v15(), hashes.SHA256())
        return {"serverAlg": SERVER_ALGORITHM, "serverSignature": to_base64(signature)}

    async def prove(self, session: Session, fields: Mapping[str, Any]) -> Administrator:
        """Makes a session that of whoever answers its challenge. Raises HandleError."""
        administrator = await self._authenticator.by_proof(proof_from_fields(fields), session.nonce)
        if not await self._sessions.authenticate(session.session_id, str(administrator)):
            raise UnknownSession("authentication.needed")
        return administrator

    async def session(self, fields: Mapping[str, Any]) -> Session:
        """The session that these fields name. Raises UnknownSession."""
        name = fields.get("sessionId")
        session = await self._sessions.find(name) if isinstance(name, str) else None
        if session is None:
            raise UnknownSession("authentication.needed")
        return session


def header_fields(request: web.Request) -> dict[str, str]:
    """The parameters of the request's own "Handle" header. Raises ProtocolFault."""
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    return handle_parameters(rest) if scheme.lower() == "handle" else {}


def session_form(session: Session, identity: str | None) -> dict[str, Any]:
    """A session as its client is told of it."""
    form: dict[str, Any] = {"sessionId": session.session_id, "nonce": to_base64(session.nonce)}
    if identity is not None:
        form |= {"authenticated": True, "id": identity}
    return form


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


def to_base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
