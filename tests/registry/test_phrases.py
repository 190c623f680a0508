"""Every phrase that a refusal gives as its rule is said in Chinese, too."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from registry.errors import ProtocolFault
from registry.form_faults import fault_of
from registry.phrases import CHINESE, in_chinese

SOURCES = sorted(path for package in ("registry", "resolver") for path in Path(package).resolve().rglob("*.py"))
FAULTS = {"fault", "_fault", "PatternFault"}
TOLD = {"Asked", "Failed"}  # What the command line says of its own.
FILLED = "7"  # What stands for anything that is filled in.


def said(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else FILLED for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*said(node.body), *said(node.orelse))


def rules_in(node: ast.AST) -> Iterator[str]:
    """What a piece of a program gives as a rule: by that name, to what makes a fault, or as one of a list of them."""
    if isinstance(node, ast.Call):
        named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for keyword in node.keywords:
            if keyword.arg in ("rule", "reason") and named not in TOLD:
                yield from said(keyword.value)
        for argument in node.args if named in FAULTS else ():
            yield from said(argument)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "rule":
                yield from said(value)
    elif isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "rule" for target in node.targets):
        yield from said(node.value)
    elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
        yield from said(node.value.elts[1])


def phrases() -> set[str]:
    nodes = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    every = {phrase for node in nodes for phrase in rules_in(node)}
    return {phrase for phrase in every if " " in phrase.strip() and not phrase.startswith("$")}


def test_every_phrase_is_said_in_chinese():
    found = phrases()
    assert len(found) > 80  # or this looks at nothing
    assert {phrase for phrase in found if in_chinese(phrase) == phrase} == set()


@pytest.mark.parametrize("english", CHINESE)
def test_every_chinese_phrase_takes_what_the_english_one_leaves_open(english):
    phrase = english
    for number in range(english.count("…")):
        phrase = phrase.replace("…", f"<{number}>", 1)
    chinese = in_chinese(phrase)
    assert chinese != phrase
    assert all(f"<{number}>" in chinese for number in range(english.count("…"))) or "Expected" in english


def test_what_is_filled_in_is_not_read_as_a_phrase():
    assert in_chinese("is none of {0}, …{") == "应为以下之一：{0}, …{"
    assert in_chinese("a sentence of nobody") == "a sentence of nobody"


class Form(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=1, le=9)]
    kind: Literal["a", "b"] = "a"
    names: Annotated[list[str], msgspec.Meta(max_length=1)] = []
    password: str = ""
    inner: "Form | None" = None
    named: dict[str, int] = {}


@pytest.mark.parametrize(
    ("body", "english", "chinese"),
    [
        (b"{}", "$.count is missing", "缺少 $.count"),
        (b'{"count":1,"x":2}', "there is no field $.x here", "此处没有 $.x 这一字段"),
        (
            b'{"count":"3"}',
            '$.count: Expected `int`, got `str`, got "3"',
            '$.count：应为 `int`，实际为 `str`，实际为 "3"',
        ),
        (b'{"count":0}', "$.count: Expected `int` >= 1, got 0", "$.count：应为不小于 1 的 `int`，实际为 0"),
        (
            b'{"count":1,"kind":"c"}',
            "$.kind: Invalid enum value 'c', got \"c\"",
            "$.kind：'c' 不是可选的值，实际为 \"c\"",
        ),
        (
            b'{"count":1,"names":["a","b"]}',
            '$.names: Expected `array` of length <= 1, got ["a","b"]',
            '$.names：`array` 长度应不大于 1，实际为 ["a","b"]',
        ),
        (
            b'{"count":1,"names":[5]}',
            "$.names[0]: Expected `str`, got `int`, got 5",
            "$.names[0]：应为 `str`，实际为 `int`，实际为 5",
        ),
        (b'{"count":1,"inner":{}}', "$.inner.count is missing", "缺少 $.inner.count"),
        (
            b'{"count":1,"password":12345}',
            "$.password: Expected `str`, got `int`, got …",
            "$.password：应为 `str`，实际为 `int`，实际为 …",
        ),
    ],
)
def test_a_form_that_is_not_as_it_should_be_is_told_where_and_what(body, english, chinese):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=Form)
    fault = fault_of(caught.value, body)
    assert isinstance(fault, ProtocolFault)
    assert (str(fault), fault.text("zh")) == (english, chinese)


def test_a_long_value_is_cut_and_one_of_a_dictionary_not_looked_for():
    for body, shown in (
        (b'{"count":"' + b"x" * 1000 + b'"}', '"' + "x" * 59 + "…"),
        (b'{"count":1,"named":{"a":"b"}}', "…"),
    ):
        with pytest.raises(msgspec.ValidationError) as caught:
            msgspec.json.decode(body, type=Form)
        assert fault_of(caught.value, body).culprit["value"] == shown
