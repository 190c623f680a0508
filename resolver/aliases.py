"""Aliases followed to the records that they stand for, over HTTP (HS_ALIAS; RFC 3651, section 3.1).

An alias is a handle like any other, and is kept, counted and forgotten as one: following it is looking for another kept
answer, so what is given is right as soon as the change of either of the two has been heard. In the native protocol
clients follow for themselves, as they do for the reference server. An alias of a name that is not this node's is shown
as it is: only its target says where to ask.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from registry.alias import MAX_HOPS
from registry.errors import HandleError, RecursionLimit
from registry.handle import HandleKey
from registry.names import Names
from resolver.answer import NOT_RESPONSIBLE, Alias, Answer, Followed
from resolver.misses import Told
from resolver.resolution import Resolver


class Source(Protocol):
    """Where answers come from: the resolver."""

    @property
    def staleness(self) -> float: ...

    def peek_fresh(self, key: HandleKey) -> Answer | None: ...

    def ask(self, key: HandleKey, told: Told) -> None: ...


class Way:
    """From one answer to what it stands for."""

    __slots__ = ("_first", "_names", "hops")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._first: Alias | None = None
        self.hops = 0

    def next(self, answer: Answer | HandleError) -> HandleKey | None:
        """The key that an answer leads to; None when the way ends with it."""
        if not isinstance(answer, Alias):
            return None
        self._first = self._first or answer
        try:
            key = self._names.key_of(answer.target)
        except HandleError:
            return None
        self.hops += 1
        return key if self.hops <= MAX_HOPS else None

    def end(self, last: Answer) -> Answer:
        """What is given at the end of the way. Raises RecursionLimit."""
        if self._first is None:
            return last
        if self.hops > MAX_HOPS:
            raise RecursionLimit("alias.too_many", handle=self._first.name.decode(), limit=MAX_HOPS)
        if isinstance(last, Alias) or last is NOT_RESPONSIBLE:
            return self._first.own()
        return Followed(self._first, last) if last.registered else last

    def outcome(self, last: Answer | HandleError) -> Answer | HandleError:
        """As `end`, with a refusal in place of an answer."""
        try:
            return last if isinstance(last, HandleError) else self.end(last)
        except HandleError as refused:
            return refused


class Aliases:
    """Follows for who cannot wait."""

    def __init__(self, source: Source, names: Names) -> None:
        self._source = source
        self._names = names

    def peek(self, alias: Alias) -> Answer | None:
        """★ What an alias stands for, when all that is on the way is kept and fresh."""
        if alias.key is not None and (followed := alias.followed) is not None:
            target = self._source.peek_fresh(alias.key)
            if target is followed.target:
                return followed
        way = Way(self._names)
        answer: Answer = alias
        while (key := way.next(answer)) is not None:
            following = self._source.peek_fresh(key)
            if following is None:
                return None
            answer = following
        outcome = way.outcome(answer)
        if isinstance(outcome, Followed) and way.hops == 1:  # Of a longer way every step may change.
            alias.key, alias.followed = self._names.key_of(alias.target), outcome
        return None if isinstance(outcome, HandleError) else outcome

    def ask(self, key: HandleKey, told: Told) -> None:
        """As the source's own, for what the name stands for."""
        way = Way(self._names)

        def arrive(outcome: Answer | HandleError) -> None:
            following = way.next(outcome)
            if following is None:
                told(way.outcome(outcome))
            else:
                self._source.ask(following, arrive)

        self._source.ask(key, arrive)


async def follow(resolver: Resolver, answer: Answer, *, authoritative: bool = False) -> Answer:
    """What an answer stands for; itself, when it is no alias. Raises HandleError."""
    read: Callable[[HandleKey], Awaitable[Answer]] = (
        resolver.resolve_authoritative if authoritative else resolver.resolve
    )
    way = Way(resolver.names)
    while (key := way.next(answer)) is not None:
        answer = await read(key)
    return way.end(answer)


async def follow_many(
    names: Names,
    outcomes: list[Answer | HandleError],
    resolve_many: Callable[[Sequence[HandleKey]], Awaitable[list[Answer | HandleError]]],
) -> bool:
    """Has each alias among the outcomes replaced by what it stands for; whether there was any."""
    ways = {place: Way(names) for place, outcome in enumerate(outcomes) if isinstance(outcome, Alias)}
    while keys := {place: key for place, way in ways.items() if (key := way.next(outcomes[place])) is not None}:
        for place, outcome in zip(keys, await resolve_many([*keys.values()]), strict=True):
            outcomes[place] = outcome
    for place, way in ways.items():
        outcomes[place] = way.outcome(outcomes[place])
    return bool(ways)
