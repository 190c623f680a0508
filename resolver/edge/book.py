"""What stands in an edge in the place of the book: records are asked of the upstream, and everything else is there.

Only what anybody may read is told to an edge. A value that stands for the hidden ones has no index and no type: whoever
asks for more than what everybody may read finds that he must be known, and nobody is known here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from registry.changes import Change, ChangeKind
from registry.errors import HandleElsewhere, InvalidHandle
from registry.feed import Cursor
from registry.handle import Handle, HandleKey
from registry.octets import Truncated
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix, PrefixTable
from registry.record import MAX_VALUES
from registry.site import SiteInfo
from registry.standing import State, standing_from_json
from registry.statistics import Counted, Statistics
from registry.store import Store
from registry.unit import Unit
from registry.value import HandleValue
from registry.written import WritePosition
from resolver.client.servers import Server
from resolver.edge.interface import Interface
from resolver.edge.link import Link
from resolver.settings import Settings
from resolver.wire.records import Found, ShownRecord

HIDDEN: Final = HandleValue(0, "", b"", permissions=0)
_STATES: Final = frozenset(State) - {State.DELETED}


class Uncounted(Statistics):
    """What is resolved at an edge is in its metrics, and in no book."""

    async def add(self, counted: Counted) -> None:
        pass


class EdgeBook(Store):
    """Reads of another node. `position` is how far the edge has heard: nothing that is read is older."""

    def __init__(self, settings: Settings, program: str) -> None:
        super().__init__(settings.registry, program, readers=0)
        self.interface = Interface(settings.edge, self.key_of)
        self.position = ""
        self.site = b""  # What the upstream says of itself, for who must ask it himself.
        self.do_not_keep: Callable[[Sequence[Change]], None] = lambda _: None
        self._upstream = settings.edge.upstream
        self._address = settings.edge.address
        self._deadline = settings.resolver.miss_deadline
        servers = [Server.from_text(text) for text in settings.edge.upstream]
        self._links: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        self._all_links = [Link(servers) for _ in range(settings.resolver.readers)]
        for link in self._all_links:
            self._links.put_nowait(link)

    def elsewhere(self) -> HandleElsewhere:
        """Where to ask what only the book can say."""
        return HandleElsewhere(self._address, self.site)

    def position_elsewhere(self) -> Cursor | None:
        """Answers are signed where the book is, whose key is published there."""
        raise self.elsewhere()

    async def reach_elsewhere(self, _: WritePosition) -> None:
        """Whoever wrote asks where he wrote."""
        raise self.elsewhere()

    async def open(self) -> None:
        """Raises OSError."""
        async with self._link() as link:
            site = await link.site(self._deadline)
            try:
                SiteInfo.from_wire(site)
            except Truncated as error:
                raise ConnectionAbortedError(f"the upstream's site cannot be read: {error}") from None
        await self.load_prefixes()
        self.site = site

    async def close(self) -> None:
        for link in self._all_links:
            await link.close()
        await self.interface.close()

    async def load_prefixes(self) -> None:
        spellings = await self.interface.prefixes()
        keys = [self.key_of(f"{spelling}/".encode())[:-1] for spelling in spellings]
        self.prefixes = PrefixTable(
            Prefix(number, key, spelling, homed=True)
            for number, (key, spelling) in enumerate(zip(keys, spellings, strict=True), 1)
        )

    async def fetch_packed(self, keys: Sequence[HandleKey]) -> dict[HandleKey, PackedRecord]:
        async with self._link() as link:
            shown = await link.records(keys, self.position, self._deadline)
        computed = [key for key, one in zip(keys, shown, strict=True) if one.computed]
        if computed:  # Changes of the handles that they follow from would say nothing of them.
            self.do_not_keep([Change(ChangeKind.HANDLE, key) for key in computed])
        records = zip(keys, shown, strict=True)
        return {key: self._record(key, record) for key, record in records if record.found is Found.RECORD}

    def _record(self, key: HandleKey, shown: ShownRecord) -> PackedRecord:
        """Raises ConnectionAbortedError for what is no record of this name."""
        if HandleKey(self.key_of(shown.spelling)) != key:
            raise ConnectionAbortedError(f"the upstream answers for {shown.spelling[:80]!r} where {key!r} was asked")
        if shown.state not in _STATES or len(shown.values) > MAX_VALUES:
            raise ConnectionAbortedError(f"the upstream's record of {key!r} makes no sense")
        values = (*shown.values, HIDDEN) if shown.hides else shown.values
        try:
            handle = Handle.from_text(shown.spelling.decode())
            standing = standing_from_json(shown.state, shown.standing or None)
        except (ValueError, KeyError, TypeError, InvalidHandle) as error:
            raise ConnectionAbortedError(f"the upstream's record of {key!r} cannot be read: {error!r}") from None
        return PackedRecord(handle, pack(values, shown.written_at), shown.written_at, shown.version, standing)

    @asynccontextmanager
    async def _link(self) -> AsyncIterator[Link]:
        link = await self._links.get()
        try:
            yield link
        finally:
            self._links.put_nowait(link)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        raise self.elsewhere()
        yield  # What makes it a context manager.

    @asynccontextmanager
    async def as_one(self) -> AsyncIterator[Unit]:
        raise self.elsewhere()
        yield  # As above.

    @asynccontextmanager
    async def _nearby(self) -> AsyncIterator[asyncpg.Connection]:
        raise self.elsewhere()
        yield  # As above.

    async def _read(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        raise self.elsewhere()
