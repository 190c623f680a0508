"""Mappings of columns over HTTP: proposed for a header, kept, and listed."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import JSON, PROBLEM, REFUSED, body_of
from registry.callers import Callers
from registry.column_mapping import MAX_NAME, MAX_NAMES, MappingForm, propose
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import ProtocolFault
from registry.jobs import enterprise_of
from registry.json_routes import json_route
from registry.mappings import Mappings
from registry.routes import Route
from registry.store import Store
from registry.template import TemplateName
from registry.templates import Templates

_PATH: Final = "/api/mappings"
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class HeaderForm(msgspec.Struct, forbid_unknown_fields=True):
    """The header of a table, the template that its rows are to be held to, and what stands before their handles."""

    columns: Annotated[list[Name], msgspec.Meta(max_length=MAX_NAMES)]
    template: str = ""
    prefix: str = ""


class ProposalForm(msgspec.Struct):
    """What a header means: as it was said before, or as it seems. Of `unknown` columns somebody has to say it."""

    remembered: bool
    mapping: MappingForm
    unknown: list[str]


class MappingHandlers:
    """Handlers of /api/mappings."""

    def __init__(self, store: Store, callers: Callers) -> None:
        self._store = store
        self._callers = callers
        self._mappings = Mappings(store)
        self._templates = Templates(store)

    def routes(self) -> tuple[Route, ...]:
        refused = REFUSED | {429: PROBLEM}
        return (
            json_route(
                *("GET", _PATH, self.list, "listMappings"),
                ("What was said of the columns of tables.", "已保存的列映射。"),
                list[MappingForm],
            ),
            Route(
                *("PUT", _PATH, self.save, "saveMapping"),
                "Say what columns mean; every job with the same header is read so from then on.",
                "保存列映射；此后表头相同的任务都按此读取。",
                (LANGUAGE_PARAMETER,),
                request={JSON: MappingForm},
                responses=refused | {200: JSON},
                authenticated=True,
                answers={200: MappingForm},
            ),
            Route(
                *("POST", f"{_PATH}/propose", self.propose, "proposeMapping"),
                "What a header probably means, by the words of a template; or what was said of it before.",
                "根据模板推荐列映射；表头已有映射时返回已保存的。",
                (LANGUAGE_PARAMETER,),
                request={JSON: HeaderForm},
                responses=refused | {200: JSON},
                authenticated=True,
                on_terms=False,  # It writes nothing.
                answers={200: ProposalForm},
            ),
        )

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "bulk")
        return asked.json_answer(msgspec.to_builtins(await self._mappings.listed(enterprise_of(self._store, by))))

    async def save(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "bulk")
        form = await body_of(request, MappingForm)
        await self._mappings.save(enterprise_of(self._store, by), form, str(by))
        return asked.json_answer(msgspec.to_builtins(form))

    async def propose(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "bulk")
        header = await body_of(request, HeaderForm)
        remembered = await self._mappings.find(enterprise_of(self._store, by), header.columns)
        if remembered is not None:
            return asked.json_answer(msgspec.to_builtins(ProposalForm(True, remembered, [])))
        template = None
        if header.template:
            try:
                name = TemplateName.from_text(header.template)
            except ValueError as error:
                fault = {"path": "$.template", "rule": str(error), "value": header.template[:100]}
                raise ProtocolFault("json.field", **fault) from None
            found = await self._templates.published([name])
            if name.key not in found:
                raise ProtocolFault("template.unknown", index=0, template=header.template)
            template = found[name.key].template
        proposal = propose(header.columns, template, header.template, header.prefix)
        return asked.json_answer(msgspec.to_builtins(ProposalForm(False, proposal.form, proposal.unknown)))
