"""Records for edges: nodes that keep our answers without a book of their own, and hear of changes by the change feed.

An edge says how far it has heard. What it is told is never older, whichever worker or replica it asks, so that what it
keeps is put right by the next change that it hears. It is told nothing while this process cannot hear of changes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from registry.authentication import Administrator
from registry.errors import HandleError, ServerBusy
from registry.handle import HandleKey
from registry.record import public
from registry.standing import Standing, State, standing_to_json
from registry.written import WritePosition
from resolver.answer import MISSING, NOT_RESPONSIBLE, Answer
from resolver.replies import Reply
from resolver.resolution import Resolver
from resolver.wire.codes import OpFlag
from resolver.wire.message import AUTHORITATIVE, Message
from resolver.wire.records import Found, Records, RecordsQuery, ShownRecord

# Octets of a message, and one record more: a message holds up the loop while it is made.
PART: Final = 1 << 18

Reach = Callable[[WritePosition], Awaitable[None]]


class EdgeRecords:
    """Answers edges. `reach` waits until this process has heard of a position."""

    def __init__(self, resolver: Resolver, reach: Reach) -> None:
        self._resolver = resolver
        self._reach = reach

    async def answer(self, request: Message, _: Administrator | None) -> Sequence[Reply]:
        """Raises Truncated, ProtocolFault, ServerBusy."""
        query = RecordsQuery.from_wire(request.body)
        if query.position:
            await self._reach(WritePosition.from_text(query.position))
        if not self._resolver.hearing:
            raise ServerBusy("server.busy")
        key_of = self._resolver.store.key_of
        keys = [HandleKey(key_of(name)) for name in query.names]
        answers = await self._resolver.resolve_many(keys)
        shown = [self._shown(key, answer) for key, answer in zip(keys, answers, strict=True)]
        return _parts(shown)

    def _shown(self, key: HandleKey, answer: Answer | HandleError) -> ShownRecord:
        computed = self._resolver.may_be_computed(key)
        if isinstance(answer, HandleError):
            return ShownRecord(Found.BUSY)
        if answer is NOT_RESPONSIBLE:
            return ShownRecord(Found.NOT_HERE)
        if answer is MISSING:
            return ShownRecord(Found.MISSING, computed=computed)
        record, standing = answer.record, answer.tombstone
        values = () if record is None else record.values
        if record is not None:
            standing = record.standing
        state, form = _standing_shown(standing)
        readable = public(values)
        return ShownRecord(
            Found.RECORD,
            answer.name,
            answer.version,
            answer.written_at,
            state,
            form,
            len(readable) < len(values),
            computed,
            readable,
        )


def _standing_shown(standing: Standing | None) -> tuple[int, str]:
    """What anybody may know of it: not who said it."""
    if standing is None:
        return State.ACTIVE, ""
    return standing.state, standing_to_json(replace(standing, by="", of_node=False))


def _parts(records: Sequence[ShownRecord]) -> tuple[Reply, ...]:
    parts: list[list[ShownRecord]] = [[]]
    octets = 0
    for record in records:
        if octets > PART:
            parts.append([])
            octets = 0
        parts[-1].append(record)
        octets += 64 + sum(64 + len(value.data) for value in record.values)
    more = AUTHORITATIVE | int(OpFlag.CONTINUOUS)
    *first, last = [Records(tuple(part)).to_wire() for part in parts]
    return (*(Reply(body, flags=more) for body in first), Reply(last))
