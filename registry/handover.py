"""Handles handed over from one enterprise to another: proposed by one, agreed to by the other, done in one transaction.

A handle keeps its name and its values and goes on being resolved; what changes is who administers it. Its HS_ADMIN
values give way to one that names the administrators of the taker's prefix; where a handle comes home to the enterprise
of its own prefix it needs none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.acts import Act
from registry.admin import ADMINISTRATORS, PREFIX_ADMINISTRATOR, AdminPermission, AdminRecord, is_admin
from registry.authentication import Administrator
from registry.errors import HandleNotFound, InsufficientPermission, InvalidHandle, PrefixNotHomed, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle, check_new
from registry.holders import hold, holders
from registry.prefix import Prefix
from registry.record import HandleRecord, check_values
from registry.rights import Rights
from registry.store import Store
from registry.transaction import Transaction, begin
from registry.value import HandleValue

MAX_HANDLES: Final = 10_000  # Of one transfer: their rows are held for some ten seconds, and read meanwhile as ever.
MAX_NOTE: Final = 500  # Characters.
MAX_LISTED: Final = 100
ADMIN_INDEX: Final = 100  # Where the reference server has it, if that is free.
# Who may give away what an enterprise has, or take something on for it.
NEEDED: Final = AdminPermission.ADD_ADMINISTRATOR | AdminPermission.REMOVE_ADMINISTRATOR

PROPOSE: Final = """
INSERT INTO transfer (prefix_id, giver_id, taker_id, by_giver, suffixes, suffix, suffix_to, state, note, proposed_by,
                      proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9, $10) RETURNING transfer_id
"""
FIND: Final = "SELECT * FROM transfer WHERE transfer_id = $1"
HOLD_PROPOSED: Final = "SELECT * FROM transfer WHERE transfer_id = $1 AND state = 'proposed' FOR UPDATE"
LIST: Final = """
SELECT * FROM transfer WHERE ($1::int IS NULL OR giver_id = $1 OR taker_id = $1) AND transfer_id < $2
ORDER BY transfer_id DESC LIMIT $3
"""
OF_RANGE: Final = """
SELECT suffix FROM handle WHERE prefix_id = $1 AND suffix BETWEEN $2 AND $3 AND state <> 1 ORDER BY suffix LIMIT $4
"""
DECIDE: Final = """
UPDATE transfer SET state = $2, decided_by = $3, decided_at = $4, handles = $5 WHERE transfer_id = $1
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Handles of one prefix, listed or from the first to the last, that go from one prefix's administrators to
    another's."""

    giver: str
    taker: str
    handles: tuple[Handle, ...]
    to: Handle | None = None  # The last of a range, whose first is the one handle listed.
    note: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as the book has it."""

    transfer_id: int
    prefix_id: int
    giver_id: int
    taker_id: int
    by_giver: bool
    suffixes: list[str] | None
    suffix: str | None
    suffix_to: str | None
    state: str
    handles: int | None
    note: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class Transfers:
    """Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, rights: Rights) -> None:
        self._store = store
        self._rights = rights

    async def propose(self, proposal: Proposal, by: Administrator) -> Transfer:
        """Raises InvalidAdministrator for who speaks for neither side, InvalidHandle, PrefixNotHomed, ProtocolFault."""
        giver, taker = self._prefix(proposal.giver), self._prefix(proposal.taker)
        prefix, suffixes, ends = self._asked(proposal)
        if giver.prefix_id == taker.prefix_id or not _is_note(proposal.note):
            raise ProtocolFault("transfer.same" if giver.prefix_id == taker.prefix_id else "transfer.note",
                                prefix=taker.spelling, limit=MAX_NOTE)  # fmt: skip
        by_giver = await self._speaks_for(giver, by)
        if not by_giver:
            await self._check(taker, by)
        async with begin(self._store, str(by)) as transaction:
            row = (prefix.prefix_id, giver.prefix_id, taker.prefix_id, by_giver, suffixes, *ends, proposal.note)
            transfer_id = await transaction.connection.fetchval(PROPOSE, *row, str(by), transaction.at)
            await transaction.keep(Act("transfer.proposed", f"{giver.spelling} {taker.spelling}", prefix.prefix_id,
                                       {"transfer": transfer_id}))  # fmt: skip
        return await self._find(transfer_id)

    async def seen(self, transfer_id: int, by: Administrator) -> Transfer:
        """A transfer, for those who speak for one of its sides. Raises HandleNotFound."""
        transfer = await self._find(transfer_id)
        for prefix_id in (transfer.giver_id, transfer.taker_id):
            if await self._speaks_for(self._side(prefix_id), by):
                return transfer
        raise not_found(transfer_id)

    async def listed(self, prefix: Prefix | None, before: int) -> list[Transfer]:
        """Those of a prefix, or all, the latest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(LIST, None if prefix is None else prefix.prefix_id, before, MAX_LISTED)
        return [Transfer(**row) for row in rows]

    async def accept(self, transfer_id: int, by: Administrator) -> Transfer:
        """Hands all the handles over or, when one cannot be, none. Raises what `seen` raises, InvalidAdministrator for
        the side that proposed, HandleNotFound, InsufficientPermission."""
        transfer = await self.seen(transfer_id, by)
        await self._check(self._side(transfer.taker_id if transfer.by_giver else transfer.giver_id), by)
        async with begin(self._store, str(by)) as transaction:
            await self._hold(transaction, transfer_id)
            suffixes = await self._suffixes(transaction, transfer)
            await self._hand_over(transaction, transfer, suffixes)
            await self._decide(transaction, transfer, "done", by, len(suffixes))
        return await self._find(transfer_id)

    async def decline(self, transfer_id: int, by: Administrator) -> Transfer:
        """Refuses a transfer or, on the side that proposed it, withdraws it."""
        transfer = await self.seen(transfer_id, by)
        proposer = self._side(transfer.giver_id if transfer.by_giver else transfer.taker_id)
        word = "withdrawn" if await self._speaks_for(proposer, by) else "refused"
        async with begin(self._store, str(by)) as transaction:
            await self._hold(transaction, transfer_id)
            await self._decide(transaction, transfer, word, by, None)
        return await self._find(transfer_id)

    async def _hand_over(self, transaction: Transaction, transfer: Transfer, suffixes: Sequence[str]) -> None:
        prefix, taker = self._side(transfer.prefix_id), self._side(transfer.taker_id)
        held = await holders(transaction.connection, [prefix.prefix_id] * len(suffixes), suffixes)
        for suffix in suffixes:
            handle = Handle(prefix.spelling, suffix)
            record = await transaction.lock(handle)
            if record is None:
                raise HandleNotFound("handle.not_found", handle=str(handle))
            if held.get((prefix.prefix_id, suffix), prefix.prefix_id) != transfer.giver_id:
                raise InsufficientPermission("transfer.not_held", handle=str(record.handle))
            comes_home = taker.prefix_id == prefix.prefix_id
            await transaction.replace(record, _administered(record, None if comes_home else taker))
        await hold(transaction.connection, prefix.prefix_id, suffixes, taker.prefix_id)

    async def _suffixes(self, transaction: Transaction, transfer: Transfer) -> list[str]:
        """The keys of the handles, in order. A range is what is there when it is handed over."""
        if transfer.suffixes is not None:
            return transfer.suffixes
        row = (transfer.prefix_id, transfer.suffix, transfer.suffix_to, MAX_HANDLES + 1)
        found = [one["suffix"] for one in await transaction.connection.fetch(OF_RANGE, *row)]
        if len(found) > MAX_HANDLES:
            raise ProtocolFault("batch.too_many", limit=MAX_HANDLES)
        return found

    async def _hold(self, transaction: Transaction, transfer_id: int) -> None:
        if await transaction.connection.fetchrow(HOLD_PROPOSED, transfer_id) is None:
            raise ProtocolFault("transfer.decided", transfer=transfer_id)

    async def _decide(
        self, transaction: Transaction, transfer: Transfer, word: str, by: Administrator, count: int | None
    ) -> None:
        await transaction.connection.execute(DECIDE, transfer.transfer_id, word, str(by), transaction.at, count)
        subject = f"{self._side(transfer.giver_id).spelling} {self._side(transfer.taker_id).spelling}"
        detail: dict[str, Any] = {"transfer": transfer.transfer_id} | ({} if count is None else {"handles": count})
        await transaction.keep(Act(f"transfer.{word}", subject, transfer.prefix_id, detail))

    def _asked(self, proposal: Proposal) -> tuple[Prefix, list[str] | None, tuple[str | None, str | None]]:
        """The prefix of the handles; their suffixes, or the ends of a range."""
        handles = [*proposal.handles, *([] if proposal.to is None else [proposal.to])]
        if not handles or len(handles) > MAX_HANDLES or (proposal.to is not None and len(proposal.handles) != 1):
            raise ProtocolFault("batch.too_many", limit=MAX_HANDLES)
        for handle in handles:
            check_new(handle)
        keys = [self._store.key_of(handle.octets).decode() for handle in handles]
        if len({key.partition("/")[0] for key in keys}) > 1 or handles[0].prefix == NAMING_AUTHORITY:
            raise InvalidHandle("transfer.one_prefix", handle=str(handles[0]))
        suffixes = [key.partition("/")[2] for key in keys]
        prefix = self._prefix(handles[0].prefix)
        if proposal.to is None:
            return prefix, sorted(set(suffixes)), (None, None)
        return prefix, None, (suffixes[0], suffixes[1])

    async def _find(self, transfer_id: int) -> Transfer:
        async with self._store.connection() as connection:
            row = await connection.fetchrow(FIND, transfer_id)
        if row is None:
            raise not_found(transfer_id)
        return Transfer(**row)

    def _prefix(self, named: str) -> Prefix:
        prefix = self._store.prefixes.of(self._store.key_of(f"{named}/".encode()))
        if prefix is None or prefix.spelling == NAMING_AUTHORITY:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix

    def _side(self, prefix_id: int) -> Prefix:
        prefix = self._store.prefixes.by_id(prefix_id)
        if prefix is None or not prefix.homed:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix

    async def _speaks_for(self, prefix: Prefix, by: Administrator) -> bool:
        handle = Handle(NAMING_AUTHORITY, prefix.spelling)
        record = await self._store.fetch(self._store.key_of(handle.octets))
        return await self._rights.grants(record, by, NEEDED, Handle(prefix.spelling, ""))

    async def _check(self, prefix: Prefix, by: Administrator) -> None:
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, prefix.spelling), by, NEEDED)


def _is_note(text: str) -> bool:
    return len(text) <= MAX_NOTE and text.replace("\n", "").isprintable()


def not_found(transfer: object) -> HandleNotFound:
    return HandleNotFound("transfer.not_found", transfer=transfer)


def _administered(record: HandleRecord, taker: Prefix | None) -> tuple[HandleValue, ...]:
    """The values of a record with the administrators of a prefix, or of its own when none is named."""
    kept = [value for value in record.values if not is_admin(value)]
    if taker is None:
        return check_values(tuple(kept))
    admin = AdminRecord(PREFIX_ADMINISTRATOR, f"{NAMING_AUTHORITY}/{taker.spelling}", ADMINISTRATORS).to_wire()
    return check_values((*kept, HandleValue(_free_index(kept), "HS_ADMIN", admin)))


def _free_index(values: Iterable[HandleValue]) -> int:
    taken = {value.index for value in values}
    return next(index for index in range(ADMIN_INDEX, ADMIN_INDEX + len(taken) + 1) if index not in taken)
