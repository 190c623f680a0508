"""One write in the book: of whatever is there, or only of the version that its writer has seen."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from registry.authentication import Administrator
from registry.errors import HandleNotFound, ProtocolFault
from registry.handle import Handle
from registry.record import HandleRecord
from registry.store import Store
from registry.transaction import Transaction, begin
from registry.value import HandleValue

ANY_VERSION: Final = 0  # Versions count from 1.


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the handle as it was asked for, whether it or its values are new, what it says now."""

    handle: Handle
    created: bool
    record: HandleRecord


async def change(
    store: Store,
    handle: Handle,
    by: Administrator,
    version: int | None,
    make: Callable[[Transaction, HandleRecord], Awaitable[Written]],
) -> Written:
    """Changes a handle that must be there, its row held meanwhile."""
    async with begin(store, str(by)) as transaction:
        record = await transaction.lock(handle)
        expect(version, handle, record)
        if record is None:
            raise HandleNotFound("handle.not_found", handle=str(handle))
        return await make(transaction, record)


async def replace(transaction: Transaction, record: HandleRecord, values: tuple[HandleValue, ...]) -> HandleRecord:
    """Writes what a locked handle says now; one that says it already is left as it is, with its version."""
    return record if says_the_same(record.values, values) else await transaction.replace(record, values)


def says_the_same(old: tuple[HandleValue, ...], new: tuple[HandleValue, ...]) -> bool:
    return len(new) == len(old) and all(one.says_the_same_as(other) for one, other in zip(new, old, strict=True))


def expect(version: int | None, handle: Handle, record: HandleRecord | None) -> None:
    """Refuses to write what is not at the version that the writer has seen."""
    if version is None or (record is not None and version in (record.version, ANY_VERSION)):
        return
    raise ProtocolFault("write.version", handle=str(handle), version=0 if record is None else record.version)
