"""Every change is heard once, whatever order writers commit in, on a primary and on a standby; and caches obey."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from time import monotonic

import asyncpg
import pytest

from registry.change_reading import ChangeReader
from registry.changes import start
from registry.errors import HandleAlreadyExists, ServerBusy
from registry.handle import Handle, HandleKey
from registry.packing import PackedRecord
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.answer import Answer
from tests.journeys.servers import a_server, a_standby
from tests.resolver.cores import AttentiveResolver, Core, core

WRITERS = 12
WRITING = 6.0  # Seconds.
LONGEST = 0.4  # Seconds that a transaction is held open, at most.
POLL = 0.01
DEADLINE = 60.0
LOG = "INSERT INTO change_log (kind, prefix_id, suffix, version) SELECT 1, prefix_id, $1, 1 FROM prefix"


class Torture:
    """Writers whose transactions overlap at random, a tenth of them rolled back."""

    def __init__(self, dsn: str) -> None:
        self.committed: set[str] = set()
        self.rolled_back: set[str] = set()
        self._dsn = dsn

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for writer in range(WRITERS):
                group.create_task(self._write(writer, random.Random(writer)))

    async def _write(self, writer: int, chance: random.Random) -> None:
        connection = await asyncpg.connect(self._dsn)
        end = monotonic() + WRITING
        number = 0
        while monotonic() < end:
            names = [f"W{writer}-{number + offset}" for offset in range(chance.choice((1, 1, 1, 5)))]
            number += len(names)
            transaction = connection.transaction()
            await transaction.start()
            for name in names:
                await connection.execute(LOG, name)
                await asyncio.sleep(chance.random() * LONGEST / len(names) / chance.choice((1, 10, 100)))
            if chance.random() < 0.1:
                await transaction.rollback()
                self.rolled_back.update(names)
            else:
                await transaction.commit()
                self.committed.update(names)
        await connection.close()


async def hear(dsn: str, torture: Torture) -> tuple[Counter[str], int]:
    """What a reader hears while the writers write and until it has heard all, and how many looks it took."""
    settings = RegistrySettings(dsn=dsn)
    store = Store(settings, "torture")
    await store.open()
    reader = ChangeReader("torture", store)
    await reader.open()
    position = start(await reader.first_look())
    heard: Counter[str] = Counter()
    writing = asyncio.create_task(torture.run())
    looks = after = 0
    async with asyncio.timeout(DEADLINE):
        # A few looks more than needed: what comes twice comes late.
        while after < 20:
            look = await reader.look(position.snapshot)
            heard.update(logged.change.key.decode().partition("/")[2] for logged in position.unseen(look))
            position.advance(look)
            looks += 1
            after += writing.done() and torture.committed <= heard.keys()
            await asyncio.sleep(POLL)
    await writing
    await reader.close()
    await store.close()
    return heard, looks


def check(torture: Torture, heard: Counter[str], looks: int) -> None:
    assert len(torture.committed) > 100
    assert torture.rolled_back
    assert looks > 100
    assert heard.keys() - torture.committed == set(), "phantoms"
    assert torture.committed - heard.keys() == set(), "lost"
    assert {name for name, times in heard.items() if times > 1} == set(), "doubled"


async def test_a_reader_of_the_primary_hears_every_committed_change_once(database_dsn):
    torture = Torture(database_dsn)
    check(torture, *await hear(database_dsn, torture))


async def test_a_reader_of_a_standby_hears_every_committed_change_once():
    async with a_server() as primary, a_standby(primary) as standby:
        torture = Torture(primary.dsn)
        check(torture, *await hear(standby.dsn, torture))


NAMES = [f"0.NA/H{number}" for number in range(40)]
ASKING = 6.0  # Seconds.
RANGE_UPDATE = """
UPDATE handle SET version = version + 1 WHERE prefix_id = 1 AND suffix = $1
RETURNING suffix, version, state
"""
RANGE_LOG = "INSERT INTO change_log (kind, prefix_id, suffix, suffix_to) VALUES (2, 1, $1, $2)"
CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'filament test%'"


class History:
    """What was tried and what was committed, of each handle: versions, and whether it was there."""

    def __init__(self) -> None:
        self.newest_tried = dict.fromkeys(NAMES, 0)
        self.committed: dict[str, tuple[int, bool]] = dict.fromkeys(NAMES, (0, False))
        self.floor: dict[str, tuple[int, bool]] = dict(self.committed)
        self._before_look: dict[str, tuple[int, bool]] = dict(self.committed)

    def commit(self, name: str, version: int, there: bool) -> None:
        if version > self.committed[name][0]:
            self.committed[name] = (version, there)

    def looked(self) -> None:
        """What was committed before this look began has been heard by now."""
        self.floor, self._before_look = self._before_look, dict(self.committed)

    def fault(self, name: str, floor: tuple[int, bool], answer: Answer) -> str | None:
        version, there = floor
        if answer.registered:
            return None if answer.version >= version else f"{answer.version} after {version}"
        return f"missing after {version}" if there and self.newest_tried[name] == version else None


class WatchedResolver(AttentiveResolver):
    history: History

    def heard(self) -> None:
        super().heard()
        self.history.looked()


class LateStore(Store):
    """What it read arrives late, so that changes are heard meanwhile."""

    async def fetch_packed(self, keys: Sequence[HandleKey]) -> dict[HandleKey, PackedRecord]:
        read = await super().fetch_packed(keys)
        await asyncio.sleep(random.random() * 0.03)
        return read


class Life:
    """Handles that are registered, changed and deleted at random while others ask for them."""

    def __init__(self, made: Core, history: History) -> None:
        self.made = made
        self.history = history
        self.asked = 0
        self.faults: list[str] = []
        self._end = monotonic() + ASKING

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(self._write(random.Random(number)))
            group.create_task(self._write_ranges(random.Random(99)))
            group.create_task(self._cut_off())
            for number in range(8):
                group.create_task(self._ask(random.Random(1000 + number)))

    def _turns(self) -> Iterator[None]:
        while monotonic() < self._end:
            yield

    async def _write(self, chance: random.Random) -> None:
        for _ in self._turns():
            name = chance.choice(NAMES)
            values = [HandleValue(1, "DESC", b"%d" % chance.randrange(10**9))]
            try:
                async with begin(self.made.store, "test") as transaction:
                    record = await transaction.lock(Handle.from_text(name))
                    there = True
                    if record is None:
                        version = (await transaction.create(Handle.from_text(name), values)).version
                    elif chance.random() < 0.3:
                        await transaction.delete(record)
                        version, there = record.version + 1, False
                    else:
                        version = (await transaction.replace(record, values)).version
                    self.history.newest_tried[name] = max(version, self.history.newest_tried[name])
                    await asyncio.sleep(chance.random() * 0.02)
            except HandleAlreadyExists:  # another writer was first
                continue
            self.history.commit(name, version, there)

    async def _write_ranges(self, chance: random.Random) -> None:
        """As a bulk load does: many rows and one line in the log."""
        for _ in self._turns():
            first, last = sorted(chance.sample(range(10, 40), 2))
            bounds = (f"H{first}", f"H{last}")
            async with self.made.store.connection() as connection, connection.transaction():
                # In the order of keys, one by one, as everybody locks who locks several.
                rows = [
                    row
                    for number in range(first, last + 1)
                    for row in await connection.fetch(RANGE_UPDATE, f"H{number}")
                ]
                for row in rows:
                    name = f"0.NA/{row['suffix']}"
                    self.history.newest_tried[name] = max(row["version"], self.history.newest_tried[name])
                await connection.execute(RANGE_LOG, *bounds)
            for row in rows:
                self.history.commit(f"0.NA/{row['suffix']}", row["version"], row["state"] == 0)
            await asyncio.sleep(0.02)

    async def _cut_off(self) -> None:
        """Terminates whoever reads or follows, but not those who write."""
        connection = await asyncpg.connect(self.made.settings.dsn)
        for _ in self._turns():
            await asyncio.sleep(1.0)
            await connection.execute(CUT_OFF + " AND query LIKE '%pg_current_snapshot%'")
        await connection.close()

    async def _ask(self, chance: random.Random) -> None:
        for _ in self._turns():
            name = chance.choice(NAMES)
            floor = self.history.floor[name]
            try:
                answer = await self.made.ask(name)
            except ServerBusy:  # A crowded machine: a read past its deadline is refused, never answered wrongly.
                await asyncio.sleep(0.05)
                continue
            self.asked += 1
            fault = self.history.fault(name, floor, answer)
            if fault is not None:
                self.faults.append(f"{name}: {fault}")
            if chance.random() < 0.2:
                await asyncio.sleep(0)


@pytest.mark.parametrize("octets", [1 << 22, 8_000], ids=["everything fits", "memory is short"])
async def test_a_resolver_never_answers_what_was_before_a_change_that_it_has_heard(database_dsn, octets):
    made = Core(database_dsn, octets=octets)
    history = History()
    made.store.__class__ = LateStore
    made.resolver.__class__ = WatchedResolver
    made.resolver.history = history
    async with core(database_dsn, made):
        life = Life(made, history)
        await life.run()
        assert life.faults == []
        assert life.asked > 1000
        counts = made.metrics.counts
        assert counts.hits > 0
        assert counts.reads > 0
        assert counts.changes > 100
        await made.resolver.caught_up()
        for name in NAMES:
            version, there = history.committed[name]
            answer = await made.ask(name)
            assert answer.registered == there
            assert not answer.registered or answer.version == version


async def test_a_resolver_over_a_standby_answers_each_change_that_reached_it_and_none_before_that_again():
    async with a_server() as primary, a_standby(primary) as standby, core(standby.dsn) as made:
        writing = Core(primary.dsn)
        await writing.store.open()
        await writing.register(NAMES[0])
        versions = [0]

        async def ask_until(version: int) -> None:
            async with asyncio.timeout(DEADLINE):
                while versions[-1] < version:
                    answer = await made.ask(NAMES[0])
                    versions.append(answer.version)

        for version in range(1, 60):
            await ask_until(version)
            await writing.replace(NAMES[0], f"version {version + 1}")
        assert versions == sorted(versions)
        assert made.metrics.counts.hits > 0
        await writing.store.close()
