"""Issuers over HTTP, for administrators of the node: who may write codes of other systems."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import body_of
from registry.callers import Callers
from registry.issuers import grant, list_issuers, revoke
from registry.json_routes import json_route
from registry.rights import Rights
from registry.routes import Route
from registry.store import Store

_PATH = "/api/issuers"


class IssuerForm(msgspec.Struct):
    """A part of a code system, and the prefix whose administrators may write it."""

    system: str
    start: str
    prefix: str


class PartForm(msgspec.Struct):
    """A part of a code system."""

    system: str
    start: str


class IssuedForm(IssuerForm):
    """A part that was granted, and when."""

    granted_at: str


class IssuerHandlers:
    """Handlers of /api/issuers."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    def routes(self) -> tuple[Route, ...]:
        return (
            json_route(
                *("GET", _PATH, self.list, "listIssuers"),
                ("Who may write codes of which systems.", "各编码体系的写入授权。"),
                list[IssuedForm],
            ),
            json_route(
                *("POST", _PATH, self.grant, "grantIssuer"),
                (
                    "Let the administrators of a prefix write the codes of a system that begin so.",
                    "授权某前缀的管理员写入某编码体系中以此开头的编码。",
                ),
                IssuedForm,
                form=IssuerForm,
                status=201,
            ),
            json_route(
                *("POST", f"{_PATH}/revoke", self.revoke, "revokeIssuer"),
                ("Take that back; what was written stays.", "撤销授权；已写入的编码不受影响。"),
                form=PartForm,
            ),
        )

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._rights.check_node(await self._callers.administrator(request, "read", "review"))
        return asked.json_answer([msgspec.to_builtins(one) for one in await list_issuers(self._store)])

    async def grant(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "operate")
        self._rights.check_node(by)
        form = await body_of(request, IssuerForm)
        granted = await grant(self._store, form.system, form.start, form.prefix, by=str(by))
        return asked.json_answer(msgspec.to_builtins(granted), HTTPStatus.CREATED)

    async def revoke(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "operate")
        self._rights.check_node(by)
        form = await body_of(request, PartForm)
        await revoke(self._store, form.system, form.start, by=str(by))
        return web.Response(status=HTTPStatus.NO_CONTENT)
