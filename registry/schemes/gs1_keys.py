"""GS1 identification keys and what may qualify them: the one form in which each is kept (URI Syntax standard, 4.9).

A key's suffix is its Digital Link path: identifiers and values by turns, qualifiers in the order of the standard.
'/' and '%' inside a value are escaped, so that no two keys are one name; everything else stands as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.schemes.gs1_identifiers import MAX_SHOWN, identifier_of

SYSTEM: Final = "gs1"

GTIN: Final = "01"
SSCC: Final = "00"
GTIN_LENGTH: Final = 14
_OLD_GTINS: Final = (8, 12, 13)  # Written with zeros in front since (URI Syntax, 4.1).
_ITEM: Final = (("22", "10", "21"),)
# By primary key the sequences of qualifiers, one of which a key may have in part, in their order.
SEQUENCES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    SSCC: (),
    GTIN: (*_ITEM, ("235",)),
    "253": (),
    "255": (),
    "401": (),
    "402": (),
    "410": (),
    "411": (),
    "412": (),
    "413": (),
    "414": (("254",), ("7040",)),
    "415": (("8020",),),
    "417": (("7040",),),
    "8003": (),
    "8004": (("7040",),),
    "8006": _ITEM,
    "8010": (("8011",),),
    "8013": (),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
# What a record of an item may be kept under, from the item to the product (Resolver standard, 2.5.9).
_LEVELS: Final = (("22", "10", "21"), ("10", "21"), ("21",), ("22", "10"), ("10",), ("22",), ())


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its qualifiers, checked."""

    ai: str
    value: str
    qualifiers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, ai: str, value: str, qualifiers: Iterable[tuple[str, str]] = ()) -> "Key":
        """Raises InvalidHandle, which names the application identifier and the rule."""
        if ai not in SEQUENCES:
            identifier_of(ai)
            raise InvalidHandle("gs1.no_key", ai=ai)
        if ai == GTIN and len(value) in _OLD_GTINS and value.isdigit():
            value = value.zfill(GTIN_LENGTH)
        identifier_of(ai).check(value)
        key = cls(ai, value, tuple(qualifiers))
        key._check_qualifiers()
        return key

    def __str__(self) -> str:
        return "/".join([part for ai, value in self.elements for part in (ai, escaped(value))])

    @property
    def path(self) -> str:
        """The path of its Digital Link on any host."""
        return "".join([f"/{ai}/{quote(value, safe='')}" for ai, value in self.elements])

    @property
    def elements(self) -> tuple[tuple[str, str], ...]:
        return ((self.ai, self.value), *self.qualifiers)

    @property
    def handle(self) -> Handle:
        return Handle(SYSTEM, str(self))

    def levels(self) -> tuple["Key", ...]:
        """The keys whose records are about this one: itself first, then every less exact one, up to the primary key."""
        if not self.qualifiers:
            return (self,)
        if self.ai not in (GTIN, "8006") or len(self.qualifiers) == 1:
            return (self, Key(self.ai, self.value))
        values = dict(self.qualifiers)
        return tuple(
            Key(self.ai, self.value, tuple((ai, values[ai]) for ai in level))
            for level in _LEVELS
            if values.keys() >= set(level)
        )

    def _check_qualifiers(self) -> None:
        asked = [ai for ai, _ in self.qualifiers]
        for ai, value in self.qualifiers:
            identifier_of(ai).check(value)
            if asked.count(ai) > 1:
                raise InvalidHandle("gs1.repeated", ai=ai)
        if asked and not any(_is_in_order(asked, sequence) for sequence in SEQUENCES[self.ai]):
            orders = " | ".join(", ".join(sequence) for sequence in SEQUENCES[self.ai]) or "-"
            raise InvalidHandle("gs1.qualifiers", ai=self.ai, asked=", ".join(asked)[:MAX_SHOWN], orders=orders)


def escaped(value: str) -> str:
    return value.replace("%", "%25").replace("/", "%2F")


def ordered(ai: str, elements: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Those of some elements that may qualify a key, in the standard's order: of the first sequence that has any."""
    for sequence in SEQUENCES[ai]:
        if found := tuple((one, elements[one]) for one in sequence if one in elements):
            return found
    return ()


def _is_in_order(asked: list[str], sequence: tuple[str, ...]) -> bool:
    places = iter(sequence)
    return all(ai in places for ai in asked)
