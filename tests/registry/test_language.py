from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import HandleError, HandleNotFound
from registry.language import of_locale, preferred
from registry.rules import RULES


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("en;q=0.5, zh-Hans;q=0.7", "zh"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        ("zh;q=x", "en"),
        ("en, zh", "en"),
    ],
)
def test_the_language_of_greatest_weight_is_spoken(header, language):
    assert preferred(header) == language


@given(st.text(max_size=300))
def test_any_header_gives_a_language(header):
    assert preferred(header) in {"en", "zh"}


def test_a_chinese_locale_is_chinese():
    assert [of_locale(name) for name in ("zh_CN.UTF-8", "en_US.UTF-8", "C", None)] == ["zh", "en", "en", "en"]


@pytest.mark.parametrize("rule", RULES)
def test_both_languages_of_a_rule_name_the_same_culprits(rule):
    english, chinese = ({name for _, name, _, _ in Formatter().parse(text) if name} for text in RULES[rule])
    assert {name.removesuffix("_zh") for name in chinese} <= english  # {right_zh}: the words of {right} in Chinese


def test_a_refusal_speaks_both_languages():
    refusal = HandleNotFound("handle.not_found", handle="88.1/x")
    assert str(refusal) == "handle '88.1/x' is not registered"
    assert refusal.text("zh") == "标识 '88.1/x' 未注册"


def test_every_refusal_has_a_response_code_of_its_own():
    leaves = HandleError.__subclasses__()
    assert len({leaf.code for leaf in leaves}) == len(leaves)
