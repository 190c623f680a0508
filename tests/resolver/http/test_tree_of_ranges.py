"""Members of ranges in trees: what all of a range say, what is filled in for each, and what only some may know."""

import asyncio

import pytest

from registry import member_links
from registry.authentication import Administrator
from registry.handle import Handle
from registry.ranges import NewRange, Ranges
from registry.registration import Registration
from registry.value import HandleValue, Reference
from resolver import contents
from tests.resolver.http.lab import ADMINISTRATOR, PREFIX, Client, basic, lab
from tests.resolver.http.test_tree import GRADE, link, names

NODE = Administrator(Reference(f"0.NA/{PREFIX}", 301))
THINGS = {f"{PREFIX}/{name}": (GRADE,) for name in ("PALLET", "BOX1", "BOX2", "BOX10", "BATCH")} | {
    f"{PREFIX}/CAKE-2": (GRADE, link("PACKED_IN", "PALLET"))
}


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, THINGS, plain_authentication=True) as node:
        yield node


@pytest.fixture
def ranges(node):
    store = node.resolver.store
    return Ranges(store, Registration(store, [ADMINISTRATOR]))


async def doff(node, ranges, *values, first="Doff-01", members=12):
    await ranges.register(NewRange(Handle.from_text(f"{PREFIX}/{first}"), members, 2, 10, values), NODE)
    await heard(node)


async def heard(node):
    """Waits until the node knows that there are ranges."""
    async with asyncio.timeout(60):
        while not node.resolver.store.prefixes.any_ranged:  # noqa: ASYNC110  # nobody is told
            await asyncio.sleep(0.01)


async def inside(node, suffix, query="", **headers):
    client = Client(node.port)
    try:
        reply = await asyncio.to_thread(client.ask, "GET", f"/api/tree/{PREFIX}/{suffix}{query}", None, headers)
    finally:
        client.close()
    assert reply.status == 200, reply.body
    return reply.json


async def test_all_of_a_doff_are_in_the_pallet_that_they_name_beside_what_has_a_row(node, ranges):
    assert names(await inside(node, "pallet")) == {"pallet": [{"CAKE-2": []}]}
    await doff(node, ranges, GRADE, link("PACKED_IN", "PALLET"), link("PART_OF", "BATCH", 3))
    doffed = [{f"Doff-{number:02}": []} for number in range(1, 13)]
    form = await inside(node, "pallet")
    assert names(form) == {"pallet": [{"CAKE-2": []}, *doffed]}
    assert [one["values"][0]["data"]["value"] for one in form["contents"][1:]] == ["AA"] * 12
    assert names(await inside(node, "batch", "?follow=PART_OF")) == {"batch": doffed}


async def test_a_member_is_in_what_was_filled_in_for_it_and_elsewhere_once_it_says_so(node, ranges):
    await doff(node, ranges, GRADE, HandleValue(2, "PACKED_IN", f"{PREFIX}/BOX{{position}}".encode()))
    for box, members in (("BOX1", ["Doff-01"]), ("BOX2", ["Doff-02"]), ("BOX10", ["Doff-10"]), ("PALLET", ["CAKE-2"])):
        assert names(await inside(node, box)) == {box: [{one: []} for one in members]}
    registration = Registration(node.resolver.store, [ADMINISTRATOR])
    await registration.put_record(Handle.from_text(f"{PREFIX}/Doff-01"), (GRADE, link("PACKED_IN", "PALLET")), NODE)
    assert names(await inside(node, "BOX1")) == {"BOX1": []}
    async with asyncio.timeout(60):
        while len((await inside(node, "PALLET"))["contents"]) < 2:  # noqa: ASYNC110  # until the change is heard
            await asyncio.sleep(0.01)


async def test_a_link_that_not_everybody_may_read_is_in_the_tree_of_who_may(node, ranges):
    await doff(node, ranges, GRADE, link("PACKED_IN", "PALLET", permissions=0b1100), members=3)
    await doff(node, ranges, GRADE, link("PACKED_IN", "PALLET"), first="Open-01", members=2)
    open_ones = [{"CAKE-2": []}, {"Open-01": []}, {"Open-02": []}]
    assert names(await inside(node, "PALLET")) == {"PALLET": open_ones}
    hidden = [{f"Doff-{number:02}": []} for number in range(1, 4)]
    assert names(await inside(node, "PALLET", **basic())) == {"PALLET": [open_ones[0], *hidden, *open_ones[1:]]}


async def test_of_a_block_of_many_so_many_are_shown_and_that_there_are_more(node, ranges, monkeypatch):
    monkeypatch.setattr(contents, "MAX_INSIDE", 20)
    monkeypatch.setattr(member_links, "MAX_FILLED", 20)
    await doff(node, ranges, GRADE, link("PART_OF", "BATCH"), first="Wide-00", members=100)
    form = await inside(node, "BATCH")
    assert len(form["contents"]) == 20
    assert form["more"]
