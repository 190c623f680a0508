"""Site records that nodes publish: their serial numbers, and the prefix handles that carry them."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from registry.delegation import delegate_prefix
from registry.enterprise import add_enterprise
from registry.publication import HIGHEST, latest_site, publish
from registry.record import MAX_VALUES
from registry.site import Interface, ServerInfo, SiteInfo
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import URL, name, open_book

SERVER = ServerInfo(1, IPv4Address("192.0.2.1"), b"a key", (Interface(3, 1, 2641),))
SITE = SiteInfo(1, (SERVER,), (("desc", "ours"),))

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as opened:
        yield opened


def at(**changed) -> SiteInfo:
    return replace(SITE, servers=(replace(SERVER, **changed),))


async def shown(store, prefix: str) -> dict[int, tuple[str, bytes]]:
    record = await store.fetch(store.key_of(f"0.NA/{prefix}".encode()))
    return {
        value.index: (value.type, value.data)
        for value in record.values
        if value.type.startswith(("HS_SITE", "HS_SERV"))
    }


async def test_a_node_that_starts_again_keeps_its_serial_number(store):
    assert [await publish(store, replace(SITE, serial=serial)) for serial in (1, 1, 7)] == [1, 1, 1]


async def test_the_serial_number_grows_with_every_change_and_also_back(store):
    said = (SITE, at(address=IPv4Address("192.0.2.2")), at(interfaces=()), at(public_key=b"another key"), SITE, SITE)
    assert [await publish(store, site) for site in said] == [1, 2, 3, 4, 5, 5]


async def test_workers_that_start_together_agree_on_one_number(store):
    await publish(store, at(interfaces=()))
    assert set(await asyncio.gather(*[publish(store, SITE) for _ in range(6)])) == {2}


async def test_two_nodes_of_one_registry_do_not_make_each_other_count(store):
    other = at(public_key=b"of the other", address=IPv4Address("192.0.2.2"))
    assert [await publish(store, site) for site in (SITE, other, SITE, other)] == [1, 2, 1, 2]


async def test_a_serial_number_is_never_the_one_that_means_unknown(store):
    async with store.connection() as connection:
        await connection.execute(
            "INSERT INTO node_site (node, site, serial, published_at) VALUES ('x', $1, $2, now())",
            SITE.to_wire(),
            HIGHEST,
        )
    assert await publish(store, SITE) == 1


async def test_the_handles_of_enterprises_prefixes_say_where_they_are_served(store):
    await add_enterprise(store, "早", "Early", "", "88.168.1", by="test")
    assert await shown(store, "88.168.1") == {}
    serial = await publish(store, SITE)
    await add_enterprise(store, "晚", "Late", "", "88.168.2", by="test")
    told = {10: ("HS_SITE", replace(SITE, serial=serial).to_wire())}
    assert await shown(store, "88.168.1") == await shown(store, "88.168.2") == told

    moved = at(address=IPv6Address("2001:db8::1"), public_key=b"another key of the node")
    serial = await publish(store, moved)
    assert serial == 2
    assert await shown(store, "88.168.1") == told, "another node's, as far as anybody can tell"
    moved = at(public_key=b"another key at the same place")
    serial = await publish(store, moved)
    told = {10: ("HS_SITE", replace(moved, serial=serial).to_wire())}
    assert await shown(store, "88.168.1") == await shown(store, "88.168.2") == told


async def test_a_site_with_an_address_of_the_newer_kind_is_named_so(store):
    await publish(store, at(address=IPv6Address("2001:db8::1")))
    await add_enterprise(store, "新", "New", "", "88.168.1", by="test")
    assert [kind for kind, _ in (await shown(store, "88.168.1")).values()] == ["HS_SITE.6"]


async def test_what_an_operator_says_of_a_prefix_is_left_alone(store):
    await add_enterprise(store, "厂", "Plant", "", "88.168.1", by="test")
    async with begin(store, "operator") as transaction:
        record = await transaction.lock(name("0.NA/88.168.1"))
        service = HandleValue(10, "HS_SERV", b"88.168/service")
        await transaction.replace(record, (*record.values, service))
        await transaction.home("88.168.5")  # nobody's in particular
        await transaction.create(name("0.NA/88.168.5"), [URL])
    await delegate_prefix(store, "88.168.9", at(public_key=b"elsewhere"), by="operator")
    before = await shown(store, "88.168.9")
    await publish(store, SITE)
    assert await shown(store, "88.168.1") == {10: ("HS_SERV", b"88.168/service")}
    assert await shown(store, "88.168.5") == {}
    assert await shown(store, "88.168.9") == before


async def test_a_record_takes_a_free_place_among_an_operators_values(store):
    await add_enterprise(store, "厂", "Plant", "", "88.168.1", by="test")
    async with begin(store, "operator") as transaction:
        record = await transaction.lock(name("0.NA/88.168.1"))
        await transaction.replace(record, (*record.values, HandleValue(10, "DESC", b"taken")))
    await publish(store, SITE)
    assert list(await shown(store, "88.168.1")) == [11]


async def test_a_prefix_that_is_added_while_another_record_is_published_carries_that_one(store):
    await publish(store, SITE)
    moved = at(interfaces=())
    async with begin(store, "operator") as transaction:
        assert (await latest_site(transaction)).data == SITE.to_wire()
        publishing = asyncio.create_task(publish(store, moved))
        async with asyncio.timeout(30), store.connection() as watching:
            while not await watching.fetchval(WAITING):  # noqa: ASYNC110  # Postgres tells nobody that one waits
                await asyncio.sleep(0.01)
        enterprise = "INSERT INTO enterprise (name, created_at) VALUES ('厂', now()) RETURNING enterprise_id"
        await transaction.home("88.168.1", await transaction.connection.fetchval(enterprise))
        site = await latest_site(transaction)
        await transaction.create(name("0.NA/88.168.1"), [site])
    serial = await publishing
    assert await shown(store, "88.168.1") == {10: ("HS_SITE", replace(moved, serial=serial).to_wire())}


async def test_a_prefix_handle_that_is_full_keeps_no_node_from_starting(store, caplog):
    for prefix in ("88.168.1", "88.168.2"):
        await add_enterprise(store, prefix, "", "", prefix, by="test")
    async with begin(store, "enterprise") as transaction:
        record = await transaction.lock(name("0.NA/88.168.1"))
        more = [HandleValue(1000 + number, "DESC", b"") for number in range(MAX_VALUES - len(record.values))]
        await transaction.replace(record, (*record.values, *more))
    assert await publish(store, SITE) == 1
    assert await shown(store, "88.168.1") == {}
    assert list(await shown(store, "88.168.2")) == [10]
    assert "0.NA/88.168.1 does not carry the site record" in caplog.text
