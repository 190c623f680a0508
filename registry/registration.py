"""Writing in the book on an administrator's behalf: what each operation checks, in which order, and then does.

Everything is checked and done inside one transaction that holds the handle's row, so nothing can change in between.
Like the reference server, registering answers for faults of the request before it asks who is there, and the other
operations ask first. `by` is None for a stranger: AuthenticationNeeded is raised where he would be challenged.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from time import time
from typing import Final
from uuid import uuid4

from registry.admin import AdminPermission, permissions_to_replace
from registry.alias import check_alias
from registry.authentication import Administrator
from registry.claims import check_claims
from registry.compulsory import check_named
from registry.errors import (
    AuthenticationNeeded,
    HandleAlreadyExists,
    HandleNotFound,
    InsufficientPermission,
    InvalidHandle,
    InvalidValue,
    OperationNotSupported,
    PrefixNotHomed,
    ProtocolFault,
    ValueAlreadyExists,
    ValuesNotFound,
)
from registry.handle import NAMING_AUTHORITY, Handle, check_new, check_prefix
from registry.listing import list_names
from registry.minting import Asked, Minting
from registry.prefix import Prefix
from registry.reading import Reading
from registry.record import HandleRecord, check_values
from registry.rights import Rights, read_only_index
from registry.schemes.gs1 import check_canonical
from registry.store import Store
from registry.suffixes import check_suffix
from registry.templates import Templates
from registry.transaction import Transaction, begin
from registry.trust import Trust
from registry.value import HandleValue
from registry.views import Audience
from registry.writing import Written, change, expect, replace, says_the_same

DERIVED_AT_ONCE: Final = 1000  # Prefixes read at a time.
MAX_LISTED: Final = 100_000  # Names in one answer: some five megabytes. A longer list is asked for page by page.
MAX_TAKEN: Final = 100  # Suffixes made for one handle that others had chosen: such are few, or the minter is no use.


class Registration:
    """Writes, lists and homes. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, administrators: Collection[str], clock: Callable[[], float] = time) -> None:
        """`administrators` are the node's, as index:handle. Raises InvalidCredential for one that is not."""
        self._store = store
        self.rights = Rights(store, administrators)
        self._reading = Reading(store, self.rights)
        self._trust = Trust(store, self.rights, clock)
        self.templates = Templates(store)
        self._minting = Minting(store)

    async def put_record(
        self,
        handle: Handle,
        values: Iterable[HandleValue],
        by: Administrator | None,
        *,
        overwrite: bool = True,
        or_same: bool = False,
        mint: bool = False,
        version: int | None = None,
    ) -> Written:
        """Registers a handle or gives it these values instead. `mint` makes a new suffix of the one given.

        What is not to be overwritten is refused when it is there, or with `or_same` when it says something else.
        """
        if mint:
            handle = Handle(handle.prefix, f"{handle.suffix}{uuid4()}")
        prefix = await self._homed(handle, by)
        check_new(handle)
        check_canonical(handle)
        checked = check_values(tuple(values))
        signed = check_claims(checked)
        if not (overwrite or or_same) and await self._store.fetch(self._store.key_of(handle.octets)) is not None:
            raise HandleAlreadyExists("handle.exists", handle=str(handle))
        administrator = _known(by)
        await self._trust.check(HandleRecord(handle, checked), signed)
        await check_alias(self._store, handle, checked)

        async with begin(self._store, str(administrator)) as transaction:
            record = await transaction.lock(handle)
            expect(version, handle, record)
            if record is None:
                await self.rights.check_create(handle, administrator)
                check_suffix(prefix.rules, handle.suffix)
                check_named(prefix.rules, handle.suffix, checked)
                await self.templates.check(checked, transaction.connection, new=True)
                try:
                    return Written(handle, True, await transaction.create(handle, checked))
                except HandleAlreadyExists:  # Somebody was quicker: his has been committed.
                    record = await transaction.lock(handle)
                    if record is None or not (overwrite or or_same):
                        raise
            if not overwrite and not (or_same and says_the_same(record.values, checked)):
                raise HandleAlreadyExists("handle.exists", handle=str(handle))
            await self.rights.check_replace(record, checked, administrator)
            check_named(prefix.rules, record.handle.suffix, checked, record.values)
            await self.templates.check(checked, transaction.connection)
            return Written(handle, False, await replace(transaction, record, checked))

    async def mint_record(
        self,
        handle: Handle,
        asked: Asked,
        values: Iterable[HandleValue],
        by: Administrator | None,
        *,
        version: int | None = None,
    ) -> Written:
        """Registers a handle under the prefix of one without a suffix, which a minter of the prefix makes."""
        if handle.suffix:
            raise ProtocolFault("http.parameter", name="minter", value=asked.minter, rule="makes the whole suffix")
        prefix = await self._homed(handle, by)
        checked = check_values(tuple(values))
        signed = check_claims(checked)
        administrator = _known(by)

        async with begin(self._store, str(administrator)) as transaction:
            expect(version, handle, None)
            await self.rights.check_create(handle, administrator)
            await self.templates.check(checked, transaction.connection, new=True)
            for _ in range(MAX_TAKEN):
                minted = Handle(prefix.spelling, await self._minting.next(prefix, asked, transaction.connection))
                check_suffix(prefix.rules, minted.suffix)
                check_named(prefix.rules, minted.suffix, checked)
                await self._trust.check(HandleRecord(minted, checked), signed)
                with suppress(HandleAlreadyExists):  # Somebody chose it himself.
                    return Written(minted, True, await transaction.create(minted, checked))
            raise HandleAlreadyExists("handle.exists", handle=str(minted))

    async def put_values(
        self,
        handle: Handle,
        values: Iterable[HandleValue],
        by: Administrator | None,
        *,
        overwrite: bool = True,
        version: int | None = None,
    ) -> Written:
        """Adds these values to a handle, or modifies those that it has. Nothing replaced: `created`."""
        prefix = await self._homed(handle, by)
        given = check_values(tuple(values))
        signed = check_claims(given)
        if not given:
            raise InvalidValue("value.none")
        administrator = _known(by)

        async def made(transaction: Transaction, record: HandleRecord) -> Written:
            there = {value.index for value in record.values}
            after = check_values(
                (*[one for one in record.values if one.index not in {new.index for new in given}], *given)
            )
            await self.rights.check(record, administrator, permissions_to_replace(record.values, after))
            taken = next((value.index for value in given if value.index in there), None)
            if taken is not None and not overwrite:
                raise ValueAlreadyExists("value.exists", index=taken)
            if (index := read_only_index(record, given)) is not None:
                raise InsufficientPermission("authorization.read_only", index=index, handle=str(handle))
            check_named(prefix.rules, record.handle.suffix, after, record.values)
            await self.templates.check(after, transaction.connection)
            # Last: whether a digest is right tells of values that not everybody may read.
            await self._trust.check(HandleRecord(handle, after), signed)
            await check_alias(self._store, handle, given)
            return Written(handle, taken is None, await replace(transaction, record, after))

        return await change(self._store, handle, administrator, version, made)

    async def modify_values(self, handle: Handle, values: Iterable[HandleValue], by: Administrator | None) -> Written:
        """Modifies values that are there. Which are not is said before it is asked who is there, as the reference does.

        One that is removed between that look and the write is written anew, by somebody who may modify it.
        """
        await self._homed(handle, by)
        given = check_values(tuple(values))
        record = await self._store.fetch(self._store.key_of(handle.octets))
        if record is None:
            raise HandleNotFound("handle.not_found", handle=str(handle))
        for value in given:
            if record.at(value.index) is None:
                raise ValuesNotFound("values.not_found", handle=str(handle), index=value.index)
        return await self.put_values(handle, given, by)

    async def delete_values(
        self, handle: Handle, indexes: Collection[int], by: Administrator | None, *, version: int | None = None
    ) -> Written:
        """Removes values. All of them or, when one is not there, none: ValuesNotFound."""
        prefix = await self._homed(handle, by)
        administrator = _known(by)

        async def made(transaction: Transaction, record: HandleRecord) -> Written:
            after = tuple(value for value in record.values if value.index not in indexes)
            await self.rights.check(record, administrator, permissions_to_replace(record.values, after))
            for index in indexes:
                if record.at(index) is None:
                    raise ValuesNotFound("values.not_found", handle=str(handle), index=index)
            check_named(prefix.rules, record.handle.suffix, after, record.values)
            await self.templates.check(after, transaction.connection)
            return Written(handle, False, await replace(transaction, record, after))

        return await change(self._store, handle, administrator, version, made)

    async def delete_record(self, handle: Handle, by: Administrator | None, *, version: int | None = None) -> Written:
        await self._homed(handle, by)
        administrator = _known(by)

        async def made(transaction: Transaction, record: HandleRecord) -> Written:
            await self.rights.check(record, administrator, AdminPermission.DELETE_HANDLE)
            await transaction.delete(record)
            return Written(handle, False, record)

        return await change(self._store, handle, administrator, version, made)

    async def readable(
        self,
        record: HandleRecord,
        by: Administrator | None,
        values: Iterable[HandleValue] | None = None,
        audience: Audience | None = None,
    ) -> tuple[HandleValue, ...]:
        """Of these values of a record, or all, what somebody may read, or what an audience would. Raises as `Reading`
        does."""
        selected = tuple(record.values if values is None else values)
        if audience is None and all(value.is_public for value in selected):
            return selected
        return await self._reading.readable(record, _known(by), selected, audience)

    async def seen(
        self, record: HandleRecord, by: Administrator, values: Iterable[HandleValue], audience: Audience | None = None
    ) -> tuple[HandleValue, ...]:
        """Of these values of a record what somebody sees who asks for no more. Raises as `Reading.seen` does."""
        return await self._reading.seen(record, by, values, audience)

    async def check_list(self, prefix: str, by: Administrator | None) -> Prefix:
        """Refuses whoever may not list a prefix, written as it is or as the handle 0.NA/<prefix>; and finds it."""
        prefix_handle = _prefix_handle(prefix)
        administrator = _known(by)
        homed = await self._homed(Handle(prefix_handle.suffix, ""), by)
        await self.rights.check_prefix(prefix_handle, administrator, AdminPermission.LIST_HANDLES)
        return homed

    async def list_handles(
        self, prefix: str, by: Administrator | None, page: int | None = None, page_size: int | None = None
    ) -> tuple[int, list[str]]:
        """How many handles a prefix has, and the names of one page in order of their keys; pages count from 0.

        A page size of 0 only counts. Without one all names are given, as long as they are no more than MAX_LISTED.
        """
        homed = await self.check_list(prefix, by)
        total = await self._store.count(homed)
        limit = total if page_size is None or page_size < 0 else page_size
        if limit > MAX_LISTED:
            raise ProtocolFault("list.too_long", prefix=prefix, total=total, limit=MAX_LISTED)
        if limit == 0:
            return total, []
        offset = min(max(0, page or 0) * limit, total) if page_size is not None else 0
        names = await list_names(self._store, homed, limit, offset=offset)
        return total, names

    async def list_derived(self, prefix: str, by: Administrator | None) -> list[str]:
        """The handles of the prefixes below a prefix that are registered here; it need not be homed here itself."""
        prefix_handle = _prefix_handle(prefix)
        await self.rights.check_prefix(prefix_handle, _known(by), AdminPermission.LIST_HANDLES)
        root = await self._homed(Handle(NAMING_AUTHORITY, ""), by)
        below = self._store.key_of(f"{prefix_handle}.".encode())
        names: list[str] = []
        after = below.partition(b"/")[2].decode()
        while len(names) <= MAX_LISTED:
            page, after = await self._store.list_handles(root, DERIVED_AT_ONCE, after=after)
            derived = [name for name in page if self._store.key_of(name.encode()).startswith(below)]
            names += derived
            if len(derived) < DERIVED_AT_ONCE:
                return names
        raise ProtocolFault("list.too_long", prefix=prefix, total=len(names), limit=MAX_LISTED)

    async def home_prefix(self, prefix: str, by: Administrator | None) -> None:
        """Makes this node answer for a prefix. Its handle 0.NA/<prefix> is registered separately, here or elsewhere."""
        name = _prefix_handle(prefix).suffix
        check_prefix(name)
        await self._home(name, by, Transaction.home)

    async def unhome_prefix(self, prefix: str, by: Administrator | None) -> None:
        """Leaves a prefix to others; its handles stay in the book, unanswered. Raises PrefixNotHomed."""
        name = _prefix_handle(prefix).suffix
        if name.upper() == NAMING_AUTHORITY:
            raise OperationNotSupported("prefix.reserved", prefix=name)
        await self._home(name, by, Transaction.unhome)

    async def homed_prefixes(self, by: Administrator | None) -> list[str]:
        """The handles of the prefixes that this node answers for."""
        self.rights.check_node(_known(by))
        await self._store.load_prefixes()
        return [str(Handle(NAMING_AUTHORITY, prefix.spelling)) for prefix in self._store.prefixes.homed()]

    async def may_load(self, prefix: Prefix, by: Administrator) -> bool:
        """Whether somebody may load handles in bulk: register them, and replace the whole of those there."""
        needed = AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE
        prefix_handle = Handle(NAMING_AUTHORITY, prefix.spelling)
        record = await self._store.fetch(self._store.key_of(prefix_handle.octets))
        return await self.rights.grants(record, by, needed, Handle(prefix.spelling, ""))

    async def _home(
        self, prefix: str, by: Administrator | None, move: Callable[[Transaction, str], Awaitable[None]]
    ) -> None:
        administrator = _known(by)
        self.rights.check_node(administrator)
        async with begin(self._store, str(administrator)) as transaction:
            await move(transaction, prefix)
        await self._store.load_prefixes()

    async def _homed(self, handle: Handle, by: Administrator | None) -> Prefix:
        """The prefix of a handle. Raises PrefixNotHomed.

        Another process may have homed it a moment ago: for somebody known, the book is asked before he is refused.
        """
        key = self._store.key_of(handle.octets)
        prefix = self._store.prefixes.of(key)
        if prefix is None and (by is not None or not len(self._store.prefixes)):
            await self._store.load_prefixes()
            prefix = self._store.prefixes.of(key)
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix


def _known(by: Administrator | None) -> Administrator:
    """The point where a stranger is challenged."""
    if by is None:
        raise AuthenticationNeeded("authentication.needed")
    return by


def _prefix_handle(prefix: str) -> Handle:
    handle = Handle.from_text(prefix)
    if handle.prefix.upper() != NAMING_AUTHORITY or not handle.suffix or "\0" in handle.suffix:
        raise InvalidHandle("prefix.handle", handle=prefix)
    return Handle(NAMING_AUTHORITY, handle.suffix)
