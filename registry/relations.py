"""What one handle says of another: part of, made from, packed in, on machine.

A link is a value: its type is the relation, its data the other handle. Each points at what was there before, but for
packing, which comes after making. So time gives every link a direction, and a chain is walked backward, to what a
thing came from (garment, roll, yarn, batch, raw material), or forward, to what came of it (batch, cakes, pallets,
truck).
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from registry.errors import InvalidHandle, InvalidValue
from registry.handle import Handle, HandleKey, check_new
from registry.value import HandleValue

MayRead = Callable[[HandleKey, HandleValue], bool]


class Relation(IntEnum):
    """The numbers are stored, the names are types of values."""

    PART_OF = 1
    MADE_FROM = 2
    PACKED_IN = 3
    ON_MACHINE = 4


class Direction(Enum):
    BACKWARD = "backward"
    FORWARD = "forward"


class Said(NamedTuple):
    """One link as a handle says it; `target` is spelled as its value spells it."""

    relation: Relation
    target: str
    public: bool


RELATIONS: Final[Mapping[str, Relation]] = {relation.name: relation for relation in Relation}
# By direction: the relations that are walked from who says them to the other handle.
_OUTWARD: Final[Mapping[Direction, frozenset[Relation]]] = {
    Direction.BACKWARD: frozenset({Relation.PART_OF, Relation.MADE_FROM, Relation.ON_MACHINE}),
    Direction.FORWARD: frozenset({Relation.PACKED_IN}),
}


def outward(direction: Direction, follow: Iterable[Relation]) -> list[int]:
    """Which of these relations are walked from who says them."""
    return sorted(_OUTWARD[direction].intersection(follow))


def inward(direction: Direction, follow: Iterable[Relation]) -> list[int]:
    """Which of them are walked the other way."""
    return sorted(set(follow) - _OUTWARD[direction])


def is_relation(value_type: str) -> bool:
    """Whether values of this type are links, or look like it to a person."""
    return value_type.upper() in RELATIONS


def check_relation(value: HandleValue) -> None:
    """Raises InvalidValue for a link that leads to no name."""
    try:
        if value.type not in RELATIONS:
            raise ValueError("the type is written in capitals")
        text = value.data.decode()
        if "/" not in text:
            raise ValueError("is no handle: write prefix/suffix")
        check_new(Handle.from_text(text))
    except (InvalidHandle, ValueError) as error:
        rule = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise InvalidValue("value.data", index=value.index, type=value.type, rule=rule) from None


def links_said(values: Iterable[HandleValue]) -> frozenset[Said]:
    """The links that these values say; one that anybody may read hides one that nobody may."""
    links: dict[tuple[Relation, str], bool] = {}
    for value in values:
        relation = RELATIONS.get(value.type)
        if relation is not None:
            place = (relation, value.data.decode("utf-8", "replace"))
            links[place] = links.get(place, False) or value.is_public
    return frozenset(Said(*place, public) for place, public in links.items())
