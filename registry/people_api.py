"""People over HTTP: logging in and out, and whom an enterprise or the node has."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import (
    AFTER,
    ENTERPRISE,
    JSON,
    MAX_NUMBER,
    OBJECT,
    OBJECTS,
    REFUSED,
    EnterpriseNumber,
    body_of,
)
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import AuthenticationNeeded, InvalidAdministrator
from registry.grants import SCOPES
from registry.json_routes import json_route
from registry.people import People, Person
from registry.routes import Route, percent_decode
from registry.stewardship import STEWARDS, Stewardship
from registry.tokens import Issued, Tokens


class LogInForm(msgspec.Struct):
    """A name and its password; and another one to take its place."""

    name: str
    password: str
    new_password: str | None = None

    def __repr__(self) -> str:
        return f"LogInForm({self.name!r})"


class LoggedInForm(msgspec.Struct):
    """A token for a shift, told once."""

    token: str
    token_id: int
    expires_at: str
    name: str
    role: str
    enterprise: int | None


class PersonForm(msgspec.Struct):
    """Somebody to be added. Without a password one is made, and told once."""

    name: str
    role: str
    enterprise: EnterpriseNumber | None = None
    password: str | None = None


class ChangeForm(msgspec.Struct):
    """What is to be changed of somebody."""

    role: str | None = None
    active: bool | None = None
    password: str | None = None


class PeopleHandlers:
    """Handlers of /api/login, /api/me and /api/people."""

    def __init__(self, callers: Callers, people: People, tokens: Tokens, stewardship: Stewardship) -> None:
        self._callers = callers
        self._people = people
        self._tokens = tokens
        self._stewardship = stewardship

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                *("POST", "/api/login", self.log_in, "logIn"),
                *("Log in with name and password, for a token.", "用户名密码登录，换取令牌。"),
                (LANGUAGE_PARAMETER,),
                request={JSON: LogInForm},
                responses=REFUSED | {200: JSON},
                answers={200: LoggedInForm},
                on_terms=False,  # Wrong passwords are counted, whatever becomes of the request.
            ),
            json_route(
                "DELETE", "/api/login", self.log_out, "logOut", ("Revoke the token that is shown.", "注销当前令牌。")
            ),
            json_route(
                "GET", "/api/me", self.show, "me", ("Who one is here, and may do what.", "当前身份与权限。"), OBJECT
            ),
            *self._routes_of_people(),
        )

    def _routes_of_people(self) -> tuple[Route, ...]:
        return (
            json_route(
                *("GET", "/api/people", self.list, "listPeople"),
                ("The people of an enterprise, or of the node.", "企业或节点的用户列表。"),
                OBJECTS,
                parameters=(ENTERPRISE, AFTER),
            ),
            json_route(
                *("POST", "/api/people", self.add, "addPerson"),
                ("Add somebody who may log in.", "新增用户。"),
                OBJECT,
                form=PersonForm,
                status=201,
            ),
            json_route(
                *("POST", "/api/people/{name}", self.change, "changePerson"),
                ("Give somebody another role or password, or let him in no more.", "修改用户角色、密码或停用。"),
                OBJECT,
                form=ChangeForm,
            ),
        )

    async def log_in(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._callers.check_hidden(request)
        form = await body_of(request, LogInForm)
        person, issued = await self._people.log_in(form.name, form.password)
        if form.new_password is not None:
            # Which ends the token just issued, too.
            await self._people.change(person, by=f"person:{person.name}", password=form.new_password)
            person, issued = await self._people.log_in(form.name, form.new_password)
        return asked.json_answer(logged_in(person, issued))

    async def log_out(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *SCOPES)
        if by.grant is None:
            raise AuthenticationNeeded("authentication.malformed", reason="there is no token")
        await self._tokens.revoke(by.grant.token_id, by=str(by))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *SCOPES)
        form: dict[str, Any] = {"name": str(by)}
        if (grant := by.grant) is not None:
            prefixes = None if grant.prefixes is None else sorted(key.decode() for key in grant.prefixes)
            form |= {"scopes": sorted(grant.scopes), "prefixes": prefixes, "enterprise": grant.enterprise_id}
        return asked.json_answer(form)

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *STEWARDS)
        enterprise_id = self._stewardship.enterprise_of(by, asked.number(request, "enterprise", MAX_NUMBER))
        await self._stewardship.check(by, enterprise_id)
        return asked.json_answer(
            await self._people.listed(enterprise_id, after=asked.number(request, "after", MAX_NUMBER) or 0)
        )

    async def add(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *STEWARDS)
        form = await body_of(request, PersonForm)
        enterprise_id = self._stewardship.enterprise_of(by, form.enterprise)
        await self._stewardship.check(by, enterprise_id)
        person, told = await self._people.add(form.name, form.role, enterprise_id, by=str(by), password=form.password)
        shown = _shown(person) | ({"password": told} if form.password is None else {})
        return asked.json_answer(shown, HTTPStatus.CREATED)

    async def change(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *STEWARDS)
        form = await body_of(request, ChangeForm)
        person = await self._people.find(percent_decode(placeholders["name"]).decode("utf-8", "replace"))
        await self._stewardship.check(by, person.enterprise_id)
        if person.role == "applicant":
            raise InvalidAdministrator("authorization.enterprise", identity=str(by), enterprise=person.name)
        await self._people.change(person, by=str(by), role=form.role, active=form.active, password=form.password)
        return asked.json_answer(_shown(await self._people.find(person.name)))


def logged_in(person: Person, issued: Issued) -> dict[str, Any]:
    """As LoggedInForm has it."""
    told: dict[str, Any] = msgspec.to_builtins(issued)
    return told | {"name": person.name, "role": person.role, "enterprise": person.enterprise_id}


def _shown(person: Person) -> dict[str, Any]:
    return {"name": person.name, "role": person.role, "enterprise": person.enterprise_id, "active": person.active}
