"""What a page for a person says beside the record, and what costs a read of the book or a signature.

Few pages at a time are given it, each for a moment only: under a flood of visitors, or while Postgres is slow, pages
come without it and resolution goes on.
"""

import asyncio
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

from cachetools import LRUCache

from registry.claims import SIGNATURE
from registry.database import DATABASE_AWAY
from registry.errors import HandleError
from registry.handle import Handle, HandleKey
from registry.history import History
from registry.language import Language
from registry.neighbours import neighbours
from registry.prefix import Prefix
from registry.record import HandleRecord
from registry.referring import naming, referring
from registry.store import Store
from registry.template import Template, named_template
from registry.templates import MAX_KNOWN, Templates
from registry.trust import Trust
from registry.value import HandleValue, type_matches
from resolver.listeners.http.pages.missing import Failure
from resolver.listeners.http.pages.record import Origin

AT_ONCE: Final = 2  # Reads over the pool, which writes and log-ins need too.
MAX_TYPES: Final = 4  # Searchable types that are looked up; each is a millisecond or some.
MAX_PREFIXES: Final = 64  # Others that are looked into: those of one chain of supply.
PATIENCE: Final = 0.5  # Seconds; each read takes about a millisecond, and a page is of use without it.


class Background:
    """`similar_names` are the prefixes whose names are no secret; one that ends in '.' is all of those below it."""

    def __init__(self, store: Store, trust: Trust, similar_names: Collection[str]) -> None:
        self._store = store
        self._trust = trust
        whole = {name for name in similar_names if not name.endswith(".")}
        self._named = frozenset(store.key_of(f"{name}/".encode())[:-1] for name in whole)
        self._below = tuple(name.upper().encode() for name in similar_names if name.endswith("."))
        self._templates = Templates(store)
        self._known: LRUCache[str, Template] = LRUCache(MAX_KNOWN)  # A published version never changes.
        self._running = 0

    async def origin(self, record: HandleRecord, values: Sequence[HandleValue], language: Language) -> Origin:
        """Who registered a handle and when, and whether signatures cover what is shown of it."""
        key = self._store.key_of(record.handle.octets)
        enterprise = _enterprise(self._store.prefixes.of(key), language)
        if self._running < AT_ONCE:
            self._running += 1
            try:
                async with asyncio.timeout(PATIENCE):
                    return Origin(
                        enterprise,
                        await History(self._store).registered_at(record.handle),
                        await self._signed(record, values),
                        await self._template(values),
                        await self._referring(record.handle, key),
                    )
            except (*DATABASE_AWAY, HandleError):  # TimeoutError is among the former.
                pass
            finally:
                self._running -= 1
        return Origin(enterprise)

    async def _signed(self, record: HandleRecord, values: Sequence[HandleValue]) -> bool | None:
        if not any(type_matches(value.type, f"{SIGNATURE}.") for value in record.values):
            return None
        return await self._trust.vouches(record, values)

    async def _referring(self, handle: Handle, key: HandleKey) -> tuple[tuple[str, str], ...]:
        found = await referring(self._store, key, self._shows_names)
        prefix = self._store.prefixes.of(key)
        if prefix is not None and self._shows_names(prefix):
            for value_type in prefix.searchable[:MAX_TYPES]:
                # Its own prefix apart: a batch's many cakes leave room for a weaver's few rolls.
                for prefixes in ([prefix], self._others(prefix, value_type)):
                    named = await naming(self._store, prefixes, value_type, str(handle)) if prefixes else ()
                    found += [(value_type, one) for one in named]
        return tuple(found)

    def _others(self, own: Prefix, value_type: str) -> list[Prefix]:
        """Other prefixes whose handles are found by values of a type, and whose names are no secret."""
        found = (one for one in self._store.prefixes.homed() if value_type in one.searchable and self._shows_names(one))
        return list(islice((one for one in found if one is not own), MAX_PREFIXES))

    async def _template(self, values: Sequence[HandleValue]) -> Template | None:
        """Raises InvalidValue for what names none."""
        named = named_template(values)
        if named is None:
            return None
        _, name = named
        if name.key not in self._known:
            kept = (await self._templates.published([name])).get(name.key)
            if kept is None:
                return None  # Not yet: what is published later is found then.
            self._known[name.key] = kept.template
        return self._known[name.key]

    async def failure(self, key: HandleKey, language: Language) -> Failure:
        """What is known of a name that is not registered here."""
        prefix = self._store.prefixes.of(key)
        if prefix is None:
            return Failure(prefix_known=False)
        similar: list[str] = []
        if self._running < AT_ONCE and self._shows_names(prefix):
            self._running += 1
            try:
                async with asyncio.timeout(PATIENCE):
                    similar = await neighbours(self._store, key)
            except DATABASE_AWAY:
                pass
            finally:
                self._running -= 1
        return Failure(prefix_known=True, enterprise=_enterprise(prefix, language), similar=similar)

    def _shows_names(self, prefix: Prefix) -> bool:
        return prefix.key in self._named or prefix.key.startswith(self._below)


def _enterprise(prefix: Prefix | None, language: Language) -> str:
    """Whose prefix it is, in the reader's language where it has a name there."""
    if prefix is None:
        return ""
    return (language == "en" and prefix.enterprise_in_english) or prefix.enterprise
