"""10320/loc: several addresses of one handle, and which of them a visitor is sent to.

Each method of `chooseby` narrows the set down; one that would leave nothing is undone; at the end chance decides by
weight.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from registry.small_xml import MAX_OCTETS, read

MAX_LOCATIONS: Final = 1_000  # What fits into a value; parsing them takes a millisecond or two.
MAX_ELEMENTS: Final = MAX_OCTETS // 4  # More do not fit, whatever is not an address among them.
DEFAULT_METHODS: Final[tuple[str, ...]] = ("locatt", "country", "score", "weighted")


class Chance(Protocol):
    """What decides among equals: a random.Random, or anything that answers like one."""

    def random(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Location:
    """One address, with every attribute that it was written with."""

    href: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def country(self) -> str:
        return self.attributes.get("country", "").lower()

    def number(self, name: str, default: float) -> float:
        """An attribute as a number from -1e9 to 1e9; `default` when it is missing or none."""
        try:
            number = float(self.attributes.get(name, default))
        except ValueError:
            return default
        return min(max(number, -1e9), 1e9) if number == number else default


@dataclass(frozen=True, slots=True)
class Locations:
    """The addresses of a handle and the methods that choose among them."""

    locations: tuple[Location, ...]
    methods: tuple[str, ...] = DEFAULT_METHODS

    @classmethod
    def from_xml(cls, document: bytes) -> "Locations | None":
        """None for what is not well-formed, too long, without an address, or has a DOCTYPE."""
        root = read(document, elements=MAX_ELEMENTS, depth=MAX_ELEMENTS)
        if root is None or root.name != "locations":
            return None
        found = [one.attributes for one in root.children if one.name == "location" and one.attributes.get("href")]
        if not 0 < len(found) <= MAX_LOCATIONS:
            return None
        methods = root.attributes.get("chooseby")
        return cls(
            tuple(Location(one["href"], {name: one[name] for name in one if name != "href"}) for one in found),
            tuple(method.strip().lower() for method in methods.split(",")) if methods else DEFAULT_METHODS,
        )

    def choose(self, wishes: "Wishes", chance: Chance) -> Location:
        """The address for a visitor."""
        remaining: Sequence[Location] = self.locations
        for method in self.methods:
            if len(remaining) == 1:
                break
            narrow = _METHODS.get(method)
            # A method that we do not know chooses nothing, and so is undone.
            remaining = (narrow(remaining, wishes) if narrow else ()) or remaining
        return remaining[0] if len(remaining) == 1 else _drawn(remaining, chance)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is known of a visitor: attributes asked for by ?locatt=, and a country."""

    attributes: tuple[tuple[str, str], ...] = ()
    country: str = ""


def _by_attributes(locations: Sequence[Location], wishes: Wishes) -> Sequence[Location]:
    if not wishes.attributes:
        return locations
    return [
        location
        for location in locations
        if all(location.attributes.get(name) == value for name, value in wishes.attributes)
    ]


def _by_country(locations: Sequence[Location], wishes: Wishes) -> Sequence[Location]:
    """Those of the visitor's country; when there are none, those of no country."""
    country = wishes.country.lower()
    at_home = [location for location in locations if country and location.country == country]
    return at_home or [location for location in locations if not location.country]


def _by_score(locations: Sequence[Location], _: Wishes) -> Sequence[Location]:
    """Those with the highest score; one without a score has 0."""
    best = max(location.number("score", 0) for location in locations)
    return [location for location in locations if location.number("score", 0) == best]


def _by_weight(locations: Sequence[Location], _: Wishes) -> Sequence[Location]:
    """Those that chance may choose at all."""
    return [location for location in locations if location.number("weight", 1) > 0]


def _drawn(locations: Sequence[Location], chance: Chance) -> Location:
    """One by weight; where no weight is above 0, all are equal."""
    weights = [max(location.number("weight", 1), 0.0) for location in locations]
    if not any(weights):
        weights = [1.0] * len(locations)
    place = chance.random() * sum(weights)
    for location, weight in zip(locations, weights, strict=True):
        place -= weight
        if place < 0:
            return location
    return locations[-1]


_METHODS: Final[Mapping[str, Callable[[Sequence[Location], Wishes], Sequence[Location]]]] = {
    "locatt": _by_attributes,
    "country": _by_country,
    "score": _by_score,
    "weighted": _by_weight,
}
