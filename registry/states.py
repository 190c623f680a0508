"""Handles put into states: reserved, taken into use, frozen, revoked; and those whose time is over.

Who may delete a handle may choose its state, and who may register one may reserve its name. The operator of the node
may do so with every handle, and what he did nobody else takes back.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.compulsory import check_named
from registry.errors import HandleNotFound, PrefixNotHomed, ProtocolFault
from registry.handle import Handle, check_new
from registry.record import HandleRecord
from registry.rights import Rights
from registry.schemes.gs1 import check_canonical
from registry.standing import Origin, Standing, State, Wish, begins_use, checked, stand
from registry.store import Store
from registry.transaction import Transaction, begin, key_order
from registry.writing import Written, expect

MAX_AT_ONCE: Final = 1000  # Handles of one transaction: their rows are held for a second or two.
EXPIRED_AT_ONCE: Final = 100  # Handles of one transaction: who wants to change one of them waits for all.
EXPIRED_IN_TURN: Final = 1000  # Handles after which the upkeep goes on with something else.
TIMER: Final = "filament registry"  # Who a handle's history names when its time is over.
TIME_OVER: Final = "its time is over"

DUE: Final = "SELECT prefix_id, suffix FROM handle_expiry WHERE at <= $1 ORDER BY prefix_id, suffix LIMIT $2"
TAKE_OUT: Final = "DELETE FROM handle_expiry WHERE prefix_id = $1 AND suffix = $2"

Allow = Callable[[Handle, HandleRecord | None], Awaitable[None]]


async def put(
    store: Store,
    handles: Sequence[Handle],
    wish: Wish,
    *,
    by: str,
    of_node: bool,
    allow: Allow,
    version: int | None = None,
    origin: Origin | None = None,
) -> list[Written]:
    """Puts all these handles into a state or, when one cannot be, none. `allow` refuses whoever may not; one that is
    not at this version is refused, where one is given. With an `origin` it is said who chose it before, and when.

    Raises HandleNotFound, InvalidHandle, InvalidValue, ProtocolFault, InsufficientPermission, PrefixNotHomed.
    """
    if len(handles) > MAX_AT_ONCE:
        raise ProtocolFault("batch.too_many", limit=MAX_AT_ONCE)
    await _expect_homed(store, handles)
    async with begin(store, by) as transaction:
        now = int(transaction.at.timestamp())
        wish = checked(wish, now)
        done: list[Written] = []
        for handle in key_order(store, handles):
            there = await transaction.lock(handle)
            await allow(handle, there)
            expect(version, handle, there)
            record = there or await _reserved(transaction, handle, wish)
            # A name that nobody had is reserved from the beginning.
            before = there.standing if there else Standing(State.RESERVED, now, by, of_node)
            standing = stand(record.handle, before, wish, by, now, of_node=of_node)
            if begins_use(before, wish):
                prefix = store.prefixes.of(store.key_of(handle.octets))
                check_named(() if prefix is None else prefix.rules, record.handle.suffix, record.values)
            if origin is not None:
                standing = replace(standing, since=origin.since, by=origin.by)
            done.append(Written(handle, there is None, await transaction.put_standing(record, standing)))
        return done


def allowed_to(rights: Rights, by: Administrator) -> Allow:
    """What an administrator may choose the state of."""

    async def allow(handle: Handle, record: HandleRecord | None) -> None:
        if record is None:
            await rights.check_create(handle, by)
        else:
            await rights.check(record, by, AdminPermission.DELETE_HANDLE)

    return allow


async def anything(_: Handle, __: HandleRecord | None) -> None:
    """What the command line is allowed to."""


async def expire(store: Store) -> int:
    """Ends handles whose time is over, and says how many; those beyond EXPIRED_IN_TURN wait for the next call."""
    ended = 0
    for _ in range(0, EXPIRED_IN_TURN, EXPIRED_AT_ONCE):
        async with store.connection() as connection:
            due = await connection.fetch(DUE, datetime.now(UTC), EXPIRED_AT_ONCE)
        # One prefix a transaction: names of several are locked in another order by everybody else.
        for prefix_id, rows in groupby(due, itemgetter("prefix_id")):
            async with begin(store, TIMER) as transaction:
                for row in rows:
                    ended += await _expire(store, transaction, prefix_id, row["suffix"])
        if len(due) < EXPIRED_AT_ONCE:
            break
    return ended


async def _expire(store: Store, transaction: Transaction, prefix_id: int, suffix: str) -> bool:
    """Ends a handle, if its time is over still. A prefix that has left keeps its handles as they are."""
    prefix = store.prefixes.by_id(prefix_id)
    record = None
    if prefix is not None and prefix.homed:
        record = await transaction.lock(Handle(prefix.spelling, suffix))
    before = None if record is None else record.standing
    if record is None or before is None or before.expires is None:
        await transaction.connection.execute(TAKE_OUT, prefix_id, suffix)
        return False
    now = int(transaction.at.timestamp())
    if before.expires > now:
        return False
    standing = Standing(State.EXPIRED, now, TIMER, before.of_node, TIME_OVER, before.successor)
    await transaction.put_standing(record, standing)
    return True


async def _reserved(transaction: Transaction, handle: Handle, wish: Wish) -> HandleRecord:
    """A name that nobody had, without values."""
    if wish.state is not State.RESERVED:
        raise HandleNotFound("handle.not_found", handle=str(handle))
    check_new(handle)
    check_canonical(handle)
    return await transaction.create(handle, ())


async def _expect_homed(store: Store, handles: Sequence[Handle]) -> None:
    """Another process may have homed a prefix a moment ago: the book is asked before anybody is refused."""
    for attempt in (store.load_prefixes, None):
        if all(store.prefixes.of(store.key_of(handle.octets)) is not None for handle in handles):
            return
        if attempt is not None:
            await attempt()
    raise PrefixNotHomed("prefix.not_homed")
