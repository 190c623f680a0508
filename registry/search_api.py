"""Searching over HTTP: handles of a prefix by a value, for whoever may list them."""

from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

from registry import asked
from registry.callers import Callers
from registry.errors import PrefixNotHomed
from registry.reading import shows_lister, view_of_lister
from registry.rights import Rights
from registry.search import MAX_FOUND, search
from registry.store import Store
from registry.value import HandleValue
from registry.views import AS, audience_from

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
        prefix = await self._rights.listable(named, by)
        if not prefix.homed:
            raise PrefixNotHomed("prefix.not_homed")
        after = request.query.get("cursor", "").replace("\0", "")
        limit = asked.number(request, "limit", MAX_FOUND) or FOUND_AT_ONCE
        audience = audience_from(request.query.get(AS))
        view_of_lister(by, audience)  # Refused whether anything is found or not.

        def may_read(value: HandleValue) -> bool:
            return shows_lister(prefix, value, by, audience)

        octets = value.encode()
        found = await search(self._store, prefix, value_type, octets, after=after, limit=limit, may_read=may_read)
        return asked.json_answer({"handles": found.handles, "cursor": found.cursor})


def _required(request: web.Request, name: str) -> str:
    text = request.query.get(name, "")
    if not text or "\0" in text:
        raise asked.fault(name, text, "is missing")
    return text
