"""Aliases: handles with a value HS_ALIAS, whose data names the handle that they stand for (RFC 3651, section 3.1).

What is written must lead somewhere in few steps and never back to itself. Two writers at a time, or a load in bulk,
can still close a circle: who follows aliases counts the steps too.
"""

from collections.abc import Iterable
from typing import Final

from registry.errors import InvalidValue
from registry.handle import Handle
from registry.names import Names
from registry.store import Store
from registry.value import HandleValue

ALIAS: Final = "HS_ALIAS"
# As it is written; any other case is a type of its own, which nothing follows.
_SPELLINGS: Final = frozenset({ALIAS, ALIAS.lower()})
# Steps from an alias to a record: a customer's code, the maker's, the pallet's. The reference's clients follow ten.
MAX_HOPS: Final = 4


def target_of(values: Iterable[HandleValue]) -> str | None:
    """The name that these values stand for; None when they stand for themselves."""
    for value in values:
        if value.type in _SPELLINGS and (target := value.data.decode(errors="replace").strip()):
            return target
    return None


async def check_alias(store: Store, handle: Handle, values: Iterable[HandleValue]) -> None:
    """Refuses an alias of what is no name, of itself, or too many steps from a record. Raises HandleError."""
    target = target_of(values)
    if target is None:
        return
    names = Names(store.key_of, lambda: store.prefixes)
    seen = {store.key_of(handle.octets)}
    named = target
    for _ in range(MAX_HOPS):
        key = names.key_of(named.encode())
        if key in seen:
            raise InvalidValue("alias.circle", handle=str(handle), target=target)
        seen.add(key)
        record = await store.fetch(key)
        following = None if record is None else target_of(record.values)
        if following is None:
            return
        named = following
    raise InvalidValue("alias.too_many", handle=str(handle), limit=MAX_HOPS)
