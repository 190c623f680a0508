"""Chinese texts have Chinese punctuation, in every text of the programs and documents that a person may read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for package in ("registry", "resolver") for path in (ROOT / package).rglob("*.py"))
DEPLOYED = [path for form in ("zh-CN.md", "y*ml", "toml") for path in (ROOT / "deploy").rglob(f"*.{form}")]
DOCUMENTS = sorted([*ROOT.glob("*.zh-CN.md"), *DEPLOYED])
HAN = "\u4e00-\u9fff"
ASCII = re.compile(f"[{HAN}”][,;:?(]|[,;:?)][{HAN}“]")
# What is typed as it stands, with a colon in it; and words that headers of files and sentences in English have.
TYPED = re.compile("主机(:|\\[:)端口|索引:标识|编号:摘要|名:值|state \\(状态\\)|handle or 标识; …? ?")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a module that is no docstring, with its line; what is filled in is a letter."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, re.sub(r"\{\{.*?\}\}|\{[^{}]*\}", "x", TYPED.sub("x", node.value))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_mark_beside_a_chinese_character_is_of_ascii(path: Path):
    assert [(line, text) for line, text in texts(path) if ASCII.search(text)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_mark_beside_a_chinese_character_of_a_document_is_of_ascii(path: Path):
    read = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", "x", path.read_text("utf-8"), flags=re.DOTALL)
    assert [line for line in read.splitlines() if ASCII.search(TYPED.sub("x", line))] == []


@pytest.mark.parametrize("text", ["前缀,后缀", "标识:无效", "(旧)标识", "完成;继续", "标识(旧)"])
def test_the_test_finds_what_it_looks_for(text: str):
    assert ASCII.search(text)
