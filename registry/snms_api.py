"""The interface of the national secondary-node software (SNMS), for programs that were written for it.

It is a layer over the same people, tokens and registration as everything else here: /identity and /identityv2. Where it
is not known how that software answers, a path is refused by name.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import JSON, MAX_BODY, octets_of
from registry.callers import Callers
from registry.errors import OperationNotSupported
from registry.people import People
from registry.rest import form_from_json
from registry.routes import Parameter, Route
from registry.snms import (
    SUCCESS,
    EnvelopeForm,
    IdentifierForm,
    NamedForm,
    NamesForm,
    OutcomeForm,
    envelope,
    language_of,
    status_of,
)
from registry.snms_identifiers import Kind, Outcome, SnmsIdentifiers

LOGGED_IN: Final = timedelta(hours=24)  # Its clients were told that a token is good for a day.
MAX_BATCH: Final = 16 << 20  # Octets of a batch: 2,000 identifiers of eight thousand octets.

RESPONSES: Final = {200: JSON, 500: JSON, 503: JSON}
ANSWERS: Final = dict.fromkeys(RESPONSES, EnvelopeForm)
_DATA: Final = "/identityv2/data"
_CREATE: Final = ("SNMS: register an identifier.", "SNMS：注册标识。")
_UPDATE: Final = ("SNMS: update an identifier.", "SNMS：更新标识。")
_DELETE: Final = ("SNMS: delete an identifier.", "SNMS：删除标识。")
_CREATE_SEVERAL: Final = ("SNMS: register several.", "SNMS：批量注册。")
_UPDATE_SEVERAL: Final = ("SNMS: update several.", "SNMS：批量更新。")
_DELETE_SEVERAL: Final = ("SNMS: delete several.", "SNMS：批量删除。")
_HTTPS: Final = ("log in at /identity/token, over HTTPS", "请使用 HTTPS 访问 /identity/token 登录")
_DETAIL: Final = (f"ask {_DATA}/detail", f"请使用 {_DATA}/detail")
_TEMPLATE: Final = ("use /snms/api/v5/template", "请使用 /snms/api/v5/template")
_APPLY: Final = ("apply at /api/applications", "请通过 /api/applications 申请")
# Seen in programs, but nowhere described: what they would make of an answer is not known. The log-in with a digest is
# described, and would need passwords to be kept in a form that lets in whoever reads it.
NOT_SERVED: Final = (
    ("POST", "/identity/token/v1", "snmsDigestLogIn", _HTTPS),
    ("GET", "/api/identityv2/query/data", "snmsQuery", _DETAIL),
    ("POST", "/snms/api/ent/apply", "snmsApply", _APPLY),
    ("GET", "/snms/api/template/v1", "snmsShowTemplateV1", _TEMPLATE),
    ("POST", "/snms/api/template/v1", "snmsSaveTemplateV1", _TEMPLATE),
    ("DELETE", "/snms/api/template/v1", "snmsDeleteTemplateV1", _TEMPLATE),
)


class SnmsLogInForm(msgspec.Struct):
    """A name and its password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"SnmsLogInForm({self.username!r})"


class SnmsHandlers:
    """Handlers of /identity and /identityv2."""

    def __init__(self, callers: Callers, people: People, identifiers: SnmsIdentifiers) -> None:
        self._callers = callers
        self._people = people
        self._identifiers = identifiers

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                *("POST", "/identity/token", self.log_in, "snmsLogIn"),
                *("SNMS: log in, for a token.", "SNMS：登录，换取令牌。"),
                request={JSON: SnmsLogInForm},
                responses=RESPONSES,
                answers=ANSWERS,
                on_terms=False,  # Wrong passwords are counted, whatever becomes of the request.
            ),
            Route(
                *("GET", f"{_DATA}/detail", self.show, "snmsDetail"),
                *("SNMS: an identifier with its values.", "SNMS：查询标识。"),
                (Parameter("handle", "The identifier.", "标识。", required=True),),
                responses=RESPONSES,
                authenticated=True,
                answers=ANSWERS,
            ),
            *self._routes_that_write(),
            *map(_not_served, NOT_SERVED),
        )

    def _routes_that_write(self) -> tuple[Route, ...]:
        written, named = list[IdentifierForm], list[str]
        return tuple(
            Route(
                *(method, path, handler, operation, english, chinese),
                request={JSON: form},
                responses=RESPONSES,
                authenticated=True,
                answers=ANSWERS,
            )
            for method, path, handler, operation, form, english, chinese in (
                ("POST", _DATA, self.create, "snmsCreate", IdentifierForm, *_CREATE),
                ("PUT", _DATA, self.update, "snmsUpdate", IdentifierForm, *_UPDATE),
                ("DELETE", _DATA, self.delete, "snmsDelete", NamedForm, *_DELETE),
                ("POST", f"{_DATA}/batchCreate", self.create_several, "snmsBatchcreate", written, *_CREATE_SEVERAL),
                ("PUT", f"{_DATA}/batchUpdate", self.update_several, "snmsBatchupdate", written, *_UPDATE_SEVERAL),
                ("DELETE", f"{_DATA}/batchDelete", self.delete_several, "snmsBatchdelete", named, *_DELETE_SEVERAL),
            )
        )

    async def log_in(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._callers.check_hidden(request)
        form = form_from_json(SnmsLogInForm, await octets_of(request, MAX_BODY))
        issued = (await self._people.log_in(form.username, form.password, LOGGED_IN))[1]
        return asked.json_answer(envelope({"token": issued.token}))

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        return asked.json_answer(envelope(await self._identifiers.found(needed(request, "handle"), by)))

    async def create(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return await self._write_one(request, "create")

    async def update(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return await self._write_one(request, "replace")

    async def delete(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        form = form_from_json(NamedForm, await octets_of(request, MAX_BODY))
        return _done(await self._identifiers.delete([form.handle], by))

    async def create_several(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return await self._write_several(request, "create")

    async def update_several(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return await self._write_several(request, "replace")

    async def delete_several(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        body = await octets_of(request, MAX_BATCH)
        is_named = body.lstrip()[:1] == b"{"  # Documented is the name of the list, and shown the list alone.
        names = form_from_json(NamesForm, body).handles if is_named else form_from_json(list[str], body)
        return _told(request, names, await self._identifiers.delete(names, by))

    async def _write_one(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        form = form_from_json(IdentifierForm, await octets_of(request, MAX_BODY))
        return _done(await self._identifiers.write(kind, [form], by))

    async def _write_several(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        forms = form_from_json(list[IdentifierForm], await octets_of(request, MAX_BATCH))
        return _told(request, [form.handle for form in forms], await self._identifiers.write(kind, forms, by))


def needed(request: web.Request, name: str) -> str:
    """A query parameter. Raises ProtocolFault where it is missing."""
    text = request.query.get(name)
    if not text:
        raise asked.fault(name, "", "is missing")
    return text


def _done(outcomes: Sequence[Outcome]) -> web.Response:
    """The answer of a call about one identifier. Raises what it was refused for."""
    (refused,) = outcomes
    if refused is not None:
        raise refused
    return asked.json_answer(envelope(data=True))


def _told(request: web.Request, names: Sequence[str], outcomes: Sequence[Outcome]) -> web.Response:
    """The answer of a call about several: it went well, whatever became of each."""
    language = language_of(request.headers.get("Accept-Language"))
    told = [
        OutcomeForm(name, SUCCESS, "success")
        if refused is None
        else OutcomeForm(name, status_of(refused), refused.text(language))
        for name, refused in zip(names, outcomes, strict=True)
    ]
    return asked.json_answer(envelope([msgspec.to_builtins(one) for one in told]))


def _not_served(named: tuple[str, str, str, tuple[str, str]]) -> Route:
    method, path, operation, (english, chinese) = named

    async def refuse(_: web.Request, __: Mapping[str, str]) -> web.StreamResponse:
        raise OperationNotSupported("snms.not_served", path=path, instead=english, instead_zh=chinese)

    return Route(
        method,
        path,
        refuse,
        operation,
        "SNMS: not served.",
        "SNMS：不提供。",
        documented=False,
        on_terms=False,  # It writes nothing.
    )
