"""Signed statements verified without asking anybody: answers, bundles of answers, roots of the change log.

Whoever verifies needs the node's did:web document, fetched once over HTTPS or handed over, and no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from registry.did import keys_from_document
from registry.jose import ANSWER, BUNDLE, NotVerified, PublishedKey, Signed, verify

Keys = Mapping[str, PublishedKey]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a node said and when; `position` is the place in its change feed before which nothing is missing."""

    kind: str
    body: Any
    key_id: str
    signed_at: datetime
    position: str
    request: str
    expires: datetime | None


def keys_of(did_document: bytes) -> Keys:
    """The keys of a did:web document. Raises NotVerified."""
    return keys_from_document(_json(did_document))


def read_answer(body: bytes, signature: str, keys: Keys, now: float) -> Statement:
    """An answer and the signature that came beside it. Raises NotVerified."""
    return read(Signed.from_detached(signature, body), ANSWER, keys, now)


def read_document(document: bytes, kind: str, keys: Keys, now: float) -> Statement:
    """A document that holds what was signed. Raises NotVerified."""
    return read(Signed.from_json(document), kind, keys, now)


def read_bundle(document: bytes, now: float, keys: Keys | None = None) -> Statement:
    """A bundle that is still valid. Without `keys` it is held to those that it brings along: then it was not altered,
    and whether it is the node's is for whoever knows the key's thumbprint to say. Raises NotVerified."""
    signed = Signed.from_json(document)
    if keys is None:
        body = _json(signed.payload)
        keys = keys_from_document(body.get("node") if isinstance(body, dict) else None)
    return read(signed, BUNDLE, keys, now)


def read(signed: Signed, kind: str, keys: Keys, now: float) -> Statement:
    """Raises NotVerified."""
    header = verify(signed, keys, kind, now)
    expires = header.get("exp")
    return Statement(
        kind,
        _json(signed.payload),
        str(header["kid"]),
        datetime.fromtimestamp(header["iat"], UTC),
        str(header.get("position", "")),
        str(header.get("request", "")),
        None if expires is None else datetime.fromtimestamp(expires, UTC),
    )


def _json(octets: bytes) -> Any:
    try:
        return orjson.loads(octets)
    except orjson.JSONDecodeError as error:
        raise NotVerified("signed.form", reason=str(error)[:200]) from None
