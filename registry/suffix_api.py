"""Suffixes over HTTP, for administrators of a prefix: its rules, its minters, and blocks of suffixes for later."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from registry import asked
from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.bodies import body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import PrefixNotHomed
from registry.handle import NAMING_AUTHORITY, Handle
from registry.minting import Asked, Block, Minting, Reserved
from registry.prefix import Prefix
from registry.rights import Rights
from registry.routes import Route, percent_decode
from registry.store import Store
from registry.suffixes import Minter, SuffixRule

# Who says what suffixes of a prefix are, could register and replace all of its handles.
SAVING: Final = AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE

_PROBLEM: Final = "application/problem+json"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 503), _PROBLEM)
_CHANGED: Final = _REFUSED | {404: _PROBLEM, 413: _PROBLEM}


class RulesForm(msgspec.Struct, forbid_unknown_fields=True):
    """All rules of a prefix: a new suffix fits one of them, if there are any."""

    rules: list[SuffixRule]


class MintersForm(msgspec.Struct, forbid_unknown_fields=True):
    """All minters of a prefix."""

    minters: list[Minter]


class AskedForm(msgspec.Struct, forbid_unknown_fields=True):
    """Suffixes that are wanted: without a day they are for today, in China."""

    minter: str
    line: str = ""
    day: date | None = None
    count: int = 1


class SuffixHandlers:
    """Handlers of /api/suffix-rules, /api/minters and /api/suffixes."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._minting = Minting(store)

    def routes(self) -> tuple[Route, ...]:
        rules, minters, suffixes = (f"/api/{name}/{{prefix}}" for name in ("suffix-rules", "minters", "suffixes"))
        return (
            _route(*("GET", rules, self.show_rules, "showSuffixRules"), RulesForm,
                   "The rules of a prefix's suffixes.", "前缀的后缀编码规则。"),
            _route(*("PUT", rules, self.set_rules, "setSuffixRules"), RulesForm,
                   "Give a prefix these rules for new suffixes, after their samples were tried.",
                   "设置新后缀的编码规则（保存前用样例检验）。", RulesForm),
            _route(*("GET", minters, self.show_minters, "showMinters"), MintersForm,
                   "How suffixes of a prefix are made by the node.", "由节点生成后缀的规则。"),
            _route(*("PUT", minters, self.set_minters, "setMinters"), MintersForm,
                   "Say how suffixes of a prefix are made: opaque, sequential, or by line and date.",
                   "设置后缀的生成规则：随机、顺序，或按产线与日期。", MintersForm),
            _route(*("GET", suffixes, self.show_blocks, "showBlocks"), list[Reserved],
                   "Blocks of suffixes that were reserved, newest first.", "已预留的后缀号段，最新的在前。"),
            _route(*("POST", suffixes, self.reserve, "reserveSuffixes"), Block,
                   "Reserve suffixes, one or a block for a line that is offline.",
                   "预留后缀：单个，或供离线产线使用的号段。", AskedForm),
        )  # fmt: skip

    async def show_rules(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix, _ = await self._asked(request, placeholders, AdminPermission.LIST_HANDLES)
        return asked.json_answer({"rules": msgspec.to_builtins(await self._minting.rules(prefix))})

    async def set_rules(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix, by = await self._asked(request, placeholders, SAVING)
        form = await body_of(request, RulesForm)
        await self._minting.set_rules(prefix, form.rules, str(by))
        return asked.json_answer(msgspec.to_builtins(form))

    async def show_minters(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix, _ = await self._asked(request, placeholders, AdminPermission.LIST_HANDLES)
        return asked.json_answer({"minters": msgspec.to_builtins(await self._minting.minters(prefix))})

    async def set_minters(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix, by = await self._asked(request, placeholders, SAVING)
        form = await body_of(request, MintersForm)
        await self._minting.set_minters(prefix, form.minters, str(by))
        return asked.json_answer(msgspec.to_builtins(form))

    async def show_blocks(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix, _ = await self._asked(request, placeholders, AdminPermission.LIST_HANDLES)
        return asked.json_answer([asdict(block) for block in await self._minting.blocks(prefix)])

    async def reserve(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix, by = await self._asked(request, placeholders, AdminPermission.CREATE_HANDLE)
        form = await body_of(request, AskedForm)
        wanted = Asked(form.minter, form.line, form.day)
        block = await self._minting.reserve(prefix, wanted, form.count, str(by))
        return asked.json_answer(asdict(block), HTTPStatus.CREATED)

    async def _asked(
        self, request: web.Request, placeholders: Mapping[str, str], needed: AdminPermission
    ) -> tuple[Prefix, Administrator]:
        """The prefix that is asked about, by somebody with a right over it."""
        by = await self._callers.administrator(request)
        named = percent_decode(placeholders["prefix"]).decode(errors="replace").replace("\0", "\ufffd")
        await self._rights.check_prefix(Handle(NAMING_AUTHORITY, named), by, needed)
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None or not prefix.homed:
            raise PrefixNotHomed("prefix.not_homed")
        return prefix, by


def _route(
    method: str, path: str, handler: Any, operation: str, answer: Any, english: str, chinese: str, body: Any = None
) -> Route:
    status = HTTPStatus.CREATED if method == "POST" else HTTPStatus.OK
    return Route(
        *(method, path, handler, operation, english, chinese),
        (LANGUAGE_PARAMETER,),
        request={} if body is None else {"application/json": body},
        responses=(_REFUSED if body is None else _CHANGED) | {int(status): "application/json"},
        authenticated=True,
        answers={int(status): answer},
    )
