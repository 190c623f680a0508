"""Who may write codes of other systems: whoever was granted their part, and the operator."""

import json
from collections.abc import AsyncIterator

import orjson
import pytest

from registry.errors import HandleNotFound, InvalidAdministrator, InvalidHandle, PrefixNotHomed
from registry.handle import Handle
from registry.issuers import grant, list_issuers, revoke
from registry.registration import Registration
from registry.schemes.recognition import recognise
from registry.store import Store
from registry.value import HandleValue
from tests.registry.books import OWNER, PREFIX, open_book
from tests.registry.interface import NDJSON, open_interface
from tests.resolver.test_cli import filament

VALUE = (HandleValue(1, "URL", b"https://example.org/"),)
PALLET = recognise("(00)369012345678901239").handle
OURS = Handle("oid", "1.2.156.10001.5")
THEIRS = Handle("oid", "1.2.156.100010.5")


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[Store]:
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture
def registration(store: Store) -> Registration:
    return Registration(store, ())


async def test_who_was_granted_a_part_writes_its_codes_and_no_others(store: Store, registration: Registration):
    await grant(store, "oid", "1.2.156.10001", PREFIX, by="operator")
    assert (await registration.put_record(OURS, VALUE, OWNER)).created
    assert not (await registration.put_record(OURS, (*VALUE, HandleValue(2, "DESC", b"x")), OWNER)).created
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(THEIRS, VALUE, OWNER)
    await registration.delete_record(OURS, OWNER)


async def test_the_longest_start_decides(store: Store, registration: Registration):
    await grant(store, "gs1", "6901234", PREFIX, by="operator")
    assert (await registration.put_record(PALLET, VALUE, OWNER)).created
    await grant(store, "gs1", "69012345678", "gs1", by="operator")
    with pytest.raises(InvalidAdministrator):
        await registration.delete_record(PALLET, OWNER)


async def test_what_was_taken_back_may_not_be_written_any_more(store: Store, registration: Registration):
    await grant(store, "oid", "1.2.156.10001", PREFIX, by="operator")
    await registration.put_record(OURS, VALUE, OWNER)
    assert [(one.system, one.start, one.prefix) for one in await list_issuers(store)] == [
        ("oid", "1.2.156.10001", PREFIX)
    ]
    await revoke(store, "oid", "1.2.156.10001", by="operator")
    with pytest.raises(InvalidAdministrator):
        await registration.delete_record(OURS, OWNER)
    with pytest.raises(HandleNotFound):
        await revoke(store, "oid", "1.2.156.10001", by="operator")
    assert await list_issuers(store) == []


async def test_a_grant_to_nobody_here_or_of_nothing_is_refused(store: Store):
    with pytest.raises(PrefixNotHomed):
        await grant(store, "oid", "1.2.156.10001", "88.999.1", by="operator")
    with pytest.raises(InvalidHandle):
        await grant(store, "gs1", "x", PREFIX, by="operator")


async def test_the_operator_grants_over_http_and_an_enterprise_loads_its_codes_alone(database_dsn: str):
    async with open_interface(database_dsn) as node:
        form = {"system": "oid", "start": "1.2.156.10001", "prefix": "88.168.2"}
        for by, status in ((node.enterprise, 403), (node.operator, 201)):
            async with node.client.post("/api/issuers", json=form, headers=by) as answer:
                assert answer.status == status
        async with node.client.get("/api/issuers", headers=node.operator) as answer:
            (granted,) = await answer.json()
            assert {name: granted[name] for name in form} == form
        names = ["1.2.156.10001.1", "1.2.156.10002.1", "urn:oid:1.2.156.10001.3", "88.168.2/A", "1.2.156.9"]
        rows = b"".join(
            orjson.dumps({"handle": one, "values": [{"index": 1, "type": "URL", "data": "x"}]}) + b"\n" for one in names
        )
        async with node.client.post("/api/bulk", data=rows, headers=node.enterprise | NDJSON) as answer:
            report = await answer.json()
        assert (report["created"], report["refused"]) == (3, 2)
        await node.store.load_prefixes()
        keys = [node.store.key_of(recognise(one).handle.octets) for one in names]
        found = await node.store.fetch_many(keys)
        assert [key in found for key in keys] == [True, False, True, True, False]
        async with node.client.post("/api/issuers/revoke", json=form, headers=node.operator) as answer:
            assert answer.status == 204
        async with node.client.post("/api/issuers/revoke", json=form, headers=node.operator) as answer:
            assert answer.status == 404


async def test_the_operator_grants_from_the_command_line(database_dsn: str):
    dsn = ("--dsn", database_dsn)
    filament("enterprise", "add", "化纤厂", "--prefix", "88.168.2", *dsn)
    granted = filament("issuer", "grant", "gs1", "6901234", "88.168.2", *dsn, "--lang", "zh")
    assert "88.168.2 可写入 gs1" in granted.stderr
    (row,) = json.loads(filament("issuer", "list", *dsn, "--output", "json").stdout)
    assert (row["system"], row["start"], row["prefix"]) == ("gs1", "6901234", "88.168.2")
    assert "nobody" in filament("issuer", "revoke", "gs1", "6901234", *dsn).stderr
    assert "company prefix" in filament("issuer", "grant", "gs1", "x", "88.168.2", *dsn, code=1).stderr
