"""One thing that was looked at: how it is, in a sentence, and what to do when it is not well."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from registry.language import Language, text
from resolver.diagnosis.texts import FINDINGS, REMEDIES

State = Literal["good", "doubtful", "bad"]
GOOD: Final = "good"
DOUBTFUL: Final = "doubtful"
BAD: Final = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """A part, its state, a rule of FINDINGS and its culprits. The remedy of a rule has the same name."""

    part: str
    state: State
    rule: str
    culprit: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self, language: Language) -> str:
        told = {name: value.text(language) if hasattr(value, "text") else value for name, value in self.culprit.items()}
        return text(FINDINGS, self.rule, language, **told)

    def remedy(self, language: Language) -> str:
        if self.state == GOOD or self.rule not in REMEDIES:
            return ""
        return text(REMEDIES, self.rule, language, **self.culprit)
