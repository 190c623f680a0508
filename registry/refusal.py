"""Why a row of a bulk file was not taken: the line, the field, the rule of `registry.errors` and its culprit."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from registry import language as languages
from registry.errors import HandleError
from registry.language import Language
from registry.rules import RULES

MAX_ROW_TEXT: Final = 1 << 16  # Characters of a refused row that are kept: enough to mend all but monstrous ones.
MAX_CULPRIT: Final = 1000  # Characters of one member of a culprit.


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused row. `place` is its place in its chunk."""

    place: int
    path: str
    rule: str
    culprit: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, place: int, path: str, error: HandleError) -> "Refusal":
        return cls(place, path, error.rule, {name: _shown(value) for name, value in error.culprit.items()})

    @property
    def culprit_json(self) -> str:
        return orjson.dumps(self.culprit).decode()


def message(rule: str, culprit: dict[str, Any], language: Language) -> str:
    """The sentence of a refusal that was kept in the book."""
    return languages.text(RULES, rule, language, **culprit)


def storable(given: str) -> str:
    """A text that Postgres takes: U+0000 and halves of surrogate pairs, which it refuses, are replaced."""
    return given.replace("\0", "\ufffd").encode(errors="replace").decode()


def _shown(value: object) -> object:
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    return storable(str(value))[:MAX_CULPRIT]
