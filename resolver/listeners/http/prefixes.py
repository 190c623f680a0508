"""/api/prefixes: the prefixes that this node answers for, listed, homed and left, by the node's administrators."""

from collections.abc import Mapping

from aiohttp import web

from registry.changes import Change, ChangeKind
from registry.errors import InvalidHandle
from registry.handle import Handle, HandleKey
from registry.routes import percent_decode
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.conditional import private_headers
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import HANDLE, json_response


class Prefixes:
    """Answers for prefixes."""

    def __init__(self, parts: Parts, authorization: Authorization) -> None:
        self._registration = parts.registration
        self._resolver = parts.resolver
        self._authorization = authorization

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        """The total is text, as clients know it."""
        by = await self._authorization.administrator(request, "operate", "read")
        prefixes = await self._registration.homed_prefixes(by)
        form = {"responseCode": 1, "totalCount": str(len(prefixes)), "prefixes": prefixes}
        return json_response(request, form, headers=private_headers())

    async def home(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix = request[HANDLE] = _prefix(placeholders)
        by = await self._authorization.administrator(request, "operate")
        await self._registration.home_prefix(prefix, by)
        return self._done(request, prefix)

    async def unhome(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix = request[HANDLE] = _prefix(placeholders)
        by = await self._authorization.administrator(request, "operate")
        await self._registration.unhome_prefix(prefix, by)
        return self._done(request, prefix)

    def _done(self, request: web.Request, prefix: str) -> web.StreamResponse:
        name = Handle.from_text(prefix).suffix.encode()
        store = self._resolver.store
        change = Change(ChangeKind.PREFIX, HandleKey(store.key_of(name + b"/")))
        store.afterwards(lambda: self._resolver.forget(change))
        return json_response(request, {"responseCode": 1, "handle": prefix}, headers=private_headers())


def _prefix(placeholders: Mapping[str, str]) -> str:
    try:
        return percent_decode(placeholders["prefix"]).decode()
    except UnicodeDecodeError:
        raise InvalidHandle("handle.not_utf8") from None
