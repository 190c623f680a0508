"""What others say of a handle: the cakes that are packed in a pallet, kept until a change names the pallet.

Each change of a link is in the change log under the handle that it leads to, so what is kept here is forgotten as
answers are: it is exact whenever changes are heard. Only links that anybody may read are kept; others are read for who
sees the values that say them.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from registry.changes import Change, ChangeKind
from registry.edges import sayers
from registry.handle import HandleKey
from registry.member_links import members_saying
from registry.record import HandleRecord
from registry.relations import Relation, links_said
from registry.value import HandleValue
from resolver.answer import Answer
from resolver.resolution import Resolver

MAX_KEPT: Final = 200_000  # Links, some 100 octets each: 4,000 pallets of 48.
MAX_INSIDE: Final = 2_000  # Links to one handle that are read and told: a truck has 1,500 cakes in it.


Sees = Callable[[HandleRecord], Awaitable[tuple[HandleValue, ...]]]


@dataclass(frozen=True, slots=True)
class Inside:
    """Who says something of a handle, in order of relation and key, and whether there are more."""

    links: tuple[tuple[Relation, HandleKey], ...]
    more: bool


class Contents:
    """Asks the book for what is not kept, once for many handles."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._kept: OrderedDict[HandleKey, Inside] = OrderedDict()
        self._links = 0
        self._loading: list[set[HandleKey]] = []
        resolver.forget_also(self.forget)

    async def of(self, keys: Collection[HandleKey], follow: Collection[Relation]) -> dict[HandleKey, Inside]:
        """Raises DATABASE_AWAY."""
        unkept = {key for key in keys if key not in self._kept}
        inside = {key: kept for key in keys if (kept := self._kept.get(key)) is not None}
        if unkept:
            inside |= await self._load(unkept)
        inside = {key: _only(inside[key], follow) for key in keys}
        for key, members in (await self._members(keys, follow)).items():
            inside[key] = _with(inside[key], members)
        return inside

    async def hidden(
        self, keys: Collection[HandleKey], follow: Collection[Relation], sees: Sees
    ) -> dict[HandleKey, Inside]:
        """What not everybody may know, as far as somebody sees the value that says it. Raises DATABASE_AWAY."""
        read = await sayers(self._resolver.store, keys, MAX_INSIDE + 1, public=False)
        wanted = {key: [link for link in links if link[0] in follow] for key, links in read.items()}
        for key, members in (await self._members(keys, follow, public=False)).items():
            wanted[key] = wanted.get(key, []) + members
        asked = list({sayer for links in wanted.values() for _, sayer in links})
        said: dict[HandleKey, frozenset[tuple[Relation, HandleKey]]] = {}
        for sayer, answer in zip(asked, await self._resolver.resolve_many(asked), strict=True):
            record = answer.record if isinstance(answer, Answer) else None
            values = () if record is None else await sees(record)
            key_of = self._resolver.store.key_of
            said[sayer] = frozenset((link.relation, key_of(link.target.encode())) for link in links_said(values))
        inside = {}
        for key, links in wanted.items():
            seen = tuple((relation, sayer) for relation, sayer in links if (relation, key) in said[sayer])
            inside[key] = Inside(seen[:MAX_INSIDE], bool(seen) and len(links) > MAX_INSIDE)
        return inside

    async def _members(
        self, keys: Collection[HandleKey], follow: Collection[Relation], *, public: bool = True
    ) -> dict[HandleKey, list[tuple[Relation, HandleKey]]]:
        store = self._resolver.store
        if not store.prefixes.any_ranged:
            return {}
        return await members_saying(store, keys, follow, MAX_INSIDE + 1, public=public)

    def forget(self, changes: Sequence[Change]) -> None:
        """From here on nothing is told that was read before these changes."""
        for change in changes:
            if change.kind is ChangeKind.HANDLE:
                self._drop(change.key)
            elif change.kind is not ChangeKind.RANGE:  # Links of a range are named one by one.
                for key in [key for key in self._kept if change.covers(key)]:
                    self._drop(key)
                for loading in self._loading:
                    loading -= {key for key in loading if change.covers(key)}

    async def _load(self, keys: set[HandleKey]) -> dict[HandleKey, Inside]:
        owned = set(keys)
        self._loading.append(owned)
        try:
            read = await sayers(self._resolver.store, keys, MAX_INSIDE + 1)
        finally:
            self._loading = [loading for loading in self._loading if loading is not owned]
        inside = {
            key: Inside(tuple(links[:MAX_INSIDE]), len(links) > MAX_INSIDE)
            for key, links in ((key, read.get(key, ())) for key in keys)
        }
        if self._resolver.hearing:
            for key in owned:
                self._keep(key, inside[key])
        return inside

    def _keep(self, key: HandleKey, inside: Inside) -> None:
        self._drop(key)
        self._kept[key] = inside
        self._links += len(inside.links) + 1
        while self._links > MAX_KEPT:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: HandleKey) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._links -= len(gone.links) + 1
        for loading in self._loading:
            loading.discard(key)


def _with(inside: Inside, members: Sequence[tuple[Relation, HandleKey]]) -> Inside:
    links = sorted((*inside.links, *members))
    return Inside(tuple(links[:MAX_INSIDE]), inside.more or len(links) > MAX_INSIDE)


def _only(inside: Inside, follow: Collection[Relation]) -> Inside:
    return Inside(tuple(link for link in inside.links if link[0] in follow), inside.more)
