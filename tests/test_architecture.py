"""The contracts between modules and what must never be committed, held as ordinary tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted([*ROOT.glob("registry/**/*.py"), *ROOT.glob("resolver/**/*.py")])
MAX_MODULE = 400  # Lines; one that is longer holds two concepts.
MAX_FUNCTION = 60


def committed() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_the_import_contracts_are_kept():
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_and_its_functions_can_be_read_at_once(module):
    text = module.read_text()
    assert text.count("\n") <= MAX_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION, node.name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse(module.read_text()))


def test_no_address_of_a_package_index_is_committed():
    # Written in parts, so that this file does not hold what it looks for.
    signs = (
        "--index" + "-url",
        "--extra-index" + "-url",
        "--find" + "-links",
        '"resolved"' + ": ",
        "source = {" + " registry",
    )
    files = [path for path in committed() if path.suffix in {".txt", ".toml", ".lock", ".json", ".npmrc", ".cfg"}]
    assert [path.name for path in files if any(sign in path.read_text(errors="replace") for sign in signs)] == []
    assert not {path.name for path in committed()} & {"uv.lock", "pylock.toml", "poetry.lock"}


def test_no_private_key_is_committed():
    begin = "-----BEGIN " + "PRIVATE KEY"
    assert [path.name for path in committed() if begin in path.read_text(errors="replace")] == []
