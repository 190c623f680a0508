"""Prefixes that an enterprise answers for at a node of its own: their prefix handles say here where that node is.

0.NA/<prefix> is registered here, and <prefix> is not homed here. Whoever asks this node for a handle of that prefix is
referred to the site in its prefix handle (RFC 3652, section 3.3).
"""

from typing import Final

from registry.errors import HandleAlreadyExists, InvalidHandle
from registry.handle import NAMING_AUTHORITY, Handle, check_prefix
from registry.record import check_values
from registry.site import SiteInfo
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue

SITE: Final = "HS_SITE"  # Of the prefix itself,
SITE_BELOW: Final = "HS_SITE.PREFIX"  # and of all prefixes below it that are not registered here.
FIRST_INDEX: Final = 10  # Behind the names that prefix handles begin with.


async def delegate_prefix(store: Store, prefix: str, site: SiteInfo, *, by: str, below: bool = False) -> bool:
    """Refers whoever asks for a prefix, or with `below` for prefixes below it, to a site; whether that is new.

    The prefix handle keeps its other values. Raises InvalidHandle for what is no prefix, and HandleAlreadyExists for
    one that is homed here: nobody would be referred.
    """
    check_prefix(prefix)
    if prefix.startswith("0."):
        raise InvalidHandle("prefix.reserved", prefix=prefix)
    handle, value_type = Handle(NAMING_AUTHORITY, prefix), SITE_BELOW if below else SITE
    if not below and store.prefixes.of(store.key_of(f"{prefix}/".encode())) is not None:
        raise HandleAlreadyExists("prefix.exists", prefix=prefix)
    async with begin(store, by) as transaction:
        record = await transaction.lock(handle)
        values = () if record is None else record.values
        given = check_values(_with_site(values, value_type, site.to_wire()))
        if record is None:
            await transaction.create(handle, given)
        else:
            await transaction.replace(record, given)
    return not any(value.type.upper() == value_type for value in values)


def _with_site(values: tuple[HandleValue, ...], value_type: str, data: bytes) -> tuple[HandleValue, ...]:
    """The values with this site instead of any other of its type."""
    others = [value for value in values if value.type.upper() != value_type]
    taken = {value.index for value in others}
    replaced = [value.index for value in values if value.type.upper() == value_type]
    free = next(index for index in range(FIRST_INDEX, FIRST_INDEX + len(taken) + 1) if index not in taken)
    return (*others, HandleValue(replaced[0] if replaced else free, value_type, data))
