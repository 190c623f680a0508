import asyncio
import random

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from registry.errors import HandleAlreadyExists, PrefixNotHomed
from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin, key_order
from registry.value import HandleValue


@pytest.fixture
async def store(database_dsn):
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    yield store
    await store.close()


def handle(number):
    return Handle.from_text(f"0.NA/88.118.{number}")


URL = HandleValue(1, "URL", b"http://example.org/1")
DESC = HandleValue(2, "DESC", "说明".encode())


async def create(store, name, *values):
    async with begin(store, "test") as transaction:
        return await transaction.create(name, values)


async def counted(store):
    return await store.count(store.prefixes.find(b"0.NA"))


async def test_a_registered_handle_is_found_with_its_values_and_version(store):
    await create(store, handle(1), URL, DESC)
    record = await store.fetch(store.key_of(handle(1).octets))
    assert [value.type for value in record.values] == ["URL", "DESC"]
    assert record.version == 1
    assert all(value.timestamp > 0 for value in record.values)


async def test_the_spelling_registered_is_kept_and_any_case_finds_it(store):
    await create(store, Handle.from_text("0.na/Node.Alpha"), URL)
    record = await store.fetch(store.key_of(b"0.NA/NODE.ALPHA"))
    assert str(record.handle) == "0.NA/Node.Alpha"


async def test_a_handle_is_registered_once(store):
    await create(store, handle(1), URL)
    with pytest.raises(HandleAlreadyExists):
        await create(store, Handle.from_text("0.na/88.118.1"), DESC)
    assert await counted(store) == 1


async def test_only_one_of_many_at_once_registers_a_handle(store):
    outcomes = await asyncio.gather(*(create(store, handle(1), URL) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, HandleAlreadyExists) for outcome in outcomes) == 19
    assert await counted(store) == 1


async def test_a_prefix_that_is_not_homed_takes_no_handle(store):
    with pytest.raises(PrefixNotHomed):
        await create(store, Handle.from_text("99.999/a"), URL)


async def test_what_a_handle_said_before_is_in_its_history(store, database_dsn):
    await create(store, handle(1), URL)
    async with begin(store, "301:0.NA/88.118.1") as transaction:
        await transaction.replace(await transaction.lock(handle(1)), (DESC,))
    async with begin(store, "301:0.NA/88.118.1") as transaction:
        await transaction.delete(await transaction.lock(handle(1)))
    assert (await create(store, handle(1), URL)).version == 4
    connection = await asyncpg.connect(database_dsn)
    rows = await connection.fetch("SELECT version, state, changed_by FROM handle_history ORDER BY version")
    await connection.close()
    assert [tuple(row) for row in rows] == [
        (1, 0, "301:0.NA/88.118.1"),
        (2, 0, "301:0.NA/88.118.1"),
        (3, 1, "test"),
    ]


async def test_a_value_that_says_the_same_keeps_its_time(store, database_dsn):
    await create(store, handle(1), URL, DESC)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("UPDATE handle SET created_at = created_at - interval '1 hour'")
    await connection.close()
    before = await store.fetch(store.key_of(handle(1).octets))
    async with begin(store, "test") as transaction:
        await transaction.replace(await transaction.lock(handle(1)), (URL, HandleValue(2, "DESC", b"new")))
    after = await store.fetch(store.key_of(handle(1).octets))
    assert after.at(1).timestamp == before.at(1).timestamp
    assert after.at(2).timestamp > before.at(2).timestamp


async def test_a_deleted_handle_is_not_found_and_not_counted(store):
    await create(store, handle(1), URL)
    async with begin(store, "test") as transaction:
        await transaction.delete(await transaction.lock(handle(1)))
    assert await store.fetch(store.key_of(handle(1).octets)) is None
    assert await counted(store) == 0
    assert (await store.list_handles(store.prefixes.find(b"0.NA"), 10))[0] == []


async def test_a_failed_transaction_leaves_nothing(store, database_dsn):
    with pytest.raises(HandleAlreadyExists):
        async with begin(store, "test") as transaction:
            await transaction.create(handle(1), (URL,))
            await transaction.create(handle(1), (URL,))
    connection = await asyncpg.connect(database_dsn)
    left = await connection.fetchval(
        "SELECT (SELECT count(*) FROM handle) + (SELECT count(*) FROM change_log) + (SELECT count(*) FROM handle_count)"
    )
    await connection.close()
    assert left == 0


async def test_writers_who_lock_in_order_of_keys_never_wait_for_each_other_in_a_ring(store):
    names = [handle(number) for number in range(6)]
    for name in names:
        await create(store, name, URL)

    async def rewrite(seed):
        chosen = random.Random(seed).sample(names, 4)
        async with begin(store, f"writer {seed}") as transaction:
            for name in key_order(store, chosen):
                record = await transaction.lock(name)
                await transaction.replace(record, (HandleValue(1, "URL", str(seed).encode()),))

    await asyncio.gather(*(rewrite(seed) for seed in range(24)))
    versions = [(await store.fetch(store.key_of(name.octets))).version for name in names]
    assert sum(versions) == len(names) + 24 * 4


def test_any_row_of_writes_leaves_what_a_dictionary_would(postgres, template):
    """The book against a model: every handle, its version, the counter and the list, after any row of writes."""
    loop = asyncio.new_event_loop()

    class Book(RuleBasedStateMachine):
        @initialize()
        def open(self):
            self.name = f"book_{random.Random().getrandbits(64):x}"
            run(postgres.execute(f"CREATE DATABASE {self.name} TEMPLATE {template}"))
            self.store = Store(RegistrySettings(dsn=postgres.dsn_of(self.name)), "test")
            run(self.store.open())
            self.model, self.versions = {}, {}

        @rule(number=st.integers(0, 4), data=st.binary(max_size=9))
        def register(self, number, data):
            try:
                run(create(self.store, handle(number), HandleValue(1, "DESC", data)))
            except HandleAlreadyExists:
                assert number in self.model
                return
            assert number not in self.model
            self.written(number, data)

        @rule(number=st.integers(0, 4), data=st.binary(max_size=9))
        def rewrite(self, number, data):
            if run(self.change(number, data)):
                self.written(number, data)

        @rule(number=st.integers(0, 4))
        def remove(self, number):
            if run(self.change(number, None)):
                self.versions[number] += 1
                del self.model[number]

        @invariant()
        def the_book_is_the_model(self):
            keys = {self.store.key_of(handle(number).octets): number for number in range(5)}
            found = run(self.store.fetch_many(list(keys)))
            assert {keys[key]: record.values[0].data for key, record in found.items()} == self.model
            assert all(record.version == self.versions[keys[key]] for key, record in found.items())
            prefix = self.store.prefixes.find(b"0.NA")
            assert run(self.store.count(prefix)) == len(self.model)
            assert run(self.store.list_handles(prefix, 10))[0] == [str(handle(number)) for number in sorted(self.model)]

        async def change(self, number, data):
            async with begin(self.store, "test") as transaction:
                record = await transaction.lock(handle(number))
                assert (record is not None) == (number in self.model)
                if record is None:
                    return False
                if data is None:
                    await transaction.delete(record)
                else:
                    await transaction.replace(record, (HandleValue(1, "DESC", data),))
                return True

        def written(self, number, data):
            self.model[number] = data
            self.versions[number] = self.versions.get(number, 0) + 1

        def teardown(self):
            run(self.store.close())
            run(postgres.execute(f"DROP DATABASE {self.name} WITH (FORCE)"))

    run = loop.run_until_complete
    machine = Book.TestCase
    machine.settings = settings(
        max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
    try:
        machine().runTest()
    finally:
        loop.close()
