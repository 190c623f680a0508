"""Changes, and how to hear of every one exactly once.

Transactions commit in another order than they begin, so "rows after the last one seen" loses changes: more than
half of them when writers overlap. A reader asks instead for everything of transactions at or after the oldest one
that was still running at its previous look, and passes over what it has seen. That is exact on a primary and on a
standby, whose snapshots list no running transactions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from registry.handle import HandleKey


class ChangeKind(IntEnum):
    HANDLE = 1
    RANGE = 2
    PREFIX = 3
    EVERYTHING = 4


class Operation(IntEnum):
    """What was done to one handle; the numbers are stored."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3
    STATE = 4
    LINKED = 5  # Another handle said something of it, or no longer does.
    PURGED = 6  # Nothing: only what was kept of it is to be forgotten.


_NO_KEY = HandleKey(b"")


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed: one key, every key from `key` to `last`, every key that begins with `key`, or everything.

    Of a range that was `created` no key was there before, if it was changed at all: what is said of others still holds.
    """

    kind: ChangeKind
    key: HandleKey = _NO_KEY
    last: HandleKey = _NO_KEY
    created: bool = False

    def covers(self, key: HandleKey) -> bool:
        if self.kind is ChangeKind.HANDLE:
            return key == self.key
        if self.kind is ChangeKind.RANGE:
            return self.key <= key <= self.last
        return self.kind is ChangeKind.EVERYTHING or key.startswith(self.key)


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change as the log holds it; `written_at` is in seconds since 1970, before the commit."""

    sequence: int
    transaction: int
    written_at: float
    change: Change


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the log saw: the snapshot to ask from next time, its oldest running transaction, the rows."""

    snapshot: str
    oldest_running: int
    changes: tuple[LoggedChange, ...] = ()


@dataclass(slots=True)
class Position:
    """Where a reader of the change log stands."""

    snapshot: str
    seen: dict[int, int] = field(default_factory=dict)

    @property
    def oldest_running(self) -> int:
        """Of the transactions below this number everything was heard."""
        return int(self.snapshot.partition(":")[0])

    def unseen(self, look: Look) -> list[LoggedChange]:
        """The changes of a look that were not seen before."""
        return [logged for logged in look.changes if logged.sequence not in self.seen]

    def advance(self, look: Look) -> None:
        """Moves behind a look, once its unseen changes have been acted on."""
        self.seen = {
            logged.sequence: logged.transaction for logged in look.changes if logged.transaction >= look.oldest_running
        }
        self.snapshot = look.snapshot


def start(look: Look) -> Position:
    """The position of a reader that holds nothing yet: it need not hear what was changed before."""
    return Position(look.snapshot)


def covering(changes: Iterable[Change], key: HandleKey) -> bool:
    return any(change.covers(key) for change in changes)
