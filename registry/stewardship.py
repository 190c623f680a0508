"""Who may act for an enterprise as a whole: add its people, issue its tokens.

The node's operators may for everybody; an enterprise's administrators for theirs; and whoever holds a key that may add
administrators to every prefix of it, as its first key may. A program's token may not: it would outlive itself.
"""

from typing import Final

from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.errors import InvalidAdministrator
from registry.grants import OF_PROGRAMS, Scope
from registry.handle import NAMING_AUTHORITY, Handle
from registry.rights import Rights
from registry.store import Store

STEWARDS: Final[tuple[Scope, ...]] = ("operate", "administer")  # What a token needs one of.


class Stewardship:
    """Raises InvalidAdministrator for whoever may not."""

    def __init__(self, store: Store, rights: Rights) -> None:
        self._store = store
        self._rights = rights

    async def check(self, by: Administrator, enterprise_id: int | None) -> None:
        """`enterprise_id` None is the node itself."""
        if not await self._may(by, enterprise_id):
            raise InvalidAdministrator("authorization.enterprise", identity=str(by), enterprise=enterprise_id or "node")

    def enterprise_of(self, by: Administrator, asked: int | None) -> int | None:
        """The enterprise that somebody means who named none: his own."""
        return asked if asked is not None or by.grant is None else by.grant.enterprise_id

    def scopes_to_give(self, by: Administrator) -> frozenset[str]:
        """Scopes for which he may issue tokens: none that he has not himself."""
        if by.grant is None:
            return OF_PROGRAMS
        return by.grant.scopes if by.grant.is_everywhere else by.grant.scopes & OF_PROGRAMS

    async def _may(self, by: Administrator, enterprise_id: int | None) -> bool:
        grant = by.grant
        if grant is not None:
            if not grant.person:
                return False
            return grant.is_everywhere or (enterprise_id is not None and enterprise_id == grant.enterprise_id)
        if self._rights.is_of_node(by):
            return True
        return enterprise_id is not None and await self._holds_every_prefix(by, enterprise_id)

    async def _holds_every_prefix(self, by: Administrator, enterprise_id: int) -> bool:
        await self._store.load_prefixes()
        held = self._store.prefixes.of_enterprise(enterprise_id)
        needed = AdminPermission.ADD_ADMINISTRATOR | AdminPermission.ADD_VALUE
        for prefix in held:
            handle = Handle(NAMING_AUTHORITY, prefix.spelling)
            record = await self._store.fetch(self._store.key_of(handle.octets))
            if not await self._rights.grants(record, by, needed, handle):
                return False
        return bool(held)
