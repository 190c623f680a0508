"""What was prepared of a chunk, brought into the form in which it is stored: search keys made, links found, values
deflated.

Runs where chunks are prepared, in a process of its own. Of several dictionaries the one that serves this chunk best is
taken; where one made of the chunk itself would serve much better, it is proposed, and serves from a later chunk on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from registry.conformity import Conformity
from registry.deflating import LONGEST_DICTIONARY, Dictionary, body_of
from registry.packing import unpack
from registry.preparation import Prepared
from registry.relations import RELATIONS, Said, links_said
from registry.search_keys import search_keys

SAMPLE: Final = 64  # Rows that dictionaries are compared on: a few milliseconds for a chunk of 20,000.
ENOUGH: Final = 2_000  # Rows in a chunk below which no dictionary is proposed: it would take more than it saves.
MUCH_BETTER: Final = 0.75  # Of the octets: dictionaries are read by every process, so few should do.

_RELATIONS: Final = tuple(name.encode() for name in RELATIONS)

Searchable = Mapping[bytes, Sequence[str]]
"""By key of prefix, the types of values that its handles are found by."""


def prepare_stored(
    work: Callable[..., Prepared],
    arguments: Sequence[object],
    dictionaries: Sequence[Dictionary],
    searchable: Searchable,
    conformity: Conformity,
) -> Prepared:
    """What `work` prepares, ready to be stored: nothing yet where rows name templates that are still to be found."""
    prepared = work(*arguments, conformity)
    if prepared.unknown:
        return Prepared(unknown=prepared.unknown)
    prepared.keys = _keys(prepared, searchable)
    prepared.links = [*map(_links, prepared.packed)]
    best = _best(prepared, dictionaries)
    if best is not None:
        prepared.dictionary = best.number
        prepared.packed = [best.deflate(packed) for packed in prepared.packed]
    return prepared


def _keys(prepared: Prepared, searchable: Searchable) -> list[str | None]:
    keys: list[str | None] = []
    for run in prepared.runs:
        types = searchable.get(run.prefix_key, ())
        keys += [search_keys(run.prefix_key, packed, types) for packed in prepared.packed[run.start : run.end]]
    return keys


def _links(packed: bytes) -> frozenset[Said] | None:
    """The links that a row says; None for nearly all, that say none."""
    if not any(map(packed.__contains__, _RELATIONS)):
        return None
    return links_said(unpack(packed, 0)) or None


def _best(prepared: Prepared, dictionaries: Sequence[Dictionary]) -> Dictionary | None:
    """The dictionary that serves best, if any serves; and a proposal where a new one would serve much better."""
    rows = prepared.packed
    step = max(1, len(rows) // SAMPLE // 2) * 2
    # Rows longer than what a dictionary can say tell nothing about it, and would take long.
    sample = [packed for packed in rows[::step] if len(packed) <= LONGEST_DICTIONARY]
    octets = {dictionary: _octets(dictionary, sample) for dictionary in dictionaries}
    best = min(dictionaries, key=octets.__getitem__, default=None)
    smallest = sum(map(len, sample)) if best is None else octets[best]
    if len(rows) >= ENOUGH:
        # Made of other rows than it is tried on, or it would know them by heart.
        fresh = body_of(rows[1::2])
        if _octets(Dictionary(0, fresh), sample) < MUCH_BETTER * smallest:
            prepared.proposal = fresh
    return best


def _octets(dictionary: Dictionary, sample: Sequence[bytes]) -> int:
    return sum(len(dictionary.deflate(packed)) for packed in sample)
