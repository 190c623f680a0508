"""Decentralized identifiers (W3C DID Core): did:bid, did:cn, did:vaa and did:web, each by the syntax of its method.

A DID is kept as `did/` and what follows its scheme, method first. did:cn has had two forms: issuer, industry and
enterprise are the prefix of a national handle, and are read as that; a domain with a hash is a DID of its own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import NAMING_AUTHORITY, Handle

SYSTEM: Final = "did"

_DID: Final = re.compile(r"did:([a-z0-9]+):([^/?#]+)")  # DID Core, section 3.1; a DID URL names a part of a document.
_BASE58: Final = "123456789A-HJ-NP-Za-km-z"
# An optional chain of four characters; how the key was made (e: Ed25519, z: SM2), how it is written, and the key.
_BID: Final = re.compile(r"(?:[0-9a-z]{4}:)?[ez][0-9A-Za-z]{21,41}")
_VAA: Final = re.compile(rf"[{_BASE58}]{{27,31}}")
_CN_NATIONAL: Final = re.compile(r"(?:86|88)\.[0-9]{3,5}\.[0-9]{1,128}")
_CN_DOMAIN: Final = re.compile(r"([0-9A-Za-z-]{1,63}):([0-9A-Fa-f]{64})")
_WEB: Final = re.compile(r"[0-9A-Za-z.-]+(?:%3[Aa][0-9]{1,5})?(?::(?:[0-9A-Za-z._~-]|%[0-9A-Fa-f]{2})+)*")


def shape(text: str) -> bool:
    return text[:4].lower() == "did:"


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    did = _DID.fullmatch(text)
    if did is None:
        raise InvalidHandle("did.syntax", did=text)
    method, own = did.groups()
    read = _METHODS.get(method)
    if read is None:
        raise InvalidHandle("did.method", did=text, method=method, methods=", ".join(_METHODS))
    handle = read(own)
    if handle is None:
        raise InvalidHandle("did.identifier", did=text, method=method)
    return handle


def _of_bid(own: str) -> Handle | None:
    return _kept("bid", own) if _BID.fullmatch(own) else None


def _of_vaa(own: str) -> Handle | None:
    return _kept("vaa", own) if _VAA.fullmatch(own) else None


def _of_cn(own: str) -> Handle | None:
    if _CN_NATIONAL.fullmatch(own):
        return Handle(NAMING_AUTHORITY, own)
    domain = _CN_DOMAIN.fullmatch(own)
    return _kept("cn", f"{domain[1].lower()}:{domain[2].lower()}") if domain else None


def _of_web(own: str) -> Handle | None:
    host, colon, path = own.partition(":")
    return _kept("web", host.lower() + colon + path) if _WEB.fullmatch(own) else None


def _kept(method: str, own: str) -> Handle:
    return Handle(SYSTEM, f"{method}/{own}")


_METHODS: Final[Mapping[str, Callable[[str], Handle | None]]] = {
    "bid": _of_bid,
    "cn": _of_cn,
    "vaa": _of_vaa,
    "web": _of_web,
}
