"""deploy/templates.md says what the library and the forms are."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from registry.library import BY_NAME
from registry.suffixes import Minter, SuffixRule, check_minters, check_rules
from registry.template import named_template
from registry.typed_values import Checker
from registry.value import HandleValue

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"


@pytest.mark.parametrize(("document", "language"), [("templates.md", "en"), ("templates.zh-CN.md", "zh")])
def test_the_table_of_the_library_is_the_library(document, language):
    rows = re.findall(
        r"^\| `(textile/.+?)` \| (.+?) \| (.+?) \| (.+?) \|$", (DEPLOY / document).read_text(), re.MULTILINE
    )
    library = [
        (name, getattr(one, language), one.industry, ", ".join(a.type for a in one.attributes if a.required))
        for name, one in BY_NAME.items()
    ]
    assert rows == library


@pytest.mark.parametrize("document", ["templates.md", "templates.zh-CN.md"])
def test_the_examples_are_taken(document):
    for example in re.findall(r"```json\n(.+?)```", (DEPLOY / document).read_text(), re.DOTALL):
        form = json.loads(example)
        if isinstance(form, dict):
            values = tuple(HandleValue(one["index"], one["type"], one["data"].encode()) for one in form["values"])
            _, name = named_template(values)
            Checker(str(name), BY_NAME[str(name)]).check(values)
        elif "pattern" in form[0]:
            check_rules(msgspec.convert(form, list[SuffixRule]))
        else:
            check_minters(msgspec.convert(form, list[Minter]))
