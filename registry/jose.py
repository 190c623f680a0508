"""Signed statements: JSON Web Signatures with Ed25519 (RFC 7515; RFC 8037), whole or apart from what they sign; or with
SM2 and SM3, for which no name is registered: their algorithm is called by its national object identifier.

A signature covers the octets of a payload and of its header, so whoever alters one octet of either is found out. A key
is named by its thumbprint (RFC 7638), which nobody can give to another key.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.errors import HandleError
from registry.national import is_signed_by_point

ALGORITHM: Final = "EdDSA"
CURVE: Final = "Ed25519"
# "… or be a value that contains a Collision-Resistant Name" (RFC 7515, section 4.1.1): SM2 with SM3 (GM/T 0006).
SM2_ALGORITHM: Final = "urn:oid:1.2.156.10197.1.501"
SM2_CURVE: Final = "SM2"  # As JSON Web Keys of the book have it (`data_forms`).
SM2_POINT: Final = 64  # Octets; a key of Ed25519 has 32.
MEDIA_TYPE: Final = "application/jose+json"  # RFC 7515, section 9.2.1.
# What a statement is, in its header: nobody can pass one kind off as another (RFC 8725, section 3.11).
ANSWER: Final = "filament-answer"
BUNDLE: Final = "filament-bundle"
ROOT: Final = "filament-root"


class NotVerified(HandleError):
    """What was given is no statement that one of the keys signed."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public half of a signing key, and from when on nothing is signed with it."""

    key_id: str
    public: bytes
    retired_at: datetime | None = None

    @property
    def algorithm(self) -> str:
        return SM2_ALGORITHM if len(self.public) == SM2_POINT else ALGORITHM


class SigningKey(Protocol):
    """The private half."""

    def sign(self, message: bytes, /) -> bytes: ...


class _Flattened(msgspec.Struct):
    payload: str
    protected: str
    signature: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A payload with its signature; `protected` is the signed header, encoded as it was signed."""

    payload: bytes
    protected: str
    signature: str

    @property
    def detached(self) -> str:
        """The signature for a payload that travels beside it (RFC 7515, appendix F)."""
        return f"{self.protected}..{self.signature}"

    def to_json(self) -> bytes:
        """The flattened JSON serialization, one document (RFC 7515, section 7.2.2)."""
        form = {"payload": base64url(self.payload), "protected": self.protected, "signature": self.signature}
        return orjson.dumps(form)

    @classmethod
    def from_json(cls, document: bytes | str) -> "Signed":
        """Raises NotVerified."""
        try:
            form = msgspec.json.decode(document, type=_Flattened)
            return cls(octets_of(form.payload), form.protected, form.signature)
        except (msgspec.MsgspecError, ValueError) as error:
            raise NotVerified("signed.form", reason=str(error)[:200]) from None

    @classmethod
    def from_detached(cls, text: str, payload: bytes) -> "Signed":
        """Raises NotVerified."""
        parts = text.strip().split(".")
        if len(parts) != 3 or parts[1]:
            raise NotVerified("signed.form", reason="a detached signature is written header..signature")
        return cls(payload, parts[0], parts[2])

    def header(self) -> dict[str, Any]:
        """What the header says, whoever wrote it. Raises NotVerified."""
        try:
            header = orjson.loads(octets_of(self.protected))
        except ValueError as error:
            raise NotVerified("signed.form", reason=str(error)[:200]) from None
        if not isinstance(header, dict):
            raise NotVerified("signed.form", reason="the header is no object")
        return header


def sign(
    key: SigningKey, key_id: str, kind: str, payload: bytes, header: Mapping[str, Any], algorithm: str = ALGORITHM
) -> Signed:
    """`header` says at least when, as `iat`."""
    protected = base64url(orjson.dumps({"alg": algorithm, "kid": key_id, "typ": kind, **header}))
    return Signed(payload, protected, base64url(key.sign(_covered(protected, payload))))


def verify(signed: Signed, keys: Mapping[str, PublishedKey], kind: str, now: float) -> dict[str, Any]:
    """The header of a statement of this kind that one of these keys signed while it was in use, and that is still
    valid. Raises NotVerified, and UnableToAuthenticate for SM2 where the extra `gm` is not installed."""
    header = signed.header()
    algorithm = str(header.get("alg"))
    # "crit": what must be understood is refused, since nothing here is (RFC 7515, section 4.1.11).
    if algorithm not in _VERIFIERS or "crit" in header:
        raise NotVerified("signed.algorithm", algorithm=algorithm[:40])
    key = keys.get(str(header.get("kid")))
    if key is None or key.algorithm != algorithm:
        raise NotVerified("signed.key", key=str(header.get("kid"))[:100])
    try:
        signature = octets_of(signed.signature)
    except ValueError:
        raise NotVerified("signed.altered") from None
    if not _VERIFIERS[algorithm](key.public, _covered(signed.protected, signed.payload), signature):
        raise NotVerified("signed.altered")
    _check_header(header, key, kind, now)
    return header


def _is_signed_by_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


_JWK_MEMBERS: Final = {("OKP", CURVE): ("x",), ("EC", SM2_CURVE): ("x", "y")}
_VERIFIERS: Final = {ALGORITHM: _is_signed_by_ed25519, SM2_ALGORITHM: is_signed_by_point}


def _check_header(header: Mapping[str, Any], key: PublishedKey, kind: str, now: float) -> None:
    made_at, expires = header.get("iat"), header.get("exp")
    if header.get("typ") != kind:
        raise NotVerified("signed.kind", kind=str(header.get("typ"))[:40], expected=kind)
    if type(made_at) is not int or (expires is not None and type(expires) is not int):
        raise NotVerified("signed.form", reason="the header does not say when")
    if key.retired_at is not None and made_at > key.retired_at.timestamp():
        raise NotVerified("signed.retired", key=key.key_id)
    if expires is not None and now >= expires:
        raise NotVerified("signed.expired", until=datetime.fromtimestamp(expires, UTC).isoformat(" "))


def jwk_of(public: bytes) -> dict[str, str]:
    """A public key as a JSON Web Key, with the members of its thumbprint in their order (RFC 7638, section 3.2)."""
    if len(public) == SM2_POINT:
        half = SM2_POINT // 2
        return {"crv": SM2_CURVE, "kty": "EC", "x": base64url(public[:half]), "y": base64url(public[half:])}
    return {"crv": CURVE, "kty": "OKP", "x": base64url(public)}


def public_of_jwk(jwk: Mapping[str, Any]) -> bytes | None:
    """The public key that a JSON Web Key is; None for one of another kind. Raises ValueError and KeyError."""
    kind = (jwk.get("kty"), jwk.get("crv"))
    if kind not in _JWK_MEMBERS:
        return None
    parts = [octets_of(str(jwk[member])) for member in _JWK_MEMBERS[kind]]
    if any(len(part) != SM2_POINT // 2 for part in parts):
        raise ValueError("a key of another length")
    return b"".join(parts)


def thumbprint(public: bytes) -> str:
    return base64url(hashlib.sha256(orjson.dumps(jwk_of(public))).digest())


def public_octets(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def octets_of(text: str) -> bytes:
    """Of base64url without padding, in the one form that its octets have. Raises ValueError."""
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if base64url(octets) != text:  # Else a bit could be altered that nothing is decoded from.
        raise ValueError("base64url with bits behind its end")
    return octets


def _covered(protected: str, payload: bytes) -> bytes:
    return f"{protected}.{base64url(payload)}".encode()
