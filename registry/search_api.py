"""Searching over HTTP: handles of a prefix by a value, for whoever may list them."""

from collections.abc import Mapping
from typing import Final

import msgspec
import orjson
from aiohttp import web

from registry.admin import AdminPermission
from registry.callers import Callers
from registry.errors import PrefixNotHomed, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle
from registry.rights import Rights
from registry.search import MAX_FOUND, search
from registry.store import Store

FOUND_AT_ONCE: Final = 100  # Where nobody says how many.


class FoundForm(msgspec.Struct):
    """A page of handles; the next one begins at `cursor`, which is null on the last."""

    handles: list[str]
    cursor: str | None


class SearchHandlers:
    """Handlers of /api/search."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    async def find(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        named, value_type, value = (_required(request, name) for name in ("prefix", "type", "value"))
        if not self._rights.is_of_node(by):
            await self._rights.check_prefix(Handle(NAMING_AUTHORITY, named), by, AdminPermission.LIST_HANDLES)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None or not prefix.homed:
            raise PrefixNotHomed("prefix.not_homed")
        after = request.query.get("cursor", "").replace("\0", "")
        found = await search(self._store, prefix, value_type, value.encode(), after=after, limit=_limit(request))
        form = {"handles": found.handles, "cursor": found.cursor}
        headers = {"Cache-Control": "no-store"}
        return web.Response(body=orjson.dumps(form), headers=headers, content_type="application/json")


def _required(request: web.Request, name: str) -> str:
    text = request.query.get(name, "")
    if not text or "\0" in text:
        raise ProtocolFault("http.parameter", name=name, value=text[:40], rule="is missing")
    return text


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(FOUND_AT_ONCE))
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_FOUND):
        raise ProtocolFault("http.parameter", name="limit", value=text[:40], rule=f"is not between 1 and {MAX_FOUND}")
    return int(text)
