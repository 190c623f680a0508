"""Prefix handles that say where an enterprise answers for itself."""

from ipaddress import IPv4Address

import pytest

from registry.delegation import SITE, SITE_BELOW, delegate_prefix
from registry.errors import HandleAlreadyExists, InvalidHandle
from registry.site import Interface, ServerInfo, SiteInfo
from registry.transaction import begin
from tests.registry.books import DESC, PREFIX, name, open_book

FIRST = SiteInfo(1, (ServerInfo(1, IPv4Address("192.0.2.1"), b"", (Interface(3, 1, 2641),)),))
SECOND = SiteInfo(2, (ServerInfo(1, IPv4Address("192.0.2.2"), b"", (Interface(3, 1, 2641),)),))
DELEGATED = "88.168.200"


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


async def sites(store, value_type: str = SITE) -> list[SiteInfo]:
    async with begin(store, "test") as transaction:
        record = await transaction.lock(name(f"0.NA/{DELEGATED}"))
    return [SiteInfo.from_wire(value.data) for value in record.values if value.type == value_type]


async def test_a_prefix_is_delegated_and_delegated_elsewhere_later(store):
    assert await delegate_prefix(store, DELEGATED, FIRST, by="test")
    assert await sites(store) == [FIRST]
    assert not await delegate_prefix(store, DELEGATED, SECOND, by="test")
    assert await sites(store) == [SECOND]


async def test_a_prefix_handle_keeps_its_other_values(store):
    async with begin(store, "test") as transaction:
        await transaction.create(name(f"0.NA/{DELEGATED}"), [DESC])
    await delegate_prefix(store, DELEGATED, FIRST, by="test")
    await delegate_prefix(store, DELEGATED, SECOND, by="test", below=True)
    async with begin(store, "test") as transaction:
        record = await transaction.lock(name(f"0.NA/{DELEGATED}"))
    assert record.values[0].says_the_same_as(DESC)
    assert (await sites(store), await sites(store, SITE_BELOW)) == ([FIRST], [SECOND])


async def test_a_prefix_that_is_homed_here_is_not_delegated_but_what_is_below_it_may_be(store):
    with pytest.raises(HandleAlreadyExists):
        await delegate_prefix(store, PREFIX, FIRST, by="test")
    assert await delegate_prefix(store, PREFIX, FIRST, by="test", below=True)


@pytest.mark.parametrize("prefix", ["", "0.NA", "88..1", "88.168/1"])
async def test_what_is_no_prefix_is_not_delegated(store, prefix):
    with pytest.raises(InvalidHandle):
        await delegate_prefix(store, prefix, FIRST, by="test")
