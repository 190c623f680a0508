"""Templates in the interface of the national secondary-node software (SNMS): /snms/api/v5/template, and v3 of it."""

from collections.abc import Mapping
from typing import Final, TypeVar

from aiohttp import web

from registry import asked, snms_templates
from registry.bodies import JSON, MAX_BODY, octets_of
from registry.callers import Callers
from registry.errors import HandleAlreadyExists, HandleNotFound, OperationNotSupported
from registry.prefix import Prefix
from registry.rest import form_from_json
from registry.rights import Rights
from registry.routes import Handler, Parameter, Route
from registry.snms import envelope, name_of
from registry.snms_api import ANSWERS, RESPONSES, needed
from registry.snms_identifiers import SnmsIdentifiers
from registry.snms_templates import NamedTemplateForm, TemplateForm, changed_template, items_of, new_template
from registry.store import Store
from registry.template import Template
from registry.templates import Kept, State, Templates

_V3: Final = "/snms/api/v3/template"
_V5: Final = "/snms/api/v5/template"
_NAMED: Final = (
    Parameter("prefix", "Its prefix.", "前缀。", required=True),
    Parameter("version", "What it is called.", "模板版本。", required=True),
)

Form = TypeVar("Form")


class SnmsTemplateHandlers:
    """Handlers of /snms/api."""

    def __init__(self, store: Store, callers: Callers, rights: Rights, identifiers: SnmsIdentifiers) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._identifiers = identifiers
        self._templates = Templates(store)

    def routes(self) -> tuple[Route, ...]:
        show, create = ("SNMS: a template.", "SNMS：查询数据模板。"), ("SNMS: add a template.", "SNMS：新增数据模板。")
        change, delete = (
            ("SNMS: change a template.", "SNMS：修改数据模板。"),
            (
                "SNMS: take no new identifiers with a template.",
                "SNMS：删除数据模板（不再用于新标识）。",
            ),
        )
        return (
            _route("GET", _V5, self.show, "snmsShowTemplate", show),
            _route("POST", _V5, self.create, "snmsCreateTemplate", create, TemplateForm),
            _route("PUT", _V5, self.change, "snmsChangeTemplate", change, TemplateForm),
            _route("DELETE", _V5, self.delete, "snmsDeleteTemplate", delete, NamedTemplateForm),
            _route("GET", _V3, self.show_in_v3, "snmsShowTemplateV3", show),
            _route("POST", _V3, self.create, "snmsCreateTemplateV3", create, TemplateForm),
            _route("DELETE", _V3, self.delete, "snmsDeleteTemplateV3", delete, NamedTemplateForm),
        )

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return asked.json_answer(envelope(await self._shown(request)))

    async def show_in_v3(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return asked.json_answer(envelope(snms_templates.shown_in_v3(await self._shown(request))))

    async def create(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        form, prefix, by = await self._asked(request, TemplateForm)
        versions = await self._templates.versions(prefix, name_of(form.version))
        if versions and versions[0].state is State.PUBLISHED:
            raise HandleAlreadyExists("snms.template_exists", prefix=form.prefix, version=form.version)
        await self._publish(prefix, form.version, new_template(form), by)
        return asked.json_answer(envelope(data=True))

    async def change(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        form, prefix, by = await self._asked(request, TemplateForm)
        versions = await self._own(prefix, form.version)
        template = changed_template(form, items_of([kept.template for kept in versions]))
        if template != versions[0].template:
            await self._publish(prefix, form.version, template, by)
        return asked.json_answer(envelope(data=True))

    async def delete(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        form, prefix, by = await self._asked(request, NamedTemplateForm)
        newest = (await self._own(prefix, form.version))[0].name
        await self._templates.move(prefix, newest.name, newest.version, State.DEPRECATED, by)
        return asked.json_answer(envelope(data=True))

    async def _shown(self, request: web.Request) -> dict[str, object]:
        await self._callers.administrator(request)
        named, version = needed(request, "prefix"), needed(request, "version")
        kept = await self._identifiers.template(named, version)
        if kept.state is not State.PUBLISHED:
            raise HandleNotFound("snms.template_not_found", prefix=named[:200], version=version[:200])
        templates = [kept.template]
        if kept.template.snms is not None:
            prefix = await self._identifiers.prefix(named)
            templates = [one.template for one in await self._templates.versions(prefix, kept.name.name)]
        return snms_templates.shown(kept.name, kept.template, items_of(templates))

    async def _asked(self, request: web.Request, kind: type[Form]) -> tuple[Form, Prefix, str]:
        """What is to be written, under a prefix whose templates its asker may change."""
        by = await self._callers.administrator(request)
        form = form_from_json(kind, await octets_of(request, MAX_BODY))
        assert isinstance(form, TemplateForm | NamedTemplateForm)
        return form, await self._rights.templated(form.prefix, by), str(by)

    async def _own(self, prefix: Prefix, version: str) -> list[Kept]:
        """The versions of a template of this interface, the newest first. Raises HandleNotFound."""
        versions = await self._templates.versions(prefix, name_of(version))
        if versions and versions[0].state is State.PUBLISHED:
            return versions
        if not versions and "@" in version:
            raise OperationNotSupported("snms.not_snms", version=version)
        raise HandleNotFound("snms.template_not_found", prefix=prefix.spelling, version=version)

    async def _publish(self, prefix: Prefix, version: str, template: Template, by: str) -> None:
        name = name_of(version)
        async with self._store.as_one():
            number = await self._templates.save(prefix, name, template, by)
            await self._templates.move(prefix, name, number, State.PUBLISHED, by)


def _route(
    method: str, path: str, handler: Handler, operation: str, texts: tuple[str, str], form: object = None
) -> Route:
    return Route(
        *(method, path, handler, operation, *texts),
        parameters=_NAMED if form is None else (),
        request={} if form is None else {JSON: form},
        responses=RESPONSES,
        authenticated=True,
        answers=ANSWERS,
    )
