"""What both READMEs show is run: every command beside a real demo, every file, every setting."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from resolver.settings import load
from tests.resolver.running_node import RunningNode

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")
# Started by the test itself, or by whoever runs it: a node for good, and the two commands of the first block.
ELSEWHERE = re.compile(r"^(make (demo|test)|filament up .*|export .*)$", re.MULTILINE)


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)


def free_base():
    """The first of four neighbouring ports that nobody has."""
    for base in range(21_000, 29_000, 10):
        try:
            for port in range(base, base + 4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no four neighbouring ports are free")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo, smaller, and the environment in which its user types commands."""
    directory = tmp_path_factory.mktemp("readme")
    base = free_base()
    arguments = ("demo", "--directory", str(directory / ".demo"), "--count", "3000", "--port-base", str(base))
    with RunningNode(*arguments) as node:
        node.hear("^Up since")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FILAMENT_")} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FILAMENT_REGISTRY_DATA_DIRECTORY": ".demo",
            "FILAMENT_RESOLVER_PORT": str(base),
            "FILAMENT_REGISTRY_PORT": str(base + 1),
            "FILAMENT_STATUS_PORT": str(base + 2),
            "LC_ALL": "C.UTF-8",
        }
        yield directory, base, environment


@pytest.mark.parametrize("name", READMES)
def test_every_command_does_what_it_is_shown_for(demo, name):
    directory, base, environment = demo
    prefix = "88.168.99" if name == "README.md" else "88.168.98"
    (directory / "identifiers.ndjson").write_text("".join(blocks(name, "json")).replace("88.168.99", prefix))
    secret = ""
    for block in blocks(name, "sh"):
        script = ELSEWHERE.sub("", block).replace("88.168.99", prefix).replace("SECRET", secret)
        script = script.replace("127.0.0.1:2641", f"127.0.0.1:{base + 3}")
        script = re.sub(r"127\.0\.0\.1:800(\d)", lambda port: f"127.0.0.1:{base + int(port[1])}", script)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=directory, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        if found := re.search(rf"300:0\.NA/{re.escape(prefix)}\W+([\w-]{{32}})", done.stdout):
            secret = found[1]
        if "api/handles" in script and "verify" not in script:
            assert '"responseCode":1' in done.stdout.replace('": ', '":')
    assert secret


def test_the_program_shown_asks_the_node(demo):
    directory, base, environment = demo
    (program,) = blocks("README.md", "python")
    program = program.replace("127.0.0.1:2641", f"127.0.0.1:{base + 3}")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"1 \['.+'\]\n", done.stdout)


@pytest.mark.parametrize("name", READMES)
def test_the_settings_shown_are_settings(name, tmp_path):
    for number, block in enumerate(blocks(name, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        settings, origins = load(path, {}, {})
        assert (settings.resolver.port, settings.resolver.native_port) == (8000, 2641)
        assert any(origin == str(path) for origin in origins.values())


def test_both_readmes_show_the_same_commands_and_settings():
    for language in ("sh", "toml", "json", "python"):
        assert blocks("README.md", language) == blocks("README.zh-CN.md", language)


@pytest.mark.parametrize("name", READMES)
def test_the_first_block_is_the_two_commands_of_the_makefile(name):
    assert blocks(name, "sh")[0].split("\n")[:2] == ["make demo", "make test"]
    for target in ("demo", "test"):
        shown = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True)
        assert ("filament demo" if target == "demo" else "-m tests") in shown.stdout


@pytest.mark.parametrize("name", READMES)
def test_every_file_that_a_readme_points_to_is_there(name):
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text())
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_line_of_a_file_is_json():
    for block in blocks("README.md", "json"):
        assert {"handle", "values"} <= json.loads(block).keys()
