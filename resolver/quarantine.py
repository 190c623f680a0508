"""Names that are not kept for some seconds after their change was heard.

On one Postgres a change that can be heard can be read. On a Citus cluster the row of the change log, on the
coordinator, may be seen before the row of the handle, which a worker commits in a second step: what is read meanwhile
is answered and not kept.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from registry.changes import Change, ChangeKind, covering
from registry.handle import HandleKey

# Names and ranges remembered at a time, some 10 MB; with more, for as long as they last nothing is kept at all.
MAX_NAMES: Final = 100_000
MAX_WIDE: Final = 1_000

_NEVER: Final = float("-inf")

Remembered = TypeVar("Remembered")


class Quarantine:
    """Remembers what was changed for `seconds`; with 0 seconds nothing."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._names: dict[HandleKey, float] = {}  # In order of time: what is changed again is put last.
        self._wide: dict[Change, float] = {}
        self._everything_until = _NEVER

    def add(self, changes: Sequence[Change]) -> None:
        if not self._seconds:
            return
        now = self._clock()
        until = now + self._seconds
        _expire(self._names, now)
        _expire(self._wide, now)
        for change in changes:
            if change.kind is ChangeKind.HANDLE:
                self._names.pop(change.key, None)
                self._names[change.key] = until
            else:
                self._wide.pop(change, None)
                self._wide[change] = until
        if len(self._names) > MAX_NAMES or len(self._wide) > MAX_WIDE:
            self._names, self._wide, self._everything_until = {}, {}, until

    def holds(self, key: HandleKey) -> bool:
        """Whether a name is not to be kept."""
        if not self._seconds:
            return False
        now = self._clock()
        _expire(self._wide, now)
        return now < self._everything_until or now < self._names.get(key, _NEVER) or covering(self._wide, key)


def _expire(remembered: dict[Remembered, float], now: float) -> None:
    while remembered and next(iter(remembered.values())) <= now:
        del remembered[next(iter(remembered))]
