"""What rows of a state job say of their handles: to each its state, why, its successor, and when its time is over.

What a row leaves open, the job says for all of them; but when its time is over and what comes after it belong to a
state, so a row that names its own leaves these open no longer.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from registry.errors import ProtocolFault
from registry.packing import pack
from registry.rest import time_from_text
from registry.standing import CHOSEN, State, Wish
from registry.tabular import Columns, columns_of_handles

NOTHING: Final = pack((), 0)  # What a row carries that says nothing of its own: that of one without values.
WORDS: Final[Mapping[str, State]] = {
    "active": State.ACTIVE,
    "frozen": State.FROZEN,
    "revoked": State.REVOKED,
    "expired": State.EXPIRED,
    "有效": State.ACTIVE,
    "启用": State.ACTIVE,
    "冻结": State.FROZEN,
    "注销": State.REVOKED,
    "过期": State.EXPIRED,
}
_COLUMNS: Final[Mapping[str, str]] = {
    "STATE": "state",
    "状态": "state",
    "REASON": "reason",
    "原因": "reason",
    "SUCCESSOR": "successor",
    "后继标识": "successor",
    "EXPIRES": "expires",
    "到期时间": "expires",
}


class RowWish(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """What one row says. `expires` in seconds since 1970."""

    state: int | None = None
    reason: str = ""
    successor: str = ""
    expires: int | None = None


def said(texts: Mapping[str, str], names: Mapping[str, str]) -> bytes:
    """What a row carries, from its texts by field; `names` are those that its file has for the fields. Raises
    ProtocolFault, which names the culprit's."""
    state, expires = texts.get("state", ""), texts.get("expires", "")
    wish = RowWish(
        _state(state, names["state"]) if state else None,
        texts.get("reason", ""),
        texts.get("successor", ""),
        _seconds(expires, names["expires"]) if expires else None,
    )
    return NOTHING if wish == RowWish() else msgspec.json.encode(wish)


def wish_of(carried: bytes, of_job: Wish | None) -> Wish:
    """What is to become of a row's handle. Raises ProtocolFault where neither the row nor its job says it."""
    own = RowWish() if carried == NOTHING else msgspec.json.decode(carried, type=RowWish)
    if own.state is not None:
        reason = own.reason or (of_job.reason if of_job else "")
        return Wish(State(own.state), reason, own.successor, own.expires)
    if of_job is None:
        raise ProtocolFault("load.state_missing")
    expires = of_job.expires if own.expires is None else own.expires
    return Wish(of_job.state, own.reason or of_job.reason, own.successor or of_job.successor, expires)


def columns_of_wishes(names: Sequence[str]) -> Columns:
    """The header of a table whose rows may name states. Raises ProtocolFault."""
    columns = columns_of_handles(names)
    fields = [_COLUMNS.get(name.upper()) for name in columns.names]
    for place, field in enumerate(fields):
        if field is not None and field in fields[:place]:
            raise ProtocolFault("load.header", column=place + 1, rule=f"{field} is there twice")
    return columns


def places(columns: Columns) -> dict[str, int]:
    """In which columns of a table the fields stand. A column that a mapping takes for a value is none of them."""
    values = {place for place, _, _ in columns.values}
    named = ((_COLUMNS.get(name.upper()), place) for place, name in enumerate(columns.names) if place not in values)
    return {field: place for field, place in named if field is not None}


def _state(text: str, name: str) -> int:
    state = WORDS.get(text.strip().lower())
    if state is None:
        words = ", ".join(one.word for one in CHOSEN if one is not State.RESERVED)
        raise ProtocolFault("load.state", field=name, value=text[:40], states=words)
    return state


def _seconds(text: str, name: str) -> int:
    try:
        return time_from_text(text.strip())
    except ValueError:
        raise ProtocolFault("load.expires", field=name, value=text[:40]) from None
