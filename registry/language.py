"""English and Chinese: which one a reader wants, the texts in both, and refusals that say themselves in either.

A catalogue maps a stable rule name to a pair (English, Chinese) of format strings, so that no text can exist
in one language only.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from registry.phrases import in_chinese

Language = Literal["en", "zh"]
Catalogue = Mapping[str, tuple[str, str]]

LANGUAGES: Mapping[str, Language] = {"en": "en", "zh": "zh"}


def text(catalogue: Catalogue, rule: str, language: Language, /, **culprit: object) -> str:
    """The text of a rule in one language, with its culprit filled in."""
    english, chinese = catalogue[rule]
    if language == "en":
        return english.format(**culprit)
    for name in ("rule", "reason"):
        if isinstance(phrase := culprit.get(name), str):
            culprit[name] = in_chinese(phrase)
    return chinese.format(**culprit)


class Refused(Exception):
    """A rule of the catalogue of its class, and the culprit that the rule's text names."""

    catalogue: ClassVar[Catalogue]

    def __init__(self, rule: str, /, **culprit: object) -> None:
        super().__init__(rule, culprit)
        self.rule = rule
        self.culprit = culprit

    def __str__(self) -> str:
        return self.text("en")

    def text(self, language: Language) -> str:
        """The refusal as a sentence for a reader of one language."""
        return text(self.catalogue, self.rule, language, **self.culprit)


def preferred(accept_language: str | None, default: Language = "en") -> Language:
    """The language an Accept-Language header prefers (RFC 9110, section 12.5.4); the first of equals wins."""
    best: Language = default
    best_weight = 0.0
    for choice in (accept_language or "")[:200].split(","):
        tag, _, parameter = choice.strip().partition(";")
        language = LANGUAGES.get(tag.strip().lower().split("-")[0])
        weight = _weight(parameter)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def of_locale(locale: str | None) -> Language:
    """The language of a LANG or LC_ALL value such as zh_CN.UTF-8."""
    return "zh" if (locale or "").lower().startswith("zh") else "en"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
