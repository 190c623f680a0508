"""Signed statements verified without asking anybody: answers, bundles of answers, proofs of what handles said.

Whoever verifies needs the node's did:web document, fetched once over HTTPS or handed over, and no network.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from registry.did import keys_from_document
from registry.jose import ANSWER, BUNDLE, ROOT, NotVerified, PublishedKey, Signed, verify
from registry.merkle import leaf_hash, root_of_path
from registry.octets import Truncated
from registry.value import HandleValue
from resolver.wire.query import HandleValues

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


@dataclass(frozen=True, slots=True)
class Proved:
    """What a handle said to everybody in one of its versions, as the change log was sealed on a day."""

    handle: str
    version: int
    values: tuple[HandleValue, ...]
    change: str
    written_at: str
    day: str
    root: Statement


class _ProofForm(msgspec.Struct):
    leaf: str
    number: int
    path: list[str]
    values: str
    statement: msgspec.Raw


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


def read_proof(document: bytes, keys: Keys, now: float) -> Proved:
    """A proof as /api/proofs gives it: the values, their leaf, its way to a root, and the statement of that root.
    Raises NotVerified."""
    try:
        form = msgspec.json.decode(document, type=_ProofForm)
        beside = [bytes.fromhex(one) for one in form.path]
        octets = base64.b64decode(form.values, validate=True)
        values = HandleValues.from_wire(b"\0\0\0\0" + octets).values
        leaf = orjson.loads(form.leaf)
    except (msgspec.MsgspecError, ValueError, Truncated) as error:
        raise NotVerified("signed.form", reason=str(error)[:200]) from None
    root = read_document(bytes(form.statement), ROOT, keys, now)
    try:
        found = root_of_path(leaf_hash(form.leaf.encode()), form.number, int(root.body["leaves"]), beside).hex()
    except (ValueError, KeyError, TypeError):
        raise NotVerified("proof.path") from None
    if found != root.body["root"]:
        raise NotVerified("proof.path")
    if leaf.get("values") != hashlib.sha256(octets).hexdigest():
        raise NotVerified("proof.leaf", reason="the values are not those of the leaf")
    return Proved(
        str(leaf["handle"]),
        int(leaf["version"]),
        values,
        str(leaf["type"]),
        str(leaf["time"]),
        str(root.body["day"]),
        root,
    )


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
