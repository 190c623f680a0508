"""The audit log over HTTP: whole for the node's administrators, of their prefix for those who may list it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web

from registry.admin import AdminPermission
from registry.audit import MAX_SHOWN, NEWEST, KeptAct, list_acts
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import PrefixNotHomed, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store

SHOWN_AT_ONCE: Final = 100  # Where nobody says how many.
_PROBLEM: Final = "application/problem+json"


class ActForm(msgspec.Struct):
    """Who did what to what, when, and through which program; versions of a handle are in its history."""

    number: int
    at: str
    by: str
    program: str
    act: str
    subject: str
    detail: dict[str, Any]


class ActsForm(msgspec.Struct):
    """Acts, newest first; the next page begins before the last number."""

    acts: list[ActForm]
    more: bool


class AuditHandlers:
    """Handlers of /api/audit."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    def route(self) -> Route:
        number = {"type": "integer", "minimum": 1, "maximum": NEWEST}
        return Route(
            *("GET", "/api/audit", self.show, "audit"),
            "Who did what at this node, newest first; of a prefix, or of all.",
            "审计日志：何人何时做了什么，最新的在前；可按前缀查看。",
            (
                Parameter(
                    "prefix",
                    "Only acts on this prefix; administrators of a prefix must name theirs.",
                    "只返回该前缀的操作；企业管理员须填写自己的前缀。",
                ),
                Parameter("before", "Only acts below this number.", "只返回编号小于该值的记录。", number),
                Parameter(
                    "limit",
                    f"Acts of a page, at most {MAX_SHOWN}.",
                    f"每页记录数，最多 {MAX_SHOWN}。",
                    {"type": "integer", "minimum": 1, "maximum": MAX_SHOWN},
                ),
                LANGUAGE_PARAMETER,
            ),
            responses=dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM) | {200: "application/json"},
            authenticated=True,
            answers={200: ActsForm},
        )  # fmt: skip

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix_id = await self._prefix_id(request)
        before = _number(request, "before", NEWEST, NEWEST)
        limit = _number(request, "limit", SHOWN_AT_ONCE, MAX_SHOWN)
        acts = await list_acts(self._store, prefix_id, before=before, limit=limit + 1)
        form = {"acts": [_form(act) for act in acts[:limit]], "more": len(acts) > limit}
        body = orjson.dumps(form, option=orjson.OPT_UTC_Z)
        return web.Response(body=body, headers={"Cache-Control": "no-store"}, content_type="application/json")

    async def _prefix_id(self, request: web.Request) -> int | None:
        """The prefix asked about, if its askers may list it; without one, only the node's administrators may ask."""
        by = await self._callers.administrator(request)
        named = request.query.get("prefix")
        if named is None:
            self._rights.check_node(by)
            return None
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, named), by, AdminPermission.LIST_HANDLES)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix.prefix_id


def _form(act: KeptAct) -> dict[str, Any]:
    return {
        "number": act.number,
        "at": act.at,
        "by": act.by,
        "program": act.program,
        "act": act.act,
        "subject": act.subject,
        "detail": act.detail,
    }


def _number(request: web.Request, name: str, usual: int, most: int) -> int:
    text = request.query.get(name, str(usual))
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most:
        return int(text)
    raise ProtocolFault("http.parameter", name=name, value=text[:40], rule=f"is not between 1 and {most}")
