"""What the interface of the national secondary-node software (SNMS) does with identifiers and their templates.

Several identifiers are written in one transaction. Where one of them is refused, each is written by itself, so that the
others are there as that interface promises.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from registry import snms
from registry.authentication import Administrator
from registry.errors import (
    HandleError,
    HandleNotFound,
    InsufficientPermission,
    InvalidAdministrator,
    InvalidValue,
    PrefixNotHomed,
    ProtocolFault,
    ServerBusy,
)
from registry.handle import Handle
from registry.prefix import Prefix
from registry.record import HandleRecord, public
from registry.registration import Registration
from registry.several import MAX_OPERATIONS, Operation, OperationRefused, make
from registry.snms import IdentifierForm
from registry.standing import closed
from registry.store import Store
from registry.template import TemplateName, named_template
from registry.templates import Kept
from registry.value import HandleValue

Kind = Literal["create", "replace"]
Outcome = HandleError | None  # None where it was done.

MAX_IDENTIFIERS: Final = MAX_OPERATIONS  # Of one call: 2,000, as that interface documents.


class SnmsIdentifiers:
    """Resolves and writes. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._registration = Registration(store, store.settings.administrators)

    async def found(self, name: str, by: Administrator) -> dict[str, Any]:
        """An identifier with the values that somebody may read. Raises HandleNotFound, InvalidHandle."""
        handle = Handle.from_text(name)
        key = self._store.key_of(handle.octets)
        packed = (await self._store.fetch_packed([key])).get(key)
        if packed is None:
            raise HandleNotFound("handle.not_found", handle=name)
        if packed.standing is not None and packed.is_closed:
            raise closed(name, packed.standing)
        record = packed.unpack()
        version = await self._version_of(record.values)
        return snms.shown(record.handle, record.handle.prefix, version, await self._readable(record, by))

    async def write(self, kind: Kind, forms: Sequence[IdentifierForm], by: Administrator) -> list[Outcome]:
        """What came of each, in their order: of its registration, or of the update of one that is there."""
        _check_count(len(forms))
        handles = [_handle(form.handle) for form in forms]
        before = await self._before(handles) if kind == "replace" else {}
        templates: dict[tuple[str, str], Kept | HandleError] = {}
        operations: list[Operation | HandleError] = []
        for form, handle in zip(forms, handles, strict=True):
            try:
                operations.append(await self._operation(kind, form, handle, before, templates))
            except HandleError as error:
                operations.append(error)
        return await self._made(operations, by)

    async def delete(self, names: Sequence[str], by: Administrator) -> list[Outcome]:
        """What came of each, in their order."""
        _check_count(len(names))
        read = [_handle(name) for name in names]
        return await self._made([one if isinstance(one, HandleError) else Operation("delete", one) for one in read], by)

    async def template(self, named: str, version: str) -> Kept:
        """The template that a prefix calls this, its newest version. One of the other interface is called by its whole
        name. Raises HandleNotFound, PrefixNotHomed."""
        prefix = await self.prefix(named)
        versions = await self._registration.templates.versions(prefix, snms.name_of(version))
        if versions:
            return versions[0]
        try:
            name = TemplateName.from_text(version)
        except ValueError:
            name = None
        kept = None if name is None else (await self._registration.templates.published([name])).get(name.key)
        if kept is None:
            raise HandleNotFound("snms.template_not_found", prefix=named[:200], version=version[:200])
        return kept

    async def prefix(self, named: str) -> Prefix:
        """Raises PrefixNotHomed."""
        key = self._store.key_of(f"{named}/".encode())[:-1]
        if self._store.prefixes.find(key) is None:
            await self._store.load_prefixes()  # Another process may have homed it a moment ago.
        prefix = self._store.prefixes.find(key)
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix

    async def _before(self, handles: Sequence[Handle | HandleError]) -> dict[bytes, HandleRecord]:
        keys = [self._store.key_of(handle.octets) for handle in handles if isinstance(handle, Handle)]
        return {bytes(key): record for key, record in (await self._store.fetch_many(keys)).items()}

    async def _operation(
        self,
        kind: Kind,
        form: IdentifierForm,
        handle: Handle | HandleError,
        before: dict[bytes, HandleRecord],
        templates: dict[tuple[str, str], Kept | HandleError],
    ) -> Operation:
        if isinstance(handle, HandleError):
            raise handle
        kept = await self._known_template(handle.prefix, form.template_version, templates)
        values = snms.values_from_form(form, kept.name, kept.template)
        if kind == "create":
            return Operation(kind, handle, values)
        record = before.get(bytes(self._store.key_of(handle.octets)))
        if record is None:
            raise HandleNotFound("handle.not_found", handle=form.handle)
        # What was read is what is written over: an identifier that somebody changed meanwhile is refused.
        return Operation(kind, handle, snms.updated(record.values, values), version=record.version)

    async def _known_template(
        self, prefix: str, version: str, templates: dict[tuple[str, str], Kept | HandleError]
    ) -> Kept:
        """The template of an identifier, looked for once in a call."""
        if (prefix, version) not in templates:
            try:
                templates[prefix, version] = await self.template(prefix, version)
            except HandleError as error:
                templates[prefix, version] = error
        kept = templates[prefix, version]
        if isinstance(kept, HandleError):
            raise kept
        return kept

    async def _made(self, operations: Sequence[Operation | HandleError], by: Administrator) -> list[Outcome]:
        outcomes: list[Outcome] = [one if isinstance(one, HandleError) else None for one in operations]
        asked = [(place, one) for place, one in enumerate(operations) if isinstance(one, Operation)]
        if len(asked) > 1 and await self._together([one for _, one in asked], by):
            return outcomes
        for place, one in asked:
            outcomes[place] = await self._alone(one, by)
        return outcomes

    async def _together(self, operations: Sequence[Operation], by: Administrator) -> bool:
        """Whether all of them were made; otherwise none was."""
        try:
            async with self._part():
                await make(self._store, self._registration, operations, by)
        except ServerBusy:
            raise
        except (OperationRefused, HandleError):
            return False
        return True

    async def _alone(self, operation: Operation, by: Administrator) -> Outcome:
        try:
            async with self._part():
                await make(self._store, self._registration, [operation], by)
        except OperationRefused as refused:
            return refused.error
        except ServerBusy:
            raise
        except HandleError as error:  # A limit of the enterprise, which is asked at the end.
            return error
        return None

    @asynccontextmanager
    async def _part(self) -> AsyncIterator[None]:
        """What can be taken back by itself where it is a part of something greater."""
        if (unit := self._store.unit) is None:
            yield
        else:
            async with unit.connection.transaction():
                yield

    async def _readable(self, record: HandleRecord, by: Administrator) -> tuple[HandleValue, ...]:
        try:
            return await self._registration.readable(record, by)
        except (InvalidAdministrator, InsufficientPermission):
            return public(record.values)  # As anybody would resolve it.

    async def _version_of(self, values: tuple[HandleValue, ...]) -> str:
        """What the template of an identifier is called; empty where it has none."""
        try:
            named = named_template(public(values))
        except InvalidValue:  # Stored before templates were looked at.
            return ""
        if named is None:
            return ""
        name = named[1]
        kept = (await self._registration.templates.published([name])).get(name.key)
        return str(name) if kept is None or kept.template.snms is None else kept.template.snms.version


def _handle(name: str) -> Handle | HandleError:
    try:
        return Handle.from_text(name)
    except HandleError as error:
        return error


def _check_count(count: int) -> None:
    if not 0 < count <= MAX_IDENTIFIERS:
        raise ProtocolFault("snms.too_many", count=count, limit=MAX_IDENTIFIERS)
