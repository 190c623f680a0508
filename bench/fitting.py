"""The demo's records with the template of the library that each fits, for loads that are held to templates."""

from typing import Final

from bench.vocabulary import MACHINE, Record
from registry.library import LIBRARY
from registry.template import INDEXES, TYPE

# By the first letter of the suffix; vehicles have no template.
_TEMPLATES: Final = {"B": "box", "P": "pallet", "L": "batch", "R": "roll", "G": "garment", "T": "transport"}


def fitted(record: Record) -> Record:
    """The record, naming its template in one value more, where it has one."""
    name = _template(record)
    if name is None:
        return record
    return Record(record.handle, (*record.values, (INDEXES[0], TYPE, f"{LIBRARY}/{name}@1")))


def _template(record: Record) -> str | None:
    suffix = record.handle.partition("/")[2]
    if suffix.startswith("C."):
        return suffix[2:5].lower()  # The product's word begins with the kind of yarn.
    if suffix.startswith("E."):
        return "spindle" if any(kind == MACHINE[1] for _, kind, _ in record.values) else "machine"
    return _TEMPLATES.get(suffix[:1])
