"""The chains of the demo's identifiers, walked on its pages as a person does, from either end."""

import asyncio
import re
from urllib.parse import quote, unquote

import pytest

from bench.forms import ndjson_blocks
from bench.identifiers import records
from registry.bulk import load
from registry.search import declare
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from resolver.cli.demo_node import SEARCHABLE
from tests.resolver.http.lab import Client, lab

COUNT = 3_000  # Among them are a lorry, and garments with all that they were made of.
WAYS = re.compile(r'href="/([^"?]+)\?noredirect')
HTML = {"Accept": "text/html,application/xhtml+xml"}
# Letters that suffixes begin with: garment, roll, batch, machine; transport unit, pallet, box, cake.
CHAINS = ("G.", "R.", "L.", "E."), ("T.", "P.", "B.", "C.")


async def blocks():
    for _, block in ndjson_blocks(records(COUNT)):
        yield block


@pytest.fixture
async def node(database_dsn, tmp_path):
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    async with begin(store, "test") as transaction:
        for prefix in {record.handle.partition("/")[0] for record in records(COUNT)}:
            await transaction.home(prefix)
    await store.load_prefixes()
    for prefix in store.prefixes.homed():
        for _, value_type in SEARCHABLE:
            await declare(store, prefix, value_type, settling=0)
    report = await load(store, blocks(), "ndjson", source="demo", load_key="demo", loaded_by="test")
    assert (report.created, report.refused) == (COUNT, 0)
    await store.close()
    async with lab(database_dsn, tmp_path, similar_names=("88.168.",)) as node:
        yield node


def ways_on(client, handle):
    """The identifiers that one may walk on to from a page."""
    reply = client.ask("GET", f"/{quote(handle)}?noredirect", headers=HTML)
    assert reply.status == 200
    return [unquote(way) for way in WAYS.findall(reply.body.decode())]


def walked(client, start, chain):
    """Where one arrives who goes from link to link of a chain; every other branch is tried before he gives up."""
    if not chain:
        return start
    onward = [way for way in ways_on(client, start) if way.partition("/")[2].startswith(chain[0])]
    return next((end for way in onward[:5] if (end := walked(client, way, chain[1:]))), None)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: "".join(chain))
async def test_a_chain_is_walked_from_either_end(node, chain):
    def walk():
        client = Client(node.port)
        try:
            first = [record.handle for record in records(COUNT) if record.handle.partition("/")[2].startswith(chain[0])]
            assert first
            end = walked(client, first[0], chain[1:])
            assert end is not None
            assert walked(client, end, chain[::-1][1:]) is not None
        finally:
            client.close()

    await asyncio.to_thread(walk)
