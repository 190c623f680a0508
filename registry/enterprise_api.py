"""Enterprises over HTTP, for administrators of the node: the list, and a prefix with a key for one more."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from registry import asked
from registry.callers import Callers
from registry.enterprise import add_enterprise, list_enterprises
from registry.rights import Rights
from registry.store import Store


class EnterpriseForm(msgspec.Struct):
    """An enterprise to be added."""

    name: str
    prefix: str
    name_en: str = ""
    industry: str = ""


class GrantedForm(msgspec.Struct):
    """What an enterprise is told when it is added."""

    prefix: str
    identity: str
    secret_key: str


class Enterprises:
    """Handlers of /api/enterprises, for administrators of the node."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._rights.check_node(await self._callers.administrator(request))
        return asked.json_answer([msgspec.to_builtins(one) for one in await list_enterprises(self._store)])

    async def add(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        self._rights.check_node(by)
        form = await asked.json_body(request, EnterpriseForm)
        granted = await add_enterprise(self._store, form.name, form.name_en, form.industry, form.prefix, by=str(by))
        return asked.json_answer(msgspec.to_builtins(granted), HTTPStatus.CREATED)
