"""Rows of a bulk load held to what was agreed of them: the rules of their prefix's suffixes, and their templates.

What is needed travels with each chunk to where it is prepared. Which templates a file names is found out on the way:
those not known yet are noted, and the chunk is prepared again with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from registry import library
from registry.compulsory import check_named
from registry.errors import InvalidValue
from registry.packing import plain_parts, unpack
from registry.suffixes import SuffixRule, check_suffix
from registry.template import INDEXES, TYPE, Template, named_template
from registry.typed_values import Checker
from registry.value import HandleValue

MAX_TEMPLATES: Final = 500  # Of one load: they travel with each chunk, and a factory uses a dozen.
# How a value of type TEMPLATE begins in a packed row, behind its index: rows without one are not looked into.
_MARK: Final = bytes((len(TYPE),)) + TYPE.encode()


@dataclass(slots=True)
class Conformity:
    """`rules` by key of prefix; `templates` by key of name, with None for those that are not published here."""

    rules: Mapping[bytes, Sequence[SuffixRule]] = field(default_factory=dict)
    templates: Mapping[str, Template | None] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)  # Names of templates that are still to be looked for.
    whole: bool = True  # False where a row says only what is to change: what it becomes is held to them then.
    _checkers: dict[str, Checker] = field(default_factory=dict)
    _named: dict[bytes, Checker] = field(default_factory=dict)  # By the name as rows have it.

    def check(self, key: bytes, name: str, packed: bytes) -> None:
        """Refuses a row. Raises InvalidHandle or InvalidValue."""
        if not self.whole:
            return
        if not self.rules and (_MARK not in packed or self._fits(packed)):
            return
        values = unpack(packed, 0) if _MARK in packed else ()
        if self.rules:
            self._check_rules(key[: key.index(b"/")], name, values)
        if values:
            self.check_values(values)

    def _fits(self, packed: bytes) -> bool:
        """Whether a usual row fits its template; False where there is more to look at. Raises InvalidValue."""
        parts = plain_parts(packed)
        if parts is None:
            return False
        named = next((data for index, kind, data in parts if kind == TYPE and index in INDEXES), b"")
        checker = self._named.get(named)
        if checker is None:
            return False
        checker.check_parts(parts)
        return True

    def _check_rules(self, prefix_key: bytes, name: str, values: tuple[HandleValue, ...]) -> None:
        if prefix_key in self.rules:
            suffix = name[len(prefix_key.decode()) + 1 :]
            check_suffix(self.rules[prefix_key], suffix)
            check_named(self.rules[prefix_key], suffix, values)

    def check_values(self, values: tuple[HandleValue, ...]) -> None:
        """Refuses what does not fit the template that it names. Raises InvalidValue."""
        named = named_template(values)
        if named is None:
            return
        index, template_name = named
        checker = self._checkers.get(key := template_name.key) or self._checker(key, str(template_name))
        if checker is not None:
            self._named[str(template_name).encode()] = checker
            checker.check(values)
        elif key in self.templates:
            raise InvalidValue("template.unknown", index=index, template=str(template_name))
        elif len(self.templates) + len(self.unknown) >= MAX_TEMPLATES and key not in self.unknown:
            raise InvalidValue("template.too_many", index=index, limit=MAX_TEMPLATES)
        else:
            self.unknown.add(key)

    def _checker(self, key: str, name: str) -> Checker | None:
        template = library.TEMPLATES.get(key) or self.templates.get(key)
        if template is None:
            return None
        checker = self._checkers[key] = Checker(name, template)
        return checker
