"""Histories over HTTP, for those who may administer a prefix: versions, differences, and going back to one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from registry import asked
from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER, VIEW_PARAMETER
from registry.errors import HandleNotFound, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle
from registry.history import MAX_VERSIONS, NEWEST, History, Version, difference
from registry.reading import Reading, view_of_lister
from registry.registration import Registration
from registry.rest import values_to_json
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.standing import shown
from registry.store import Store
from registry.views import AS, audience_from

_PROBLEM: Final = "application/problem+json"
_PATH: Final = "/api/history/{handle}"
_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": NEWEST}
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)
_OBJECT: Final = {"type": "object"}


class HistoryHandlers:
    """Handlers of /api/history."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._callers = callers
        self._rights = rights
        self._history = History(store)
        self._reading = Reading(store, rights)
        self._registration = Registration(store, store.settings.administrators)

    def routes(self) -> tuple[Route, ...]:
        version = Parameter("version", "This version.", "该版本。", _NUMBER)
        since = Parameter(
            "since", "With version: what changed since this one.", "与 version 同用：自该版本以来的变化。", _NUMBER
        )
        return (
            Route(
                *("GET", _PATH, self.show, "history"),
                "The versions of a handle; one of them, by number or time; or the difference of two.",
                "标识的历史版本；按版本号或时间查看其一；或比较两个版本。",
                (
                    version,
                    Parameter("at", "As it was at this time (ISO 8601).", "该时刻的内容（ISO 8601）。"),
                    since,
                    Parameter("before", "List the versions below this one.", "列出该版本之前的版本。", _NUMBER),
                    VIEW_PARAMETER,
                    LANGUAGE_PARAMETER,
                ),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: _OBJECT},
            ),
            Route(
                *("POST", _PATH, self.restore, "restore"),
                "Give a handle the values of one of its versions again.",
                "将标识恢复为某一历史版本。",
                (Parameter("version", "The version.", "版本号。", _NUMBER, required=True), LANGUAGE_PARAMETER),
                responses=_REFUSED | {200: "application/json", 201: "application/json"},
                authenticated=True,
                answers={200: _OBJECT, 201: _OBJECT},
            ),
        )  # fmt: skip

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        handle, by = await self._asked(request, placeholders)
        spelled = str(await self._history.spelled(handle))
        number, since, at = (
            asked.number(request, "version", NEWEST),
            asked.number(request, "since", NEWEST),
            asked.time(request, "at"),
        )
        if number is None and at is None:
            versions = await self._history.versions(handle, before=asked.number(request, "before", NEWEST) or NEWEST)
            listed = [_summary(version) for version in versions]
            return asked.json_answer({"handle": spelled, "versions": listed, "more": len(listed) == MAX_VERSIONS})
        audience = audience_from(request.query.get(AS))
        view_of_lister(by, audience)
        version = await self._version(handle, number, at)
        form = {"handle": spelled, **_summary(version)}
        if since is None:
            return asked.json_answer(
                form | {"values": values_to_json(self._reading.shown(handle, version.values, by, audience))}
            )
        before = self._reading.shown(handle, (await self._history.of_version(handle, since)).values, by, audience)
        made = difference(before, self._reading.shown(handle, version.values, by, audience))
        changed = [{"from": values_to_json((old,)), "to": values_to_json((new,))} for old, new in made.changed]
        added, removed = values_to_json(made.added), values_to_json(made.removed)
        form |= {"since": since, "added": added, "removed": removed, "changed": changed}
        return asked.json_answer(form)

    async def restore(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        handle, by = await self._asked(request, placeholders)
        number = asked.number(request, "version", NEWEST)
        if number is None:
            raise ProtocolFault("http.parameter", name="version", value="", rule="is missing")
        version = await self._history.of_version(handle, number)
        if version.deleted:
            raise HandleNotFound("handle.not_found", handle=f"{handle} (version {number})")
        spelled = await self._history.spelled(handle)
        written = await self._registration.put_record(spelled, version.values, by)
        form = {"handle": str(spelled), "restored": number, "version": written.record.version}
        return asked.json_answer(form, 201 if written.created else 200)

    async def _asked(self, request: web.Request, placeholders: Mapping[str, str]) -> tuple[Handle, Administrator]:
        """The handle that is asked about, by somebody who may list its prefix."""
        by = await self._callers.administrator(request)
        handle = asked.handle(placeholders)
        prefix_handle = Handle(NAMING_AUTHORITY, handle.prefix)
        await self._rights.check_prefix(prefix_handle, by, AdminPermission.LIST_HANDLES)
        return handle, by

    async def _version(self, handle: Handle, number: int | None, at: datetime | None) -> Version:
        if number is not None:
            return await self._history.of_version(handle, number)
        assert at is not None
        return await self._history.of_time(handle, at)


def _summary(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "deleted": version.deleted,
        "state": version.state.word,
        **_standing(version),
        "since": version.since,
        "until": version.until,
        "replacedBy": version.replaced_by,
    }


def _standing(version: Version) -> dict[str, Any]:
    """Who put it into its state, and why, where that is known."""
    standing = version.standing
    return {} if standing is None else {"by": standing.by, **shown(standing)}
