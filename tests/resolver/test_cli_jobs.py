"""`filament job` and `filament archive` on a database and a data directory of the test, beside a running registry."""

import asyncio
import json

import pytest

from registry.job_runner import JobRunner
from registry.rights import Rights
from registry.settings import RegistrySettings
from registry.store import Store
from tests.registry.bulk_files import line
from tests.registry.test_bulk_recovery import until
from tests.resolver.test_cli import filament
from tests.resolver.test_cli_database import ENTERPRISE


@pytest.fixture
def node(database_dsn, tmp_path):
    filament(*ENTERPRISE, "--dsn", database_dsn)
    return ("--dsn", database_dsn, "--data-directory", str(tmp_path))


async def worked_off(dsn, directory):
    """Lets a registry work until no job is open."""
    store = Store(RegistrySettings(dsn=dsn, data_directory=str(directory)), "test")
    await store.open()
    runner = JobRunner(store, Rights(store, []))
    task = asyncio.create_task(runner.run())

    async def is_done():
        async with store.connection() as connection:
            return not await connection.fetchval("SELECT count(*) FROM job WHERE finished_at IS NULL")

    await until(is_done)
    task.cancel()
    await asyncio.wait({task})
    await store.close()


async def test_a_file_is_handed_over_and_every_row_is_told_of(node, database_dsn, tmp_path):
    file = tmp_path / "cakes.ndjson"
    file.write_bytes(line("88.168.1/A", "1") + line("none", "2"))
    (sent,) = json.loads(filament("job", "submit", str(file), "--key", "k", *node, "--output", "json").stdout)
    (again,) = json.loads(filament("job", "submit", str(file), "--key", "k", *node, "--output", "json").stdout)
    assert (sent["state"], sent["source"], again["job"]) == ("queued", "cakes.ndjson", sent["job"])
    await worked_off(database_dsn, tmp_path)
    number = str(sent["job"])
    (shown,) = json.loads(filament("job", "show", number, *node, "--output", "json").stdout)
    assert (shown["state"], shown["created"], shown["refused"]) == ("finished", 1, 1)
    assert "任务" in filament("job", "list", *node, "--lang", "zh").stdout
    written = tmp_path / "results.ndjson"
    filament("job", "results", number, "--file", str(written), *node, "--lang", "zh")
    rows = [json.loads(one) for one in written.read_text().splitlines()]
    assert rows[0]["result"]["message"] == "完成"
    assert rows[1]["refusal"]["rule"] == "load.no_prefix"
    assert "being ended" in filament("job", "cancel", number, *node).stderr
    assert "没有编号为 9 的任务" in filament("job", "cancel", "9", *node, "--lang", "zh", code=1).stderr


async def test_an_archive_is_written_and_goes_on_from_its_cursor(node):
    filament("register", "88.168.1/A", "URL=https://example.com", *node)
    first = [json.loads(one) for one in filament("archive", "--prefix", "88.168.1", *node).stdout.splitlines()]
    assert [one["handle"] for one in first if "handle" in one] == ["88.168.1/A"]
    filament("register", "88.168.1/B", "URL=https://example.com", *node)
    cursor = first[0]["archive"]["cursor"]
    more = [json.loads(one) for one in filament("archive", "--since", cursor, *node).stdout.splitlines()]
    assert [one["handle"] for one in more if "handle" in one] == ["88.168.1/B"]


async def test_what_makes_no_job_is_said_in_both_languages(node, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("handle\n88.168.1/A\n")
    submit = ("job", "submit", str(file), "--kind", "state", *node)
    assert "--reason" in filament(*submit, "--state", "frozen", code=2).stderr
    assert "或用 --state 统一指定" in filament(*submit, "--reason", "召回", "--lang", "zh", code=2).stderr
