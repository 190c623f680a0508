"""Templates over HTTP: shown to whoever has a key here, saved and published by those who administer a prefix."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from registry import asked, industry
from registry.bodies import body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import HandleNotFound
from registry.rights import Rights
from registry.routes import Parameter, Route, percent_decode
from registry.store import Store
from registry.template import Template, TemplateName
from registry.templates import Kept, State, Templates

_PROBLEM: Final = "application/problem+json"
_PATH: Final = "/api/templates/{owner}/{name}"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)
_CHANGED: Final = _REFUSED | {409: _PROBLEM, 413: _PROBLEM}


class SummaryForm(msgspec.Struct):
    """A version of a template in a list. `levels` are those of its industry's code."""

    template: str
    state: str
    zh: str
    en: str
    levels: list[str]


class TemplateForm(msgspec.Struct):
    """A version of a template, whole."""

    template: str
    state: str
    levels: list[str]
    form: Template


class SavedForm(msgspec.Struct):
    """What became of a template."""

    template: str
    state: str


class StateForm(msgspec.Struct, forbid_unknown_fields=True):
    """What a version is to become."""

    state: Literal["published", "deprecated"]


class TemplateHandlers:
    """Handlers of /api/templates."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._callers = callers
        self._rights = rights
        self._templates = Templates(store)

    def routes(self) -> tuple[Route, ...]:
        prefix = Parameter("prefix", "Only those of this prefix, drafts too.", "只列出该前缀的模板（含草稿）。")
        return (
            Route(
                *("GET", "/api/templates", self.list, "listTemplates"),
                "Templates of values: the library's and those that enterprises published.",
                "数据模板：内置模板库与各企业已发布的模板。",
                (prefix, LANGUAGE_PARAMETER),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: list[SummaryForm]},
            ),
            Route(
                *("GET", _PATH, self.show, "showTemplate"),
                "One version of a template, named name@version.",
                "查看模板的一个版本（名称@版本）。",
                (LANGUAGE_PARAMETER,),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: TemplateForm},
            ),
            Route(
                *("PUT", _PATH, self.save, "saveTemplate"),
                "Save the draft of a template's next version, named without it.",
                "保存模板下一版本的草稿（名称不含版本）。",
                (LANGUAGE_PARAMETER,),
                request={"application/json": Template},
                responses=_CHANGED | {200: "application/json"},
                authenticated=True,
                answers={200: SavedForm},
            ),
            Route(
                *("PATCH", _PATH, self.move, "moveTemplate"),
                "Publish a version, after which it never changes; or deprecate it, and it takes no new handles.",
                "发布模板版本（发布后不可更改），或停用（不再用于新标识）。",
                (LANGUAGE_PARAMETER,),
                request={"application/json": StateForm},
                responses=_CHANGED | {200: "application/json"},
                authenticated=True,
                answers={200: SavedForm},
            ),
        )

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        named = request.query.get("prefix")
        prefix = None if named is None else await self._rights.templated(named, by)
        listed = await self._templates.listed(prefix, drafts=prefix is not None)
        return asked.json_answer([_summary(kept) for kept in listed])

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        kept = await self._templates.one(_version(placeholders))
        if kept.state is State.DRAFT:
            await self._rights.templated(kept.name.owner, by)
        shown = {"template": str(kept.name), "state": kept.state.name.lower(), "levels": _levels(kept.template)}
        return asked.json_answer(shown | {"form": msgspec.to_builtins(kept.template)})

    async def save(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        prefix = await self._rights.templated(_text(placeholders, "owner"), by)
        name = _text(placeholders, "name")
        form = await body_of(request, Template)
        version = await self._templates.save(prefix, name, form, str(by))
        return asked.json_answer({"template": f"{prefix.spelling}/{name}@{version}", "state": "draft"}, HTTPStatus.OK)

    async def move(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        named = _version(placeholders)
        prefix = await self._rights.templated(named.owner, by)
        state = State[(await body_of(request, StateForm)).state.upper()]
        kept = await self._templates.move(prefix, named.name, named.version, state, str(by))
        return asked.json_answer({"template": str(kept.name), "state": kept.state.name.lower()})


def _version(placeholders: Mapping[str, str]) -> TemplateName:
    """The version that a path names. Raises HandleNotFound for what can name none."""
    text = f"{_text(placeholders, 'owner')}/{_text(placeholders, 'name')}"
    try:
        return TemplateName.from_text(text)
    except ValueError:
        raise HandleNotFound("template.not_found", template=text[:200]) from None


def _text(placeholders: Mapping[str, str], name: str) -> str:
    return percent_decode(placeholders[name]).decode(errors="replace").replace("\0", "\ufffd")


def _summary(kept: Kept) -> dict[str, Any]:
    template = kept.template
    return {
        "template": str(kept.name),
        "state": kept.state.name.lower(),
        "zh": template.zh,
        "en": template.en,
        "levels": _levels(template),
    }


def _levels(template: Template) -> list[str]:
    return list(industry.levels(template.industry)) if template.industry else []
