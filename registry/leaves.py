"""The leaves of the trees that seal the change log: one JSON text for each change, the same whenever it is made.

What is hidden is in no leaf, since the sum of a short secret tells it: only that there was a version.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from registry.changes import ChangeKind, Operation
from registry.packing import unpack
from registry.record import public, values_to_wire
from registry.store import Store

_WORDS: Final = {
    None: "handle.changed",
    Operation.CREATED: "handle.created",
    Operation.UPDATED: "handle.updated",
    Operation.DELETED: "handle.deleted",
    Operation.STATE: "handle.state",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a handle says in a version."""

    version: int
    state: int
    octets: bytes  # The values that anybody may read, as the native protocol encodes them.


def leaf_of(row: Any, store: Store, said: Said | None) -> bytes:
    """The leaf of a change, with what its handle says since."""
    form: dict[str, Any] = {"id": f"{row['transaction']}-{row['sequence']}", "time": _time(row["at"])}
    kind = ChangeKind(row["kind"])
    if kind is ChangeKind.HANDLE:
        form |= {
            "type": f"filament.{_WORDS[row['operation']]}",
            "handle": _name(store, row["prefix_id"], row["suffix"]),
        }
    elif kind is ChangeKind.RANGE:
        bounds = {
            name: _name(store, row["prefix_id"], row[column])
            for name, column in (("from", "suffix"), ("to", "suffix_to"))
        }
        form |= {"type": "filament.range.changed", **bounds}
    elif kind is ChangeKind.PREFIX:
        form |= {"type": "filament.prefix.changed", "prefix": _name(store, row["prefix_id"], "")[:-1]}
    else:
        form |= {"type": "filament.everything.changed"}
    return _leaf(form, said)


def loaded_leaf(row: Any, store: Store, suffix: str, said: Said, written_at: datetime) -> bytes:
    """The leaf of a handle that a bulk load wrote."""
    form = {
        "id": f"{row['transaction']}-{row['sequence']}",
        "time": _time(written_at),
        "type": "filament.handle.loaded",
        "handle": _name(store, row["prefix_id"], suffix),
    }
    return _leaf(form, said)


def said_of(row: Any, packed: bytes, since: int) -> Said:
    """Of a row with its version and state, and its values in form 1."""
    return Said(row["version"], row["state"], values_to_wire(public(unpack(packed, since))))


def is_load(row: Any) -> bool:
    """Whether a change is a chunk of a bulk load, whose handles have leaves of their own."""
    return row["kind"] == ChangeKind.RANGE and row["written_at"] is not None


def _leaf(form: dict[str, Any], said: Said | None) -> bytes:
    if said is not None:
        form |= {"version": said.version, "state": said.state, "values": hashlib.sha256(said.octets).hexdigest()}
    return orjson.dumps(form, option=orjson.OPT_SORT_KEYS)


def _name(store: Store, prefix_id: int, suffix: str) -> str:
    """A handle by its key: the spelling may change when it is registered anew."""
    prefix = store.prefixes.by_id(prefix_id)
    return f"{'' if prefix is None else prefix.key.decode()}/{suffix}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
