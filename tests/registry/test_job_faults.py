"""Jobs in bad hours: poisoned workbooks, full disks, a registry that is killed. A clear outcome, nothing half done."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from registry.chunks import CHUNK_ROWS
from registry.errors import ServerBusy
from registry.job_files import JobFiles
from registry.job_runner import JobRunner
from registry.jobs import Jobs, Order
from registry.rights import Rights
from tests.registry.bulk_files import check_book, line, pieces
from tests.registry.interface import OPERATOR, Node
from tests.registry.test_bulk_recovery import until
from tests.registry.test_jobs import LONG, XLSX, done, ended, results, show, submit, until_shown, working
from tests.registry.test_workbook import made_by_hand

HEADER = ["handle", "1:URL", "2:WEIGHT"]


def poisoned() -> bytes:
    """Rows that a hasty hand left: only the first and the last can be taken as they are."""
    book = openpyxl.Workbook()
    hidden, sheet = book.active, book.create_sheet("数据")
    assert hidden is not None
    hidden.sheet_state = "hidden"
    hidden.append(["handle", "1:URL"])
    hidden.append(["88.168.2/HIDDEN", "x"])
    for row in (
        HEADER,
        ["88.168.2/1", "http://a", 1.5],
        ["=A2&1", "http://b", 2],
        ["88.168.2/3", "http://c", "=1/0"],
        [8816812345678901234567, "http://d", 3],
        ["88.168.2/5", True, None],
        [None, None, None],
        ["88.168.2/6", "http://f", "long"],
    ):
        sheet.append(row)
    sheet.merge_cells("A8:B8")
    sheet.merge_cells("B6:C6")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_a_poisoned_workbook_is_told_cell_by_cell_and_hidden_sheets_are_not_read(node: Node):
    async with working(node.store):
        job = await done(node, poisoned(), headers=XLSX)
        assert (job["state"], job["lines"], job["created"], job["refused"]) == ("finished", 6, 3, 3)
        rows = list(openpyxl.load_workbook(io.BytesIO(await results(node, job))).active.iter_rows(values_only=True))
        told = {row[3]: row[4] for row in rows[1:]}
        assert told == {"2": None, "3": "handle", "4": "2:WEIGHT", "5": "handle", "6": None, "8": None}
        job = await done(node, poisoned(), "?onError=rollback", XLSX)
        assert job["state"] == "undone"
    assert await node.store.fetch(node.store.key_of(b"88.168.2/HIDDEN")) is None


async def test_a_million_empty_rows_cost_nothing(node: Node):
    empty = '<row r="{}"/>' * 1000
    rows = "".join(empty.format(*range(start, start + 1000)) for start in range(3, 1_000_003, 1000))
    cells = '<c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c><c r="B{0}" t="inlineStr"><is><t>{2}</t></is></c>'
    head = f'<row r="1">{cells.format(1, "handle", "1:URL")}</row><row r="2">{cells.format(2, "88.168.2/A", "x")}</row>'
    last = f'<row r="1048576">{cells.format(1048576, "88.168.2/B", "x")}</row>'
    body = made_by_hand(f"<worksheet><sheetData>{head}{rows}{last}</sheetData></worksheet>")
    async with working(node.store):
        job = await done(node, body, headers=XLSX)
    assert (job["state"], job["lines"], job["created"]) == ("finished", 2, 2)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 no archive", b"handle,URL\n"])
async def test_what_is_no_workbook_fails_as_a_whole(node: Node, body: bytes):
    async with working(node.store):
        job = await done(node, body, headers=XLSX)
    assert (job["state"], job["fault"]["rule"], job["lines"]) == ("failed", "load.workbook", 0)


async def test_an_archive_bomb_fails_as_a_whole(node: Node):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", b" " * (40 << 20))
    async with working(node.store):
        job = await done(node, out.getvalue(), headers=XLSX)
    assert (job["state"], job["fault"]["rule"]) == ("failed", "load.workbook")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of one mebibyte."""
    directory = tmp_path / "small"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a small disk")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


async def test_a_file_that_the_disk_has_no_room_for_is_refused_and_leaves_nothing(small_disk: Path):
    files = JobFiles(small_disk)
    await files.receive(pieces(b"x" * 1000))
    with pytest.raises(ServerBusy) as refused:
        await files.receive(pieces(b"x" * (2 << 20)))
    assert refused.value.rule == "job.disk_full"
    assert len(list((small_disk / "jobs").iterdir())) == 1


async def test_a_job_whose_disk_is_full_waits_says_why_and_goes_on_when_there_is_room(
    node: Node, small_disk: Path, monkeypatch: pytest.MonkeyPatch
):
    job = await submit(node, poisoned(), headers=XLSX)
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))  # where a workbook is unpacked from
    filling = small_disk / "filling"
    filling.write_bytes(b"x" * (1 << 20))
    async with working(node.store):
        await until_shown(node, job, lambda form: form["fault"] is not None)
        waiting = await show(node, job)
        assert (waiting["fault"]["rule"], waiting["finishedAt"], waiting["created"]) == ("job.disk_full", None, 0)
        filling.unlink()
        job = await ended(node, job)
    assert (job["state"], job["created"], job["fault"]) == ("finished", 3, None)


RUN = """
import asyncio, sys
from registry.job_runner import JobRunner
from registry.rights import Rights
from registry.settings import RegistrySettings
from registry.store import Store

async def main():
    store = Store(RegistrySettings(dsn=sys.argv[1], data_directory=sys.argv[2]), "test")
    await store.open()
    await JobRunner(store, Rights(store, [])).run()

asyncio.run(main())
"""


async def test_a_registry_that_is_killed_in_a_job_leaves_whole_chunks_and_the_next_one_goes_on(node: Node):
    settings = node.store.settings
    job = await submit(node, LONG + line("no prefix", "x"))
    for chunks in (1, 2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, settings.dsn, settings.data_directory, start_new_session=True
        )
        await until_shown(node, job, lambda form, least=chunks * CHUNK_ROWS: form["lines"] >= least)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with working(node.store):
        job = await ended(node, job)
    assert (job["state"], job["created"], job["unchanged"], job["refused"]) == ("finished", 3 * CHUNK_ROWS, 0, 1)
    async with node.store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM import_batch") == 1


async def test_a_job_goes_on_after_its_database_broke_off(node: Node):
    job = await submit(node, LONG)
    async with working(node.store):
        await until_shown(node, job, lambda form: form["lines"] > 0)
        async with node.store.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

        async def is_over() -> bool:
            try:
                return (await show(node, job))["finishedAt"] is not None
            except KeyError:  # 503: its connection was one of those
                return False

        await until(is_over)
    job = await show(node, job)
    assert (job["state"], job["created"]) == ("finished", 3 * CHUNK_ROWS)


async def test_files_are_kept_for_their_time_and_no_longer(node: Node):
    runner = JobRunner(node.store, Rights(node.store, [OPERATOR]))
    async with working(node.store):
        job = await done(node, line("88.168.2/A", "1"))
    async with node.store.connection() as connection:
        await connection.execute("UPDATE job SET finished_at = finished_at - interval '8 days'")
        now = await connection.fetchval("SELECT now()")
    await runner.sweep(now)
    assert (await show(node, job))["results"] is None
    async with node.client.get(f"/api/jobs/{job['job']}/results", headers=node.enterprise) as answer:
        assert (answer.status, (await answer.json(content_type=None))["rule"]) == (410, "job.results_gone")


async def test_a_job_whose_file_is_on_another_machine_fails_and_says_so(node: Node):
    job = await submit(node, line("88.168.2/A", "1"))
    files = JobFiles(Path(node.store.settings.data_directory))
    files.path(job["job"], "ndjson").unlink()
    async with working(node.store):
        job = await ended(node, job)
    assert (job["state"], job["fault"]["rule"]) == ("failed", "job.file_missing")
    assert Order("register", "ndjson", "a") != Order("delete", "ndjson", "a")
    assert len(await Jobs(node.store).open()) == 0
    assert await check_book(node.store) == 2  # the handles of the two prefixes
