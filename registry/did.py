"""did:web documents (W3C DID Core; the did:web method): with which keys the node signs, and with which an enterprise.

A node's document lists every key that it ever signed with, the replaced ones with the time from which on they sign
nothing (`revoked`). An enterprise's has the public keys of its prefix's handle: what it says of its keys, it says in
the book.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from registry.data_forms import key_to_json
from registry.jose import NotVerified, PublishedKey, jwk_of, public_of_jwk, thumbprint
from registry.keys import PublicKey
from registry.octets import Truncated
from registry.value import HandleValue, type_matches

CONTEXT: Final = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1")
METHOD_TYPE: Final = "JsonWebKey2020"
MAX_METHODS: Final = 1000  # Keys of a document that are read: a key a day for years, and a stranger's file is bounded.

_JWK_TYPES: Final = frozenset({"RSA", "EC"})  # Kinds of keys in the book that a JSON Web Key can be.


def did_web(host: str, *path: str) -> str:
    """The DID of what has its document at a host, or at a path of it."""
    return ":".join(("did:web", quote(host, safe=""), *(quote(part, safe="") for part in path)))


def node_document(did: str, keys: Iterable[PublishedKey]) -> dict[str, Any]:
    """Of a node, with every key that it ever signed with."""
    return _document(did, [_signing_method(did, key) for key in keys])


def enterprise_document(did: str, values: Iterable[HandleValue]) -> dict[str, Any]:
    """Of whoever has a prefix, with the public keys among the values of its handle."""
    return _document(did, list(_key_methods(did, values)))


def keys_from_document(document: Any) -> dict[str, PublishedKey]:
    """The keys of Ed25519 and SM2 that a document lets make assertions, by their thumbprints. Raises NotVerified."""
    try:
        allowed = set(document["assertionMethod"][:MAX_METHODS])
        methods = [one for one in document["verificationMethod"][:MAX_METHODS] if one["id"] in allowed]
        keys = [_key(one["publicKeyJwk"], one.get("revoked")) for one in methods]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotVerified("signed.did", reason=f"{type(error).__name__}: {error}"[:200]) from None
    return {key.key_id: key for key in keys if key is not None}


def _document(did: str, methods: list[dict[str, Any]]) -> dict[str, Any]:
    ids = [method["id"] for method in methods]
    return {"@context": CONTEXT, "id": did, "verificationMethod": methods, "assertionMethod": ids}


def _signing_method(did: str, key: PublishedKey) -> dict[str, Any]:
    method = _method(did, key.key_id, jwk_of(key.public))
    if key.retired_at is not None:
        method["revoked"] = key.retired_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return method


def _key_methods(did: str, values: Iterable[HandleValue]) -> Iterator[dict[str, Any]]:
    for value in values:
        if type_matches(value.type, "HS_PUBKEY."):
            try:
                form = key_to_json(PublicKey.from_wire(value.data))
            except (Truncated, OverflowError):
                continue  # Stored as anybody may store anything; it is no key.
            if form["kty"] in _JWK_TYPES:
                yield _method(did, str(value.index), form)


def _method(did: str, name: str, jwk: Mapping[str, str]) -> dict[str, Any]:
    return {"id": f"{did}#{name}", "type": METHOD_TYPE, "controller": did, "publicKeyJwk": jwk}


def _key(jwk: Mapping[str, Any], revoked: Any) -> PublishedKey | None:
    """Raises ValueError or KeyError."""
    public = public_of_jwk(jwk)
    if public is None:
        return None
    return PublishedKey(thumbprint(public), public, None if revoked is None else datetime.fromisoformat(revoked))
