"""What somebody may read of a record: as its administrator all of it, as a partner or a regulator his view of it."""

from collections.abc import Iterable
from typing import Final

from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.errors import InsufficientPermission
from registry.handle import NAMING_AUTHORITY, Handle, HandleKey
from registry.prefix import Prefix
from registry.record import HandleRecord
from registry.rights import Rights, is_readable
from registry.store import Store
from registry.value import HandleValue
from registry.views import NO_VIEWS, Audience, Views

_LOOKING: Final = frozenset({"read", "stats"})  # The scopes of a regulator: he sees every prefix and writes nowhere.
_ROOT: Final = NAMING_AUTHORITY.encode()

Values = tuple[HandleValue, ...]


class Reading:
    """Answers what may be read. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, rights: Rights) -> None:
        self._store = store
        self._rights = rights

    async def readable(
        self, record: HandleRecord, by: Administrator, values: Iterable[HandleValue], audience: Audience | None = None
    ) -> Values:
        """Of these values what he may read. For who administers the handle that is all of them, or what an audience
        would see; a partner and a regulator are shown what is open to them, and nothing says that there is more.

        Raises what `Rights.check_read` raises for anybody else, and InsufficientPermission for the view of others.
        """
        selected = tuple(values)
        prefix = self._prefix(record.handle)
        views = NO_VIEWS if prefix is None else prefix.views
        own = await self._audience(record, by, views)
        if own is not None:
            if audience is not None and audience not in (own, "public"):
                raise InsufficientPermission("view.not_owner", audience=audience)
            shown = own if audience is None else audience
            return tuple(value for value in selected if views.show(value, shown) and is_readable(value, by))
        if audience is None:
            await self._rights.check_read(record, selected, by)
            return selected
        # What others see is nothing new to whoever may read it all, and to nobody else.
        await self._rights.check(record, by, AdminPermission.AUTHORIZED_READ)
        return tuple(value for value in selected if views.show(value, audience) and is_readable(value, by))

    async def seen(
        self, record: HandleRecord, by: Administrator, values: Iterable[HandleValue], audience: Audience | None = None
    ) -> Values:
        """Of these values what he may read, and where that is no more than everybody may, those; or what an audience
        would see. Raises as `readable` does for the view of others, and nothing else."""
        selected = tuple(values)
        if audience == "public":
            return tuple(value for value in selected if value.is_public)
        if audience is not None:  # Refused also where all is public: else it would tell that there is more.
            return await self.readable(record, by, selected, audience)
        if all(value.is_public for value in selected):
            return selected
        prefix = self._prefix(record.handle)
        views = NO_VIEWS if prefix is None else prefix.views
        own = await self._audience(record, by, views)
        if own is None:
            owns = await self._rights.may(record, by, AdminPermission.AUTHORIZED_READ)
            own = "owner" if owns else "public"
        return tuple(value for value in selected if views.show(value, own) and is_readable(value, by))

    def shown(
        self, handle: Handle, values: Iterable[HandleValue], by: Administrator, audience: Audience | None = None
    ) -> Values:
        """Of values of one of its versions what somebody may read who may list the prefix of a handle. Raises
        InsufficientPermission for the view of others."""
        prefix = self._prefix(handle)
        return tuple(value for value in values if shows_lister(prefix, value, by, audience))

    async def _audience(self, record: HandleRecord, by: Administrator, views: Views) -> Audience | None:
        """The audience that somebody belongs to who does not administer the handle; None for all others."""
        if _is_regulator(by):
            return "regulator"
        if not self._is_partner(by, views) or await self._rights.may(record, by, AdminPermission.AUTHORIZED_READ):
            return None
        return "partner"

    def _is_partner(self, by: Administrator, views: Views) -> bool:
        if not views.partners:
            return False
        if by.grant is not None:
            needed, held = AdminPermission.AUTHORIZED_READ, by.grant.prefixes or frozenset()
            return any(by.grant.allows(key, needed, over_prefix=False) for key in held & views.partners)
        prefix, _, suffix = self._store.key_of(by.identity.handle.encode()).partition(b"/")
        return (suffix if prefix == _ROOT else prefix) in views.partners

    def _prefix(self, handle: Handle) -> Prefix | None:
        return self._store.prefixes.of(HandleKey(self._store.key_of(handle.octets)))


def shows_lister(
    prefix: Prefix | None, value: HandleValue, by: Administrator, audience: Audience | None = None
) -> bool:
    """Whether somebody who may list the prefix may read a value, or an audience would. Raises InsufficientPermission
    for the view of others."""
    views = NO_VIEWS if prefix is None else prefix.views
    return views.show(value, view_of_lister(by, audience)) and is_readable(value, by)


def view_of_lister(by: Administrator, audience: Audience | None = None) -> Audience:
    """With whose eyes somebody looks who may list a prefix. Raises InsufficientPermission for those of others."""
    if not shows_rules(by) and audience not in (None, "regulator", "public"):
        raise InsufficientPermission("view.not_owner", audience=audience)
    return audience or ("owner" if shows_rules(by) else "regulator")


def shows_rules(by: Administrator) -> bool:
    """Whether somebody who may list a prefix may know its views; a regulator would learn what is kept from him."""
    return not _is_regulator(by)


def _is_regulator(by: Administrator) -> bool:
    return by.grant is not None and by.grant.is_everywhere and by.grant.scopes <= _LOOKING
