"""Patterns that texts must fit, written by enterprises: a part of regular expressions that no text takes long to match.

A pattern is alternatives ('|') of characters, classes ('[A-Z0-9]', '\\d', '.') and groups; characters and classes may
be repeated ('?', '*', '+', '{2}', '{2,5}'), groups may not. Each part takes all that it can and gives nothing back, so
the time to match grows with the text and never with its powers: '[A-Z]*A' fits nothing, which samples show.
"""

import re
from functools import lru_cache
from typing import Final

MAX_PATTERN: Final = 500  # Characters; the longest suffix rule of a published sector standard has some sixty.
MAX_TIMES: Final = 1000  # Of a repetition.
MAX_DEPTH: Final = 8  # Groups inside groups.

_CLASS: Final = re.compile(r"\[\^?(?:-(?!-)|[^\\\[\]^&~|-]|\\[\\\[\]^.dw-])+\]")
_ESCAPE: Final = re.compile(r"\\[dw\\.\[\](){}|?*+^$/-]")
_REPEAT: Final = re.compile(r"[?*+]|\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}")
_SPECIAL: Final = frozenset("()[]{}|?*+\\^$")


class PatternFault(ValueError):
    """A pattern that cannot be used; the text says where and why."""


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text fits a pattern that `check_pattern` let pass."""
    return compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Raises PatternFault."""
    if len(pattern) > MAX_PATTERN:
        raise PatternFault(f"has more than {MAX_PATTERN} characters")
    reader = _Reader(pattern)
    expression = reader.alternatives(0)
    if reader.place < len(pattern):
        raise PatternFault(f"')' at {reader.place + 1} closes nothing")
    try:
        return re.compile(expression, re.ASCII)
    except (re.error, OverflowError) as error:  # A class such as [z-a].
        raise PatternFault(str(error)) from None


class _Reader:
    """Reads a pattern from left to right and writes the expression in which nothing is given back."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.place = 0

    def alternatives(self, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise PatternFault(f"has groups more than {MAX_DEPTH} deep")
        sequences = [self._sequence(depth)]
        while self._pattern.startswith("|", self.place):
            self.place += 1
            sequences.append(self._sequence(depth))
        if depth == 0:
            # Of the whole, an alternative that ends early yields to the next one: each is tried once.
            return "|".join(sequences)
        return f"(?>{'|'.join(sequences)})"

    def _sequence(self, depth: int) -> str:
        parts: list[str] = []
        while self.place < len(self._pattern) and self._pattern[self.place] not in "|)":
            parts.append(self._group(depth) if self._pattern[self.place] == "(" else self._repeated())
        return "".join(parts)

    def _group(self, depth: int) -> str:
        begin = self.place
        self.place += 1
        if self._pattern.startswith("?", self.place):
            raise PatternFault(f"'(?' at {begin + 1} is not known")
        group = self.alternatives(depth + 1)
        if not self._pattern.startswith(")", self.place):
            raise PatternFault(f"'(' at {begin + 1} is not closed")
        self.place += 1
        if _REPEAT.match(self._pattern, self.place):
            raise PatternFault(f"the group at {begin + 1} is repeated; only characters and classes may be")
        return group

    def _repeated(self) -> str:
        single = self._single()
        repeat = _REPEAT.match(self._pattern, self.place)
        if repeat is None:
            return single
        least, most = repeat[1], repeat[2]
        if least is not None and (int(least) > MAX_TIMES or int(most or 0) > MAX_TIMES):
            raise PatternFault(f"{repeat[0]!r} at {self.place + 1} is more than {MAX_TIMES} times")
        if least is not None and most and int(most) < int(least):
            raise PatternFault(f"{repeat[0]!r} at {self.place + 1} is from more to fewer")
        self.place = repeat.end()
        if _REPEAT.match(self._pattern, self.place):
            raise PatternFault(f"{self._pattern[self.place]!r} at {self.place + 1} repeats a repetition")
        return f"{single}{repeat[0]}+"  # Possessive.

    def _single(self) -> str:
        for form in (_CLASS, _ESCAPE):
            if found := form.match(self._pattern, self.place):
                self.place = found.end()
                return found[0]
        character = self._pattern[self.place]
        if character in _SPECIAL:
            raise PatternFault(f"{character!r} at {self.place + 1} cannot be read; write '\\{character}' for itself")
        self.place += 1
        return "." if character == "." else re.escape(character)
