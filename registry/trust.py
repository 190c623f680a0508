"""Whether what a handle says was signed by somebody whom this node trusts: signatures, and chains of certificates.

Trusted at the root are the administrators of the node. Keys and certificates are read from this node's book; a chain
that leaves it cannot be followed, and vouches for nothing here. So a question has three answers: true, false and
unknown. `vouches` wants the first, and `check`, when something is written, refuses only the second.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import time
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.aside import Aside
from registry.authentication import Administrator, identity_from_text
from registry.claims import SIGNATURE, SIGNATURE_HASHES, Claims
from registry.errors import HandleError, InvalidValue
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
# Permissions of one certificate that are weighed, each against each of the next one; certificates have one or two.
MAX_PERMISSIONS: Final = 16
MAX_VERIFYING: Final = 64  # Signatures verified or waited for at one time: those of as many requests.
SHOWN: Final = 200  # Characters of a stranger's text that a refusal repeats.

_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class _Disproved(Exception):
    """A rule of RULES that signed claims break, and its culprit, but for the index of the value that is written."""

    def __init__(self, rule: str, **culprit: object) -> None:
        super().__init__(rule)
        self.rule = rule
        self.culprit = culprit


class Trust:
    """Verifies against the book as it stands, on demand and what is to be written. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, rights: Rights, clock: Callable[[], float] = time) -> None:
        self._store = store
        self._rights = rights
        self._clock = clock
        self._verifying = Aside(MAX_VERIFYING)

    async def vouches(self, record: HandleRecord, values: Iterable[HandleValue]) -> bool:
        """Whether trusted signatures of this handle cover all of these values. Raises ServerBusy."""
        open_values = [value for value in values if not type_matches(value.type, f"{SIGNATURE}.")]
        signatures = [value for value in record.values if type_matches(value.type, f"{SIGNATURE}.")]
        if not signatures or not open_values:
            return False
        for value in signatures[:MAX_SIGNATURES]:
            claims = _claims(value)
            if claims is not None and await self._is_true(claims, record.handle):
                open_values = [one for one in open_values if not claims.digests_right(one)]
        return not open_values

    async def check(self, record: HandleRecord, written: Sequence[tuple[HandleValue, Claims]]) -> None:
        """Refuses signatures and certificates that a key registered here disproves. Raises InvalidValue, ServerBusy.

        `record` is the handle as it will be, with the keys that it brings along. What was signed with a key that lives
        elsewhere cannot be judged and is no reason to refuse.
        """
        if len(written) > MAX_SIGNATURES:
            raise InvalidValue("claims.too_many", index=written[MAX_SIGNATURES][0].index, limit=MAX_SIGNATURES)
        for value, claims in written:
            try:
                await self._check(record, value, claims)
            except _Disproved as disproof:
                raise InvalidValue(disproof.rule, index=value.index, **disproof.culprit) from None

    async def _check(self, record: HandleRecord, value: HandleValue, claims: Claims) -> None:
        key = await self._key(claims.issuer, record)
        if key is None:
            return
        await self._disprove(claims, key, str(Reference(str(record.handle), value.index)))
        if len(claims.chain) > MAX_CHAIN:
            raise _Disproved("claims.chain", links=len(claims.chain), limit=MAX_CHAIN)
        if len(claims.permissions) > MAX_PERMISSIONS:
            raise _Disproved("claims.permissions_many", count=len(claims.permissions), limit=MAX_PERMISSIONS)
        if type_matches(value.type, f"{SIGNATURE}."):
            self._check_digests(claims, record)
            await self._check_chain(claims, key, record, lambda above: above.permit(record.handle))
        else:
            await self._check_chain(claims, key, record, lambda above: above.permit_all(claims.permissions))

    def _check_digests(self, claims: Claims, record: HandleRecord) -> None:
        if not self._is_name_of(claims.subject, record.handle):
            raise _Disproved("claims.subject", claim=SIGNATURE, subject=claims.subject[:SHOWN])
        values = {value.index: value for value in record.values}
        for index in claims.digests:
            if index not in values or not claims.digests_right(values[index]):
                raise _Disproved("claims.digest", signed=index)

    async def _check_chain(
        self, claims: Claims, key: PublicKey, record: HandleRecord, permitted: Callable[[Claims], bool]
    ) -> None:
        """Follows the chain as far as it lies in this book, each link held against the one before it."""
        issuer = claims.issuer
        for link in claims.chain:
            if self._is_root(issuer):
                return
            value = await self._value(link, record)
            certificate = None if value is None else _claims(value)
            above = None if certificate is None else await self._key(certificate.issuer, record)
            if certificate is None or above is None or len(certificate.permissions) > MAX_PERMISSIONS:
                return
            link = link[:SHOWN]
            await self._disprove(certificate, above, link)
            if not self._same(certificate.subject, issuer):
                raise _Disproved("claims.subject", claim=link, subject=certificate.subject[:SHOWN])
            if certificate.public_key != key:
                raise _Disproved("claims.key", claim=link, issuer=issuer[:SHOWN])
            if not permitted(certificate):
                raise _Disproved("claims.permissions", claim=link, issuer=issuer[:SHOWN])
            issuer, key = certificate.issuer, above

    async def _disprove(self, claims: Claims, key: PublicKey, claim: str) -> None:
        """Refuses what this key did not sign, or for a time that is over. A time to come is no fault in a writer."""
        if not await self._is_signed_by(claims, key):
            raise _Disproved("claims.signature", claim=claim, issuer=claims.issuer[:SHOWN])
        if self._clock() >= claims.expires:
            raise _Disproved("claims.expired", claim=claim)

    def _is_name_of(self, subject: str, handle: Handle) -> bool:
        try:
            about = Handle.from_text(subject)
        except HandleError:
            return False
        return self._store.key_of(about.octets) == self._store.key_of(handle.octets)

    async def _is_true(self, claims: Claims, handle: Handle) -> bool:
        """Whether a signature about this handle is current, right, and its issuer's to make."""
        if not self._is_name_of(claims.subject, handle):
            return False
        key = await self._key(claims.issuer)
        if key is None or not await self._stands(claims, key):
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
            if above is None or not certificate.permit(handle) or not await self._stands(certificate, above):
                return False
            issuer, key = certificate.issuer, above
        return self._is_root(issuer)

    async def _stands(self, claims: Claims, key: PublicKey) -> bool:
        return claims.is_current(self._clock()) and await self._is_signed_by(claims, key)

    async def _is_signed_by(self, claims: Claims, key: PublicKey) -> bool:
        """One at a time for one request: the longest key takes a millisecond."""
        return await self._verifying.do(_is_signed_by, claims, key)

    def _is_root(self, identity: str) -> bool:
        reference = _reference(identity)
        return reference is not None and self._rights.is_of_node(Administrator(reference))

    def _same(self, one: str, other: str) -> bool:
        first, second = _reference(one), _reference(other)
        if first is None or second is None or first.index != second.index:
            return False
        return self._store.key_of(first.handle.encode()) == self._store.key_of(second.handle.encode())

    async def _key(self, identity: str, written: HandleRecord | None = None) -> PublicKey | None:
        value = await self._value(identity, written)
        if value is None or not type_matches(value.type, "HS_PUBKEY."):
            return None
        try:
            return PublicKey.from_wire(value.data)
        except Truncated:
            return None

    async def _value(self, identity: str, written: HandleRecord | None = None) -> HandleValue | None:
        """The value that an index:handle names, as far as it is in this book or in the record about to be written."""
        reference = _reference(identity)
        if reference is None:
            return None
        try:
            handle = Handle.from_text(reference.handle)
        except HandleError:
            return None
        key = self._store.key_of(handle.octets)
        if written is not None and key == self._store.key_of(written.handle.octets):
            return written.at(reference.index)
        record = await self._store.fetch(key)
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
