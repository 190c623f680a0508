"""The names of a batch, all at once: keys to look them up by, and what stands in front of each answer.

Names that need no escape are joined with line breaks, folded, framed and cut apart again by a few calls of C for all of
them. What any one of them has that is not plain is left to a call for each name.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from operator import contains, itemgetter
from typing import Final, cast

import orjson

from registry.errors import HandleError, InvalidHandle
from registry.handle import MAX_HANDLE, NAMING_AUTHORITY, HandleKey, KeyOf, fold_whole
from registry.names import Names
from resolver.answer import FOUND_HEAD

# What JSON escapes in a string (RFC 8259, section 7), and DEL, which nobody agrees on. The line break parts the names.
_ESCAPED: Final = bytes({*range(0x20), 0x22, 0x5C, 0x7F} - {0x0A})
_FIRST: Final = itemgetter(0)


def joined(names: Sequence[str]) -> bytes | None:
    """The names with line breaks between them, when each stands in JSON as it is."""
    octets = "\n".join(names).encode()
    if octets.count(b"\n") != len(names) - 1 or len(octets.translate(None, _ESCAPED)) != len(octets):
        return None
    return octets


def keys_of(names: Sequence[str], plain: bytes | None, key_of: KeyOf) -> list[HandleKey] | None:
    """★ The key of each name, or None when they have to be read one by one. `plain` is what `joined` gave for them."""
    if plain is not None and key_of is fold_whole:
        keys = key_of(plain).split(b"\n")
        if all(map(contains, keys, repeat(b"/"))) and max(map(len, keys)) <= MAX_HANDLE:
            return cast("list[HandleKey]", keys)
    octets = [name.encode() for name in names]
    if not all(map(contains, octets, repeat(b"/"))) or max(map(len, octets), default=0) > MAX_HANDLE:
        return None
    return [*map(key_of, octets)]


def key_or_refusal(name: str, names: Names) -> HandleKey | HandleError:
    """The key of one name, or what it is refused for."""
    octets = name.encode()
    if not octets:
        return InvalidHandle("handle.empty")
    if len(octets) > MAX_HANDLE:
        return InvalidHandle("handle.too_long", octets=len(octets), limit=MAX_HANDLE)
    try:
        return names.key_of(octets)
    except HandleError as refused:
        return refused


def heads_of(names: Sequence[str], plain: bytes | None, between: bytes) -> list[bytes]:
    """★ For each name what stands before the tail of its answer, `between` in front of it."""
    head = between + FOUND_HEAD
    if plain is None:
        return [head + orjson.dumps(name) for name in names]
    head += b'"'
    return (head + plain.replace(b"\n", b'"\0' + head) + b'"').split(b"\0")


def prefixes_of(names: Sequence[str], plain: bytes | None) -> Counter[str]:
    """★ How many of the names have each prefix, as they are written."""
    if plain is not None:  # A batch is a pallet or a truck as a rule: all of one enterprise.
        first = names[0].partition("/")[0]
        if (b"\n" + plain).count(f"\n{first}/".encode()) == len(names):
            return Counter({first: len(names)})
    if all(map(contains, names, repeat("/"))):
        return Counter(map(_FIRST, map(str.partition, names, repeat("/"))))
    return Counter(name.partition("/")[0] if "/" in name else NAMING_AUTHORITY for name in names)
