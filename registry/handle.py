"""Names: prefix, suffix, and the key that two spellings of one handle share (RFC 3651, section 2).

A handle is a prefix, a '/', and a suffix; the first '/' divides. ASCII letters match without regard to case over
the whole name, as in the reference server, unless the node keeps suffixes exact. Nothing but ASCII is ever folded.
The spelling asked for is echoed, the spelling registered is kept: only `HandleKey` is folded, and only here.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NewType, cast

from registry.errors import InvalidHandle

HandleKey = NewType("HandleKey", bytes)
KeyOf = Callable[[bytes], HandleKey]

MAX_HANDLE: Final = 2048  # Octets; what the reference server and both national SDKs accept.
NAMING_AUTHORITY: Final = "0.NA"  # The prefix under which prefixes themselves are handles.

_GENERAL_PREFIX = re.compile(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*")
_NATIONAL = re.compile(r"(86|88)(\..*)?")
# Country, secondary node (three digits as a rule, up to five), enterprise (did:cn allows up to 128 digits).
_NATIONAL_PREFIX = re.compile(r"(86|88)\.[0-9]{3,5}(\.[0-9]{1,128})?")
_NATIONAL_RULE = "write 86 or 88, 3 to 5 digits for the secondary node, 1 to 128 digits for the enterprise"


@dataclass(frozen=True, slots=True)
class Handle:
    """A name as somebody wrote it."""

    prefix: str
    suffix: str

    @classmethod
    def from_text(cls, text: str) -> "Handle":
        """Divides a name; one without '/' is the handle of a prefix, under 0.NA. Raises InvalidHandle.

        Checks length only: names are checked whole when they are registered (`check_new`), and a name that
        nobody could have registered is simply not found.
        """
        if not text:
            raise InvalidHandle("handle.empty")
        if len(text) * 4 > MAX_HANDLE and (octets := len(text.encode())) > MAX_HANDLE:
            raise InvalidHandle("handle.too_long", octets=octets, limit=MAX_HANDLE)
        prefix, slash, suffix = text.partition("/")
        return cls(prefix, suffix) if slash else cls(NAMING_AUTHORITY, text)

    def __str__(self) -> str:
        return f"{self.prefix}/{self.suffix}"

    @property
    def octets(self) -> bytes:
        return str(self).encode()

    @property
    def prefix_handle(self) -> "Handle":
        """The handle that says who may register under this one's prefix."""
        return Handle(NAMING_AUTHORITY, self.prefix)


# The key of a handle where ASCII case never matters: the reference server's default. It folds ASCII and nothing else,
# and is the method itself, because a function around it would cost as much again for each of a thousand names.
fold_whole: Final = cast("KeyOf", bytes.upper)


def fold_prefix(octets: bytes) -> HandleKey:
    """The key of a handle where suffixes are exact; names that begin with "0." still fold whole."""
    prefix, slash, suffix = octets.partition(b"/")
    if not slash or prefix.startswith(b"0."):
        return HandleKey(octets.upper())
    return HandleKey(prefix.upper() + slash + suffix)


def check_new(handle: Handle) -> None:
    """Refuses a name that must not be registered. Raises InvalidHandle.

    Names are compared octet by octet, so two forms of one visible name would be two handles: normalization form C
    is required, and control characters, which nobody can see, are refused.
    """
    name = str(handle)
    if not handle.prefix:
        raise InvalidHandle("handle.prefix_empty", handle=name)
    if not handle.suffix:
        raise InvalidHandle("handle.suffix_empty", handle=name)
    if name.isascii() and name.isprintable():
        return
    for position, character in enumerate(name, 1):
        if unicodedata.category(character) in {"Cc", "Cs"}:
            raise InvalidHandle("handle.control_character", handle=name, point=ord(character), position=position)
    if not unicodedata.is_normalized("NFC", name):
        raise InvalidHandle("handle.not_nfc", handle=name)


def check_prefix(prefix: str) -> None:
    """Refuses a prefix that cannot be homed: a malformed national one, or one with odd characters."""
    if _NATIONAL.fullmatch(prefix) and not _NATIONAL_PREFIX.fullmatch(prefix):
        raise InvalidHandle("prefix.national", prefix=prefix, rule=_NATIONAL_RULE)
    if not _GENERAL_PREFIX.fullmatch(prefix):
        raise InvalidHandle("prefix.syntax", prefix=prefix)
