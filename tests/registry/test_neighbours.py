"""Names that a reader may have meant, from a real book."""

import pytest

from registry.handle import Handle
from registry.neighbours import SIMILAR, likeness, neighbours
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue

SHOWN = (HandleValue(1, "DESC", b"x"),)
HIDDEN = (HandleValue(1, "DESC", b"x", permissions=12),)


@pytest.fixture
async def store(database_dsn):
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    async with begin(store, "test") as transaction:
        await transaction.home("88.118.1")
        await transaction.home("88.118.2")
    await store.load_prefixes()
    yield store
    await store.close()


async def register(store, names, values=SHOWN):
    async with begin(store, "test") as transaction:
        for name in names:
            await transaction.create(Handle.from_text(name), values)


async def near(store, name):
    return await neighbours(store, store.key_of(name.encode()))


async def test_names_of_the_same_prefix_that_are_spelled_alike_are_given_the_most_alike_first(store):
    await register(store, ["88.118.1/C.POY.0001", "88.118.1/C.POY.0021", "88.118.1/Z", "88.118.2/C.POY.0002"])
    assert await near(store, "88.118.1/c.poy.0002") == ["88.118.1/C.POY.0001", "88.118.1/C.POY.0021"]


async def test_what_is_deleted_or_shown_to_nobody_is_not_given(store):
    await register(store, ["88.118.1/C.POY.0001"], HIDDEN)
    await register(store, ["88.118.1/C.POY.0003", "88.118.1/C.POY.0004"])
    async with begin(store, "test") as transaction:
        gone = await transaction.lock(Handle.from_text("88.118.1/C.POY.0003"))
        assert gone is not None
        await transaction.delete(gone)
    assert await near(store, "88.118.1/C.POY.0002") == ["88.118.1/C.POY.0004"]


async def test_a_few_are_given_of_many_and_none_of_a_foreign_prefix(store):
    await register(store, [f"88.118.1/C.POY.{number:04}" for number in range(100)])
    assert len(await near(store, "88.118.1/C.POY.0050X")) == SIMILAR
    assert await near(store, "99.1/C.POY.0050X") == []


def test_names_are_alike_in_what_they_begin_and_end_with():
    assert likeness("abcd", "abcd") == 4
    assert likeness("abXd", "abYd") == 3
    assert likeness("abc", "abcbc") == 3
    assert likeness("", "abc") == 0
