"""How enterprises stand, over HTTP: shown to their administrators, changed by the node's operators."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import OBJECT, body_of, number_from
from registry.callers import Callers
from registry.enterprise_standing import STEP_NAMES, EnterpriseStanding, Limits
from registry.errors import InvalidHandle, ProtocolFault
from registry.json_routes import json_route
from registry.rights import Rights
from registry.routes import Route, percent_decode
from registry.stewardship import Stewardship

_ONE: Final = "/api/enterprises/{enterprise}"
_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class ReasonForm(msgspec.Struct):
    """Why something is done."""

    reason: str


class LimitsForm(msgspec.Struct):
    """Limits of an enterprise; what is left out or null is without limit."""

    handles: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)] | None = None
    rate: _Count | None = None
    prefixes: _Count | None = None


class StandingHandlers:
    """Handlers of /api/enterprises/{enterprise} and /api/recycled/{prefix}."""

    def __init__(
        self, callers: Callers, rights: Rights, standing: EnterpriseStanding, stewardship: Stewardship
    ) -> None:
        self._callers = callers
        self._rights = rights
        self._standing = standing
        self._stewardship = stewardship

    def routes(self) -> tuple[Route, ...]:
        return (
            json_route(
                *("GET", _ONE, self.show, "showEnterprise"),
                ("An enterprise, its prefixes, limits and the decisions about it.", "企业详情、前缀、限额与处理记录。"),
                OBJECT,
            ),
            json_route(
                *("PUT", f"{_ONE}/limits", self.limit, "limitEnterprise"),
                ("Set its limits.", "设置企业限额。"),
                OBJECT,
                form=LimitsForm,
            ),
            json_route(
                *("POST", _ONE + "/{step}", self.take, "moveEnterprise"),
                (f"Take a step: {', '.join(STEP_NAMES)}.", "暂停、恢复或退出：suspend、resume、leave。"),
                OBJECT,
                form=ReasonForm,
            ),
            json_route(
                *("POST", "/api/recycled/{prefix}", self.recycle, "recyclePrefix"),
                ("Take a prefix back from an enterprise that has left.", "回收已退出企业的前缀。"),
                OBJECT,
                form=ReasonForm,
            ),
        )

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "operate", "review", "administer", "read")
        enterprise_id = number_from("enterprise", placeholders["enterprise"])
        if not self._rights.is_of_node(by):
            await self._stewardship.check(by, enterprise_id)
        return asked.json_answer(await self._standing.show(enterprise_id))

    async def limit(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._operator(request)
        form = await body_of(request, LimitsForm)
        enterprise_id = number_from("enterprise", placeholders["enterprise"])
        await self._standing.limit(enterprise_id, Limits(form.handles, form.rate, form.prefixes), by=by)
        return asked.json_answer(await self._standing.show(enterprise_id))

    async def take(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._operator(request)
        form = await body_of(request, ReasonForm)
        step, enterprise_id = placeholders["step"], number_from("enterprise", placeholders["enterprise"])
        if step not in STEP_NAMES:
            raise ProtocolFault("http.parameter", name="step", value=step[:40], rule="is no step")
        state = await self._standing.take(enterprise_id, step, by=by, reason=form.reason)
        return asked.json_answer({"enterprise": enterprise_id, "state": state})

    async def recycle(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._operator(request)
        form = await body_of(request, ReasonForm)
        try:
            prefix = percent_decode(placeholders["prefix"]).decode()
        except UnicodeDecodeError:
            raise InvalidHandle("handle.not_utf8") from None
        await self._standing.recycle(prefix, by=by, reason=form.reason)
        return asked.json_answer({"prefix": prefix})

    async def _operator(self, request: web.Request) -> str:
        by = await self._callers.administrator(request, "operate")
        self._rights.check_node(by)
        return str(by)
