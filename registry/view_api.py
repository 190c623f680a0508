"""Views over HTTP: to whom an enterprise opens values that not everybody may read, said by who administers a prefix."""

from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

from registry import asked
from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.bodies import body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import InsufficientPermission, PrefixNotHomed
from registry.handle import NAMING_AUTHORITY, Handle
from registry.opening import ViewsForm, said, say
from registry.prefix import Prefix
from registry.reading import shows_rules
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store

# Who says what others may read, could register and replace all of it.
SAYING: Final = AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE

_PROBLEM: Final = "application/problem+json"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)


class ViewHandlers:
    """Handlers of /api/views."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    def routes(self) -> tuple[Route, ...]:
        prefix = Parameter("prefix", "The prefix.", "前缀。", required=True)
        return (
            Route(
                *("GET", "/api/views", self.show, "views"),
                "Who may read values of a prefix that are not public, besides its administrators.",
                "除管理者外，哪些读者可以查看某前缀的非公开值。",
                (prefix, LANGUAGE_PARAMETER),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: ViewsForm},
            ),
            Route(
                *("PUT", "/api/views", self.say, "sayViews"),
                "Say anew who may read them: partners, regulators.",
                "重新设定合作方与监管方可以查看的非公开值。",
                (prefix, LANGUAGE_PARAMETER),
                request={"application/json": ViewsForm},
                responses=_REFUSED | {200: "application/json", 413: _PROBLEM},
                authenticated=True,
                answers={200: ViewsForm},
            ),
        )

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        prefix = await self._rights.listable(request.query.get("prefix", ""), by)
        if not shows_rules(by):
            raise InsufficientPermission("view.rules", prefix=prefix.spelling)
        return asked.json_answer(msgspec.to_builtins(said(prefix)))

    async def say(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix, by = await self._prefix(request)
        told = await say(self._store, prefix, await body_of(request, ViewsForm), str(by))
        return asked.json_answer(msgspec.to_builtins(said(told)))

    async def _prefix(self, request: web.Request) -> tuple[Prefix, Administrator]:
        by = await self._callers.administrator(request)
        named = request.query.get("prefix", "")
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, named), by, SAYING)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix, by
