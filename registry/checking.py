"""Many names looked at before they are written: which are there, in which state and version, and what may be written.

What is told was so at one moment, and nothing is held: the write itself decides.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from registry.admin import AdminPermission, is_admin
from registry.authentication import Administrator
from registry.errors import HandleAlreadyExists, HandleError, HandleNotFound, PrefixNotHomed
from registry.handle import NAMING_AUTHORITY, Handle, check_new
from registry.packing import PackedRecord
from registry.record import HandleRecord
from registry.rights import Rights
from registry.standing import State, fixed
from registry.store import Store
from registry.suffixes import check_suffix

LOOKED_AT_ONCE: Final = 1000  # Names read at a time, after which others have their turn.

Purpose = Literal["create", "replace", "upsert", "delete"]
_NEEDED: Final = {
    "replace": AdminPermission.MODIFY_VALUE,
    "upsert": AdminPermission.MODIFY_VALUE,
    "delete": AdminPermission.DELETE_HANDLE,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is of a name: its state and version, if it is registered; and what a write would be refused for."""

    state: State | None
    version: int
    refusal: HandleError | None


class Checking:
    """Looks at names for somebody who wants to write them all in one way. Raises DATABASE_AWAY."""

    def __init__(self, store: Store, rights: Rights, purpose: Purpose, by: Administrator) -> None:
        self._store = store
        self._rights = rights
        self._purpose = purpose
        self._by = by
        self._known: dict[object, HandleError | None] = {}  # What he may: the same of all handles with the same rights.

    async def check(self, handles: Sequence[Handle | HandleError]) -> list[Checked]:
        """Each name, or what it is refused for already."""
        await self._store.load_prefixes()
        checked: list[Checked] = []
        for first in range(0, len(handles), LOOKED_AT_ONCE):
            some = handles[first : first + LOOKED_AT_ONCE]
            keys = [self._store.key_of(one.octets) for one in some if isinstance(one, Handle)]
            found = await self._store.fetch_packed(keys)
            for one in some:
                packed = found.get(self._store.key_of(one.octets)) if isinstance(one, Handle) else None
                checked.append(await self._one(one, packed))
            await asyncio.sleep(0)
        return checked

    async def _one(self, one: Handle | HandleError, packed: PackedRecord | None) -> Checked:
        if isinstance(one, HandleError):
            return Checked(None, 0, one)
        state = None if packed is None else State.ACTIVE if packed.standing is None else packed.standing.state
        try:
            await (self._new(one) if packed is None else self._there(one, packed))
        except HandleError as refusal:
            return Checked(state, 0 if packed is None else packed.version, refusal)
        return Checked(state, 0 if packed is None else packed.version, None)

    async def _new(self, handle: Handle) -> None:
        prefix = self._store.prefixes.of(self._store.key_of(handle.octets))
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        if self._purpose not in ("create", "upsert"):
            raise HandleNotFound("handle.not_found", handle=str(handle))
        check_new(handle)
        # Who may make the handle of a prefix depends on the prefix above it.
        await self._once(handle if handle.prefix.upper() == NAMING_AUTHORITY else handle.prefix, handle, None)
        check_suffix(prefix.rules, handle.suffix)

    async def _there(self, handle: Handle, packed: PackedRecord) -> None:
        if self._purpose == "create":
            raise HandleAlreadyExists("handle.exists", handle=str(handle))
        record = packed.unpack()
        if refusal := fixed(handle, packed.standing):
            raise refusal
        admins = tuple(value.data for value in record.values if is_admin(value))
        await self._once((record.handle.prefix, admins), handle, record)

    async def _once(self, like: object, handle: Handle, record: HandleRecord | None) -> None:
        """Refuses what he may not do with a handle, or with another like it."""
        if like not in self._known:
            try:
                await self._allow(handle, record)
                self._known[like] = None
            except HandleError as refusal:
                self._known[like] = refusal
        known = self._known[like]
        if known is not None:
            raise known

    async def _allow(self, handle: Handle, record: HandleRecord | None) -> None:
        if record is None:
            await self._rights.check_create(handle, self._by)
        else:
            await self._rights.check(record, self._by, _NEEDED[self._purpose])
