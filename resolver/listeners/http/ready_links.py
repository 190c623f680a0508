"""Redirects of GS1 keys to their default links, remembered by path while the cache says that they are right.

What a redirect was made of is asked for again at every question: it is given while each answer is the very object that
the cache gives. What headers choose between, and what an alias or a tombstone says, is left to the long way.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from registry.errors import HandleError
from registry.handle import HandleKey
from registry.prefix import PrefixTable
from registry.record import public
from registry.schemes.gs1_digital_link import is_plausible, key_from_path
from registry.schemes.gs1_keys import SEQUENCES
from registry.store import Store
from resolver.answer import Alias, Answer
from resolver.listeners.http.link_answers import link_to_set
from resolver.listeners.http.link_choice import Preferences, default_of
from resolver.listeners.http.link_levels import Asked
from resolver.listeners.http.target import Destinations, target_of

MAX_PATHS: Final = 1 << 15  # Remembered at a time: some twenty megabytes; making one again takes tens of microseconds.
STARTS: Final = tuple(f"/{ai}/".encode() for ai in SEQUENCES)
_NO_PREFERENCES: Final = Preferences()

Found = tuple[tuple[tuple[HandleKey, Answer], ...], bytes, int, bytes]
"""What a redirect was made of, the prefix that it is counted for, its time to live, and the header lines of its own."""


class Source(Protocol):
    """Where answers come from: the resolver."""

    @property
    def store(self) -> Store: ...

    def peek_fresh(self, key: HandleKey) -> Answer | None: ...

    def still_gives(self, answers: Iterable[tuple[HandleKey, Answer]]) -> bool: ...


class ReadyLinks:
    def __init__(self, source: Source, allowed: Destinations) -> None:
        self._peek = source.peek_fresh
        self._still_gives = source.still_gives
        self._store = source.store
        self._allowed = allowed
        self._paths: dict[bytes, Found] = {}
        self._prefixes: PrefixTable = self._store.prefixes

    def find(self, path: bytes) -> Found | None:
        """★ The redirect of a path, as it was sent; None for what has to go the long way."""
        if self._store.prefixes is not self._prefixes:  # What was a key may be a handle of a prefix that is homed now.
            self._paths.clear()
            self._prefixes = self._store.prefixes
        found = self._paths.get(path)
        if found is not None:
            if self._still_gives(found[0]):
                return found
            del self._paths[path]
        return self._make(path)

    def _make(self, path: bytes) -> Found | None:
        try:
            raw = path.decode("ascii")
            key = key_from_path(raw[1:]) if is_plausible(raw) else None
        except (HandleError, UnicodeDecodeError):
            return None
        if key is None or self._prefixes.of(self._store.key_of(f"{key.ai}/".encode())) is not None:
            return None
        asked = Asked.of_gs1(key, self._store.key_of)
        found = self._found(asked)
        if found is not None:
            if len(self._paths) >= MAX_PATHS:
                self._paths.clear()  # Those still in use are soon back.
            self._paths[path] = found
        return found

    def _found(self, asked: Asked) -> Found | None:
        made_of: list[tuple[HandleKey, Answer]] = []
        for place, key in enumerate(asked.keys):
            answer = self._peek(key)
            if answer is None or isinstance(answer, Alias) or answer.tombstone is not None:
                return None
            made_of.append((key, answer))
            if (record := answer.record) is None:
                continue
            level = asked.level(place, public(record.values), self._allowed)
            if level.default is None:
                continue
            link = default_of(level, _NO_PREFERENCES)
            target = None if link is None or level.variants else target_of(link.href, self._allowed)
            if target is None:
                return None
            lines = f"Link: {link_to_set(asked.paths[0])}\r\nLocation: {target}\r\n"
            prefix = asked.keys[0].partition(b"/")[0]
            return tuple(made_of), prefix, min(one.ttl for _, one in made_of), lines.encode("ascii")
        return None
