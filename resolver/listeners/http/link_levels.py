"""The identifiers that answer a question for links: the one asked about, and those above it that speak for it too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from registry.handle import HandleKey, KeyOf
from registry.links import Link, links_of
from registry.record import first_of_type
from registry.schemes.gs1_keys import Key
from registry.value import HandleValue
from resolver.listeners.http.link_choice import Level
from resolver.listeners.http.target import Destinations, target_of

# What the address of a record is as a link: it is about the thing, and nobody said in what way.
ABOUT: Final = "describedby"


@dataclass(frozen=True, slots=True)
class Asked:
    """An identifier that is asked about, and those above it, the most exact first: each one's address on this node,
    its key and its name."""

    name: str
    paths: tuple[str, ...]
    keys: tuple[HandleKey, ...]
    names: tuple[str, ...]

    @classmethod
    def of_gs1(cls, key: Key, key_of: KeyOf) -> "Asked":
        levels = key.levels()
        names = tuple(str(level.handle) for level in levels)
        paths = tuple(level.path for level in levels)
        return cls(paths[0], paths, tuple(key_of(name.encode()) for name in names), names)

    def level(self, place: int, values: Iterable[HandleValue], allowed: Destinations) -> Level:
        """What these values of one of them say, with the links that visitors may be sent to."""
        return _level(self.paths[place], self.names[place], tuple(values), allowed)


def _level(path: str, name: str, values: tuple[HandleValue, ...], allowed: Destinations) -> Level:
    links = tuple(link for link in links_of(values) if target_of(link.href, allowed))
    address = _address_of(values, name)
    return Level.of(path, links, address if address and target_of(address.href, allowed) else None)


def _address_of(values: tuple[HandleValue, ...], name: str) -> Link | None:
    value = first_of_type(values, "URL") or first_of_type(values, "URL.")
    return None if value is None else Link(ABOUT, value.text.strip(), name)
