"""States of handles over HTTP, for those who may administer them: seen, and chosen for one handle or for many."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from registry import asked
from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.bodies import body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle
from registry.history import History
from registry.record import HandleRecord
from registry.rest import time_from_text
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.standing import State, Wish, shown
from registry.states import MAX_AT_ONCE, allowed_to, put
from registry.store import Store
from registry.writing import Written

_PROBLEM: Final = "application/problem+json"
_PATH: Final = "/api/state/{handle}"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)

IF_MATCH: Final = Parameter(
    "If-Match", "Only when the handle is at this version, quoted.", "仅当标识为该版本（带引号）时执行。", place="header"
)
Word = Literal["active", "reserved", "frozen", "revoked", "expired"]


class StateForm(msgspec.Struct, forbid_unknown_fields=True):
    """The state that a handle is to have; `reason` may be left out where it becomes active. At `expires` it expires."""

    state: Word
    reason: str = ""
    successor: str = ""
    expires: str | None = None


class StatesForm(StateForm, forbid_unknown_fields=True):
    """The state that many handles are to have: all of them get it, or none."""

    handles: list[str] = msgspec.field(default_factory=list)


class StandingForm(msgspec.Struct, rename="camel"):
    """The state of a handle: since when, chosen by whom and why."""

    handle: str
    version: int
    state: str
    since: str
    by: str = ""
    by_operator: bool = False
    reason: str = ""
    successor: str = ""
    expires: str = ""


class StateHandlers:
    """Handlers of /api/state."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._history = History(store)

    def routes(self) -> tuple[Route, ...]:
        one, many = {200: StandingForm, 201: StandingForm}, {200: list[StandingForm]}
        return (
            Route(
                *("GET", _PATH, self.show, "state"),
                "The state of a handle: since when, by whom and why.",
                "标识的状态：何时、由谁、因何设置。",
                (LANGUAGE_PARAMETER,),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: StandingForm},
            ),
            Route(
                *("PUT", _PATH, self.put, "putState"),
                "Reserve a name, or put a handle into use, freeze, revoke or end it; why, and what comes after it.",
                "预留标识，或启用、冻结、注销标识，或使其过期，可注明原因与后继标识。",
                (IF_MATCH, LANGUAGE_PARAMETER),
                request={"application/json": StateForm},
                responses=_REFUSED
                | {200: "application/json", 201: "application/json"}
                | dict.fromkeys((409, 412, 413), _PROBLEM),
                authenticated=True,
                answers=one,
            ),
            Route(
                *("POST", "/api/state", self.put_many, "putStates"),
                f"The same for at most {MAX_AT_ONCE} handles at once: all of them, or none.",
                f"一次设置最多 {MAX_AT_ONCE} 个标识的状态，全部成功或全部不变。",
                (LANGUAGE_PARAMETER,),
                request={"application/json": StatesForm},
                responses=_REFUSED | {200: "application/json", 409: _PROBLEM, 413: _PROBLEM},
                authenticated=True,
                answers=many,
            ),
        )  # fmt: skip

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        handle = asked.handle(placeholders)
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, handle.prefix), by, AdminPermission.LIST_HANDLES)
        (newest,) = await self._history.versions(handle, limit=1)
        record = HandleRecord(await self._history.spelled(handle), (), newest.version, newest.standing)
        since = newest.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return asked.json_answer({"state": newest.state.word, "since": since} | _form(record))

    async def put(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        form = await body_of(request, StateForm)
        (written,) = await self._put([asked.handle(placeholders)], form, by, asked.version_seen(request))
        return asked.json_answer(_form(written.record), HTTPStatus.CREATED if written.created else HTTPStatus.OK)

    async def put_many(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        form = await body_of(request, StatesForm)
        every = await self._put([Handle.from_text(name) for name in form.handles], form, by)
        return asked.json_answer([_form(written.record) for written in every])

    async def _put(
        self, handles: Sequence[Handle], form: StateForm, by: Administrator, version: int | None = None
    ) -> list[Written]:
        wish = Wish(State[form.state.upper()], form.reason, form.successor, _seconds(form.expires))
        allow, of_node = allowed_to(self._rights, by), self._rights.is_of_node(by)
        return await put(self._store, handles, wish, by=str(by), of_node=of_node, allow=allow, version=version)


def _form(record: HandleRecord) -> dict[str, Any]:
    form: dict[str, Any] = {"handle": str(record.handle), "version": record.version}
    standing = record.standing
    return form if standing is None else form | shown(standing) | {"by": standing.by, "byOperator": standing.of_node}


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return time_from_text(text)
    except ValueError:
        rule = "is no time as ISO 8601 writes it"
        raise ProtocolFault("json.field", path="$.expires", rule=rule, value=repr(text[:40])) from None
