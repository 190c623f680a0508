"""Statistics over HTTP: an enterprise's for itself, everybody's for administrators of the node."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, get_args

import msgspec
import orjson
from aiohttp import web

from registry.admin import AdminPermission
from registry.callers import Callers
from registry.errors import PrefixNotHomed, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle
from registry.prefix import Prefix
from registry.rights import Rights
from registry.statistics import MAX_ROWS, ZONE, Aspect, BusiestSecond, Count, Period, Statistics, begin_of
from registry.store import Store

PERIODS: Final[tuple[Period, ...]] = get_args(Period)
ASPECTS: Final[tuple[Aspect, ...]] = get_args(Aspect)

Choice = TypeVar("Choice", bound=str)


class CountForm(msgspec.Struct):
    """Requests and successes in the period that began `at`."""

    at: datetime
    name: str
    requests: int
    successes: int


class BusiestForm(msgspec.Struct):
    """The second of a day in which most was asked for."""

    day: datetime
    at: datetime
    requests: int


class StatisticsHandlers:
    """Handlers of /api/statistics."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._statistics = Statistics(store)

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        period = _choice(request, "per", PERIODS, "day")
        aspect = _choice(request, "by", ASPECTS, "prefix")
        if aspect == "source" and period != "day":
            raise _fault("per", period, "is not day: sources are counted by day")
        prefix = await self._prefix(request)
        begin, end = _times(request, period)
        counts = await self._statistics.read(aspect, period, begin, end, prefix)
        if len(counts) > MAX_ROWS:
            raise _fault("from", begin.isoformat(), f"leads to more than {MAX_ROWS} rows: ask for a shorter time")
        return _json(counts)

    async def show_busiest(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._rights.check_node(await self._callers.administrator(request, "stats"))
        return _json(await self._statistics.busiest(*_times(request, "day")))

    async def _prefix(self, request: web.Request) -> Prefix | None:
        """The prefix that is asked about, if its askers may know; without one, only the node's administrators may."""
        by = await self._callers.administrator(request, "stats")
        named = request.query.get("prefix")
        if named is None:
            self._rights.check_node(by)
            return None
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, named), by, AdminPermission.LIST_HANDLES)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix


def _times(request: web.Request, period: Period) -> tuple[datetime, datetime]:
    """?from= and ?to=: today when they are not given."""
    now = datetime.now(UTC)
    begin = _time(request, "from") or begin_of("day", now)
    end = _time(request, "to") or now + timedelta(seconds=1)
    return begin_of(period, begin), end


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _fault(name, text, "is no date or time as ISO 8601 writes it") from None


def _choice(request: web.Request, name: str, choices: tuple[Choice, ...], usual: Choice) -> Choice:
    text = request.query.get(name, usual)
    for choice in choices:
        if choice == text:
            return choice
    raise _fault(name, text, f"is none of {', '.join(choices)}")


def _fault(name: str, value: str, rule: str) -> ProtocolFault:
    return ProtocolFault("http.parameter", name=name, value=value[:40], rule=rule)


def _json(rows: list[Count] | list[BusiestSecond]) -> web.Response:
    form: Any = [msgspec.to_builtins(row) for row in rows]
    return web.Response(body=orjson.dumps(form), headers={"Cache-Control": "no-store"}, content_type="application/json")
