"""Applications over HTTP: made by strangers, followed by whoever made them, reviewed by people of the node."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from registry import asked
from registry.applications import OF_APPLICANTS, OF_REVIEWERS, STEPS, Application, Applications
from registry.authentication import Administrator
from registry.bodies import AFTER, JSON, MAX_NUMBER, OBJECT, OBJECTS, REFUSED, body_of, number_from
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import HandleNotFound, InvalidAdministrator, ProtocolFault, ServerBusy
from registry.evidence import MAX_OCTETS, EvidenceFiles
from registry.grants import Scope
from registry.json_routes import json_route
from registry.people import People
from registry.personal import Personal
from registry.rights import Rights
from registry.routes import Parameter, Route

MAX_UPLOADS: Final = 8  # At once, each in memory: 40 MiB at the most.
UPLOAD_SECONDS: Final = 60  # For one file; a slow sender holds one of the few places.
SCOPES: Final[tuple[Scope, ...]] = ("review", "apply")
_ONE: Final = "/api/applications/{application}"
_ANYTHING: Final = {"type": "string", "format": "binary"}


class AccountForm(msgspec.Struct):
    """The account that a stranger will follow his application with."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"AccountForm({self.name!r})"


class ApplicationForm(msgspec.Struct):
    """What an enterprise says of itself. Whoever has an account leaves `account` out."""

    name: str
    credit_code: str
    prefix: str
    personal: Personal
    name_en: str = ""
    industry: str = ""
    hosted: bool = True
    account: AccountForm | None = None

    def application(self) -> Application:
        named = (self.name, self.name_en, self.industry, self.credit_code)
        return Application(*named, self.prefix, self.hosted, self.personal)


class StepForm(msgspec.Struct):
    """Why a step is taken."""

    reason: str = ""


class ApplicationHandlers:
    """Handlers of /api/applications."""

    def __init__(
        self, callers: Callers, rights: Rights, applications: Applications, evidence: EvidenceFiles, people: People
    ) -> None:
        self._callers = callers
        self._rights = rights
        self._applications = applications
        self._evidence = evidence
        self._people = people
        self._uploads = 0

    def routes(self) -> tuple[Route, ...]:
        states = sorted({state for state, _ in STEPS} | set(STEPS.values()))
        return (
            Route(
                *("POST", "/api/applications", self.apply, "apply"),
                *("Apply for a prefix, with an account to follow the application.", "企业申请前缀，同时创建账号。"),
                (LANGUAGE_PARAMETER,),
                request={JSON: ApplicationForm},
                responses=REFUSED | {201: JSON},
                answers={201: OBJECT},
            ),
            json_route(
                *("GET", "/api/applications", self.list, "listApplications"),
                (
                    "Applications, one's own or, for reviewers, all; personal data are masked.",
                    "申请列表，个人信息已脱敏。",
                ),
                OBJECTS,
                parameters=(
                    Parameter(
                        "state", "Only those in this state.", "只返回该状态的。", {"type": "string", "enum": states}
                    ),
                    AFTER,
                ),
            ),
            json_route(
                *("GET", _ONE, self.show, "showApplication"),
                ("An application with its evidence and decisions.", "申请详情、证明材料与审核记录。"),
                OBJECT,
                parameters=(
                    Parameter(
                        "personal",
                        "full: personal data unmasked, for reviewers; that they looked is kept.",
                        "full：审核员查看完整个人信息，查看行为会被记录。",
                    ),
                ),
            ),
            *self._routes_of_one(),
        )

    def _routes_of_one(self) -> tuple[Route, ...]:
        return (
            Route(
                *("POST", f"{_ONE}/evidence", self.add_evidence, "addEvidence"),
                *("Add a file that proves what an application says.", "上传证明材料。"),
                (Parameter("name", "Name of the file.", "文件名。", required=True), LANGUAGE_PARAMETER),
                request=dict.fromkeys(("application/pdf", "image/jpeg", "image/png"), _ANYTHING),
                responses=REFUSED | {201: JSON},
                authenticated=True,
                answers={201: OBJECT},
                on_terms=False,  # A file may be longer than what is read whole; sent again, it is there once.
            ),
            Route(
                *("GET", _ONE + "/evidence/{number}", self.show_evidence, "showEvidence"),
                *("A file of an application.", "查看证明材料。"),
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {200: "application/pdf, image/jpeg, image/png"},
                authenticated=True,
            ),
            json_route(
                *("POST", _ONE + "/{step}", self.take, "takeStep"),
                (
                    f"Take a step: {', '.join(sorted(OF_REVIEWERS | OF_APPLICANTS))}.",
                    "审核或撤回：approve、reject、return、submit、withdraw。",
                ),
                OBJECT,
                form=StepForm,
            ),
        )  # fmt: skip

    async def apply(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._callers.check_hidden(request)
        form = await body_of(request, ApplicationForm)
        if form.account is not None:
            account = form.account
            number = await self._applications.apply(form.application(), account.name, account.password)
        else:
            by = await self._callers.administrator(request, "apply")
            if by.grant is None or not by.grant.person:
                raise ProtocolFault("json.field", path="$.account", rule="is missing", value="nothing")
            person = await self._people.find(by.grant.person)
            number = await self._applications.apply_again(form.application(), person.person_id, str(by))
        return asked.json_answer({"application": number, "state": "submitted"}, HTTPStatus.CREATED)

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *SCOPES)
        applicant = None if self._reviews(by) else _person(by)
        state, after = request.query.get("state"), asked.number(request, "after", MAX_NUMBER) or 0
        if state is not None and state not in STEPS.values():
            raise ProtocolFault("http.parameter", name="state", value=state[:40], rule="is no state")
        return asked.json_answer(await self._applications.listed(state=state, applicant=applicant, after=after))

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, number = await self._one(request, placeholders)
        is_full = request.query.get("personal") == "full" and self._reviews(by)
        return asked.json_answer(await self._applications.show(number, unmasked_for=str(by) if is_full else None))

    async def add_evidence(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, number = await self._one(request, placeholders)
        with self._place():
            octets = await _octets(request)
            added = await self._evidence.add(number, request.query.get("name", ""), octets, by=str(by))
        return asked.json_answer({"application": number, "number": added}, HTTPStatus.CREATED)

    async def show_evidence(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        _, number = await self._one(request, placeholders)
        found = await self._evidence.find(number, number_from("number", placeholders["number"]))
        # Strangers sent it: it is to be kept as a file, and never shown as a part of this place.
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
        }
        return web.Response(body=found.octets, headers=headers, content_type=found.media_type)

    async def take(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, number = await self._one(request, placeholders)
        form = await body_of(request, StepForm)
        step = placeholders["step"]
        if step not in OF_REVIEWERS | OF_APPLICANTS:
            raise ProtocolFault("http.parameter", name="step", value=step[:40], rule="is no step")
        if step in OF_REVIEWERS and not self._reviews(by):
            raise InvalidAdministrator("authorization.node", identity=str(by))
        state = await self._applications.take(number, step, by=str(by), reason=form.reason)
        return asked.json_answer({"application": number, "state": state})

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places for files. Raises ServerBusy when none is free."""
        if self._uploads >= MAX_UPLOADS:
            raise ServerBusy("server.queue")
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    async def _one(self, request: web.Request, placeholders: Mapping[str, str]) -> tuple[Administrator, int]:
        """Who asks, and the number of an application that he may see: what is another's is not there for him."""
        by = await self._callers.administrator(request, *SCOPES)
        number = number_from("application", placeholders["application"])
        if not self._reviews(by) and await self._applications.applicant(number) != _person(by):
            raise HandleNotFound("application.not_found", application=number)
        return by, number

    def _reviews(self, by: Administrator) -> bool:
        return self._rights.is_of_node(by) and (by.grant is None or by.grant.scope == "review")


def _person(by: Administrator) -> str:
    if by.grant is None or not by.grant.person:
        raise InvalidAdministrator("authorization.node", identity=str(by))
    return by.grant.person


async def _octets(request: web.Request) -> bytes:
    """A body of a file, longer than those of forms. Raises ProtocolFault."""
    received = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for piece in request.content.iter_any():
                received += piece
                if len(received) > MAX_OCTETS:
                    raise ProtocolFault("http.body_too_long", limit=MAX_OCTETS)
    except TimeoutError:
        raise ProtocolFault("http.body_slow", seconds=UPLOAD_SECONDS) from None
    return bytes(received)
