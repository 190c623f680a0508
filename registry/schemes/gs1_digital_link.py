"""GS1 Digital Link URIs: a key in the path of any web address (GS1 Digital Link Standard: URI Syntax).

The path ends with application identifiers and values by turns, of which the first is a primary key; attributes of the
thing stand in the query. Compressed URIs are refused: what they say cannot be told by looking at them, and a resolver
that reads them would let one item have many addresses.
"""

import re
from typing import Final
from urllib.parse import unquote

from registry.errors import InvalidHandle
from registry.schemes.gs1_identifiers import MAX_SHOWN, identifier_of
from registry.schemes.gs1_keys import SEQUENCES, Key

MAX_ATTRIBUTES: Final = 100  # In a query: many times what a label holds.
_URI: Final = re.compile(r"https?://[^/?#\s]+([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
# Where a key may begin: all of them but those of oldest GTINs have four figures at least in front.
_PLAUSIBLE: Final = re.compile(f"/({'|'.join(SEQUENCES)})/(?=[0-9]{{4}})")
_DELIMITER: Final = re.compile("[&;]")
_BROKEN_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
# What compression leaves of a path: one segment of base64, or of an EPC's octets (resolver standard, 2.3). Words and
# numbers have letters of one case.
_COMPRESSED: Final = re.compile("/(?:e[hx][0-9A-Za-z_-]{8,}|(?=[^/]*[a-z])(?=[^/]*[A-Z])[0-9A-Za-z_-]{10,})/?")


def key_from_uri(text: str) -> Key:
    """The key of a URI of any host, below any path. Raises InvalidHandle."""
    parts = _URI.fullmatch(text)
    path, query = (parts[1], parts[2] or "") if parts else ("", "")
    begin = _PLAUSIBLE.search(path)
    if begin is None:
        raise InvalidHandle("gs1.compressed" if is_compressed(path) else "gs1.no_key_in", text=text[:MAX_SHOWN])
    key = key_from_path(path[begin.start() + 1 :])
    check_query(key, query)
    return key


def key_from_path(path: str) -> Key:
    """The key that a path is, from the primary key's identifier on, as it was sent. Raises InvalidHandle."""
    segments = path.removesuffix("/").split("/")
    if len(segments) % 2:
        raise InvalidHandle("gs1.no_value", ai=segments[-1][:MAX_SHOWN])
    if "%" in path:
        segments = [_decoded(segment) for segment in segments]
    ai, value, *rest = segments
    return Key.of(ai, value, zip(rest[::2], rest[1::2], strict=True))


def check_query(key: Key, query: str) -> None:
    """Refuses attributes that contradict the standard or the path. Raises InvalidHandle.

    What is no number is somebody's own, or the resolver's (URI Syntax, 4.10.1).
    """
    attributes = _DELIMITER.split(query, MAX_ATTRIBUTES) if query else ()
    seen = {ai for ai, _ in key.elements}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        if not (name.isascii() and name.isdigit()):
            continue
        identifier_of(name).check(_decoded(value))
        if name in seen:
            raise InvalidHandle("gs1.repeated", ai=name)
        seen.add(name)


def is_link(uri: str) -> bool:
    """Whether a web address has a key in its path, right or wrong, or may have one that was compressed."""
    parts = _URI.fullmatch(uri)
    return parts is not None and (_PLAUSIBLE.search(parts[1]) is not None or is_compressed(parts[1]))


def is_compressed(path: str) -> bool:
    return _COMPRESSED.fullmatch(path) is not None


def is_plausible(path: str) -> bool:
    """Whether a path that begins with '/' begins with a key, right or wrong."""
    return _PLAUSIBLE.match(path) is not None


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    if _BROKEN_ESCAPE.search(text):
        raise InvalidHandle("gs1.escape", text=text[:MAX_SHOWN])
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidHandle("handle.not_utf8") from None
