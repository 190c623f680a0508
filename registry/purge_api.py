"""Having kept answers forgotten, over HTTP: for the operators of the node, one act of the audit log for each name."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import body_of
from registry.callers import Callers
from registry.errors import PrefixNotHomed, ProtocolFault
from registry.handle import Handle
from registry.json_routes import json_route
from registry.purging import purge_beginning, purge_handle, purge_prefix
from registry.rights import Rights
from registry.routes import Route
from registry.store import Store

# Names of one request: each is an act and a row that every resolver reads. Who has more to forget names a beginning.
MOST: Final = 1000

_Names = Annotated[list[str], msgspec.Meta(max_length=MOST)]


class PurgeForm(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be forgotten: handles, all handles that begin like these, all handles of these prefixes."""

    handles: _Names = msgspec.field(default_factory=list)
    beginnings: _Names = msgspec.field(default_factory=list)
    prefixes: _Names = msgspec.field(default_factory=list)


class PurgedForm(msgspec.Struct):
    """How many names were given to every resolver."""

    purged: int


class PurgeHandlers:
    """Handlers of /api/purge."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    def route(self) -> Route:
        return json_route(
            *("POST", "/api/purge", self.purge, "purge"),
            (
                "Have every resolver forget kept answers, changing nothing.",
                "清除所有解析进程缓存的应答，不改动数据。",
            ),
            PurgedForm,
            form=PurgeForm,
        )

    async def purge(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "operate")
        self._rights.check_node(by)
        form = await body_of(request, PurgeForm)
        count = len(form.handles) + len(form.beginnings) + len(form.prefixes)
        if not 0 < count <= MOST:
            raise ProtocolFault("http.parameter", name="$", value=str(count), rule=f"is not between 1 and {MOST}")
        async with self._store.as_one():
            await self._purge(form, str(by))
        return asked.json_answer({"purged": count})

    async def _purge(self, form: PurgeForm, by: str) -> None:
        for name in form.handles:
            await purge_handle(self._store, Handle.from_text(name), by)
        for name in form.beginnings:
            await purge_beginning(self._store, Handle.from_text(name), by)
        for name in form.prefixes:
            prefix = self._store.prefixes.find(self._store.key_of(f"{name}/".encode())[:-1])
            if prefix is None:
                raise PrefixNotHomed("prefix.not_homed")
            await purge_prefix(self._store, prefix, by)
