"""Statistics over HTTP: an enterprise's for itself, everybody's for administrators of the node."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar, get_args

import msgspec
from aiohttp import web

from registry import asked
from registry.callers import Callers
from registry.rights import Rights
from registry.statistics import MAX_ROWS, ZONE, Aspect, Period, Statistics, begin_of
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
            raise asked.fault("per", period, "is not day: sources are counted by day")
        prefix = await asked.prefix(request, self._callers, self._rights, "stats")
        begin, end = _times(request, period)
        counts = await self._statistics.read(aspect, period, begin, end, prefix)
        if len(counts) > MAX_ROWS:
            raise asked.fault("from", begin.isoformat(), f"leads to more than {MAX_ROWS} rows: ask for a shorter time")
        return asked.json_answer([msgspec.to_builtins(row) for row in counts])

    async def show_busiest(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        self._rights.check_node(await self._callers.administrator(request, "stats"))
        return asked.json_answer(
            [msgspec.to_builtins(row) for row in await self._statistics.busiest(*_times(request, "day"))]
        )


def _times(request: web.Request, period: Period) -> tuple[datetime, datetime]:
    """?from= and ?to=: today when they are not given."""
    now = datetime.now(UTC)
    begin = asked.time(request, "from", ZONE) or begin_of("day", now)
    end = asked.time(request, "to", ZONE) or now + timedelta(seconds=1)
    return begin_of(period, begin), end


def _choice(request: web.Request, name: str, choices: tuple[Choice, ...], usual: Choice) -> Choice:
    text = request.query.get(name, usual)
    for choice in choices:
        if choice == text:
            return choice
    raise asked.fault(name, text, f"is none of {', '.join(choices)}")
