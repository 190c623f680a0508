import asyncio

import pytest

from registry.admin import PREFIX_ADMINISTRATOR
from registry.authentication import Authenticator
from registry.enterprise import add_enterprise, list_enterprises
from registry.errors import HandleAlreadyExists, InvalidAdministrator, InvalidHandle, InvalidValue
from registry.record import public
from registry.registration import Registration
from registry.rest import values_to_json
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from tests.registry.books import DESC, URL, name

NAME, NAME_EN, INDUSTRY = "浙江澜丝化纤有限公司", "Zhejiang Lansi Chemical Fibre Co., Ltd.", "chemical fibre"


@pytest.fixture
async def store(database_dsn):
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    yield store
    await store.close()


async def add(store, prefix, company=NAME, name_en=NAME_EN, industry=INDUSTRY):
    return await add_enterprise(store, company, name_en, industry, prefix, by="test")


async def listed(store):
    return [(one.name, one.prefix, one.handles) for one in await list_enterprises(store)]


async def test_an_enterprise_registers_under_its_prefix_with_the_key_that_it_was_told(store):
    granted = await add(store, "88.168.1")
    assert granted.identity == "300:0.NA/88.168.1"
    administrator = await Authenticator(store).by_password(granted.identity, granted.secret_key.encode())
    registration = Registration(store, [])
    await registration.put_record(name("88.168.1/YARN"), [URL], administrator)
    await registration.put_values(name("88.168.1/YARN"), [DESC], administrator)
    assert await registration.list_handles("88.168.1", administrator) == (1, ["88.168.1/YARN"])
    await registration.delete_record(name("88.168.1/YARN"), administrator)


async def test_an_enterprise_has_no_say_over_the_prefix_of_another(store):
    granted = await add(store, "88.168.1")
    await add(store, "88.168.2", "桐乡市泉纶化纤有限公司")
    administrator = await Authenticator(store).by_password(granted.identity, granted.secret_key.encode())
    registration = Registration(store, [])
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(name("88.168.2/YARN"), [URL], administrator)
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(name("0.NA/88.168.1.5"), [URL], administrator)
    with pytest.raises(InvalidAdministrator):
        await registration.home_prefix("88.168.3", administrator)


async def test_the_handle_of_the_prefix_says_who_it_is_and_hides_the_key(store):
    granted = await add(store, "88.168.1")
    record = await store.fetch(store.key_of(b"0.NA/88.168.1"))
    shown = values_to_json(public(record.values))
    for value in shown:
        del value["timestamp"], value["ttl"]
    assert shown == [
        {"index": 1, "type": "DESC", "data": {"format": "string", "value": NAME}},
        {"index": 2, "type": "DESC", "data": {"format": "string", "value": NAME_EN}},
        {
            "index": 100,
            "type": "HS_ADMIN",
            "data": {
                "format": "admin",
                "value": {"handle": "0.NA/88.168.1", "index": 200, "permissions": f"{PREFIX_ADMINISTRATOR:012b}"},
            },
        },
        {
            "index": 200,
            "type": "HS_VLIST",
            "data": {"format": "vlist", "value": [{"handle": "0.NA/88.168.1", "index": 300}]},
        },
    ]
    assert record.at(300).data.decode() == granted.secret_key
    assert record.at(300).permissions == 0b1100


async def test_every_enterprise_is_told_another_key(store):
    keys = {(await add(store, f"88.168.{number}", str(number))).secret_key for number in range(5)}
    assert len(keys) == 5
    assert all(len(key) == 32 for key in keys)


async def test_one_enterprise_may_have_several_prefixes(store):
    await add(store, "88.168.1", name_en="")
    await add(store, "88.168.2")
    rows = await list_enterprises(store)
    assert [(row.name, row.name_en, row.industry, row.prefix) for row in rows] == [
        (NAME, NAME_EN, INDUSTRY, "88.168.1"),
        (NAME, NAME_EN, INDUSTRY, "88.168.2"),
    ]


async def test_the_list_counts_the_handles_of_each_prefix(store):
    granted = await add(store, "88.168.1")
    await add(store, "88.168.2", "桐乡市泉纶化纤有限公司")
    administrator = await Authenticator(store).by_password(granted.identity, granted.secret_key.encode())
    registration = Registration(store, [])
    for number in range(5):
        await registration.put_record(name(f"88.168.1/{number}"), [URL], administrator)
    await registration.delete_record(name("88.168.1/0"), administrator)
    assert await listed(store) == [(NAME, "88.168.1", 4), ("桐乡市泉纶化纤有限公司", "88.168.2", 0)]


async def test_one_of_twenty_at_once_is_given_a_prefix(store):
    outcomes = await asyncio.gather(
        *(add(store, "88.168.1", f"企业{number}") for number in range(20)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, HandleAlreadyExists)]
    (granted,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(refused) == 19
    assert len(await list_enterprises(store)) == 1
    assert await Authenticator(store).by_password(granted.identity, granted.secret_key.encode())
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM enterprise") == 1, "the others left nothing behind"
        assert await connection.fetchval("SELECT count(*) FROM prefix WHERE prefix = '88.168.1'") == 1
    assert await store.count(store.prefixes.find(b"0.NA")) == 1


async def test_twenty_prefixes_at_once_for_one_enterprise_are_all_given(store):
    await asyncio.gather(*(add(store, f"88.168.{number}") for number in range(20)))
    assert len({row.prefix for row in await list_enterprises(store)}) == 20
    assert await store.count(store.prefixes.find(b"0.NA")) == 20


async def test_a_prefix_is_the_same_in_any_case(store):
    await add(store, "Demo.A")
    with pytest.raises(HandleAlreadyExists):
        await add(store, "DEMO.a", "another")


@pytest.mark.parametrize("prefix", ["", "88", "88.1", "88.168.x", "a/b", "a b", "0.NA", "0.na", "0.TYPE", "前缀"])
async def test_what_is_no_prefix_of_an_enterprise_is_refused(store, prefix):
    with pytest.raises(InvalidHandle):
        await add(store, prefix)
    assert await list_enterprises(store) == []


@pytest.mark.parametrize("company", ["", "a\0b", "a\nb", "x" * 201])
async def test_a_name_that_cannot_be_shown_is_refused(store, company):
    with pytest.raises(InvalidValue):
        await add(store, "88.168.1", company)
    with pytest.raises(InvalidValue):
        await add(store, "88.168.1", industry=company or "\0")


async def test_a_prefix_that_the_node_homed_before_becomes_the_enterprises(store):
    async with begin(store, "test") as transaction:
        await transaction.home("88.168.1")
    await store.load_prefixes()
    await add(store, "88.168.1")
    assert await listed(store) == [(NAME, "88.168.1", 0)]
    assert len(store.prefixes.homed()) == 2


async def test_a_prefix_whose_handle_says_something_else_already_is_not_given_away(store):
    async with begin(store, "test") as transaction:
        await transaction.create(name("0.NA/88.168.1"), [DESC])
    with pytest.raises(HandleAlreadyExists):
        await add(store, "88.168.1")
    assert await list_enterprises(store) == []


async def test_who_follows_the_change_log_hears_of_the_prefix_and_of_its_handle(store):
    await add(store, "88.168.1")
    async with store.connection() as connection:
        rows = await connection.fetch(
            "SELECT kind, p.prefix, suffix FROM change_log JOIN prefix AS p USING (prefix_id)"
        )
    assert {tuple(row) for row in rows} == {(3, "88.168.1", None), (1, "0.NA", "88.168.1")}
