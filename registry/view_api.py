"""Views over HTTP: to whom an enterprise opens values that not everybody may read, said by who administers a prefix."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from registry import acts, asked
from registry.acts import Act
from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.bodies import body_of
from registry.callers import Callers
from registry.changes import ChangeKind
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import PrefixNotHomed, ProtocolFault
from registry.handle import NAMING_AUTHORITY, Handle, check_prefix
from registry.prefix import Prefix
from registry.record import MAX_TYPE
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store
from registry.transaction import LOG
from registry.views import MAX_PARTNERS, MAX_RULES, Rule

# Who says what others may read, could register and replace all of it.
SAYING: Final = AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE

CLEAR: Final = "DELETE FROM reading_view WHERE prefix_id = $1"
SAY: Final = "INSERT INTO reading_view (prefix_id, type, audiences) VALUES ($1, $2, $3)"
CLEAR_PARTNERS: Final = "DELETE FROM partner WHERE prefix_id = $1"
SAY_PARTNER: Final = "INSERT INTO partner (prefix_id, partner) VALUES ($1, $2)"
# Two who say something at once: the second waits, and what he says stands.
HOLD: Final = "SELECT FROM prefix WHERE prefix_id = $1 FOR NO KEY UPDATE"

_PROBLEM: Final = "application/problem+json"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)


class ViewsForm(msgspec.Struct, forbid_unknown_fields=True):
    """`partners` are prefixes; `views` says for types of values who may read those that are not public."""

    partners: list[str] = []
    views: list[Rule] = []


class ViewHandlers:
    """Handlers of /api/views."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights

    def routes(self) -> tuple[Route, ...]:
        prefix = Parameter("prefix", "The prefix.", "前缀。", required=True)
        return (
            Route(
                *("GET", "/api/views", self.show, "views"),
                "Who may read values of a prefix that are not public, besides its administrators.",
                "除管理者外,哪些读者可以查看某前缀的非公开值。",
                (prefix, LANGUAGE_PARAMETER),
                responses=_REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: ViewsForm},
            ),
            Route(
                *("PUT", "/api/views", self.say, "sayViews"),
                "Say anew who may read them: partners, regulators.",
                "重新设定合作方与监管方可以查看的非公开值。",
                (prefix, LANGUAGE_PARAMETER),
                request={"application/json": ViewsForm},
                responses=_REFUSED | {200: "application/json", 413: _PROBLEM},
                authenticated=True,
                answers={200: ViewsForm},
            ),
        )

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix, _by = await self._prefix(request)
        return asked.json_answer(self._form(prefix))

    async def say(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix, by = await self._prefix(request)
        form = _checked(await body_of(request, ViewsForm))
        partners = sorted({self._store.key_of(f"{one}/".encode())[:-1].decode() for one in form.partners})
        rules = [(prefix.prefix_id, rule.type, list(rule.audiences)) for rule in form.views]
        async with self._store.connection() as connection, connection.transaction():
            await connection.execute(HOLD, prefix.prefix_id)
            await connection.execute(CLEAR, prefix.prefix_id)
            await connection.executemany(SAY, rules)
            await connection.execute(CLEAR_PARTNERS, prefix.prefix_id)
            await connection.executemany(SAY_PARTNER, [(prefix.prefix_id, partner) for partner in partners])
            act = Act("views.said", prefix.spelling, prefix.prefix_id, msgspec.to_builtins(form))
            await acts.keep(connection, act, at=datetime.now(UTC), by=str(by), program=self._store.program)
            # Whoever answers reads the prefixes anew when he hears of this.
            await connection.execute(LOG, ChangeKind.PREFIX, prefix.prefix_id, None, None, None)
        await self._store.load_prefixes()
        told = self._store.prefixes.by_id(prefix.prefix_id)
        assert told is not None
        return asked.json_answer(self._form(told))

    def _form(self, prefix: Prefix) -> dict[str, Any]:
        views = prefix.views
        partners = [one.decode() for one in sorted(views.partners)]
        return {"partners": partners, "views": [msgspec.to_builtins(rule) for rule in views.rules]}

    async def _prefix(self, request: web.Request) -> tuple[Prefix, Administrator]:
        by = await self._callers.administrator(request)
        named = request.query.get("prefix", "")
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, named), by, SAYING)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix, by


def _checked(form: ViewsForm) -> ViewsForm:
    """Raises ProtocolFault, InvalidHandle."""
    for name, given, most in (("partners", form.partners, MAX_PARTNERS), ("views", form.views, MAX_RULES)):
        if len(given) > most:
            raise ProtocolFault("json.field", path=f"$.{name}", rule=f"has more than {most}", value=str(len(given)))
    for partner in form.partners:
        check_prefix(partner)
    seen = set()
    for place, rule in enumerate(form.views):
        path, shown = f"$.views[{place}].type", rule.type[:40]
        if not 0 < len(rule.type.encode()) <= MAX_TYPE or not rule.type.isprintable():
            raise ProtocolFault("json.field", path=path, rule=f"must have 1 to {MAX_TYPE} octets", value=shown)
        if rule.type.upper() in seen:
            raise ProtocolFault("json.field", path=path, rule="is there twice", value=shown)
        seen.add(rule.type.upper())
    return form
