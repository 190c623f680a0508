"""What an administrator may do: HS_ADMIN values, and the groups of keys they name (RFC 3651, sections 3.2.1, 3.2.7).

The rights over a handle stand in the handle itself; the rights to register and to list under a prefix stand in the
prefix's handle. One HS_ADMIN value must grant everything that an operation needs. The administrators of the node, who
are named in its settings, may do everything.

One rule differs from the reference server's, on purpose: a handle that has no HS_ADMIN value at all is administered
by the administrators of its prefix. Bulk loads register millions of handles without one, and whoever loaded them
could not correct a single one otherwise.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from registry.admin import (
    ADMINISTRATORS,
    AdminPermission,
    AdminRecord,
    is_admin,
    permissions_to_replace,
    value_list_from_wire,
)
from registry.authentication import Administrator, identity_from_text
from registry.errors import InsufficientPermission, InvalidAdministrator, InvalidHandle, PrefixNotHomed
from registry.grants import READING, Grant
from registry.handle import NAMING_AUTHORITY, Handle, HandleKey
from registry.issuers import authorities, authority_over
from registry.octets import Truncated
from registry.prefix import Prefix
from registry.record import HandleRecord
from registry.schemes.issuer_parts import covers, part_of
from registry.schemes.systems import HANDLE, system_of
from registry.store import Store
from registry.value import HandleValue, Permission, Reference, type_matches

log = logging.getLogger(__name__)

MAX_DEPTH: Final = 8  # Groups inside groups; each level is one read.
MAX_READ: Final = 256  # Members looked into for one question, whether they are groups; an enterprise has a handful.
MAX_MEMBERS: Final = 20_000  # Members of one level, counted before a group is added: a table of a few megabytes.

_WORDS: Final[Mapping[AdminPermission, tuple[str, str]]] = {
    AdminPermission.CREATE_HANDLE: ("create handles", "创建标识"),
    AdminPermission.DELETE_HANDLE: ("delete the handle", "删除标识"),
    AdminPermission.CREATE_DERIVED_PREFIX: ("create derived prefixes", "创建下级前缀"),
    AdminPermission.DELETE_DERIVED_PREFIX: ("delete derived prefixes", "删除下级前缀"),
    AdminPermission.MODIFY_VALUE: ("modify values", "修改值"),
    AdminPermission.REMOVE_VALUE: ("remove values", "删除值"),
    AdminPermission.ADD_VALUE: ("add values", "添加值"),
    AdminPermission.MODIFY_ADMINISTRATOR: ("modify administrators", "修改管理员"),
    AdminPermission.REMOVE_ADMINISTRATOR: ("remove administrators", "删除管理员"),
    AdminPermission.ADD_ADMINISTRATOR: ("add administrators", "添加管理员"),
    AdminPermission.AUTHORIZED_READ: ("read restricted values", "读取受限值"),
    AdminPermission.LIST_HANDLES: ("list handles", "列出标识"),
}

_ADD_ADMINISTRATOR: Final = AdminPermission.ADD_ADMINISTRATOR

_Place = tuple[HandleKey, int]


class Rights:
    """Answers whether an administrator may do something, from the book as it stands."""

    def __init__(self, store: Store, administrators: Collection[str]) -> None:
        """`administrators` are the node's, as index:handle. Raises InvalidCredential for one that is not."""
        self._store = store
        self._node = frozenset(self._place(identity_from_text(text)) for text in administrators)

    def is_of_node(self, by: Administrator) -> bool:
        """Whether this is one of the node's own administrators, or somebody whose token is good for every prefix."""
        if by.grant is not None:
            return by.grant.is_everywhere
        key, index = self._place(by.identity)
        return (key, index) in self._node or (key, 0) in self._node

    def check_node(self, by: Administrator) -> None:
        if not self.is_of_node(by):
            raise InvalidAdministrator("authorization.node", identity=str(by))

    async def check_create(self, handle: Handle, by: Administrator) -> None:
        """Refuses whoever may not register this handle. Raises InvalidAdministrator."""
        if not await self._may_create(handle, by):
            parent, needed = _granting(handle)
            raise self._refusal(parent, by, needed)

    async def check_prefix(self, prefix_handle: Handle, by: Administrator, needed: AdminPermission) -> None:
        """Refuses whoever lacks a right over a prefix. Raises InvalidAdministrator."""
        target = Handle(prefix_handle.suffix, "")
        if not await self.grants(await self._fetch(prefix_handle), by, needed, target):
            raise self._refusal(prefix_handle, by, needed)

    async def listable(self, named: str, by: Administrator) -> Prefix:
        """The prefix of this name, homed here now or before. Raises InvalidAdministrator, PrefixNotHomed."""
        return await self._prefix(named, by, AdminPermission.LIST_HANDLES)

    async def templated(self, named: str, by: Administrator) -> Prefix:
        """A prefix whose templates somebody may change, and see before they are published. Raises as `listable`.

        Who says what handles of a prefix are, could register and replace all of them.
        """
        return await self._prefix(named, by, AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE)

    async def _prefix(self, named: str, by: Administrator, needed: AdminPermission) -> Prefix:
        await self.check_prefix(Handle(NAMING_AUTHORITY, named), by, needed)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix

    async def check(self, record: HandleRecord, by: Administrator, needed: AdminPermission) -> None:
        """Refuses whoever lacks a right over a handle. Raises InvalidAdministrator."""
        if not await self.may(record, by, needed):
            raise self._refusal(record.handle, by, needed)

    async def check_replace(self, record: HandleRecord, values: Collection[HandleValue], by: Administrator) -> None:
        """Refuses whoever may not give a handle these values instead. Raises both refusals of rights.

        Allowed to whoever may make every single difference; to whoever may add administrators, and so could allow it
        to himself; and to whoever may delete the handle and register it again.
        """
        needed = permissions_to_replace(record.values, values)
        may_change = await self.may(record, by, needed) or await self.may(record, by, _ADD_ADMINISTRATOR)
        read_only = None if not may_change else read_only_index(record, values)
        if may_change and read_only is None:
            return
        if await self.may(record, by, AdminPermission.DELETE_HANDLE) and await self._may_create(record.handle, by):
            return
        if not may_change:
            raise self._refusal(record.handle, by, needed)
        raise InsufficientPermission("authorization.read_only", index=read_only, handle=str(record.handle))

    async def check_read(self, record: HandleRecord, values: Iterable[HandleValue], by: Administrator) -> None:
        """Refuses whoever may not read some of these values. Raises both refusals of rights."""
        restricted = [value for value in values if not value.is_public]
        if not restricted or (by.grant is None and self.is_of_node(by)):
            return
        for value in restricted:
            if not is_readable(value, by):
                raise InsufficientPermission("authorization.unreadable", index=value.index, handle=str(record.handle))
        await self.check(record, by, AdminPermission.AUTHORIZED_READ)

    async def may(self, record: HandleRecord, by: Administrator, needed: AdminPermission) -> bool:
        """Whether one HS_ADMIN value that governs this handle grants all of `needed`."""
        if any(is_admin(value) for value in record.values):
            return await self.grants(record, by, needed, record.handle)
        return await self._grants_over(record.handle, record.handle.prefix_handle, by, needed)

    async def grants(
        self, record: HandleRecord | None, by: Administrator, needed: AdminPermission, target: Handle
    ) -> bool:
        """Whether one HS_ADMIN value of this very record grants all of `needed`, which is wanted of `target`.

        Raises InvalidAdministrator for writing under a prefix whose enterprise is suspended.
        """
        key, over_prefix = self._governed(target)
        grant = by.grant
        if grant is not None and record is not None and record.handle == target:
            key = self._holding(record, grant) or key
        if grant is not None and not grant.allows(key, needed, over_prefix=over_prefix):
            return False
        if self.is_of_node(by):
            return True
        # Whoever holds a token of an enterprise acts as the group of its administrators.
        who = by.identity if grant is None else Reference(f"{NAMING_AUTHORITY}/{key.decode()}", ADMINISTRATORS)
        granting = [admin for admin in _admins(record) if admin.permissions & needed == needed]
        if not await self._names([Reference(admin.handle, admin.index) for admin in granting], who):
            return False
        if needed & ~READING and (prefix := self._store.prefixes.find(key)) is not None and prefix.suspended:
            raise InvalidAdministrator("prefix.suspended", prefix=prefix.spelling)
        return True

    def _holding(self, record: HandleRecord, grant: Grant) -> bytes | None:
        """The prefix of a grant whose administrators a handle names itself: it was handed over to them."""
        for admin in _admins(record):
            prefix_key = self._store.key_of(admin.handle.encode()).removeprefix(f"{NAMING_AUTHORITY}/".encode())
            if admin.index == ADMINISTRATORS and grant.prefixes is not None and prefix_key in grant.prefixes:
                return prefix_key
        return None

    def _governed(self, handle: Handle) -> tuple[bytes, bool]:
        """The key of the prefix that a handle belongs to; and whether it is that prefix's own handle."""
        prefix, _, suffix = self._store.key_of(handle.octets).partition(b"/")
        return (suffix, True) if prefix == NAMING_AUTHORITY.encode() and suffix else (prefix, False)

    async def _names(self, references: Iterable[Reference], who: Reference) -> bool:
        """Whether a reference is this administrator, or a group, or a group of groups, that holds him."""
        key, index = self._place(who)
        level = {self._place(reference) for reference in references}
        seen: set[_Place] = set()
        for _ in range(MAX_DEPTH):
            if (key, index) in level or (key, 0) in level:
                return True
            unread = sorted(level - seen)[: MAX_READ - len(seen)]
            if not unread:
                return False
            seen.update(unread)
            level = await self._members(unread)
        log.debug("%s: looked for in %d groups of administrators, %d deep", who, len(seen), MAX_DEPTH)
        return False

    async def _members(self, places: Sequence[_Place]) -> set[_Place]:
        """The members of those places that are groups, in one read."""
        records = await self._store.fetch_many(sorted({key for key, _ in places}))
        members: set[_Place] = set()
        for key, index in places:
            value = records[key].at(index) if key in records else None
            if value is not None and type_matches(value.type, "HS_VLIST.") and len(members) < MAX_MEMBERS:
                members.update(self._place(member) for member in _list_members(value))
        return members

    async def _may_create(self, handle: Handle, by: Administrator) -> bool:
        parent, needed = _granting(handle)
        return await self._grants_over(handle, parent, by, needed)

    async def granted_parts(
        self, prefix: Prefix, by: Administrator, needed: AdminPermission
    ) -> bool | Callable[[str], bool]:
        """Of the prefix of a code system, which codes somebody has this right over, by key of their suffixes."""
        system = system_of(prefix.spelling)
        granted: list[tuple[str, bool]] = []
        for start, authority in await authorities(self._store, system) if system != HANDLE else ():
            try:
                own = await self.grants(await self._fetch(authority), by, needed, Handle(authority.suffix, ""))
            except InvalidAdministrator:  # Its enterprise is suspended.
                own = False
            granted.append((start, own))
        if not any(own for _, own in granted):
            return False

        def may_write(suffix: str) -> bool:
            found = part_of(Handle(prefix.spelling, suffix))
            return found is not None and next((own for start, own in granted if covers(system, start, found[1])), False)

        return may_write

    async def _grants_over(self, handle: Handle, parent: Handle, by: Administrator, needed: AdminPermission) -> bool:
        """Whether the administrators of a prefix are, by its handle, those of a handle under it; or, of a code of
        another system, those of the prefix that its part was granted to."""
        if not self.is_of_node(by) and (authority := await authority_over(self._store, handle)) is not None:
            as_granted = Handle(authority.suffix, handle.suffix)
            if await self.grants(await self._fetch(authority), by, needed, as_granted):
                return True
        return await self.grants(await self._fetch(parent), by, needed, handle)

    async def _fetch(self, handle: Handle) -> HandleRecord | None:
        return await self._store.fetch(self._store.key_of(handle.octets))

    def _place(self, reference: Reference) -> _Place:
        """Where a reference points, so that two spellings of it are one."""
        try:
            handle = Handle.from_text(reference.handle)
        except InvalidHandle:
            return HandleKey(b""), reference.index  # Data of strangers: such a reference names nobody.
        return self._store.key_of(handle.octets), reference.index

    def _refusal(self, handle: Handle, by: Administrator, needed: AdminPermission) -> InvalidAdministrator:
        right, right_zh = _in_words(needed)
        return InvalidAdministrator(
            "authorization.not_administrator", identity=str(by), handle=str(handle), right=right, right_zh=right_zh
        )


def is_readable(value: HandleValue, by: Administrator) -> bool:
    """Whether an administrator of a handle may read this value of it at all.

    A secret key would let whoever holds a token be more than his token says, and longer.
    """
    if value.is_public:
        return True
    if by.grant is not None and type_matches(value.type, "HS_SECKEY."):
        return False
    return bool(value.permissions & Permission.ADMIN_READ)


def read_only_index(record: HandleRecord, values: Iterable[HandleValue]) -> int | None:
    """The index of a value that would be modified though nobody may write it."""
    for value in values:
        before = record.at(value.index)
        if before and not before.permissions & Permission.ADMIN_WRITE and not before.says_the_same_as(value):
            return value.index
    return None


def _granting(handle: Handle) -> tuple[Handle, AdminPermission]:
    """The handle whose administrators may register this one, and the right that they need.

    A derived prefix, 0.NA/x.y, is registered by the administrators of 0.NA/x.
    """
    if handle.prefix != NAMING_AUTHORITY:
        return handle.prefix_handle, AdminPermission.CREATE_HANDLE
    parent = handle.suffix.rpartition(".")[0]
    return Handle(NAMING_AUTHORITY, parent or NAMING_AUTHORITY), AdminPermission.CREATE_DERIVED_PREFIX


def _admins(record: HandleRecord | None) -> Iterator[AdminRecord]:
    for value in () if record is None else record.values:
        if is_admin(value):
            try:
                yield AdminRecord.from_wire(value.data)
            except Truncated:
                continue  # Stored as anybody may store anything; it grants nothing.


def _list_members(value: HandleValue) -> tuple[Reference, ...]:
    try:
        return value_list_from_wire(value.data)
    except Truncated:
        return ()


def _in_words(needed: AdminPermission) -> tuple[str, str]:
    """The rights as a person reads them, in English and Chinese; none at all is the right to change nothing."""
    words = [pair for permission, pair in _WORDS.items() if permission & needed] or [("write", "写入")]
    return ", ".join(english for english, _ in words), "、".join(chinese for _, chinese in words)
