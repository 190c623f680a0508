"""Prefixes: which of them this node answers for, held in memory so that a foreign name costs no query.

A prefix is itself a handle, 0.NA/<prefix>, whose values say who administers it (RFC 3651, section 2.1).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from registry.handle import HandleKey
from registry.suffixes import SuffixRule
from registry.views import NO_VIEWS, Views


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix that is or was homed here. `key` is its folded form, in octets."""

    prefix_id: int
    key: bytes
    spelling: str
    homed: bool
    enterprise: str = ""
    searchable: tuple[str, ...] = ()  # Types of values by which its handles are found.
    enterprise_id: int | None = None
    suspended: bool = False  # Its handles are answered, and nobody but the node writes them.
    is_limited: bool = False  # Whether its enterprise has a limit on registrations.
    rules: tuple[SuffixRule, ...] = ()  # Forms that new suffixes must have one of, if there are any.
    ranged: bool = False  # Whether it has had ranges: only then handles are looked for in them.
    enterprise_in_english: str = ""
    views: Views = NO_VIEWS


class PrefixTable:
    """The prefixes of a node, by number and by key."""

    def __init__(self, prefixes: Iterable[Prefix] = ()) -> None:
        self._by_key = {prefix.key: prefix for prefix in prefixes}
        self._by_id = {prefix.prefix_id: prefix for prefix in self._by_key.values()}
        self.any_ranged = any(prefix.ranged for prefix in self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def homed(self) -> list[Prefix]:
        """The prefixes answered for here, in order of their keys."""
        return sorted((prefix for prefix in self._by_key.values() if prefix.homed), key=lambda prefix: prefix.key)

    def of(self, key: HandleKey) -> Prefix | None:
        """The prefix of a handle, when it is homed here."""
        prefix = self._by_key.get(key.partition(b"/")[0])
        return prefix if prefix is not None and prefix.homed else None

    def of_enterprise(self, enterprise_id: int) -> list[Prefix]:
        """The prefixes of an enterprise, homed or not."""
        return [prefix for prefix in self._by_key.values() if prefix.enterprise_id == enterprise_id]

    def find(self, prefix_key: bytes) -> Prefix | None:
        """The prefix with this key, homed or not."""
        return self._by_key.get(prefix_key)

    def by_id(self, prefix_id: int) -> Prefix | None:
        return self._by_id.get(prefix_id)
