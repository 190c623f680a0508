"""What HS_SIGNATURE and HS_CERT values say: signed claims about a handle, as a JSON Web Signature (RFC 7515).

A signature claims what values its handle has, by their digests. A certificate claims whose key a public key is, and
about which handles that key may speak. Both name their issuer, and the certificates that lead from it to a root. Here
they are read and held to their form; whether they are true is for `registry.trust` to say.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from registry.data_forms import key_from_json
from registry.errors import InvalidHandle, InvalidValue
from registry.handle import NAMING_AUTHORITY, Handle
from registry.keys import PublicKey
from registry.value import HandleValue, type_matches

SIGNATURE: Final = "HS_SIGNATURE"
CERTIFICATE: Final = "HS_CERT"
# Signatures live for years: SHA-1, which the reference still reads, is not accepted in them.
SIGNATURE_HASHES: Final[Mapping[str, str]] = {
    "RS256": "sha256",
    "RS384": "sha384",
    "RS512": "sha512",
    "DS256": "sha256",
}
DIGESTS: Final[Mapping[str, str]] = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
NOT_COVERED: Final = 8  # Octets of an encoded value in front of what a digest covers: its index and its time.
FOREVER: Final = 1 << 62

_EVERYTHING: Final = "everything"
_THIS_HANDLE: Final = "thisHandle"
_DERIVED: Final = "derivedPrefixes"
_UNDER: Final = "handlesUnderThisPrefix"


class _Header(msgspec.Struct):
    alg: str


class _Signature(msgspec.Struct):
    protected: str
    signature: str


class _Serialization(msgspec.Struct):
    payload: str
    signatures: list[_Signature]


class _Digest(msgspec.Struct):
    index: int
    digest: str


class _Digests(msgspec.Struct):
    alg: str
    digests: list[_Digest]


class Permission(msgspec.Struct, frozen=True):
    """What a certificate allows its key to speak about; `handle` is what `perm` is about."""

    perm: str
    handle: str = ""


class _Payload(msgspec.Struct, rename="camel"):
    sub: str | None = None
    iss: str | None = None
    nbf: int | None = None
    exp: int | None = None
    chain: list[str] | None = None
    digests: _Digests | None = None
    perms: list[Permission] | None = None
    public_key: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """`subject` is the handle of a signature or the identity of a certificate, `issuer` and `chain` identities."""

    algorithm: str
    covered: bytes
    signature: bytes
    subject: str
    issuer: str
    not_before: int
    expires: int
    chain: tuple[str, ...]
    digest_algorithm: str
    digests: Mapping[int, bytes]
    permissions: tuple[Permission, ...]
    public_key: PublicKey | None

    @classmethod
    def from_data(cls, data: bytes) -> "Claims":
        """Raises ValueError."""
        protected, payload, signature = _parts(data)
        try:
            header = msgspec.json.decode(_decoded(protected), type=_Header)
            claims = msgspec.json.decode(_decoded(payload), type=_Payload)
            key = None if claims.public_key is None else key_from_json(claims.public_key)
        except (msgspec.MsgspecError, KeyError) as error:
            raise ValueError(str(error)) from None
        if header.alg not in SIGNATURE_HASHES:
            raise ValueError(f"algorithm {header.alg!r} is none of {', '.join(SIGNATURE_HASHES)}")
        if not claims.iss or not claims.sub:
            raise ValueError("no issuer, or no subject")
        digests = claims.digests or _Digests("", [])
        if digests.digests and digests.alg not in DIGESTS:
            raise ValueError(f"digest algorithm {digests.alg!r} is none of {', '.join(DIGESTS)}")
        return cls(
            header.alg,
            f"{protected}.{payload}".encode(),
            _decoded(signature),
            claims.sub,
            claims.iss,
            claims.nbf or 0,
            FOREVER if claims.exp is None else claims.exp,
            tuple(claims.chain or ()),
            digests.alg,
            {one.index: _decoded(one.digest) for one in digests.digests},
            tuple(claims.perms or ()),
            key,
        )

    def digests_right(self, value: HandleValue) -> bool:
        """Whether the value is as it was when it was signed, but for its time."""
        claimed = self.digests.get(value.index)
        if claimed is None:
            return False
        out = bytearray()
        value.to_wire(out)
        digest = hashlib.new(DIGESTS[self.digest_algorithm], out[NOT_COVERED:]).digest()
        return hmac.compare_digest(digest, claimed)

    def is_current(self, now: float) -> bool:
        return self.not_before <= now < self.expires

    def permit(self, handle: Handle) -> bool:
        """Whether a certificate allows its key to speak about a handle."""
        return any(_permits(permission, handle) for permission in self.permissions)

    def permit_all(self, permissions: Iterable[Permission]) -> bool:
        """Whether a certificate may give these permissions on: it has itself every handle that they are about."""
        if any(permission.perm == _EVERYTHING for permission in self.permissions):
            return True
        for permission in permissions:
            if permission.perm == _EVERYTHING or not all(self.permit(handle) for handle in _extent(permission)):
                return False
        return True


def check_claims(values: Iterable[HandleValue]) -> tuple[tuple[HandleValue, Claims], ...]:
    """The signatures and certificates among values. Raises InvalidValue for those that nobody could verify."""
    return tuple(
        (value, _checked(value))
        for value in values
        if value.type.upper().startswith((SIGNATURE, CERTIFICATE))
        and (type_matches(value.type, f"{SIGNATURE}.") or type_matches(value.type, f"{CERTIFICATE}."))
    )


def _checked(value: HandleValue) -> Claims:
    try:
        claims = Claims.from_data(value.data)
    except ValueError as error:
        rule = f"no signed claims: {str(error)[:200]}"
        raise InvalidValue("value.data", index=value.index, type=value.type, rule=rule) from None
    if type_matches(value.type, f"{CERTIFICATE}.") and claims.public_key is None:
        rule = "a certificate without a public key"
        raise InvalidValue("value.data", index=value.index, type=value.type, rule=rule)
    return claims


def _parts(data: bytes) -> tuple[str, str, str]:
    """Header, payload and signature, from the compact form or from that in JSON. Raises ValueError."""
    text = data.decode("ascii").strip()
    if text.startswith("{"):
        try:
            form = msgspec.json.decode(text, type=_Serialization)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from None
        if not form.signatures:
            raise ValueError("no signature")
        return form.signatures[0].protected, form.payload, form.signatures[0].signature
    parts = text.split(".")
    if len(parts) != 3:
        raise ValueError(f"{len(parts)} parts; header, payload and signature are expected")
    return parts[0], parts[1], parts[2]


def _decoded(text: str) -> bytes:
    """Base64 of either alphabet, with or without its padding. Raises ValueError."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _permits(permission: Permission, handle: Handle) -> bool:
    if permission.perm == _EVERYTHING:
        return True
    try:
        about = Handle.from_text(permission.handle)
    except InvalidHandle:
        return False
    named, name = str(about).upper(), str(handle).upper()
    is_prefix = named.startswith(f"{NAMING_AUTHORITY}/")
    under = is_prefix and handle.prefix.upper() == about.suffix.upper()
    if permission.perm == _THIS_HANDLE:
        return name == named or under
    if permission.perm == _UNDER:
        return under
    derived = f"{about.suffix.upper()}."
    own = handle.suffix if handle.prefix.upper() == NAMING_AUTHORITY else handle.prefix
    return permission.perm == _DERIVED and is_prefix and own.upper().startswith(derived)


def _extent(permission: Permission) -> tuple[Handle, ...]:
    """Handles that stand for all that a permission is about: whatever permits them permits every one.

    A name that ends with its prefix's "/" or a prefix that ends with "." cannot be registered, so that a permission
    about all handles under a prefix, or all prefixes derived from it, has one, and no usual permission about less.
    """
    try:
        about = Handle.from_text(permission.handle)
    except InvalidHandle:
        return ()  # It is about nothing.
    is_prefix = about.prefix.upper() == NAMING_AUTHORITY
    if permission.perm == _THIS_HANDLE:
        return (about, Handle(about.suffix, "")) if is_prefix else (about,)
    if not is_prefix:
        return ()
    if permission.perm == _UNDER:
        return (Handle(about.suffix, ""),)
    return (Handle(f"{about.suffix}.", ""),) if permission.perm == _DERIVED else ()
