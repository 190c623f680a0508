"""Which of an identifier's links a question is answered with (GS1-Conformant Resolver Standard, 2.5.8, 2.5.9, 2.6).

What a question says in headers, its media types, languages and contexts, is held against what links say of themselves.
A link that says nothing is worse than one that fits, and better than one that contradicts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from registry.links import Link

MAX_CHOICES: Final = 32  # Of a header; browsers send some eight.
_NEUTRAL: Final = (0, 0.0, 0)
_CONTRADICTED: Final = (-1, 0.0, 0)

Weighted = tuple[tuple[str, float], ...]
Rank = tuple[tuple[int, float, int], ...]


@dataclass(frozen=True, slots=True)
class Level:
    """An identifier on which a question is about, or that stands above it. `path` is its address on this node."""

    path: str
    links: tuple[Link, ...]
    default: Link | None
    variants: tuple[Link, ...] = ()

    @classmethod
    def of(cls, path: str, links: Sequence[Link], address: Link | None) -> "Level":
        """`address` is what the URL of a record is as a link: the default where no link is marked as one."""
        every = (*links, address) if address else tuple(links)
        marked = tuple(link for link in links if link.default)
        default = (marked or ((address,) if address else every) or (None,))[0]
        return cls(path, every, default, marked if len(marked) > 1 else ())


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a question prefers, the headers as they are weighted, and contexts from the query."""

    media_types: Weighted = ()
    languages: Weighted = ()
    contexts: tuple[str, ...] = ()

    def rank(self, link: Link) -> Rank:
        """How well a link fits; greater is better."""
        return (
            self._rank_of_media_type(link.type),
            self._rank_of_languages(link.hreflang),
            self._rank_of_context(link),
        )

    def _rank_of_media_type(self, media_type: str) -> tuple[int, float, int]:
        if not media_type or not self.media_types:
            return _NEUTRAL
        kind = media_type.partition(";")[0].strip().lower()
        main = kind.partition("/")[0] + "/*"
        ranks = [
            (1, weight, 1 if wanted == kind else 0) for wanted, weight in self.media_types if wanted in (kind, main)
        ]
        if ranks:
            return max(ranks)
        return _NEUTRAL if any(wanted == "*/*" for wanted, _ in self.media_types) else _CONTRADICTED

    def _rank_of_languages(self, tags: tuple[str, ...]) -> tuple[int, float, int]:
        if not tags or not self.languages:
            return _NEUTRAL
        ranks = [
            (1, weight, likeness)
            for wanted, weight in self.languages
            for tag in tags
            if (likeness := _likeness(wanted, tag.lower()))
        ]
        if ranks:
            return max(ranks)
        return _NEUTRAL if any(wanted == "*" for wanted, _ in self.languages) else _CONTRADICTED

    def _rank_of_context(self, link: Link) -> tuple[int, float, int]:
        if not link.context or not self.contexts:
            return _NEUTRAL
        return (1, 1.0, 0) if not set(self.contexts).isdisjoint(link.context) else _CONTRADICTED


def best_of(links: Sequence[Link], preferences: Preferences) -> tuple[Link, ...]:
    """The link that fits best, or all that fit equally well."""
    if len(links) < 2:
        return tuple(links)
    ranks = [preferences.rank(link) for link in links]
    best = max(ranks)
    return tuple(link for link, rank in zip(links, ranks, strict=True) if rank == best)


def default_of(level: Level, preferences: Preferences) -> Link | None:
    """The default link, or the one of its variants that the question singles out."""
    best = best_of(level.variants, preferences)
    if len(best) == 1 and any(part > _NEUTRAL for part in preferences.rank(best[0])):
        return best[0]
    return level.default


def links_of_type(levels: Iterable[Level], relation: str) -> tuple[Link, ...]:
    """The links of a type, of the first level that has any: what is more exact goes before what is more general."""
    for level in levels:
        if found := tuple(link for link in level.links if link.rel == relation):
            return found
    return ()


def _likeness(wanted: str, tag: str) -> int:
    """3 for the same tag, 2 where one is the other's beginning (RFC 4647, 3.3 and 3.4), 1 for others of a language."""
    if wanted == tag:
        return 3
    if wanted.startswith(f"{tag}-") or tag.startswith(f"{wanted}-"):
        return 2
    return 1 if wanted.partition("-")[0] == tag.partition("-")[0] else 0


def weighted(header: str) -> Weighted:
    """The choices of a header with their weights; those of weight 0 are none (RFC 9110, 12.4.2)."""
    choices: list[tuple[str, float]] = []
    for choice in header.split(",", MAX_CHOICES)[:MAX_CHOICES]:
        name, *parameters = choice.split(";")
        weight = _weight(parameters)
        if name.strip() and weight > 0:
            choices.append((name.strip().lower(), weight))
    return tuple(choices)


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
