"""Chains of links over HTTP, for those who may list a prefix: page by page, or as the list of goods to call back."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from aiohttp import web

from registry import asked
from registry.authentication import Administrator
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER, VIEW_PARAMETER, language_of
from registry.errors import InvalidAdministrator, ServerBusy
from registry.handle import HandleKey, check_new
from registry.prefix import Prefix
from registry.reading import shows_lister, view_of_lister
from registry.recall import heading, recall_rows
from registry.relations import RELATIONS, Direction, MayRead, Relation
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store
from registry.trace import MAX_DEPTH, MAX_PAGE, Named, Walk, recalled, traced
from registry.value import HandleValue
from registry.views import AS, Audience, audience_from

MAX_WALKS: Final = 4  # At once: each holds a connection, and up to some 80 MB.
PAGE: Final = 1000  # Handles of a page that names no limit.
MAX_FIELDS: Final = 16  # Types of values beside each handle.
_PROBLEM: Final = "application/problem+json"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)
_CSV: Final = "text/csv"
_FOLLOW: Final = Parameter(
    "follow",
    "Only along these links, divided by commas; all of them.",
    "只沿这些关联（逗号分隔），默认全部。",
    {"type": "string", "examples": [",".join(RELATIONS)]},
)
_DEPTH: Final = Parameter(
    "depth",
    f"Levels, at most {MAX_DEPTH}.",
    f"层数，最多 {MAX_DEPTH}。",
    {"type": "integer", "minimum": 1, "maximum": MAX_DEPTH},
)


def _direction(default: Direction, english: str, chinese: str) -> Parameter:
    return Parameter(
        "direction",
        f"backward, to what it came from, or forward, to what came of it; {english}.",
        f"backward（向上追溯来源）或 forward（向下追踪去向），{chinese}。",
        {"type": "string", "enum": [one.value for one in Direction], "default": default.value},
    )


class TraceHandlers:
    """Handlers of /api/trace and /api/recall."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._walks = 0

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                *("GET", "/api/trace/{handle}", self.trace, "trace"),
                "What a thing came from, or what came of it, along the links of handles.",
                "沿标识间的关联追溯来源或追踪去向。",
                (
                    _direction(Direction.BACKWARD, "backward", "默认 backward"),
                    _DEPTH,
                    _FOLLOW,
                    Parameter("cursor", "Where a page begins: of the page before.", "起始位置，取自上一页。"),
                    Parameter("limit", f"Handles of a page; {PAGE}.", f"每页标识数，默认 {PAGE}。",
                              {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}),
                    VIEW_PARAMETER,
                    LANGUAGE_PARAMETER,
                ),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: {"type": "object"}},
            ),
            Route(
                *("GET", "/api/recall/{handle}", self.recall, "recall"),
                "Everything that came of a batch, as CSV: the list of what is to be called back.",
                "某批次的全部去向清单（CSV），用于召回。",
                (
                    _direction(Direction.FORWARD, "forward", "默认 forward"),
                    _DEPTH,
                    _FOLLOW,
                    Parameter("fields", "Types of values to be shown beside each handle, divided by commas.",
                              "每个标识同时列出的值类型（逗号分隔）。"),
                    VIEW_PARAMETER,
                    LANGUAGE_PARAMETER,
                ),
                responses=_REFUSED | {200: _CSV},
                authenticated=True,
            ),
        )  # fmt: skip

    async def trace(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        walk, _by = await self._walk(request, placeholders, Direction.BACKWARD)
        limit = asked.number(request, "limit", MAX_PAGE) or PAGE
        with self._place():
            page = await traced(self._store, walk, request.query.get("cursor", ""), limit)
        form = {
            "handle": str(walk.start),
            "direction": walk.direction.value,
            "handles": [_form(one) for one in page.handles],
            "cursor": page.cursor,
            "stopped": page.stopped,
        }
        return asked.json_answer(form)

    async def recall(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        fields = _listed(request, "fields", MAX_FIELDS)
        walk, by = await self._walk(request, placeholders, Direction.FORWARD)
        with self._place():
            found = await recalled(self._store, walk)
            may_read = self._may_read(walk.sight, by, audience_from(request.query.get(AS)))
            headers = {
                "Content-Type": f"{_CSV}; charset=utf-8",
                "Content-Disposition": 'attachment; filename="recall.csv"',
                "Cache-Control": "no-store",
                "Vary": "Accept-Language",
            }
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            await response.write(heading(language_of(request), fields))
            async for rows in recall_rows(self._store, found, fields, may_read):
                await response.write(rows)
            await response.write_eof()
        return response

    def _may_read(self, sight: Collection[int] | None, by: Administrator, audience: Audience | None) -> MayRead:
        def may_read(key: HandleKey, value: HandleValue) -> bool:
            prefix = self._store.prefixes.of(key)
            owns = sight is None or (prefix is not None and prefix.prefix_id in sight)
            return value.is_public or (owns and shows_lister(prefix, value, by, audience))

        return may_read

    async def _walk(
        self, request: web.Request, placeholders: Mapping[str, str], usual: Direction
    ) -> tuple[Walk, Administrator]:
        """The walk that is asked for, by somebody who may list the prefix of its beginning."""
        by = await self._callers.administrator(request)
        handle = asked.handle(placeholders)
        check_new(handle)
        prefix = await self._rights.listable(handle.prefix, by)
        named = request.query.get("direction", usual.value)
        if named not in {one.value for one in Direction}:
            raise asked.fault("direction", named, "is neither backward nor forward")
        follow = _listed(request, "follow", len(RELATIONS))
        if unknown := next((name for name in follow if name not in RELATIONS), None):
            raise asked.fault("follow", unknown, f"is none of {', '.join(RELATIONS)}")
        depth = asked.number(request, "depth", MAX_DEPTH) or MAX_DEPTH
        relations = tuple(RELATIONS[name] for name in follow) or tuple(Relation)
        sight = None if self._rights.is_of_node(by) else await self._sight(prefix, by)
        audience = audience_from(request.query.get(AS))
        view_of_lister(by, audience)
        sees_all = audience is None and by.grant is None and self._rights.is_of_node(by)
        may_read = None if sees_all else self._may_read(sight, by, audience)
        return Walk(handle, Direction(named), relations, depth, sight, may_read), by

    async def _sight(self, asked_about: Prefix, by: Administrator) -> Collection[int]:
        """The prefixes of the same enterprise that the caller may list."""
        sight = {asked_about.prefix_id}
        for prefix in self._store.prefixes.homed():
            if prefix.enterprise_id is not None and prefix.enterprise_id == asked_about.enterprise_id:
                with suppress(InvalidAdministrator):
                    sight.add((await self._rights.listable(prefix.spelling, by)).prefix_id)
        return sight

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._walks >= MAX_WALKS:
            raise ServerBusy("server.queue")
        self._walks += 1
        try:
            yield
        finally:
            self._walks -= 1


def _form(one: Named) -> dict[str, Any]:
    return {"handle": one.handle, "level": one.depth, "relation": one.relation.name, "via": one.via}


def _listed(request: web.Request, name: str, most: int) -> tuple[str, ...]:
    """The parts of a parameter that commas divide."""
    text = request.query.get(name, "")
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(parts) > most:
        raise asked.fault(name, text, f"names more than {most}")
    return parts
