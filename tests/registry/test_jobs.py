"""Jobs: files whose rows the registry works off by itself, chunk by chunk."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openpyxl
import orjson
import pytest

from registry.chunks import CHUNK_ROWS
from registry.job_runner import JobRunner
from registry.rights import Rights
from registry.store import Store
from tests.registry.bulk_files import line, table
from tests.registry.interface import NDJSON, OPERATOR, Node
from tests.registry.test_bulk_recovery import until
from tests.registry.test_workbook import written_by_openpyxl

CSV = {"Content-Type": "text/csv"}
XLSX = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
LONG = b"".join(line(f"88.168.2/{number:07}", "x") for number in range(3 * CHUNK_ROWS))


@asynccontextmanager
async def working(store: Store) -> AsyncIterator[JobRunner]:
    runner = JobRunner(store, Rights(store, [OPERATOR]))
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        task.cancel()
        await asyncio.wait({task})


async def submit(
    node: Node, body: bytes, query: str = "", headers: dict[str, str] | None = None, status: int = 202
) -> dict[str, Any]:
    sent = node.enterprise | NDJSON | (headers or {})
    async with node.client.post(f"/api/jobs{query}", data=io.BytesIO(body), headers=sent) as answer:
        form: dict[str, Any] = await answer.json(content_type=None)
        assert answer.status == status, form
        return form


async def show(node: Node, job: dict[str, Any]) -> dict[str, Any]:
    async with node.client.get(f"/api/jobs/{job['job']}", headers=node.enterprise) as answer:
        form: dict[str, Any] = await answer.json()
        return form


async def ended(node: Node, job: dict[str, Any]) -> dict[str, Any]:
    await until_shown(node, job, lambda form: form["finishedAt"] is not None)
    return await show(node, job)


async def until_shown(node: Node, job: dict[str, Any], is_so: Callable[[dict[str, Any]], bool]) -> None:
    async def looked() -> bool:
        return is_so(await show(node, job))

    await until(looked)


async def done(node: Node, body: bytes, query: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
    return await ended(node, await submit(node, body, query, headers))


async def results(node: Node, job: dict[str, Any], language: str = "zh") -> bytes:
    async with node.client.get(job["results"], params={"lang": language}, headers=node.enterprise) as answer:
        assert answer.status == 200
        return await answer.read()


async def texts(node: Node, name: str) -> list[str] | None:
    found = await node.store.fetch(node.store.key_of(name.encode()))
    return None if found is None else [value.text for value in found.values]


async def acts(node: Node) -> list[str]:
    async with node.store.connection() as connection:
        rows = await connection.fetch("SELECT act FROM act WHERE act LIKE 'job.%' ORDER BY xid, seq")
    return [row["act"] for row in rows]


async def test_a_job_is_worked_off_and_every_row_is_told_of(node: Node):
    body = line("88.168.2/A", "1") + line("no prefix", "2") + line("88.168.1/B", "3")
    job = await submit(node, body, "?source=a.ndjson")
    assert (job["state"], job["source"], job["octets"]) == ("queued", "a.ndjson", len(body))
    async with working(node.store):
        job = await ended(node, job)
    assert (job["state"], job["lines"], job["created"], job["refused"]) == ("finished", 3, 1, 2)
    rows = [orjson.loads(one) for one in (await results(node, job)).splitlines()]
    assert rows[0]["result"] == {"line": 1, "rule": "job.done", "message": "完成"}
    assert [row.get("refusal", {}).get("rule") for row in rows] == [None, "load.no_prefix", "load.may_not_write"]
    assert rows[0]["handle"] == "88.168.2/A"
    assert await acts(node) == ["job.submitted", "job.finished"]


async def test_the_same_key_is_the_same_job_and_another_file_under_it_is_refused(node: Node):
    key = {"Idempotency-Key": "one"}
    job = await submit(node, line("88.168.2/A", "1"), headers=key)
    assert (await submit(node, line("88.168.2/A", "1"), headers=key, status=200))["job"] == job["job"]
    for body, query in ((line("88.168.2/A", "2"), ""), (line("88.168.2/A", "1"), "?kind=update")):
        refused = await submit(node, body, query, headers=key, status=422)
        assert refused["rule"] == "write.key_reused"


async def test_jobs_of_others_are_not_found_and_the_operator_sees_all(node: Node):
    job = await submit(node, line("88.168.2/A", "1"))
    async with node.client.get("/api/jobs", headers=node.operator) as answer:
        assert [one["job"] for one in await answer.json()] == [job["job"]]
    sent = node.operator | NDJSON
    async with node.client.post("/api/jobs", data=line("88.168.1/A", "1"), headers=sent) as answer:
        other = (await answer.json())["job"]
    for path in (f"/api/jobs/{other}", f"/api/jobs/{other}/results", "/api/jobs/999", "/api/jobs/x"):
        async with node.client.get(path, headers=node.enterprise) as answer:
            assert answer.status == 404
    async with node.client.delete(f"/api/jobs/{other}", headers=node.enterprise) as answer:
        assert answer.status == 404
    async with node.client.get("/api/jobs", headers=node.enterprise) as answer:
        assert [one["job"] for one in await answer.json()] == [job["job"]]


async def test_a_job_that_must_go_well_as_a_whole_is_taken_back(node: Node):
    async with working(node.store):
        await done(node, line("88.168.2/0000001", "before"))
        job = await done(node, LONG + line("no prefix", "2"), "?onError=rollback")
        assert (job["state"], job["refused"], job["created"]) == ("undone", 1, 0)
        assert await texts(node, "88.168.2/0000001") == ["before"]
        assert await texts(node, "88.168.2/0000002") is None
        rows = (await results(node, job, "en")).splitlines()
        assert orjson.loads(rows[0])["result"]["rule"] == "job.taken_back"
    assert (await acts(node))[-3:] == ["job.submitted", "job.undoing", "job.undone"]


async def test_a_job_that_was_broken_off_goes_on_where_it_stood(node: Node):
    job = await submit(node, LONG)
    async with working(node.store):
        await until_shown(node, job, lambda form: form["lines"] > 0)
    stood = await show(node, job)
    assert (stood["state"], stood["finishedAt"]) == ("running", None)
    async with working(node.store):
        job = await ended(node, job)
    assert (job["state"], job["lines"], job["created"], job["unchanged"]) == (
        "finished",
        3 * CHUNK_ROWS,
        3 * CHUNK_ROWS,
        0,
    )


@pytest.mark.parametrize(("on_error", "written"), [("proceed", True), ("rollback", False)])
async def test_a_cancelled_job_keeps_whole_chunks_or_takes_them_back(node: Node, on_error: str, written: bool):
    job = await submit(node, LONG * 4, f"?onError={on_error}")
    async with working(node.store):
        await until_shown(node, job, lambda form: form["lines"] > 0)
        async with node.client.delete(f"/api/jobs/{job['job']}", headers=node.enterprise) as answer:
            assert (answer.status, bool((await answer.json())["cancelledBy"])) == (202, True)
        job = await ended(node, job)
    assert job["state"] == "cancelled"
    assert (job["created"] > 0) is written
    assert job["created"] % CHUNK_ROWS == 0
    assert (await texts(node, "88.168.2/0000002") is not None) is written


async def test_rows_of_a_job_change_states(node: Node):
    async with working(node.store):
        await done(node, line("88.168.2/A", "1"))
        body = table([["标识"], ["88.168.2/A"], ["88.168.2/B"]])
        job = await done(node, body, "?kind=state&state=revoked&reason=召回", CSV)
        assert (job["updated"], job["refused"]) == (1, 1)
        assert await texts(node, "88.168.2/A") is None
        shown = (await results(node, job)).decode("utf-8-sig").splitlines()
        assert shown[:2] == ["标识,#行,#字段,#原因", "88.168.2/A,2,,完成"]
        job = await done(node, body, "?kind=delete", CSV)
        assert (job["updated"], job["refused"]) == (0, 2)


async def standing(node: Node, name: str) -> tuple[str, str, str, str]:
    async with node.client.get(f"/api/state/{name}", headers=node.enterprise) as answer:
        form = await answer.json()
        return tuple(form.get(field, "") for field in ("state", "reason", "successor", "expires"))


WISHES = [
    ["标识", "状态", "原因", "后继标识", "到期时间"],
    ["88.168.2/A", "注销", "换新", "88.168.2/B", ""],
    ["88.168.2/B", "FROZEN", "", "", "2100-01-01T00:00:00+08:00"],
    ["88.168.2/C", "", "", "", ""],
    ["88.168.2/D", "丢失", "", "", ""],
    ["88.168.2/E", "", "", "", "明天"],
    ["88.168.2/F", "冻结", "", "", "2000-01-01"],
]


def wishes_of_json() -> bytes:
    fields = ("handle", "state", "reason", "successor", "expires")
    rows = (zip(fields, row, strict=True) for row in WISHES[1:])
    return b"".join(orjson.dumps({field: text for field, text in row if text}) + b"\n" for row in rows)


CELLS = ("状态", "到期时间", "标识")


@pytest.mark.parametrize(
    ("octets", "form", "fields"),
    [
        (table(WISHES), CSV, CELLS),
        (written_by_openpyxl(WISHES), XLSX, CELLS),
        (wishes_of_json(), NDJSON, ("$.state", "$.expires", "$.handle")),
    ],
)
async def test_each_row_has_a_state_of_its_own_or_that_of_its_job(
    node: Node, octets: bytes, form: dict[str, str], fields: tuple[str, ...]
):
    async with working(node.store):
        await done(node, b"".join(line(f"88.168.2/{name}", "1") for name in "ABCDEF"))
        job = await done(node, octets, "?kind=state&state=frozen&reason=召回", form)
        assert (job["updated"], job["refused"]) == (3, 3), job
        assert await standing(node, "88.168.2/A") == ("revoked", "换新", "88.168.2/B", "")
        assert await standing(node, "88.168.2/B") == ("frozen", "召回", "", "2099-12-31T16:00:00Z")
        assert await standing(node, "88.168.2/C") == ("frozen", "召回", "", "")
        async with node.store.connection() as connection:
            refused = await connection.fetch("SELECT field, rule FROM import_refusal ORDER BY line")
        rules = ("load.state", "load.expires", "json.field")
        assert [tuple(row) for row in refused] == list(zip(fields, rules, strict=True))
        job = await done(node, octets, "?kind=state", form)
        assert (job["updated"], job["refused"]) == (1, 5), job  # Now B and F give no reason, and C no state.
        job = await done(node, table([["标识", "state", "状态"], ["88.168.2/A", "", ""]]), "?kind=state", CSV)
        assert (job["state"], job["fault"]["rule"]) == ("failed", "load.header")


async def test_a_workbook_comes_back_with_its_faulty_cells_marked(node: Node):
    body = written_by_openpyxl(
        [["handle", "1:URL", "2:重量"], ["88.168.2/A", "http://a", "1"], ["none", "http://b", "2"]]
    )
    async with working(node.store):
        job = await done(node, body, headers=XLSX)
    book = openpyxl.load_workbook(io.BytesIO(await results(node, job)))
    rows = list(book.active.iter_rows())
    assert [cell.value for cell in rows[0]] == ["handle", "1:URL", "2:重量", "#行", "#字段", "#原因"]
    assert [cell.value for cell in rows[1]] == ["88.168.2/A", "http://a", "1", "2", None, "完成"]
    assert rows[2][0].fill.bgColor.rgb == "FFFFC7CE" or rows[2][0].fill.fgColor.rgb == "FFFFC7CE"
    assert "/" in rows[2][5].value


async def test_enterprises_take_turns_chunk_by_chunk(node: Node):
    long = await submit(node, LONG * 3)
    sent = node.operator | NDJSON
    async with node.client.post("/api/jobs", data=line("88.168.1/A", "1"), headers=sent) as answer:
        short = await answer.json()
    async with working(node.store):

        async def is_over() -> bool:
            async with node.client.get(f"/api/jobs/{short['job']}", headers=node.operator) as answer:
                return (await answer.json())["finishedAt"] is not None

        await until(is_over)
        assert (await show(node, long))["finishedAt"] is None


async def test_what_is_no_job_is_refused_before_anything_is_kept(node: Node):
    for query, headers, status in (
        ("?kind=eat", {}, 400),
        ("?kind=state&reason=召回", {}, 400),  # no state
        ("?kind=state&state=frozen", {}, 400),  # no reason
        ("?onError=panic", {}, 400),
        ("", {"Content-Type": "application/pdf"}, 415),
        ("", {"Idempotency-Key": "k" * 300}, 400),
    ):
        await submit(node, b"x", query, headers, status)
    async with working(node.store):
        job = await done(node, b"a,b\n", headers=CSV)
    assert (job["state"], job["fault"]["rule"]) == ("failed", "load.header")
