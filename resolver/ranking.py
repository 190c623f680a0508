"""Which names were used most, found while a sweep passes over all of them: what a new process should hold first."""

from typing import Final

from registry.handle import HandleKey

LEVELS: Final = 16  # Two names that were used about as often are alike: a level is twice the use of the one below.


class Ranking:
    """The `limit` names that were used most, to a factor of two."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._levels = _levels()

    def see(self, key: HandleKey, used: int) -> None:
        level = self._levels[min(used.bit_length(), LEVELS - 1)]
        if len(level) < self._limit:
            level.append(key)

    def take(self) -> list[HandleKey]:
        """The names seen, those used most in front; and begins anew."""
        names: list[HandleKey] = []
        for level in reversed(self._levels):
            names += level[: self._limit - len(names)]
        self._levels = _levels()
        return names


def _levels() -> list[list[HandleKey]]:
    return [[] for _ in range(LEVELS)]
