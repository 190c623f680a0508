"""What is kept of many strangers: of those that came last, and bounded, however many there are."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")

STRANGERS: Final = 65_536  # Of whom something is kept; those unused for longest give way to new ones.


class Recent(Generic[Key, Kept]):
    """What is kept of so many at least as were used last, and of no more than twice those."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[Key, Kept] = {}
        self._old: dict[Key, Kept] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Key) -> Kept | None:
        """★"""
        kept = self._young.get(key)
        if kept is None:
            kept = self._old.get(key)
            if kept is not None:
                self.put(key, kept)
        return kept

    def put(self, key: Key, kept: Kept) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = kept
