"""Ranges over HTTP: registered, shown, changed and deleted by whoever may do so with every handle in them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson
from aiohttp import web

from registry import asked
from registry.authentication import Administrator
from registry.bodies import octets_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import ProtocolFault
from registry.handle import Handle
from registry.handle_range import MAX_MEMBERS, MAX_WIDTH, HandleRange
from registry.openapi import Values
from registry.ranges import MAX_LISTED, NewRange, Ranges
from registry.reading import Reading
from registry.registration import Registration
from registry.rest import ValueForm, form_from_json, time_to_text, values_from_forms, values_from_json, values_to_json
from registry.routes import Parameter, Route
from registry.store import Store
from registry.value import HandleValue
from registry.writing import Written

_PATH: Final = "/api/ranges/{handle}"
_PROBLEM: Final = "application/problem+json"
_JSON: Final = "application/json"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)
_WRITE_REFUSED: Final = _REFUSED | dict.fromkeys((409, 412, 413, 422), _PROBLEM)
_IF_MATCH: Final = Parameter(
    "If-Match", "Only when the range is at this version, quoted.", "仅当号段为该版本（带引号）时执行。", place="header"
)


class RangeForm(msgspec.Struct):
    """So many handles from `first` on, which ends in a serial number of `width` digits; what each of them says."""

    first: str
    members: Annotated[int, msgspec.Meta(ge=1, le=MAX_MEMBERS)]
    width: Annotated[int, msgspec.Meta(ge=1, le=MAX_WIDTH)]
    values: list[ValueForm]
    radix: Literal[10, 36] = 10


class WrittenForm(msgspec.Struct):
    """The first handle of a range that was written, and the version that it has now."""

    first: str
    version: int


class RangeHandlers:
    """Handlers of /api/ranges."""

    def __init__(self, store: Store, callers: Callers) -> None:
        self._callers = callers
        registration = Registration(store, store.settings.administrators)
        self._ranges = Ranges(store, registration)
        self._reading = Reading(store, registration.rights)

    def routes(self) -> tuple[Route, ...]:
        return (*self._routes_of_all(), *self._routes_of_one())

    def _routes_of_all(self) -> tuple[Route, ...]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LISTED}
        return (
            Route(
                *("POST", "/api/ranges", self.register, "registerRange"),
                "Register neighbouring handles as one: the cakes of a doff, a block of serial numbers.",
                "将连续编号的标识作为一个号段登记，例如一落丝的丝饼或一段序列号。",
                (LANGUAGE_PARAMETER,),
                request={_JSON: RangeForm},
                responses=_WRITE_REFUSED | {201: _JSON},
                authenticated=True,
                answers={201: WrittenForm},
            ),
            Route(
                *("GET", "/api/ranges", self.list, "listRanges"),
                "The ranges of a prefix, in order of their first handles.",
                "某前缀下的号段，按首个标识排序。",
                (
                    Parameter("prefix", "The prefix.", "前缀。", required=True),
                    Parameter("after", "Begin behind this suffix.", "从该后缀之后开始。"),
                    Parameter("limit", "Ranges of a page.", "每页号段数。", limit),
                    LANGUAGE_PARAMETER,
                ),
                responses=_REFUSED | {200: _JSON},
                authenticated=True,
                answers={200: {"type": "object"}},
            ),
        )

    def _routes_of_one(self) -> tuple[Route, ...]:
        return (
            Route(
                *("GET", _PATH, self.show, "showRange"),
                "The range that a handle is a member of, and its place in it.",
                "标识所属的号段及其在号段中的位置。",
                (LANGUAGE_PARAMETER,),
                responses=_REFUSED | {200: _JSON},
                authenticated=True,
                answers={200: {"type": "object"}},
            ),
            Route(
                *("PUT", _PATH, self.replace, "changeRange"),
                "Give every handle of a range other values, but for those that were changed singly.",
                "修改号段内全部标识的值；已单独修改过的标识不受影响。",
                (_IF_MATCH, LANGUAGE_PARAMETER),
                request={_JSON: Values},
                responses=_WRITE_REFUSED | {200: _JSON},
                authenticated=True,
                answers={200: WrittenForm},
            ),
            Route(
                *("DELETE", _PATH, self.delete, "deleteRange"),
                "Delete every handle of a range, but for those that were changed singly.",
                "删除号段内的全部标识；已单独修改过的标识保留。",
                (_IF_MATCH, LANGUAGE_PARAMETER),
                responses=_WRITE_REFUSED | {200: _JSON},
                authenticated=True,
                answers={200: WrittenForm},
            ),
        )

    async def register(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        form = form_from_json(RangeForm, await octets_of(request))
        first = Handle.from_text(form.first)
        new = NewRange(first, form.members, form.width, form.radix, values_from_forms(form.values))
        return _written(await self._ranges.register(new, by, asked.version_seen(request)), 201)

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        prefix = request.query.get("prefix", "")
        if not prefix or "\0" in prefix:
            raise ProtocolFault("http.parameter", name="prefix", value=prefix[:40], rule="is missing")
        after = request.query.get("after", "").replace("\0", "")
        found = await self._ranges.of_prefix(prefix, by, after=after, limit=_limit(request))
        return _answer({"ranges": [self._shown(one, by) for one in found]})

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        member = asked.handle(placeholders)
        found = await self._ranges.find(member, by)
        suffix = self._ranges.suffix_of(member)
        place = {"handle": str(found.handle(suffix)), "position": found.position(suffix)}
        return _answer(place | self._shown(found, by), headers={"ETag": f'"{found.version}"'})

    async def replace(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        member = asked.handle(placeholders)
        _, values = values_from_json(await octets_of(request))
        return _written(await self._ranges.replace(member, values, by, asked.version_seen(request)))

    async def delete(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        member = asked.handle(placeholders)
        return _written(await self._ranges.delete(member, by, asked.version_seen(request)))

    def _shown(self, one: HandleRange, by: Administrator) -> dict[str, Any]:
        """With the values that this reader may see, before anything is filled in."""
        return range_to_json(one, self._reading.shown(one.handle(one.first), one.values, by))


def _written(written: Written, status: int = 200) -> web.Response:
    return _answer({"first": str(written.handle), "version": written.record.version}, status)


def range_to_json(one: HandleRange, readable: tuple[HandleValue, ...]) -> dict[str, Any]:
    """A range with some of its values."""
    return {
        "first": str(one.handle(one.first)),
        "last": str(one.handle(one.last)),
        "members": one.members,
        "width": one.width,
        "radix": one.radix,
        "version": one.version,
        "written": time_to_text(one.written_at),
        "values": values_to_json(readable),
    }


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(MAX_LISTED))
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_LISTED):
        rule = f"is not between 1 and {MAX_LISTED}"
        raise ProtocolFault("http.parameter", name="limit", value=text[:40], rule=rule)
    return int(text)


def _answer(form: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(form),
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        content_type=_JSON,
    )
