"""A handle with its values: what is stored, cached and shown (RFC 3651, section 3)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from registry.errors import InvalidValue, ValueAlreadyExists
from registry.handle import Handle
from registry.links import check_link, is_link
from registry.octets import put_uint32
from registry.relations import check_relation, is_relation
from registry.standing import Standing
from registry.value import DEFAULT_TTL, HandleValue

MAX_VALUES: Final = 2048  # A handle's values, as in the reference server.
MAX_RECORD: Final = 262_144 - 4096  # Octets on the wire: one message of the reference client, less its surroundings.
MAX_TYPE: Final = 128  # Octets; what the national secondary-node interface allows.
MAX_INDEX: Final = (1 << 31) - 1  # Indexes are read as signed integers by the Java clients.


@dataclass(frozen=True, slots=True)
class HandleRecord:
    """Values in ascending order of index, and how often they were written: 1 when registered."""

    handle: Handle
    values: tuple[HandleValue, ...]
    version: int = 1
    standing: Standing | None = None  # None where nobody said anything of its state: it is active.

    def select(self, indexes: Collection[int] = (), types: Collection[str] = ()) -> tuple[HandleValue, ...]:
        """The union of the values at some index and of some type; all of them when nothing is asked for."""
        return select(self.values, indexes, types)

    def at(self, index: int) -> HandleValue | None:
        return next((value for value in self.values if value.index == index), None)


def select(
    values: tuple[HandleValue, ...], indexes: Collection[int], types: Collection[str]
) -> tuple[HandleValue, ...]:
    """As `HandleRecord.select`, of values alone."""
    if not indexes and not types:
        return values
    # Both lists are a stranger's, as long as a message: 60,000 filters must not meet 2,000 values one by one.
    wanted, asked = frozenset(indexes), frozenset([name.upper() for name in types])
    return tuple(value for value in values if value.index in wanted or _is_asked(value.type.upper(), asked))


def _is_asked(folded: str, asked: frozenset[str]) -> bool:
    """As `type_matches` for any of `asked`: every filter that could match is looked up."""
    if folded in asked or f"{folded}." in asked:
        return True
    return any(letter == "." and folded[: end + 1] in asked for end, letter in enumerate(folded))


def public(values: tuple[HandleValue, ...]) -> tuple[HandleValue, ...]:
    """The values that anybody may read."""
    return tuple(value for value in values if value.is_public)


def first_of_type(values: tuple[HandleValue, ...], value_type: str) -> HandleValue | None:
    """The first value of exactly this type or, when it ends in '.', of one that begins so; in any case of letters."""
    wanted = value_type.upper()
    for value in values:
        folded = value.type.upper()
        if folded == wanted or (wanted.endswith(".") and folded.startswith(wanted)):
            return value
    return None


def values_to_wire(values: tuple[HandleValue, ...]) -> bytes:
    """Values as every body of the native protocol holds them: their number, and one after another."""
    out = bytearray()
    put_uint32(out, len(values))
    for value in values:
        value.to_wire(out)
    return bytes(out)


def ttl_of(values: tuple[HandleValue, ...], now: int) -> int:
    """Seconds for which these values may be kept: the smallest of theirs, never negative."""
    return min(
        (max(0, value.ttl - now) if value.ttl_absolute else value.ttl for value in values),
        default=DEFAULT_TTL,
    )


def check_values(values: tuple[HandleValue, ...]) -> tuple[HandleValue, ...]:
    """The values in ascending order of index. Raises InvalidValue or ValueAlreadyExists for what cannot be stored."""
    if len(values) > MAX_VALUES:
        raise InvalidValue("value.too_many", count=len(values), limit=MAX_VALUES)
    seen: set[int] = set()
    octets = 0
    for value in values:
        if value.index <= 0:
            raise InvalidValue("value.index")
        if value.index > MAX_INDEX:
            raise InvalidValue("value.index_range", index=value.index, limit=MAX_INDEX)
        if value.index in seen:
            raise ValueAlreadyExists("value.exists", index=value.index)
        seen.add(value.index)
        _check_type(value)
        if len(value.data) > MAX_RECORD:
            raise InvalidValue("value.too_long", index=value.index, octets=len(value.data), limit=MAX_RECORD)
        if is_link(value.type):
            check_link(value.index, value.data)
        elif is_relation(value.type):
            check_relation(value)
        octets += 26 + len(value.type) + len(value.data)
        for reference in value.references:
            if not 0 <= reference.index <= MAX_INDEX:
                raise InvalidValue("value.index_range", index=reference.index, limit=MAX_INDEX)
            octets += 8 + len(reference.handle.encode())
    if octets > MAX_RECORD:
        raise InvalidValue("record.too_long", octets=octets, limit=MAX_RECORD)
    return tuple(sorted(values, key=_index))


def _check_type(value: HandleValue) -> None:
    name = value.type
    if not name or len(name.encode()) > MAX_TYPE:
        raise InvalidValue("value.type", index=value.index, type=name[:200], rule=f"must have 1 to {MAX_TYPE} octets")
    if not name.isprintable():
        raise InvalidValue("value.type", index=value.index, type=name, rule="holds a character that cannot be shown")


def _index(value: HandleValue) -> int:
    return value.index
