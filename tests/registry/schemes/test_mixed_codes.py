"""Five hundred codes of all systems, unlabelled where they may be, each told apart by its shape."""

import tomllib
from pathlib import Path

from registry.errors import HandleError
from registry.schemes.recognition import recognise
from tests.registry.schemes.codes import CODES, document

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "codes.toml"


def reading(text: str) -> tuple[str, str]:
    try:
        recognised = recognise(text)
    except HandleError as refused:
        return "", f"!{refused.rule}"
    return recognised.system, str(recognised.handle)


def test_every_code_belongs_to_its_system_and_is_its_handle():
    codes = tomllib.loads(VECTORS.read_text())["code"]
    assert len(codes) == CODES
    wrong = []
    for code in codes:
        system, handle = reading(code["text"])
        if handle != code["handle"] or system not in ("", code["system"]):
            wrong.append((code, system, handle))
    assert not wrong


def test_the_codes_are_those_of_the_program_that_made_them():
    assert VECTORS.read_text() == document()
