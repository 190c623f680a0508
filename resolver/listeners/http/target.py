"""Where a redirect may go: the text of a value, which is a stranger's, made into a safe Location.

Only schemes that the node allows, hosts that mean the same to everybody, no control characters, and ASCII: the rest is
percent-encoded (RFC 3986, section 2). What cannot be made safe is shown on a page and never followed.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from registry.errors import ProtocolFault
from resolver.listeners.http.hosts import is_public
from resolver.settings import ResolverSettings

MAX_TARGET: Final = 7_168  # Octets; many clients read at most 8 KiB of one header line.

# Unreserved and reserved characters of RFC 3986 and the '%' of escapes already there.
_SAFE_IN_URL: Final = "!#$%&'()*+,/:;=?@[]~-._"
_SAFE_IN_PATH: Final = "!$&'()*+,/:;=@~-._"
# Browsers take the next thing they find for the host of such an address when it has none.
_NEED_HOST: Final = frozenset({"http", "https", "ftp"})
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
# An authority that every reader divides alike (RFC 3986, section 3.2).
_WELL_FORMED: Final = re.compile(r"(?:[^@\[\]]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^@:\[\]]+)(?::[0-9]{0,5})?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENDS: Final = " \t\r\n\f"


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where visitors may be sent: schemes in lower case, and whether hosts inside networks are among them."""

    schemes: Collection[str]
    private: bool = False

    @classmethod
    def of(cls, settings: ResolverSettings) -> "Destinations":
        return cls(frozenset(scheme.lower() for scheme in settings.redirect_schemes), settings.redirect_private)


def target_of(text: str, allowed: Destinations, append: str = "") -> str | None:
    """The Location for a text, with `append` at its end; None when nobody should be sent there."""
    text = text.strip(_ENDS)
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1].lower() not in allowed.schemes or _CONTROL.search(text) or _CONTROL.search(append):
        return None
    target = quote(text, safe=_SAFE_IN_URL)
    if scheme[1].lower() in _NEED_HOST:
        authority = _authority(target)
        if not _WELL_FORMED.fullmatch(authority or "") or not (allowed.private or is_public(authority or "")):
            return None
    target = _appended(target, quote(append, safe=_SAFE_IN_URL))
    return target if len(target) <= MAX_TARGET else None


def path_of(handle: str) -> str:
    """The path on this node of a handle, whose first character never makes it another host's address."""
    path = quote(handle, safe=_SAFE_IN_PATH, errors="replace")
    return "/" + ("%2F" + path[1:] if path.startswith("/") else path)


def query_of(raw: str) -> str:
    """A query as it was sent, fit for a header line."""
    return quote(raw, safe=_SAFE_IN_URL, errors="surrogateescape")


def with_query(target: str, query: str) -> str:
    """A target with a query as it was sent behind its own, in front of its fragment. Raises ProtocolFault."""
    if not query:
        return target
    address, hash_sign, fragment = target.partition("#")
    longer = f"{address}{'&' if '?' in address else '?'}{query_of(query)}{hash_sign}{fragment}"
    if len(longer) > MAX_TARGET:
        raise ProtocolFault("http.target_too_long", limit=MAX_TARGET)
    return longer


def _appended(target: str, append: str) -> str:
    """What a visitor appends may lengthen the path, never choose another host: 'example.org' + '.evil.example'."""
    joined = target + append
    if append and _authority(joined) != _authority(target):
        return f"{target}/{append}"
    return joined


def _authority(target: str) -> str | None:
    found = _AUTHORITY.match(target)
    return found[1] if found else None
