"""Commands that write in the book and read it, on a database of the test and on an embedded one."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from registry.embedded import EmbeddedPostgres, postgres_directory, running_dsn
from tests.resolver.running_node import until
from tests.resolver.test_cli import filament

ENTERPRISE = ("enterprise", "add", "浙江澜丝化纤有限公司", "--prefix", "88.168.1", "--name-en", "Lansi")


def lines_of(*names: str) -> str:
    return "".join(
        json.dumps({"handle": name, "values": [{"index": 1, "type": "SPEC", "data": "111dtex/48f"}]}) + "\n"
        for name in names
    )


async def test_a_book_is_made_filled_and_read_back(empty_dsn, tmp_path: Path):
    dsn = ("--dsn", empty_dsn)
    assert "Applied: registry" in filament("migrate", *dsn).stderr
    assert "up to date" in filament("migrate", *dsn).stderr
    (granted,) = json.loads(filament(*ENTERPRISE, *dsn, "--output", "json").stdout)
    assert granted["identity"] == "300:0.NA/88.168.1"
    assert len(granted["secret_key"]) >= 32
    file = tmp_path / "made.ndjson"
    file.write_text(lines_of("88.168.1/A", "88.168.1/B"), encoding="utf-8")
    (report,) = json.loads(filament("load", str(file), *dsn, "--output", "json").stdout)
    assert (report["lines"], report["created"], report["refused"]) == (2, 2, 0)
    (listed,) = json.loads(filament("enterprise", "list", *dsn, "--output", "json").stdout)
    assert (listed["prefix"], listed["name_en"], listed["registered"]) == ("88.168.1", "Lansi", 2)
    exported = filament("export", "--prefix", "88.168.1", *dsn)
    assert [json.loads(line)["handle"] for line in exported.stdout.splitlines()] == ["88.168.1/A", "88.168.1/B"]
    assert "2 identifiers" in exported.stderr
    again = filament("load", "-", "--form", "ndjson", *dsn, "--output", "json", stdin=exported.stdout)
    assert json.loads(again.stdout)[0]["unchanged"] == 2


async def test_refused_rows_are_written_beside_the_file(database_dsn, tmp_path: Path):
    filament(*ENTERPRISE, "--dsn", database_dsn)
    file = tmp_path / "made.ndjson"
    file.write_text(lines_of("88.168.1/A", "88.168.2/ELSEWHERE"), encoding="utf-8")
    done = filament("load", str(file), "--dsn", database_dsn, "--lang", "zh", "--output", "json", code=1)
    assert json.loads(done.stdout)[0]["refused"] == 1
    (refused,) = (tmp_path / "made.refused.ndjson").read_text(encoding="utf-8").splitlines()
    assert json.loads(refused)["handle"] == "88.168.2/ELSEWHERE"
    assert json.loads(refused)["refusal"]["message"] == "该前缀不在本节点"
    assert "made.refused.ndjson" in done.stderr


async def test_the_operator_registers_without_a_key(database_dsn):
    filament(*ENTERPRISE, "--dsn", database_dsn)
    line = ("register", "88.168.1/X", "URL=https://example.com/?a=b", "7:SPEC=a", "--dsn", database_dsn)
    assert "is registered" in filament(*line).stderr
    assert "already registered" in filament(*line, code=1).stderr
    assert "已替换" in filament(*line, "--overwrite", "--lang", "zh").stderr
    (line,) = filament("export", "--prefix", "88.168.1", "--dsn", database_dsn).stdout.splitlines()
    values = [(value["index"], value["type"]) for value in json.loads(line)["values"]]
    assert values == [(1, "URL"), (7, "SPEC")]


async def test_values_come_from_a_file_too(database_dsn, tmp_path: Path):
    filament(*ENTERPRISE, "--dsn", database_dsn)
    file = tmp_path / "values.json"
    file.write_text('[{"index": 4, "type": "名称", "data": {"format": "string", "value": "化纤"}}]', encoding="utf-8")
    filament("register", "88.168.1/纱", "--values", str(file), "URL=x", "--dsn", database_dsn)
    (line,) = filament("export", "--prefix", "88.168.1", "--dsn", database_dsn).stdout.splitlines()
    assert [value["index"] for value in json.loads(line)["values"]] == [1, 4]


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (("register", "88.999.1/X", "URL=x"), "doesn't live here", "该前缀不在本节点"),
        (("enterprise", "add", "甲", "--prefix", "88.1"), "no national prefix", "不符合国家编码规则"),
        (("export", "--prefix", "99.9"), "doesn't live here", "该前缀不在本节点"),
    ],
)
async def test_a_refusal_of_the_registry_is_a_sentence_and_code_1(database_dsn, arguments, english, chinese):
    assert english in filament(*arguments, "--dsn", database_dsn, code=1).stderr
    assert chinese in filament(*arguments, "--dsn", database_dsn, "--lang", "zh", code=1).stderr


def test_a_database_that_is_not_there_is_said_so():
    refused = filament("export", "--dsn", "postgresql://postgres@127.0.0.1:1/none", code=1)
    assert "the database cannot be reached" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", [("export",), ("up", "--set", "status.port=0", "--port", "0")])
def test_a_dsn_that_makes_no_sense_is_said_so_and_not_tried_again(tmp_path: Path, command):
    given = (
        *command,
        "--set",
        "registry.port=0",
        "--set",
        "resolver.native_port=0",
        "--data-directory",
        str(tmp_path),
        "--dsn",
        "nonsense://x",
    )
    refused = filament(*given, "--lang", "zh", code=2)
    assert "[registry] dsn：应写作 postgresql://" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_does_not_exist_is_said_so(database_dsn):
    refused = filament("migrate", "--dsn", re.sub(r"/test_\w+", "/no_such", database_dsn), code=1)
    assert "the database refuses" in refused.stderr
    assert "no_such" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_an_older_schema_is_refused_with_what_to_do(empty_dsn):
    assert "filament migrate" in filament("export", "--dsn", empty_dsn, code=1).stderr


async def test_commands_find_the_embedded_postgres_or_start_it(tmp_path: Path):
    data = ("--data-directory", str(tmp_path))
    filament(*ENTERPRISE, *data)
    assert running_dsn(postgres_directory(tmp_path)) is None  # stopped with the command
    server = EmbeddedPostgres(postgres_directory(tmp_path), settings={"fsync": "off"})
    async with server:
        assert running_dsn(postgres_directory(tmp_path)) == server.dsn
        shared = filament("enterprise", "list", *data, "--output", "ndjson")
        assert "running node" in shared.stderr
        assert json.loads(shared.stdout)["prefix"] == "88.168.1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_load_stops_the_postgres_that_it_started(tmp_path: Path, number: signal.Signals):
    child = subprocess.Popen(
        [sys.executable, "-m", "resolver.cli", "load", "-", "--form", "ndjson", "--data-directory", str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        dsn = until(lambda: running_dsn(postgres_directory(tmp_path)), "the embedded Postgres")
        assert is_registry_open(dsn)
        child.send_signal(number)  # while it waits for a line that never comes
        child.wait(timeout=60)  # communicate() would end its input first, and a load that has all of it is done
        _, said = child.communicate()
    finally:
        child.kill()
    assert child.returncode == 130
    assert said.strip().endswith("Interrupted.")
    assert running_dsn(postgres_directory(tmp_path)) is None


def is_registry_open(dsn: str) -> bool:
    """Once the load has made its ledger's entry, it waits for its input."""

    async def batches() -> int:
        try:
            connection = await asyncpg.connect(dsn)
        except asyncpg.InvalidCatalogNameError:  # the server is there before its first database
            return 0
        try:
            return int(await connection.fetchval("SELECT count(*) FROM import_batch"))
        except asyncpg.UndefinedTableError:
            return 0
        finally:
            await connection.close()

    return bool(until(lambda: asyncio.run(batches()), "the load"))


def test_a_bar_is_for_terminals_and_a_log_has_none(tmp_path: Path):
    program = (
        "from resolver.cli.progress import Progress\nwith Progress('导入', 10) as progress:\n    progress.reach(10)\n"
    )
    plain = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (plain.stdout, plain.stderr) == ("", "")
    watched = on_a_terminal(program)
    assert "导入" in watched
    assert "10/10" in watched
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", on_a_terminal(program, NO_COLOR="1"))


def on_a_terminal(program: str, **environment: str) -> str:
    ours, theirs = os.openpty()
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm", "PYTHONUTF8": "1", **environment},
        )  # fmt: skip
        assert child.wait(30) == 0
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 1 << 16):
                shown += piece
        except OSError:  # the last writer has closed a terminal
            pass
        return shown.decode()
    finally:
        os.close(ours)


async def test_handles_are_found_by_a_value_once_its_type_is_searchable(database_dsn, tmp_path: Path):
    dsn = ("--dsn", database_dsn)
    filament(*ENTERPRISE, *dsn)
    file = tmp_path / "made.ndjson"
    file.write_text(lines_of("88.168.1/A", "88.168.1/B"), encoding="utf-8")
    filament("load", str(file), *dsn)
    wanted = ("search", "88.168.1", "SPEC", "111dtex/48f", *dsn, "--output", "json")
    assert "not found by values of type 'SPEC'" in filament(*wanted, code=1).stderr
    assert "2 were given keys" in filament("enterprise", "searchable", "88.168.1", "SPEC", *dsn).stderr
    assert json.loads(filament(*wanted).stdout) == [{"handle": "88.168.1/A"}, {"handle": "88.168.1/B"}]
    assert json.loads(filament(*wanted, "--limit", "1").stdout) == [{"handle": "88.168.1/A"}]
    none = filament("search", "88.168.1", "SPEC", "83dtex/36f", *dsn, "--lang", "zh")
    assert "没有类型为 'SPEC'、值为 '83dtex/36f' 的标识" in none.stderr
    assert "不是本节点的前缀" in filament("search", "88.1", "SPEC", "x", *dsn, "--lang", "zh", code=1).stderr


async def test_a_template_is_saved_published_and_held_to_by_a_load(database_dsn, tmp_path: Path):
    dsn = ("--dsn", database_dsn)
    filament(*ENTERPRISE, *dsn)
    whole = filament("template", "show", "textile/spindle@1", *dsn, "--output", "json").stdout
    saved = filament("template", "save", "88.168.1", "spindle", "-", *dsn, stdin=whole)
    assert "88.168.1/spindle@1" in saved.stdout
    assert "draft" in filament("template", "list", "--prefix", "88.168.1", *dsn).stdout
    assert "published" in filament("template", "publish", "88.168.1/spindle@1", *dsn).stderr
    shown = filament("template", "show", "88.168.1/spindle@1", *dsn, "--lang", "zh").stdout
    assert "机台" in shown
    assert "MACHINE" in shown
    values = [{"index": 1000, "type": "TEMPLATE", "data": "88.168.1/spindle@1"}]
    rows = json.dumps({"handle": "88.168.1/E.1", "values": values}) + "\n"
    file = tmp_path / "made.ndjson"
    file.write_text(rows, encoding="utf-8")
    done = filament("load", str(file), *dsn, "--output", "json", code=1)
    assert json.loads(done.stdout)[0]["refused"] == 1
    assert "deprecated" in filament("template", "deprecate", "88.168.1/spindle@1", *dsn).stderr
    assert "所有者/名称@版本" in filament("template", "show", "spindle", *dsn, "--lang", "zh", code=2).stderr


async def test_suffixes_get_rules_and_are_reserved(database_dsn, tmp_path: Path):
    dsn = ("--dsn", database_dsn)
    filament(*ENTERPRISE, *dsn)
    rules = json.dumps([{"pattern": "C[0-9]{4}", "accepted": ["C0001"], "refused": ["C1"]}])
    assert "1 rules" in filament("suffix", "rules", "88.168.1", "-", *dsn, stdin=rules).stderr
    assert "C[0-9]{4}" in filament("suffix", "rules", "88.168.1", *dsn).stdout
    minters = json.dumps([{"name": "cake", "layout": "C{serial}", "width": 4}])
    filament("suffix", "minters", "88.168.1", "-", *dsn, stdin=minters)
    reserved = filament("suffix", "reserve", "88.168.1", "cake", "--count", "3", *dsn, "--output", "csv").stdout
    assert reserved.split() == ["suffix", "C0001", "C0002", "C0003"]
    assert "C0003" in filament("suffix", "blocks", "88.168.1", *dsn).stdout
    wrong = json.dumps([{"pattern": "(a)+"}])
    assert "$[0]" in filament("suffix", "rules", "88.168.1", "-", *dsn, stdin=json.dumps([{"x": 1}]), code=1).stderr
    assert "repeated" in filament("suffix", "rules", "88.168.1", "-", *dsn, stdin=wrong, code=1).stderr


async def test_a_range_is_added_shown_changed_and_deleted(database_dsn):
    dsn = ("--dsn", database_dsn)
    filament(*ENTERPRISE, *dsn)
    added = ("range", "add", "88.168.1/Cake-001", "--members", "96", "URL=https://x/{suffix}", *dsn)
    assert "96 identifiers from 88.168.1/Cake-001 on are registered" in filament(*added).stderr
    assert "重叠" in filament(*added, "--lang", "zh", code=1).stderr
    (shown,) = json.loads(filament("range", "show", "88.168.1/cake-007", *dsn, "--output", "json").stdout)
    assert (shown["handle"], shown["position"], shown["last"]) == ("88.168.1/Cake-007", 7, "88.168.1/Cake-096")
    filament("range", "change", "88.168.1/Cake-050", "GRADE={position}", *dsn)
    (listed,) = json.loads(filament("range", "list", "88.168.1", *dsn, "--output", "json").stdout)
    assert (listed["first"], listed["members"], listed["version"]) == ("88.168.1/Cake-001", 96, 2)
    assert "96 identifiers exported" in filament("export", "--prefix", "88.168.1", *dsn).stderr
    filament("range", "delete", "88.168.1/Cake-001", *dsn)
    assert json.loads(filament("range", "list", "88.168.1", *dsn, "--output", "json").stdout) == []
    wrong = ("range", "add", "88.168.1/Cake-", "--members", "9", "URL=x", *dsn)
    assert "does not end in a digit" in filament(*wrong, code=2).stderr
