"""10320/loc: several addresses of one handle, and which of them a visitor is sent to.

The value is XML of a stranger: read by expat as UTF-8 with no DOCTYPE, so no entities, and bounded in size. Each
method of `chooseby` narrows the set down; one that would leave nothing is undone; at the end chance decides by weight.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from xml.parsers import expat

MAX_OCTETS: Final = 65_536  # A list of a thousand addresses fits; parsing it takes a millisecond or two.
MAX_LOCATIONS: Final = 1_000
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
        if len(document) > MAX_OCTETS:
            return None
        reader = _Reader()
        try:
            reader.read(document)
        except (expat.ExpatError, _Refused):
            return None
        return cls(tuple(reader.locations), reader.methods) if reader.locations else None

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


class _Refused(Exception):
    """The document has what no list of locations needs."""


class _Reader:
    def __init__(self) -> None:
        self.locations: list[Location] = []
        self.methods = DEFAULT_METHODS
        self._depth = 0

    def read(self, document: bytes) -> None:
        parser = expat.ParserCreate("utf-8")  # In place of what the document says of itself.
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(document, True)

    def _refuse(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            if name != "locations":
                raise _Refused
            if chooseby := attributes.get("chooseby"):
                self.methods = tuple(method.strip().lower() for method in chooseby.split(","))
        elif self._depth == 2 and name == "location" and attributes.get("href"):
            if len(self.locations) == MAX_LOCATIONS:
                raise _Refused
            self.locations.append(Location(attributes.pop("href"), attributes))

    def _end(self, _: str) -> None:
        self._depth -= 1


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
