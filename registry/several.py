"""Several writes of handles in one transaction: all of them, or none and the first that could not be made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from registry.authentication import Administrator
from registry.errors import AuthenticationNeeded, HandleError
from registry.handle import Handle
from registry.registration import Registration
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from registry.writing import ANY_VERSION, Written

# Operations of one transaction: some seconds, for which whoever writes the same handles waits. A pallet has 96 cakes.
MAX_OPERATIONS: Final = 2000

Kind = Literal["create", "replace", "upsert", "delete", "putValues", "deleteValues"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One write: a handle, and the values or the indexes of values that it is about.

    It is made of `version` alone, where that is given. With `same`, creating what is there and says the same is fine.
    """

    kind: Kind
    handle: Handle
    values: tuple[HandleValue, ...] = ()
    indexes: tuple[int, ...] = ()
    version: int | None = None
    same: bool = False


class OperationRefused(Exception):
    """One of several could not be made, so none was."""

    def __init__(self, place: int, error: HandleError) -> None:
        self.place = place
        self.error = error


async def make(
    store: Store, registration: Registration, operations: Sequence[Operation], by: Administrator
) -> list[Written]:
    """What came of each, in their order. Raises OperationRefused, ServerBusy, DATABASE_AWAY."""
    # Everybody locks handles in the order of their keys; operations of one handle keep theirs.
    keys = [store.key_of(operation.handle.octets) for operation in operations]
    made: dict[int, Written] = {}
    async with store.as_one(), begin(store, str(by)) as transaction:
        place = 0
        try:
            await transaction.hold(operation.handle for operation in operations)
            for place in sorted(range(len(operations)), key=keys.__getitem__):
                operation = operations[place]
                made[place] = await _MAKE[operation.kind](registration, operation, by)
        except AuthenticationNeeded:
            raise
        except HandleError as error:
            raise OperationRefused(place, error) from None
    return [made[place] for place in range(len(operations))]


async def _create(registration: Registration, one: Operation, by: Administrator) -> Written:
    return await registration.put_record(one.handle, one.values, by, overwrite=False, or_same=one.same)


async def _replace(registration: Registration, one: Operation, by: Administrator) -> Written:
    version = ANY_VERSION if one.version is None else one.version
    return await registration.put_record(one.handle, one.values, by, version=version)


async def _upsert(registration: Registration, one: Operation, by: Administrator) -> Written:
    return await registration.put_record(one.handle, one.values, by, version=one.version)


async def _put_values(registration: Registration, one: Operation, by: Administrator) -> Written:
    return await registration.put_values(one.handle, one.values, by, version=one.version)


async def _delete_values(registration: Registration, one: Operation, by: Administrator) -> Written:
    return await registration.delete_values(one.handle, one.indexes, by, version=one.version)


async def _delete(registration: Registration, one: Operation, by: Administrator) -> Written:
    return await registration.delete_record(one.handle, by, version=one.version)


_MAKE: Final[Mapping[Kind, Callable[[Registration, Operation, Administrator], Awaitable[Written]]]] = {
    "create": _create,
    "replace": _replace,
    "upsert": _upsert,
    "putValues": _put_values,
    "deleteValues": _delete_values,
    "delete": _delete,
}
