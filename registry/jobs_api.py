"""Jobs over HTTP: a file is sent, and what is to be done with its rows; the answer comes at once, the work follows."""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
import orjson
from aiohttp import web

from registry import asked, http_files, job_plan
from registry.archive_import import octets_of
from registry.authentication import Administrator
from registry.bodies import MAX_NUMBER, PROBLEM, REFUSED
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER, language_of
from registry.errors import HandleNotFound
from registry.http_files import MEDIA_TYPES
from registry.job_files import JobFiles
from registry.job_results import write_results
from registry.jobs import MAX_LISTED, Job, Jobs, Order, enterprise_of
from registry.language import Language
from registry.ledger import Tally
from registry.receipts import MAX_KEY, Receipt
from registry.refusal import message
from registry.rest import time_from_text
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.standing import CHOSEN, State, Wish, checked
from registry.store import Store

KINDS: Final = ("register", "update", "delete", "state")
ON_ERROR: Final = ("proceed", "rollback")
STATES: Final = tuple(state.word for state in CHOSEN if state is not State.RESERVED)
MAX_SOURCE: Final = 200  # Characters of a file's name.

_PATH: Final = "/api/jobs/{job}"


class FaultForm(msgspec.Struct):
    """Why a job waits, or why it failed."""

    rule: str
    message: str
    culprit: dict[str, Any]


class JobForm(msgspec.Struct, rename="camel"):
    """A job. `rate` is in rows a second; `remaining` in seconds, where it can be told."""

    job: int
    kind: str
    form: str
    source: str
    on_error: str
    state: str
    submitted_by: str
    octets: int
    octets_read: int
    lines: int
    created: int
    updated: int
    unchanged: int
    refused: int
    rate: int
    remaining: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancelled_by: str | None
    fault: FaultForm | None
    results: str | None


class JobHandlers:
    """Handlers of /api/jobs."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._jobs = Jobs(store)
        self._files = JobFiles(Path(store.settings.data_directory))

    def routes(self) -> tuple[Route, ...]:
        one = {200: JobForm, 202: JobForm}
        return (
            Route(
                *("POST", "/api/jobs", self.submit, "submitJob"),
                "Send a file whose rows are worked off in the background: NDJSON, CSV or XLSX.",
                "提交后台任务：上传文件（NDJSON、CSV 或 XLSX），由节点逐行处理。",
                _SUBMIT,
                request={media_type: {} for media_type in MEDIA_TYPES},  # What rows say is found out later, row by row.
                responses=REFUSED
                | {200: "application/json", 202: "application/json"}
                | dict.fromkeys((408, 415, 422, 429, 507), PROBLEM),
                authenticated=True,
                on_terms=False,  # The file may be longer than what is read whole, and its key is the job's.
                answers=one,
            ),
            Route(
                *("GET", "/api/jobs", self.list, "listJobs"),
                "One's own jobs and those of one's enterprise, the newest first.",
                "本企业的任务，最新的在前。",
                (
                    Parameter("before", "Only those before this number.", "只返回该编号之前的。", _NUMBER),
                    Parameter("limit", "How many; 100.", "数量，默认 100。", {"type": "integer"}),
                    LANGUAGE_PARAMETER,
                ),
                responses=REFUSED | {200: "application/json"},
                authenticated=True,
                answers={200: list[JobForm]},
            ),
            Route(
                *("GET", _PATH, self.show, "showJob"),
                "How far a job is: rows done, rate, time remaining.",
                "任务进度：已处理行数、速度、剩余时间。",
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {200: "application/json"},
                authenticated=True,
                answers=one,
            ),
            Route(
                *("DELETE", _PATH, self.cancel, "cancelJob"),
                "End a job before its time: what it wrote stays or, with onError=rollback, is taken back.",
                "取消任务：已写入的保留；onError=rollback 时撤销。",
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {202: "application/json"},
                authenticated=True,
                answers={202: JobForm},
            ),
            Route(
                *("GET", "/api/jobs/{job}/results", self.results, "jobResults"),
                "Every row with what became of it, in the form that was sent.",
                "逐行结果，格式与提交的文件相同。",
                (LANGUAGE_PARAMETER,),
                responses=REFUSED | {200: ", ".join(MEDIA_TYPES), 410: PROBLEM},
                authenticated=True,
            ),
        )  # fmt: skip

    async def submit(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "bulk")
        order = self._order(request)
        key = request.headers.get("Idempotency-Key", "") or str(uuid4())
        Receipt.of(str(by), key, ())  # Refuses what is no key.
        received = await self._files.receive(http_files.pieces(request))
        try:
            job, is_new = await self._jobs.add(
                order, by, key, received, lambda job_id: self._files.number(received, job_id, order.form)
            )
        finally:
            self._files.remove(received.path)
        return await self._answer(request, job, HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK)

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "bulk")
        before = asked.number(request, "before", MAX_NUMBER)
        limit = asked.number(request, "limit", MAX_LISTED) or MAX_LISTED
        every = self._rights.is_of_node(by)
        jobs = await self._jobs.listed(str(by), enterprise_of(self._store, by), every=every, before=before, limit=limit)
        language = language_of(request)
        return asked.json_answer([shown(job, await self._jobs.tally(job), language) for job in jobs])

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        job, _ = await self._job(request, placeholders)
        return await self._answer(request, job)

    async def cancel(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        job, by = await self._job(request, placeholders)
        await self._jobs.cancel(job, str(by))
        return await self._answer(request, await self._jobs.find(job.job_id), HTTPStatus.ACCEPTED)

    async def results(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        job, _ = await self._job(request, placeholders)
        path = self._files.path(job.job_id, job.order.form)
        if not path.exists():
            raise HandleNotFound("job.results_gone", job=job.job_id)
        reading = job_plan.reading(job.order)
        with tempfile.TemporaryFile() as written, path.open("rb") as file:
            octets = await octets_of(job.order, path, file)
            about = (octets, job.order.form, reading, job.batch_id, written, language_of(request))
            await write_results(self._store, *about)
            return await http_files.send(request, written, job.order.form, f"job-{job.job_id}.results")

    def _order(self, request: web.Request) -> Order:
        kind = _one_of(request, "kind", KINDS)
        source = request.query.get("source", "")[:MAX_SOURCE] or "-"
        wish = None
        if kind == "state" and "state" not in request.query:
            if given := request.query.keys() & {"reason", "expires"}:
                raise asked.fault("state", "", f"is needed with {min(given)}: {', '.join(STATES)}")
        elif kind == "state":
            state = State[_one_of(request, "state", STATES).upper()]
            expires = request.query.get("expires")
            wish = Wish(state, request.query.get("reason", ""), "", None if expires is None else _seconds(expires))
            checked(wish, int(datetime.now(UTC).timestamp()))
        return Order(kind, http_files.form_of(request), source, _one_of(request, "onError", ON_ERROR), wish)  # type: ignore[arg-type]  # checked

    async def _job(self, request: web.Request, placeholders: Mapping[str, str]) -> tuple[Job, Administrator]:
        """A job that the caller may see: his own, one of his enterprise, or any for an administrator of the node."""
        by = await self._callers.administrator(request, "bulk")
        number = placeholders["job"]
        if number.isascii() and number.isdecimal() and len(number) < 10:
            job = await self._jobs.find(int(number))
            enterprise_id = enterprise_of(self._store, by)
            is_his = enterprise_id is not None and job.enterprise_id == enterprise_id
            if is_his or job.submitted_by == str(by) or self._rights.is_of_node(by):
                return job, by
        raise HandleNotFound("job.not_found", job=number[:20])

    async def _answer(self, request: web.Request, job: Job, status: int = HTTPStatus.OK) -> web.Response:
        form = shown(job, await self._jobs.tally(job), language_of(request))
        answer = asked.json_answer(form, status)
        answer.headers["Location"] = f"/api/jobs/{job.job_id}"
        answer.headers["Vary"] = "Accept-Language"
        return answer


def shown(job: Job, tally: Tally, language: Language) -> dict[str, Any]:
    """A job as JsonForm has it."""
    fault = None
    if job.fault is not None:
        fault = dict(job.fault) | {"message": message(job.fault["rule"], job.fault["culprit"], language)}
    form = JobForm(
        job.job_id,
        job.order.kind,
        job.order.form,
        job.order.source,
        job.order.on_error,
        job.state,
        job.submitted_by,
        job.octets,
        job.octets_read,
        tally.lines,
        tally.created,
        tally.updated,
        tally.unchanged,
        tally.refused,
        job.rate,
        _remaining(job, tally),
        job.created_at,
        job.started_at,
        job.finished_at,
        job.cancelled_by,
        None if fault is None else FaultForm(fault["rule"], fault["message"], fault["culprit"]),
        f"/api/jobs/{job.job_id}/results" if job.kept else None,
    )
    shown_form: dict[str, Any] = orjson.loads(msgspec.json.encode(form))
    return shown_form


def _remaining(job: Job, tally: Tally) -> int | None:
    """Seconds, as far as the rows read so far and the rate tell; a workbook is read as a whole, and tells nothing."""
    if not (job.rate and tally.lines and job.octets_read) or job.order.form == "xlsx" or job.finished_at:
        return None
    rows = tally.lines * job.octets / job.octets_read
    return max(0, round((rows - tally.lines) / job.rate))


def _one_of(request: web.Request, name: str, choices: tuple[str, ...]) -> str:
    """A parameter with its first choice as the usual one. Raises ProtocolFault."""
    given = request.query.get(name, choices[0])
    if given not in choices:
        raise asked.fault(name, given, f"is not one of: {', '.join(choices)}")
    return given


def _seconds(text: str) -> int:
    try:
        return time_from_text(text)
    except ValueError:
        raise asked.fault("expires", text, "is no time as ISO 8601 writes it") from None


_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER}
_SUBMIT: Final = (
    Parameter(
        "kind",
        "What is done: register (or replace), update the values that are given, delete, or put into a state.",
        "任务类型：register 登记（已有则替换）、update 只更新给出的值、delete 删除、state 变更状态。",
        {"type": "string", "enum": list(KINDS)},
    ),
    Parameter(
        "onError",
        "proceed without the rows that are refused, or rollback: what was written is taken back.",
        "出错时：proceed 跳过被拒绝的行继续，rollback 撤销全部写入。",
        {"type": "string", "enum": list(ON_ERROR)},
    ),
    Parameter("source", "Name of the file, for people.", "文件名，供查看。"),
    Parameter(
        "state",
        "Of kind state: the new one, of rows that do not name their own (state, reason, successor, expires).",
        "新状态；各行也可自行写明（状态、原因、后继标识、到期时间）。",
        {"type": "string", "enum": list(STATES)},
    ),
    Parameter("reason", "Of kind state: why, of rows that do not say it.", "变更状态的原因（行中未写明时）。"),
    Parameter("expires", "Of kind state: when its time is over.", "到期时间。"),
    Parameter(
        "Idempotency-Key",
        "Sent again under it, it is the same job.",
        "相同的键表示同一个任务。",
        {"type": "string", "maxLength": MAX_KEY},
        place="header",
    ),
    LANGUAGE_PARAMETER,
)
