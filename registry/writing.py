"""One write in the book, on the terms of whoever makes it: once, of the version that he has seen, or on trial."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from registry import receipts
from registry.authentication import Administrator
from registry.errors import HandleNotFound, ProtocolFault, ServerBusy
from registry.handle import Handle
from registry.receipts import Outcome, Receipt, WrittenBefore
from registry.record import HandleRecord
from registry.store import Store
from registry.transaction import Transaction, begin
from registry.value import HandleValue

ANY_VERSION: Final = 0  # Versions count from 1.


@dataclass(frozen=True, slots=True)
class Terms:
    """How a write is to be made: with a receipt, only of this version of the handle, or on trial: checked and done as
    any other, and then taken back."""

    receipt: Receipt | None = None
    version: int | None = None
    trial: bool = False


USUAL: Final = Terms()


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the handle as it was asked for, whether it or its values are new, what it says now."""

    handle: Handle
    created: bool
    record: HandleRecord


class Writing:
    """Makes writes. Everything raises DATABASE_AWAY, and what the write itself raises."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def make(self, terms: Terms, write: Callable[[], Awaitable[Written]]) -> Outcome:
        """What became of a write; of the first one, when it is made again. `write` makes it on these terms."""
        receipt = terms.receipt
        if receipt is None:
            return _outcome(await write())
        async with self._store.connection() as connection:
            if (before := await receipts.find(connection, receipt)) is not None:
                return before
        try:
            return _outcome(await write())
        except WrittenBefore:
            async with self._store.connection() as connection:
                if (meanwhile := await receipts.find(connection, receipt)) is None:
                    raise ServerBusy("server.busy") from None  # Its time ended just now.
                return meanwhile

    async def change(
        self,
        handle: Handle,
        by: Administrator,
        terms: Terms,
        change: Callable[[Transaction, HandleRecord], Awaitable[Written]],
    ) -> Written:
        """Changes a handle that must be there, its row held meanwhile."""

        async def there(transaction: Transaction) -> Written:
            record = await transaction.lock(handle)
            expect(terms, handle, record)
            if record is None:
                raise HandleNotFound("handle.not_found", handle=str(handle))
            return await change(transaction, record)

        return await self.write(by, terms, there)

    async def write(
        self, by: Administrator, terms: Terms, write: Callable[[Transaction], Awaitable[Written]]
    ) -> Written:
        """One transaction of one write, on its terms."""
        try:
            async with begin(self._store, str(by)) as transaction:
                written = await write(transaction)
                await transaction.settle()
                if terms.trial:
                    raise _TakenBack
                if terms.receipt is not None:
                    await receipts.keep(transaction.connection, terms.receipt, _outcome(written))
        except _TakenBack:
            return written
        return written


class _TakenBack(Exception):  # no error: the end of a trial
    """What was written on trial goes."""


async def replace(transaction: Transaction, record: HandleRecord, values: tuple[HandleValue, ...]) -> HandleRecord:
    """Writes what a locked handle says now; one that says it already is left as it is, with its version."""
    return record if says_the_same(record.values, values) else await transaction.replace(record, values)


def says_the_same(old: tuple[HandleValue, ...], new: tuple[HandleValue, ...]) -> bool:
    return len(new) == len(old) and all(one.says_the_same_as(other) for one, other in zip(new, old, strict=True))


def expect(terms: Terms, handle: Handle, record: HandleRecord | None) -> None:
    """Refuses to write what is not at the version that the writer has seen."""
    if terms.version is None or (record is not None and terms.version in (record.version, ANY_VERSION)):
        return
    raise ProtocolFault("write.version", handle=str(handle), version=0 if record is None else record.version)


def _outcome(written: Written) -> Outcome:
    return Outcome(str(written.handle), written.created, written.record.version)
