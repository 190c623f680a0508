"""Whether what a handle says was signed by somebody whom this node trusts: signatures, and chains of certificates.

Trusted at the root are the administrators of the node. Keys and certificates are read from this node's book; a chain
that leaves it cannot be followed, and vouches for nothing here.
"""

from collections.abc import Callable, Iterable, Mapping
from time import time
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.authentication import Administrator, identity_from_text
from registry.claims import SIGNATURE, SIGNATURE_HASHES, Claims
from registry.errors import HandleError
from registry.handle import Handle
from registry.keys import PublicKey
from registry.octets import Truncated
from registry.proofs import load_key
from registry.record import HandleRecord
from registry.rights import Rights
from registry.store import Store
from registry.value import HandleValue, Reference, type_matches

MAX_SIGNATURES: Final = 8  # Signatures of one handle that are looked at; each may cost the reads of its chain.
MAX_CHAIN: Final = 8

_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class Trust:
    """Verifies on demand, against the book as it stands. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, rights: Rights, clock: Callable[[], float] = time) -> None:
        self._store = store
        self._rights = rights
        self._clock = clock

    async def vouches(self, record: HandleRecord, values: Iterable[HandleValue]) -> bool:
        """Whether trusted signatures of this handle cover all of these values."""
        open_values = [value for value in values if not type_matches(value.type, f"{SIGNATURE}.")]
        signatures = [value for value in record.values if type_matches(value.type, f"{SIGNATURE}.")]
        if not signatures or not open_values:
            return False
        for value in signatures[:MAX_SIGNATURES]:
            claims = _claims(value)
            if claims is not None and await self._is_true(claims, record.handle):
                open_values = [one for one in open_values if not claims.digests_right(one)]
        return not open_values

    async def _is_true(self, claims: Claims, handle: Handle) -> bool:
        """Whether a signature about this handle is current, right, and its issuer's to make."""
        try:
            about = Handle.from_text(claims.subject)
        except HandleError:
            return False
        if self._store.key_of(about.octets) != self._store.key_of(handle.octets):
            return False
        key = await self._key(claims.issuer)
        if key is None or not self._stands(claims, key):
            return False
        return await self._is_authorized(claims.issuer, key, claims.chain, handle)

    async def _is_authorized(self, issuer: str, key: PublicKey, chain: Iterable[str], handle: Handle) -> bool:
        """Whether certificates lead from an issuer to a root, each allowing the next to speak about the handle."""
        for link in [*chain][:MAX_CHAIN]:
            if self._is_root(issuer):
                return True
            value = await self._value(link)
            certificate = None if value is None else _claims(value)
            if certificate is None or not self._same(certificate.subject, issuer) or certificate.public_key != key:
                return False
            above = await self._key(certificate.issuer)
            if above is None or not self._stands(certificate, above) or not certificate.permit(handle):
                return False
            issuer, key = certificate.issuer, above
        return self._is_root(issuer)

    def _stands(self, claims: Claims, key: PublicKey) -> bool:
        return claims.is_current(self._clock()) and _is_signed_by(claims, key)

    def _is_root(self, identity: str) -> bool:
        reference = _reference(identity)
        return reference is not None and self._rights.is_of_node(Administrator(reference))

    def _same(self, one: str, other: str) -> bool:
        first, second = _reference(one), _reference(other)
        if first is None or second is None or first.index != second.index:
            return False
        return self._store.key_of(first.handle.encode()) == self._store.key_of(second.handle.encode())

    async def _key(self, identity: str) -> PublicKey | None:
        value = await self._value(identity)
        if value is None or not type_matches(value.type, "HS_PUBKEY."):
            return None
        try:
            return PublicKey.from_wire(value.data)
        except Truncated:
            return None

    async def _value(self, identity: str) -> HandleValue | None:
        """The value that an index:handle names, as far as it is in this book."""
        reference = _reference(identity)
        if reference is None:
            return None
        try:
            handle = Handle.from_text(reference.handle)
        except HandleError:
            return None
        record = await self._store.fetch(self._store.key_of(handle.octets))
        return None if record is None else record.at(reference.index)


def _reference(identity: str) -> Reference | None:
    try:
        return identity_from_text(identity)
    except HandleError:
        return None


def _claims(value: HandleValue) -> Claims | None:
    try:
        return Claims.from_data(value.data)
    except ValueError:
        return None  # It was stored before such values were refused.


def _is_signed_by(claims: Claims, key: PublicKey) -> bool:
    algorithm = _HASHES[SIGNATURE_HASHES[claims.algorithm]]()
    try:
        loaded = load_key(key)
        if isinstance(loaded, rsa.RSAPublicKey) != claims.algorithm.startswith("RS"):
            return False
        if isinstance(loaded, rsa.RSAPublicKey):
            loaded.verify(claims.signature, claims.covered, padding.PKCS1v15(), algorithm)
        else:
            loaded.verify(claims.signature, claims.covered, algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
