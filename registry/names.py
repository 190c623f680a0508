"""The keys of names as people write them: a handle's own, or that of the handle under which a code is kept.

A prefix that is homed here is a plain handle's, so such a name costs one look-up more than its key. Every other name
is read by `registry.schemes`; what came of it is remembered, because the same label is read again and again, and never
wrong, because a code is the same handle for ever.
"""

from collections.abc import Callable
from typing import Final

from registry.handle import NAMING_AUTHORITY, Handle, HandleKey, KeyOf
from registry.prefix import PrefixTable
from registry.schemes.recognition import Recognised, recognise

PREFIX_START: Final = NAMING_AUTHORITY.encode() + b"/"

MAX_CODES: Final = 1 << 16  # Remembered at a time: sixteen megabytes at most; reading one again takes microseconds.


class Names:
    """Reads names. `plain` is the key of octets that are known to be a handle."""

    def __init__(self, plain: KeyOf, prefixes: Callable[[], PrefixTable] = PrefixTable) -> None:
        self.plain = plain
        self._prefixes = prefixes
        self._codes: dict[bytes, HandleKey] = {}
        self.known = self._codes.get  # The key of a code that was read before, or None.

    def key_of(self, name: bytes) -> HandleKey:
        """The key of a handle, of a prefix (a name without '/'), or of a code. Raises HandleError for a code that its
        system refuses."""
        key = self.plain(name if b"/" in name else PREFIX_START + name)
        return key if self._is_plain(key) else self._read(name, key)

    def handle_of(self, text: str) -> Handle:
        """The handle that a name is, or that a code is kept under. Raises HandleError."""
        recognised = self.recognised(text)
        return Handle.from_text(text) if recognised is None else recognised.handle

    def recognised(self, text: str) -> Recognised | None:
        """As what a name is read; None for a plain handle of a prefix here. Raises HandleError."""
        handle = Handle.from_text(text)
        return None if self._is_plain(self.plain(handle.octets)) else recognise(text)

    def _is_plain(self, key: HandleKey) -> bool:
        prefixes = self._prefixes()
        if key.startswith(PREFIX_START):
            return prefixes.find(key[len(PREFIX_START) :]) is not None
        return prefixes.of(key) is not None

    def _read(self, name: bytes, plain: HandleKey) -> HandleKey:
        known = self._codes.get(name)
        if known is not None:
            return known
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return plain  # Nothing of such a name is registered, and no code is written so.
        key = self.plain(recognise(text).handle.octets)
        if key != plain:
            if len(self._codes) >= MAX_CODES:
                self._codes.clear()  # Those still in use are soon back.
            self._codes[name] = key
        return key
