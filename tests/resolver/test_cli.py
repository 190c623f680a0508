"""The frame of the command line: languages, forms, exit codes, and how little `--help` costs."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.language import text
from resolver.cli import catalogues
from resolver.cli.frame import cells, wrapped
from resolver.cli.invocation import language_of
from resolver.cli.output import WIDEST, write_rows
from resolver.settings_file import node_toml

HEAVY = ("asyncio", "aiohttp", "asyncpg", "rich", "cryptography", "orjson", "msgspec", "prometheus_client")


def filament(*arguments: str, code: int = 0, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {
        name: value for name, value in os.environ.items() if not name.startswith(("FILAMENT_", "LC_", "LANG"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "resolver.cli", *arguments],
        env=surroundings | {"PYTHONUTF8": "1", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize("value", ["x" * 5000, "标识" * 400, "88.1/a\n88.1/b\n" * 90, "\x1b[2J" * 40])
def test_a_table_shows_no_more_of_a_value_than_a_reader_takes_in(value, capsys):
    write_rows([{"handle": value}], ["handle"], "table", "en")
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3
    assert 90 <= cells(shown[2]) <= WIDEST
    assert shown[2].endswith("…")
    assert shown[2].isprintable()
    write_rows([{"handle": value}], ["handle"], "ndjson", "en")
    assert json.loads(capsys.readouterr().out) == {"handle": value}


def test_a_table_without_rows_has_no_head(capsys):
    for form, written in (("table", ""), ("json", "[]\n"), ("ndjson", ""), ("csv", "handle\n")):
        write_rows([], ("handle",), form, "en")
        assert capsys.readouterr().out == written


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from resolver.cli.program import run\n"
        "assert run(['--help'], {}) == 0\n"
        "assert run(['up', '--help'], {}) == 0\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(repr(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("--lang", "zh", "--help"), {}),
        (("--help", "--lang=zh"), {}),
        (("--help",), {"LANG": "zh_CN.UTF-8"}),
        (("--help",), {"LANG": "en_GB.UTF-8", "LC_ALL": "zh_TW.UTF-8"}),
    ],
)
def test_help_is_chinese_when_the_reader_is(arguments, environment):
    shown = filament(*arguments, **environment).stdout
    assert "用法：filament" in shown
    assert "启动节点" in shown
    assert "Usage" not in shown


def test_help_of_a_command_takes_the_language_behind_it():
    assert "选项：" in filament("up", "--help", "--lang", "zh").stdout
    assert "Options:" in filament("up", "--help", "--lang", "en", LANG="zh_CN.UTF-8").stdout


def test_what_follows_two_dashes_is_no_option():
    assert language_of(["resolve", "--", "--lang", "zh"], {}) == "en"
    assert language_of(["resolve", "--lang"], {}) == "en"


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (("frobnicate",), "there is no command frobnicate", "没有命令 frobnicate"),
        (("up", "--wokers", "2"), "did you mean --workers?", "是否想用 --workers？"),
        (("up", "--workers", "many"), "a number from 0 to 256", "0 到 256"),
        (("resolve",), "HANDLE... is missing", "缺少 HANDLE..."),
        (("load", "/nowhere/at/all.csv"), "does not exist", "不存在"),
        (("config", "--lang", "en"), "which command?", None),
        (("config", "show", "--set", "port=1"), "SECTION.KEY=VALUE", "SECTION.KEY=VALUE"),
        (("completion", "tcsh"), "bash, zsh, fish", "bash, zsh, fish"),
    ],
)
def test_a_wrong_line_is_refused_in_either_language_with_code_2(arguments, english, chinese):
    refused = filament(*arguments, code=2)
    assert english in refused.stderr
    assert refused.stdout == ""
    if chinese is not None:
        assert chinese in filament(*arguments, "--lang", "zh", code=2).stderr


def test_all_faults_of_the_settings_are_named_at_once(tmp_path: Path):
    file = tmp_path / "node.toml"
    file.write_text('[resolver]\nport = 99999\nlisten = ["nowhere"]\nprot = 1\n[registy]\n', encoding="utf-8")
    refused = filament("config", "check", str(file), code=2, FILAMENT_STATUS_PORT="x")
    for fault in ("99999", "nowhere", "'prot'", "[registy]", "FILAMENT_STATUS_PORT"):
        assert fault in refused.stderr
    assert "5 faults" in refused.stderr
    assert "5 处错误" in filament("config", "check", str(file), "--lang", "zh", code=2, FILAMENT_STATUS_PORT="x").stderr


def test_settings_are_shown_with_where_they_came_from(tmp_path: Path):
    file = tmp_path / "node.toml"
    file.write_text('[resolver]\nport = 8100\n[registry]\ndsn = "postgresql://u:hidden@h/d"\n', encoding="utf-8")
    shown = filament(
        "config", "show", "--origin", "--config", str(file), "--set", "status.port=8102", "--output", "json",
        FILAMENT_RESOLVER_WORKERS="3",
    )  # fmt: skip
    rows = {row["setting"]: row for row in json.loads(shown.stdout)}
    assert rows["resolver.port"] == {"setting": "resolver.port", "value": 8100, "origin": str(file)}
    assert rows["status.port"] == {"setting": "status.port", "value": 8102, "origin": "command line"}
    assert rows["resolver.workers"]["origin"] == "FILAMENT_RESOLVER_WORKERS"
    assert rows["registry.port"]["origin"] == "default"
    assert "hidden" not in shown.stdout


def test_every_form_of_a_list_says_the_same():
    def show(form: str) -> str:
        return filament("config", "show", "--origin", "--output", form).stdout

    rows = json.loads(show("json"))
    assert [json.loads(line) for line in show("ndjson").splitlines()] == rows
    assert [row["setting"] for row in csv.DictReader(io.StringIO(show("csv")))] == [row["setting"] for row in rows]
    table = show("table").splitlines()
    assert len(table) == len(rows) + 2
    assert table[2].split()[0] == rows[0]["setting"]
    assert "配置项" in filament("config", "show", "--lang", "zh").stdout


def test_the_template_is_the_file_that_is_delivered_and_is_good(tmp_path: Path):
    template = filament("config", "template").stdout
    delivered = Path(__file__).parents[2] / "deploy" / "node.toml"
    assert template == node_toml() == delivered.read_text(encoding="utf-8")
    file = tmp_path / "node.toml"
    file.write_text(template, encoding="utf-8")
    assert "good" in filament("config", "check", str(file)).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_completion_script(shell):
    script = filament("completion", shell).stdout
    assert f"_FILAMENT_COMPLETE={shell}_complete" in script


def test_completion_offers_commands_and_options():
    commands = filament(_FILAMENT_COMPLETE="bash_complete", COMP_WORDS="filament re", COMP_CWORD="1").stdout
    offered = {line.partition(",")[2] for line in commands.split()}
    assert offered >= {"resolve", "register", "reload", "renew", "restore"}
    assert all(name.startswith("re") for name in offered)
    options = filament(_FILAMENT_COMPLETE="bash_complete", COMP_WORDS="filament up --wo", COMP_CWORD="2").stdout
    assert options.strip() == "plain,--workers"


def test_nobody_at_the_other_end_of_the_pipe_is_no_fault_worth_a_traceback():
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m resolver.cli config show | head -1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith("Setting")


def test_a_node_that_is_not_there_is_said_so():
    refused = filament("resolve", "88.168.1/A", "--url", "http://127.0.0.1:1", code=1)
    assert "http://127.0.0.1:1" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "无法访问" in filament("status", "--url", "http://127.0.0.1:1", "--lang", "zh", code=1).stderr


def test_a_secret_is_not_sent_in_the_clear():
    refused = filament(
        "register", "88.168.1/A", "URL=x", "--url", "http://127.0.0.1:1", "--identity", "300:0.NA/88.168.1",
        code=2, FILAMENT_SECRET="s",
    )  # fmt: skip
    assert "plain HTTP" in refused.stderr
    register = ("register", "88.168.1/A", "URL=x", "--url", "http://127.0.0.1:1")
    assert "FILAMENT_TOKEN" in filament(*register, code=2).stderr
    assert "plain HTTP" in filament(*register, code=2, FILAMENT_TOKEN="t").stderr


def test_both_languages_name_the_same_culprits():
    class Named(dict):
        def __getitem__(self, name):
            self.setdefault(name, None)
            return Shown()

    class Shown:
        def __format__(self, form):
            return ""

        __repr__ = __str__ = lambda self: ""

    for catalogue in (catalogues.HELP, catalogues.MESSAGES, catalogues.COLUMNS):
        for rule in catalogue:
            english, chinese = Named(), Named()
            catalogue[rule][0].format_map(english)
            catalogue[rule][1].format_map(chinese)
            assert english.keys() == chinese.keys(), rule
            assert text({rule: catalogue[rule]}, rule, "zh", **dict.fromkeys(english, Shown())) is not None


@given(st.text(alphabet="标识解析，。（a b-c", max_size=200), st.integers(10, 40))
def test_wrapped_lines_fit_and_lose_nothing(words, width):
    lines = wrapped(words, width)
    # A mark that may not begin a line hangs over its end.
    assert all(cells(line) <= width or line.rstrip("，。）") != line or " " not in line.strip() for line in lines)
    assert "".join("".join(lines).split()) == "".join(words.split())
