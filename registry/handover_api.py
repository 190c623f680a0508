"""Transfers of handles over HTTP, for those who administer one of the two prefixes."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import ProtocolFault
from registry.handle import Handle
from registry.handover import Proposal, Transfer, Transfers, not_found
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store

_PROBLEM: Final = "application/problem+json"
_PATH: Final = "/api/transfers"
_ONE: Final = "/api/transfers/{transfer}"
_NEWEST: Final = (1 << 31) - 1
_REFUSED: Final = dict.fromkeys((400, 401, 403, 404, 503), _PROBLEM)


class ProposalForm(msgspec.Struct, forbid_unknown_fields=True):
    """Handles that are to go from the administrators of one prefix to another's: listed, or from `first` to `last`."""

    giver: str
    taker: str
    handles: list[str] = msgspec.field(default_factory=list)
    first: str = ""
    last: str = ""
    note: str = ""


class TransferForm(msgspec.Struct, rename="camel"):
    """A transfer: who gives, who takes, who has agreed so far, and what became of it."""

    id: int
    giver: str | None
    taker: str | None
    handles: list[str]
    first: str | None
    last: str | None
    state: str
    waits_for: str | None
    count: int | None
    note: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class TransferHandlers:
    """Handlers of /api/transfers."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._transfers = Transfers(store, rights)

    def routes(self) -> tuple[Route, ...]:
        json, own = "application/json", {200: TransferForm}
        prefix = Parameter("prefix", "Given or taken by this prefix.", "该前缀转出或转入的。")
        before = Parameter("before", "Those below this number.", "编号小于此值的。", {"type": "integer", "minimum": 1})
        language = LANGUAGE_PARAMETER
        return (
            Route("GET", _PATH, self.list, "listTransfers",
                  "Transfers, the latest first.", "列出标识转移，最新的在前。",
                  (prefix, before, language), responses=_REFUSED | {200: json}, authenticated=True,
                  answers={200: list[TransferForm]}),
            Route("POST", _PATH, self.propose, "proposeTransfer",
                  "Propose that handles go to another enterprise; the other side has to agree.",
                  "提议将标识转移给另一企业，须对方同意。", (language,), request={json: ProposalForm},
                  responses=_REFUSED | {201: json, 413: _PROBLEM}, authenticated=True, answers={201: TransferForm}),
            Route("GET", _ONE, self.show, "transfer", "One transfer.", "查看一次转移。", (language,),
                  responses=_REFUSED | {200: json}, authenticated=True, answers=own),
            Route("POST", _ONE + "/accept", self.accept, "acceptTransfer",
                  "Agree: all the handles are handed over at once.", "同意转移：全部标识一次性移交。", (language,),
                  responses=_REFUSED | {200: json}, authenticated=True, answers=own),
            Route("POST", _ONE + "/decline", self.decline, "declineTransfer",
                  "Refuse what was proposed, or withdraw it.", "拒绝或撤回转移提议。", (language,),
                  responses=_REFUSED | {200: json}, authenticated=True, answers=own),
        )  # fmt: skip

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix = await asked.prefix(request, self._callers, self._rights)
        before = asked.number(request, "before", _NEWEST) or _NEWEST
        return asked.json_answer([self._form(one) for one in await self._transfers.listed(prefix, before)])

    async def propose(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        form = await body_of(request, ProposalForm)
        if bool(form.handles) == bool(form.first and form.last):
            raise ProtocolFault(
                "json.field", path="$.handles", rule="name handles, or the first and the last", value=""
            )
        handles = tuple(map(Handle.from_text, form.handles or [form.first]))
        to = None if form.handles else Handle.from_text(form.last)
        proposal = Proposal(form.giver, form.taker, handles, to, form.note)
        return asked.json_answer(self._form(await self._transfers.propose(proposal, by)), HTTPStatus.CREATED)

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        return asked.json_answer(self._form(await self._transfers.seen(_number(placeholders), by)))

    async def accept(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        return asked.json_answer(self._form(await self._transfers.accept(_number(placeholders), by)))

    async def decline(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request)
        return asked.json_answer(self._form(await self._transfers.decline(_number(placeholders), by)))

    def _form(self, transfer: Transfer) -> dict[str, Any]:
        own, giver, taker = map(self._spelling, (transfer.prefix_id, transfer.giver_id, transfer.taker_id))
        is_open = transfer.state == "proposed"
        return {
            "id": transfer.transfer_id,
            "giver": giver,
            "taker": taker,
            "handles": [f"{own}/{suffix}" for suffix in transfer.suffixes or ()],
            "first": None if transfer.suffix is None else f"{own}/{transfer.suffix}",
            "last": None if transfer.suffix_to is None else f"{own}/{transfer.suffix_to}",
            "state": transfer.state,
            "waitsFor": (taker if transfer.by_giver else giver) if is_open else None,
            "count": transfer.handles,
            "note": transfer.note,
            "proposedBy": transfer.proposed_by,
            "proposedAt": transfer.proposed_at,
            "decidedBy": transfer.decided_by,
            "decidedAt": transfer.decided_at,
        }

    def _spelling(self, prefix_id: int) -> str | None:
        prefix = self._store.prefixes.by_id(prefix_id)
        return None if prefix is None else prefix.spelling


def _number(placeholders: Mapping[str, str]) -> int:
    number = placeholders["transfer"]
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise not_found(number[:20])
    return int(number)
