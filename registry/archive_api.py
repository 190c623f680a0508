"""The archive of an enterprise over HTTP: everything that is kept here under its prefixes, as it is sent."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from aiohttp import web

from registry.admin import AdminPermission
from registry.archive import archive
from registry.authentication import Administrator
from registry.bodies import PROBLEM, REFUSED
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import PrefixNotHomed
from registry.feed import Cursor
from registry.handle import NAMING_AUTHORITY, Handle
from registry.jobs import enterprise_of
from registry.prefix import Prefix
from registry.reading import shows_lister, shows_rules
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store
from registry.value import HandleValue

NEEDED: Final = AdminPermission.LIST_HANDLES | AdminPermission.AUTHORIZED_READ


class ArchiveHandlers:
    """The handler of /api/export."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    def route(self) -> Route:
        return Route(
            *("GET", "/api/export", self.send, "exportArchive"),
            "Everything of an enterprise: handles, states, ranges, templates, rules; a job takes it in at any node.",
            "导出企业的全部内容（标识、状态、号段、模板、编码规则），可作为任务导入任一节点。",
            (
                Parameter("prefix", "Only this prefix.", "只导出该前缀。"),
                Parameter("since", "Only what changed behind this cursor.", "只导出该游标之后的变更。"),
                LANGUAGE_PARAMETER,
            ),
            responses=REFUSED | {200: "application/x-ndjson", 400: PROBLEM},
            authenticated=True,
        )  # fmt: skip

    async def send(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        prefixes = await self._prefixes(request, by)
        since = request.query.get("since")
        cursor = None if since is None else Cursor.from_text(since)
        response: web.StreamResponse | None = None

        def may_read(prefix: Prefix, value: HandleValue) -> bool:
            return shows_lister(prefix, value, by)

        lines = archive(self._store, prefixes, may_read, cursor, views=shows_rules(by))
        async with aclosing(lines) as pieces:
            async for piece in pieces:
                if response is None:  # What can be refused has been refused before the first line.
                    response = web.StreamResponse(headers=_HEADERS)
                    await response.prepare(request)
                if request.method == "HEAD":
                    break
                if piece:
                    await response.write(piece)
        assert response is not None
        await response.write_eof()
        return response

    async def _prefixes(self, request: web.Request, by: Administrator) -> list[Prefix]:
        """The prefix that is named, or all of the caller's enterprise."""
        named = request.query.get("prefix")
        if named is not None:
            found = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
            chosen = [] if found is None else [found]
        else:
            enterprise_id = enterprise_of(self._store, by)
            chosen = [] if enterprise_id is None else list(self._store.prefixes.of_enterprise(enterprise_id))
        for prefix in chosen:
            await self._rights.check_prefix(Handle(NAMING_AUTHORITY, prefix.spelling), by, NEEDED)
        if not chosen or chosen[0].spelling == NAMING_AUTHORITY:
            raise PrefixNotHomed("prefix.not_homed")
        return chosen


_HEADERS: Final = {
    "Content-Type": "application/x-ndjson",
    "Content-Disposition": 'attachment; filename="archive.ndjson"',
    "Cache-Control": "no-store",
}
