"""`filament register --direct`: one handle written by the node's operator, who needs no key to his own book."""

from typing import Final

from registry.errors import HandleAlreadyExists
from registry.handle import Handle, check_new
from registry.transaction import begin
from registry.value import HandleValue
from resolver.cli.database import opened
from resolver.cli.invocation import Invocation
from resolver.cli.options import Chosen

OPERATOR: Final = "filament register"  # Who a handle's history names.


async def write_directly(
    invocation: Invocation, chosen: Chosen, name: str, values: tuple[HandleValue, ...], *, overwrite: bool
) -> bool:
    """Whether the handle is new. Raises HandleError."""
    handle = Handle.from_text(name)
    check_new(handle)
    async with opened(chosen.settings(invocation).registry, invocation) as store, begin(store, OPERATOR) as transaction:
        there = await transaction.lock(handle)
        if there is None:
            await transaction.create(handle, values)
        elif overwrite:
            await transaction.replace(there, values)
        else:
            raise HandleAlreadyExists("handle.exists", handle=str(there.handle))
        return there is None
