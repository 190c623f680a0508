"""Handles found by a value, whoever wrote them and however."""

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from registry.api import create_app
from registry.enterprise import add_enterprise
from registry.errors import ProtocolFault
from registry.handle import Handle
from registry.packing import pack
from registry.search import declare, search
from registry.search_keys import search_key, search_keys
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.bulk_files import loaded, opened
from tests.registry.interface import basic
from tests.registry.records import VALUE_TUPLES

PREFIX = "88.168.1"
TYPES = ("DESC", "URL", "BATCH")


@pytest.fixture
async def store(database_dsn):
    store = await opened(database_dsn)
    await declare(store, prefix_of(store), "BATCH")
    yield store
    await store.close()


def prefix_of(store):
    return store.prefixes.find(PREFIX.encode())


def cake(name, batch, grade="AA"):
    form = '{"handle":"%s","values":[{"index":4,"type":"GRADE","data":"%s"},{"index":5,"type":"BATCH","data":"%s"}]}\n'
    return (form % (name, grade, batch)).encode()


def values(batch):
    return [HandleValue(4, "GRADE", b"AA"), HandleValue(5, "BATCH", batch.encode())]


async def found(store, batch, **more):
    return (await search(store, prefix_of(store), "BATCH", batch.encode(), **more)).handles


@given(VALUE_TUPLES, st.sampled_from(TYPES))
def test_every_value_of_a_searchable_type_has_its_key(given_values, value_type):
    keys = search_keys(b"88.118.1", pack(given_values, 0), [value_type]) or ""
    for value in given_values:
        if value.type == value_type:
            assert f'"{search_key(b"88.118.1", value_type, value.data)}"' in keys


async def test_what_a_load_registers_is_found_by_its_value_under_its_prefix_alone(store):
    await loaded(store, cake("88.168.1/B", "L1") + cake("88.168.1/a", "L1") + cake("88.168.1/C", "L2")
                 + cake("88.168.2/D", "L1"))  # fmt: skip
    assert await found(store, "L1") == ["88.168.1/a", "88.168.1/B"]
    assert await found(store, "L2") == ["88.168.1/C"]
    assert await found(store, "L") == []


async def test_a_list_is_found_whole_and_by_each_of_its_lines(store):
    await loaded(
        store, cake("88.168.1/BOX", "88.168.1/C1\\n88.168.1/C2") + cake("88.168.1/LONG", "\\n".join("x" * 2001))
    )
    for searched in ("88.168.1/C1", "88.168.1/C2", "88.168.1/C1\n88.168.1/C2"):
        assert await found(store, searched) == ["88.168.1/BOX"]
    assert await found(store, "88.168.1/C") == []
    assert await found(store, "x") == []
    assert await found(store, "\n".join("x" * 2001)) == ["88.168.1/LONG"]


async def test_pages_follow_each_other_without_gap_and_end_without_a_cursor(store):
    names = [f"88.168.1/C{number:03}" for number in range(25)]
    await loaded(store, b"".join(cake(name, "L1") for name in names))
    seen, after, pages = [], "", 0
    while after is not None:
        page = await search(store, prefix_of(store), "BATCH", b"L1", after=after, limit=10)
        seen += page.handles
        after = page.cursor
        pages += 1
    assert seen == names
    assert pages == 3


async def test_a_changed_handle_is_found_by_what_it_says_now(store):
    await loaded(store, cake("88.168.1/A", "L1") + cake("88.168.1/B", "L1"))
    await loaded(store, cake("88.168.1/A", "L2"), key="second")
    assert await found(store, "L1") == ["88.168.1/B"]
    assert await found(store, "L2") == ["88.168.1/A"]
    async with begin(store, "test") as transaction:
        record = await transaction.lock(Handle.from_text("88.168.1/B"))
        await transaction.replace(record, values("L3"))
    assert await found(store, "L1") == []
    assert await found(store, "L3") == ["88.168.1/B"]


async def test_a_deleted_handle_is_not_found_until_it_is_registered_again(store):
    handle = Handle.from_text("88.168.1/A")
    for batch in ("L1", "L2"):
        async with begin(store, "test") as transaction:
            await transaction.create(handle, values(batch))
        assert await found(store, batch) == [str(handle)]
        async with begin(store, "test") as transaction:
            await transaction.delete(await transaction.lock(handle))
        assert await found(store, batch) == []
    await loaded(store, cake("88.168.1/A", "L3"))
    assert await found(store, "L3") == [str(handle)]


async def test_a_row_whose_key_is_that_of_another_value_is_not_taken_for_it(store):
    await loaded(store, cake("88.168.1/A", "L1") + cake("88.168.1/B", "L2"))
    async with store.connection() as connection:
        await connection.execute("UPDATE handle SET keys = (SELECT keys FROM handle WHERE suffix = 'A')")
    assert await found(store, "L1", limit=1) == ["88.168.1/A"]
    assert await found(store, "L1") == ["88.168.1/A"]


async def test_what_was_there_before_a_type_was_declared_is_found_afterwards(store):
    await loaded(store, cake("88.168.1/A", "L1", "A") + cake("88.168.1/B", "L1"))
    with pytest.raises(ProtocolFault, match="not found by values of type 'GRADE', but of: BATCH"):
        await search(store, prefix_of(store), "GRADE", b"A")
    assert await declare(store, prefix_of(store), "GRADE", settling=0) == 2
    assert (await search(store, prefix_of(store), "GRADE", b"A")).handles == ["88.168.1/A"]


async def test_a_restricted_value_finds_nothing(store):
    async with begin(store, "test") as transaction:
        await transaction.create(Handle.from_text("88.168.1/A"), [HandleValue(5, "BATCH", b"L1", permissions=12)])
    assert await found(store, "L1") == []


async def test_only_who_may_list_a_prefix_searches_it(database_dsn):
    store = Store(RegistrySettings(dsn=database_dsn, plain_authentication=True), "test")
    await store.open()
    owner = await add_enterprise(store, "化纤厂", "Fibre", "", PREFIX, by="test")
    other = await add_enterprise(store, "织造厂", "Weaver", "", "88.168.2", by="test")
    await declare(store, prefix_of(store), "BATCH", settling=0)
    await loaded(store, cake("88.168.1/A", "批1") + cake("88.168.1/B", "批1"))
    runner = web.AppRunner(create_app(store))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    asked = {"prefix": PREFIX, "type": "BATCH", "value": "批1", "limit": "1"}
    async with aiohttp.ClientSession("http://{}:{}".format(*runner.addresses[0])) as client:
        async with client.get("/api/search", params=asked, headers=basic(owner.identity, owner.secret_key)) as answer:
            page = await answer.json()
            assert page == {"handles": ["88.168.1/A"], "cursor": "A"}
        asked |= {"cursor": page["cursor"]}
        async with client.get("/api/search", params=asked, headers=basic(owner.identity, owner.secret_key)) as answer:
            assert (await answer.json())["handles"] == ["88.168.1/B"]
        async with client.get("/api/search", params=asked, headers=basic(other.identity, other.secret_key)) as answer:
            assert answer.status == 403
        async with client.get("/api/search", params=asked) as answer:
            assert answer.status == 401
        for wrong in ({"limit": "0"}, {"type": ""}, {"type": "GRADE"}):
            headers = basic(owner.identity, owner.secret_key) | {"Accept-Language": "zh"}
            async with client.get("/api/search", params=asked | wrong, headers=headers) as answer:
                assert answer.status == 400
    await runner.cleanup()
    await store.close()
