"""What a handle says itself that it holds: a pallet its boxes, a box its cakes, one a line (`registry.library`).

Who packs often writes the whole list with the pallet, and nothing with each cake. Lists and links are two ways of
saying one thing, so who asks what is in a thing is told both.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from registry.errors import HandleError
from registry.handle import HandleKey
from registry.library import TEMPLATES
from registry.record import public
from registry.store import Store
from registry.value import HandleValue
from resolver.answer import Answer

LISTS: Final = frozenset(
    attribute.type for each in TEMPLATES.values() for attribute in each.attributes if attribute.many
)
_MARKS: Final = tuple(f'"type":"{value_type}"'.encode() for value_type in sorted(LISTS))
MAX_LISTED: Final = 2_000  # Of one handle: a truck has 1,500 cakes in it.


def listed_in(answer: Answer, store: Store) -> list[HandleKey]:
    """The handles that public lists of a record name, as far as their prefixes are homed here."""
    if not any(mark in answer.tail for mark in _MARKS):
        return []
    record = answer.record
    return [] if record is None else listed_by(public(record.values), store)


def listed_by(values: Iterable[HandleValue], store: Store) -> list[HandleKey]:
    """The handles that lists among these values name."""
    lines = (
        line for value in values if value.type in LISTS for line in value.text.split("\n", MAX_LISTED)[:MAX_LISTED]
    )
    return [*_keys(lines, store)]


def _keys(lines: Iterator[str], store: Store) -> Iterator[HandleKey]:
    for line in lines:
        try:
            key = store.key_of(line.strip().encode())
        except HandleError:
            continue
        if store.prefixes.of(key) is not None:
            yield key
