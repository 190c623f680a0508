"""Having kept answers forgotten, everywhere: a purge is a row of the change log that changes nothing.

Every resolver of every machine hears of it as it hears of changes, and reads anew. It is in the audit log, and neither
in the change feed nor in what is sealed, since nothing of what the book says is another.
"""

from dataclasses import dataclass
from typing import Final

from registry.acts import Act
from registry.changes import ChangeKind, Operation
from registry.errors import PrefixNotHomed
from registry.handle import Handle
from registry.prefix import Prefix
from registry.store import Store
from registry.transaction import begin, log_change

ACT: Final = "cache.purged"
_LAST: Final = "\U0010ffff"  # Behind every character: what begins with a text is at most the text and this.

PURGE: Final = """
INSERT INTO change_log (kind, prefix_id, suffix, suffix_to, operation) VALUES ($1, $2, $3, $4, $5)
RETURNING xid::text::bigint, at
"""


@dataclass(frozen=True, slots=True)
class Purged:
    """What was forgotten: one row of the change log, and its name in the audit log."""

    kind: ChangeKind
    subject: str
    prefix: Prefix
    suffix: str | None = None
    suffix_to: str | None = None


async def purge_handle(store: Store, handle: Handle, by: str) -> None:
    """Has the answer for one name forgotten. Raises PrefixNotHomed."""
    prefix, suffix = _place(store, handle)
    await _purge(store, Purged(ChangeKind.HANDLE, str(handle), prefix, suffix), by)


async def purge_beginning(store: Store, handle: Handle, by: str) -> None:
    """Has the answers forgotten for all names that begin like this one. Raises PrefixNotHomed."""
    prefix, suffix = _place(store, handle)
    await _purge(store, Purged(ChangeKind.RANGE, f"{handle}*", prefix, suffix, suffix + _LAST), by)


async def purge_prefix(store: Store, prefix: Prefix, by: str) -> None:
    """Has all answers below a prefix forgotten."""
    await _purge(store, Purged(ChangeKind.PREFIX, prefix.spelling, prefix), by)


def _place(store: Store, handle: Handle) -> tuple[Prefix, str]:
    place = store.place(store.key_of(handle.octets))
    if place is None:
        raise PrefixNotHomed("prefix.not_homed")
    return place


async def _purge(store: Store, purged: Purged, by: str) -> None:
    row = (purged.kind, purged.prefix.prefix_id, purged.suffix, purged.suffix_to, Operation.PURGED)
    async with begin(store, by) as transaction:
        await log_change(transaction.connection, PURGE, *row)
        await transaction.keep(Act(ACT, purged.subject, purged.prefix.prefix_id))
