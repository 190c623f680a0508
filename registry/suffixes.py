"""What suffixes below a prefix look like: its rules, and how suffixes are made for those who ask for one.

A prefix without rules takes every suffix. With rules, a new one must fit one of them; handles that were there before
stay what they are. Samples stand with each rule and are tried when it is saved, so that a rule says what it should.
A rule may make templates compulsory for the handles that it takes (`registry.compulsory`).
"""

import re
import secrets
from collections.abc import Container, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final, Literal

import msgspec

from registry import patterns
from registry.check_characters import Check, check_character, expected_character
from registry.errors import InvalidHandle, ProtocolFault

MAX_RULES: Final = 50  # Of one prefix: a class of objects has one or two.
MAX_MINTERS: Final = 50
MAX_SAMPLES: Final = 20  # Of one rule, of each kind.
MAX_TEMPLATES: Final = 50  # Of one rule: a class of objects has a handful.
ANY_TEMPLATE: Final = "*"
MAX_SAMPLE: Final = 255  # Characters of a suffix that is a sample or is made: what the national interface allows.
MAX_WIDTH: Final = 40  # Characters of a serial or random part.
MAX_SERIAL: Final = (1 << 62) - 1  # Counters are signed and of 64 bits.

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OPAQUE: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nobody takes an I for a 1.
_PARTS: Final = re.compile(r"\{(date|line|serial|random|check)\}|([^{}]+)")
_LINE: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_TEMPLATE: Final = re.compile(r"\*|[0-9A-Za-z._-]{1,255}/[a-z0-9][a-z0-9-]{0,63}")
_MINTER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class SuffixRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A form that suffixes may have. `accepted` and `refused` are samples.

    Handles whose suffixes it takes name a version of one of its `templates`, if there are any: owner/name, or "*" for
    whichever they like.
    """

    pattern: str = ""
    check: Check = "none"
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()

    def takes(self, suffix: str) -> bool:
        if self.pattern and not patterns.fits(self.pattern, suffix):
            return False
        return expected_character(self.check, suffix) is None


@lru_cache(maxsize=1024)  # Prefixes are read every two seconds, and their rules change once a year.
def rule_from_json(form: str) -> SuffixRule:
    """A rule as it is kept."""
    return msgspec.json.decode(form, type=SuffixRule)


def check_suffix(rules: Sequence[SuffixRule], suffix: str) -> None:
    """Refuses a new suffix that fits none of the rules of its prefix. Raises InvalidHandle."""
    if not rules or any(rule.takes(suffix) for rule in rules):
        return
    for rule in rules:
        if rule.pattern and patterns.fits(rule.pattern, suffix):
            expected = expected_character(rule.check, suffix)
            raise InvalidHandle("suffix.check", suffix=suffix[:MAX_SAMPLE], check=rule.check, expected=expected)
    forms = "  ".join(rule.pattern or rule.check for rule in rules)[:1000]
    raise InvalidHandle("suffix.rule", suffix=suffix[:MAX_SAMPLE], rules=forms)


def check_rules(rules: Sequence[SuffixRule]) -> None:
    """Refuses rules that cannot be used or say other than their samples. Raises ProtocolFault with the path."""
    if len(rules) > MAX_RULES:
        raise _fault("$.rules", f"a prefix has at most {MAX_RULES}", len(rules))
    for place, rule in enumerate(rules):
        path = f"$.rules[{place}]"
        try:
            patterns.compiled(rule.pattern)
        except patterns.PatternFault as fault:
            raise _fault(f"{path}.pattern", str(fault), rule.pattern) from None
        if not rule.pattern.isprintable():
            raise _fault(f"{path}.pattern", "can be shown", rule.pattern)
        if not rule.pattern and rule.check == "none" and not rule.templates:
            raise _fault(path, "has a pattern, a check or templates", "none")
        _check_templates(f"{path}.templates", rule.templates)
        for kind, samples, right in (("accepted", rule.accepted, True), ("refused", rule.refused, False)):
            if len(samples) > MAX_SAMPLES:
                raise _fault(f"{path}.{kind}", f"are at most {MAX_SAMPLES}", len(samples))
            for number, sample in enumerate(samples):
                if len(sample) > MAX_SAMPLE or "\0" in sample or rule.takes(sample) is not right:
                    said = "is not what the rule accepts" if right else "is what the rule accepts"
                    raise _fault(f"{path}.{kind}[{number}]", said, sample)


def _check_templates(path: str, templates: Sequence[str]) -> None:
    if len(templates) > MAX_TEMPLATES:
        raise _fault(path, f"are at most {MAX_TEMPLATES}", len(templates))
    for number, template in enumerate(templates):
        if not _TEMPLATE.fullmatch(template):
            raise _fault(f"{path}[{number}]", "is owner/name without a version, or '*'", template)


def check_templates(rules: Sequence[SuffixRule], there: Container[str]) -> None:
    """Refuses rules that make a template compulsory which is not there: no handle could be registered. Raises
    ProtocolFault with the path.
    """
    for place, rule in enumerate(rules):
        for number, template in enumerate(rule.templates):
            if template != ANY_TEMPLATE and template_key(template) not in there:
                raise _fault(f"$.rules[{place}].templates[{number}]", "names no template that is here", template)


def template_key(template: str) -> str:
    """Two spellings of one owner/name have the same."""
    owner, _, name = template.partition("/")
    return f"{owner.upper()}/{name}"


class Minter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How suffixes are made. `layout` is text around {date}, {line}, {serial} or {random}, and {check} at its end.

    Serials have `width` characters to the base `radix`, and count anew for each date and line that the layout names.
    """

    name: str
    layout: str
    width: int = 6
    radix: Literal[10, 36] = 10
    check: Check = "none"

    @property
    def counts(self) -> bool:
        """Whether its suffixes are numbered; others are random."""
        return "{serial}" in self.layout

    @property
    def last(self) -> int:
        """The highest serial that there is room for."""
        highest: int = self.radix**self.width - 1
        return min(highest, MAX_SERIAL)

    def scope(self, line: str, day: date) -> str:
        """What its serials are counted in."""
        of_day = _compact(day) if "{date}" in self.layout else ""
        # Two spellings of a line make one suffix where letters are folded, so they share their serials.
        of_line = line.upper() if "{line}" in self.layout else ""
        return f"{of_day} {of_line}"

    def suffix(self, serial: int, line: str, day: date) -> str:
        """The suffix with this serial; another one at each call where they are random."""
        made = ""
        for part, text in _PARTS.findall(self.layout):
            match part:
                case "date":
                    made += _compact(day)
                case "line":
                    made += line
                case "serial":
                    made += _in_radix(serial, self.radix).rjust(self.width, "0")
                case "random":
                    made += "".join(secrets.choice(_OPAQUE) for _ in range(self.width))
                case "check":
                    made += check_character(self.check, made)
                case _:
                    made += text
        return made


def check_minters(minters: Sequence[Minter]) -> None:
    """Refuses minters that cannot be used. Raises ProtocolFault with the path of the culprit."""
    if len(minters) > MAX_MINTERS:
        raise _fault("$.minters", f"a prefix has at most {MAX_MINTERS}", len(minters))
    names: set[str] = set()
    layouts: set[str] = set()
    for place, minter in enumerate(minters):
        for field, rule, culprit in _minter_faults(minter):
            raise _fault(f"$.minters[{place}].{field}", rule, culprit)
        if minter.name in names:
            raise _fault(f"$.minters[{place}].name", "is the name of another one", minter.name)
        if minter.layout.upper() in layouts:
            raise _fault(f"$.minters[{place}].layout", "makes the suffixes of another one", minter.layout)
        names.add(minter.name)
        layouts.add(minter.layout.upper())


def check_line(line: str) -> None:
    """Refuses what cannot be the name of a line in a suffix."""
    if line and not _LINE.fullmatch(line):
        raise _fault("$.line", "has 1 to 32 letters, digits, '_', '-' and '.'", line)


def _minter_faults(minter: Minter) -> Iterator[tuple[str, str, object]]:
    if not _MINTER_NAME.fullmatch(minter.name):
        yield "name", "has 1 to 64 small letters, digits and '-'", minter.name
    if not 1 <= minter.width <= MAX_WIDTH:
        yield "width", f"is not between 1 and {MAX_WIDTH}", minter.width
    parts = [part for part, _ in _PARTS.findall(minter.layout) if part]
    if (
        "".join(found[0] for found in _PARTS.finditer(minter.layout)) != minter.layout
        or len(minter.layout) > MAX_SAMPLE
    ):
        yield "layout", "holds a '{' or '}' that is none of its parts, or is too long", minter.layout
    if len(set(parts)) < len(parts) or len({"serial", "random"} & set(parts)) != 1:
        yield "layout", "has {serial} or {random}, and no part twice", minter.layout
    if ("check" in parts) != (minter.check != "none") or ("check" in parts and not minter.layout.endswith("{check}")):
        yield "layout", "ends in {check} if there is a check", minter.layout
    if not minter.layout.isprintable() or not minter.layout.isascii():
        yield "layout", "is printable ASCII", minter.layout


def _fault(path: str, rule: str, culprit: object) -> ProtocolFault:
    return ProtocolFault("json.field", path=path, rule=rule, value=repr(culprit)[:200])


def _compact(day: date) -> str:
    return day.isoformat().replace("-", "")  # Of every year with four digits, which %Y does not write everywhere.


def _in_radix(number: int, radix: int) -> str:
    if radix == 10:
        return str(number)
    digits = ""
    while number:
        number, digit = divmod(number, radix)
        digits = _DIGITS[digit] + digits
    return digits
