"""The operations that write and list, as the native protocol words them (RFC 3652, sections 3.6 and 3.7).

Each reads its body and calls the registration, which HTTP calls too: the same rights, the same rows, the same change
log. A stranger is challenged wherever that raises AuthenticationNeeded.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from registry.authentication import Administrator
from registry.changes import Change, ChangeKind
from registry.errors import InvalidHandle, PrefixNotHomed, ResponseCode
from registry.handle import Handle
from registry.registration import Registration
from registry.writing import Written
from resolver.queries import Queries
from resolver.referral import is_prefix_handle, with_prefix
from resolver.replies import Reply
from resolver.resolution import Resolver
from resolver.wire.administration import HandleIndexes, NamedHandle, parts_of
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import AUTHORITATIVE, Message
from resolver.wire.query import HandleValues

Operation = Callable[[Message, Administrator | None], Awaitable[Sequence[Reply]]]

_OVERWRITE: Final = int(OpFlag.OVERWRITE)
_MINT: Final = int(OpFlag.MINT_SUFFIX)
_DONE: Final = (Reply(),)
_REPLACED: Final = (Reply(flags=AUTHORITATIVE | _OVERWRITE),)


class Administration:
    """Operations 100 to 106 and 300 to 302. Everything raises Truncated, HandleError and DATABASE_AWAY."""

    def __init__(self, registration: Registration, resolver: Resolver, queries: Queries) -> None:
        self._registration = registration
        self._resolver = resolver
        self._queries = queries
        self._key_of = resolver.store.key_of
        self.operations: Mapping[int, Operation] = {
            OpCode.CREATE_HANDLE: self._of_handle(self._create),
            OpCode.DELETE_HANDLE: self._of_handle(self._delete),
            OpCode.ADD_VALUES: self._of_handle(self._add),
            OpCode.REMOVE_VALUES: self._of_handle(self._remove),
            OpCode.MODIFY_VALUES: self._of_handle(self._modify),
            OpCode.LIST_HANDLES: self._list,
            OpCode.LIST_DERIVED_PREFIXES: self._list_derived,
            OpCode.HOME_PREFIX: self._home,
            OpCode.UNHOME_PREFIX: self._unhome,
            OpCode.LIST_HOMED_PREFIXES: self._list_homed,
        }

    def _of_handle(self, operation: Operation) -> Operation:
        """The operation, or where the handle that it names is administered instead."""

        async def run(request: Message, by: Administrator | None) -> Sequence[Reply]:
            name = NamedHandle.from_wire(request.body).handle
            full = with_prefix(name)
            if is_prefix_handle(full):
                answer = await self._resolver.resolve(self._key_of(full))
                if answer.code == ResponseCode.HANDLE_NOT_FOUND and answer.tombstone is None:
                    reply = await self._queries.refer(request, name, answer.code)
                    if reply.code == ResponseCode.PREFIX_REFERRAL:
                        return (reply,)
            try:
                return await self._resolver.store.perseverance.make(lambda: operation(request, by))
            except PrefixNotHomed:
                return (await self._queries.refer(request, name, ResponseCode.SERVER_NOT_RESPONSIBLE),)

        return run

    async def _create(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        body = HandleValues.from_wire(request.body)
        overwrite, mint = bool(request.op_flags & _OVERWRITE), bool(request.op_flags & _MINT)
        handle = _handle(body.handle)
        written = await self._registration.put_record(handle, body.values, by, overwrite=overwrite, mint=mint)
        self._forget(written.handle)
        # The spelling asked for: a name without its prefix is echoed without it.
        name = str(written.handle).encode() if mint else body.handle
        flags = AUTHORITATIVE | request.op_flags & _MINT | (0 if written.created else _OVERWRITE)
        return (Reply(NamedHandle(name).to_wire(), flags=flags),)

    async def _delete(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        handle = _handle(NamedHandle.from_wire(request.body).handle)
        await self._registration.delete_record(handle, by)
        self._forget(handle)
        return _DONE

    async def _add(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        body = HandleValues.from_wire(request.body)
        overwrite = bool(request.op_flags & _OVERWRITE)
        handle = _handle(body.handle)
        written = await self._registration.put_values(handle, body.values, by, overwrite=overwrite)
        return self._changed(written)

    async def _remove(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        body = HandleIndexes.from_wire(request.body)
        handle = _handle(body.handle)
        await self._registration.delete_values(handle, frozenset(body.indexes), by)
        self._forget(handle)
        return _DONE

    async def _modify(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        body = HandleValues.from_wire(request.body)
        handle = _handle(body.handle)
        await self._registration.modify_values(handle, body.values, by)
        self._forget(handle)
        return _DONE

    async def _list(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        prefix = _text(NamedHandle.from_wire(request.body).handle)
        _, names = await self._registration.list_handles(prefix, by)
        return _listed(names)

    async def _list_derived(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        prefix = _text(NamedHandle.from_wire(request.body).handle)
        return _listed(await self._registration.list_derived(prefix, by))

    async def _home(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        await self._registration.home_prefix(_text(NamedHandle.from_wire(request.body).handle), by)
        return _DONE

    async def _unhome(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        await self._registration.unhome_prefix(_text(NamedHandle.from_wire(request.body).handle), by)
        return _DONE

    async def _list_homed(self, request: Message, by: Administrator | None) -> Sequence[Reply]:
        return _listed(await self._registration.homed_prefixes(by))

    def _changed(self, written: Written) -> Sequence[Reply]:
        self._forget(written.handle)
        return _DONE if written.created else _REPLACED

    def _forget(self, handle: Handle) -> None:
        """What this process wrote it shows at once; the others hear of it in the change log."""
        self._resolver.forget(Change(ChangeKind.HANDLE, self._key_of(handle.octets)))


def _text(name: bytes) -> str:
    """Raises InvalidHandle."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise InvalidHandle("handle.not_utf8") from None


def _handle(name: bytes) -> Handle:
    """Raises InvalidHandle."""
    return Handle.from_text(_text(name))


def _listed(names: Sequence[str]) -> Sequence[Reply]:
    return tuple(Reply(part.to_wire(), flags=flags) for flags, part in parts_of([name.encode() for name in names]))
