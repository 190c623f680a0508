"""Who is asking: an identity is a key, named index:handle, and whoever proves to hold it is that administrator.

Keys are values of handles, HS_SECKEY and HS_PUBKEY, and are read from this node's book for every proof, so that a key
replaced is a key revoked. What an administrator may then do is another question: `registry.rights`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.x509.oid import NameOID

from registry.aside import Aside
from registry.errors import (
    AuthenticationFailed,
    HandleError,
    InvalidCredential,
    UnableToAuthenticate,
)
from registry.grants import Grant
from registry.handle import Handle
from registry.keys import PublicKey
from registry.octets import Truncated
from registry.proofs import Proof, check_proof, secret_proves, signature_proves
from registry.record import MAX_INDEX
from registry.store import Store
from registry.value import HandleValue, Reference, type_matches

# Proofs computed or waited for at one time in one process: five seconds of work at the most that one may cost.
MAX_PROOFS: Final = 64
# Keys tried when an identity leaves its index open: each may cost what MAX_ITERATIONS allows.
MAX_KEYS: Final = 8

_DSA = b"\0\0\0\x0bDSA_PUB_KEY"  # How the data of an HS_PUBKEY with such a key begins.

_IDENTITY = re.compile(r"([0-9]{1,10}):(.+)", re.DOTALL)
_NOT_UTF8 = re.compile("[\ud800-\udfff]")  # What octets that are not UTF-8 become in a header's text.


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who has proved to hold a key. The identity has that key's index, even where the claim left it open.

    Whoever came with a token holds no key: his grant says what he may do, and his identity names nobody.
    """

    identity: Reference
    grant: Grant | None = None

    @classmethod
    def from_text(cls, text: str) -> "Administrator":
        """Reads index:handle, as a session keeps it. Raises InvalidCredential."""
        return cls(identity_from_text(text))

    def __str__(self) -> str:
        return str(self.identity) if self.grant is None else self.grant.name


class Authenticator:
    """Verifies claims against the keys in the book."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._proofs = Aside(MAX_PROOFS)

    async def by_password(self, identity: str, password: bytes) -> Administrator:
        """The secret key itself, over a connection that hides it. Raises AuthenticationFailed, UnableToAuthenticate.

        Some clients percent-encode the password as they must the identity, some do not: both are read. A node may
        keep the lower-case SHA-1 of a key instead of the key (the reference server's `hashed` keys).
        """
        offered = [password, unquote_to_bytes(password)]
        offered += [hashlib.sha1(secret, usedforsecurity=False).hexdigest().encode() for secret in offered]
        claimed = identity_from_text(identity)
        for key in await self._keys(claimed, "HS_SECKEY"):
            # Every comparison is made, whichever succeeds.
            if sum([hmac.compare_digest(key.data, secret) for secret in offered]):
                return Administrator(Reference(claimed.handle, key.index))
        raise AuthenticationFailed("authentication.failed")

    async def by_proof(self, proof: Proof, nonce: bytes) -> Administrator:
        """An answer to the challenge `nonce`. Raises as by_password does, InvalidCredential, ServerBusy."""
        check_proof(proof, md5=self._store.settings.md5_proofs)
        claimed = identity_from_text(proof.identity)
        keys = await self._keys(claimed, proof.type)
        challenge = nonce + proof.cnonce
        if proof.type == "HS_SECKEY":
            key = await self._proofs.do(_first_secret, keys, challenge, proof)
        else:
            key = await self._proofs.do(_first_signature, keys, challenge, proof)
        if key is None:
            raise AuthenticationFailed("authentication.failed")
        return Administrator(Reference(claimed.handle, key.index))

    async def by_certificate(self, certificate_der: bytes) -> Administrator:
        """A client certificate whose private key the TLS handshake has proved. Raises as by_password does.

        Whoever signed it and until when vouches for nothing here: its key must be the one that its subject has in
        the book, and is revoked there.
        """
        try:
            certificate = x509.load_der_x509_certificate(certificate_der)
            offered = _public_key(certificate)
            claimed = identity_from_text(_subject(certificate))
        except ValueError as error:
            raise InvalidCredential("authentication.malformed", reason=str(error)[:200]) from None
        for key in await self._keys(claimed, "HS_PUBKEY"):
            if _decoded(key) == offered:
                return Administrator(Reference(claimed.handle, key.index))
        raise AuthenticationFailed("authentication.failed")

    async def public_key(self, named: Reference) -> HandleValue:
        """The public key that an identity names, the first one for index 0. Raises UnableToAuthenticate."""
        return (await self._keys(named, "HS_PUBKEY"))[0]

    async def _keys(self, claimed: Reference, kind: str) -> list[HandleValue]:
        """The key that is claimed, or every key of the handle for index 0. An empty key proves nothing."""
        try:
            handle = Handle.from_text(claimed.handle)
        except HandleError:
            raise UnableToAuthenticate("authentication.no_key", identity=str(claimed)) from None
        record = await self._store.fetch(self._store.key_of(handle.octets))
        keys = [
            value
            for value in (() if record is None else record.values)
            if claimed.index in (0, value.index) and type_matches(value.type, f"{kind}.") and value.data
        ]
        if kind == "HS_PUBKEY" and not self._store.settings.dsa_keys:
            keys = [value for value in keys if not value.data.startswith(_DSA)]
        if not keys:
            raise UnableToAuthenticate("authentication.no_key", identity=str(claimed))
        return keys[:MAX_KEYS]


def identity_from_text(text: str) -> Reference:
    """Reads index:handle. Raises InvalidCredential."""
    parts = _IDENTITY.fullmatch(text)
    if parts is None or int(parts[1]) > MAX_INDEX or _NOT_UTF8.search(text):
        raise InvalidCredential("authentication.identity", identity=text[:200])
    return Reference(parts[2], int(parts[1]))


def _first_secret(keys: Iterable[HandleValue], challenge: bytes, proof: Proof) -> HandleValue | None:
    return next((key for key in keys if secret_proves(key.data, challenge, proof)), None)


def _first_signature(keys: Iterable[HandleValue], challenge: bytes, proof: Proof) -> HandleValue | None:
    for value in keys:
        key = _decoded(value)
        if key is not None and signature_proves(key, challenge, proof):
            return value
    return None


def _decoded(value: HandleValue) -> PublicKey | None:
    try:
        return PublicKey.from_wire(value.data)
    except Truncated:
        return None


def _subject(certificate: x509.Certificate) -> str:
    """The identity in a certificate: the subject's UID, or else its common name."""
    for oid in (NameOID.USER_ID, NameOID.COMMON_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            if isinstance(attribute.value, str):
                return attribute.value
    raise ValueError("the certificate's subject has no UID and no CN")


def _public_key(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n})
    if isinstance(key, dsa.DSAPublicKey):
        public = key.public_numbers()
        group = public.parameter_numbers
        return PublicKey("DSA_PUB_KEY", {"q": group.q, "p": group.p, "g": group.g, "y": public.y})
    raise ValueError("the certificate's key is neither RSA nor DSA")
