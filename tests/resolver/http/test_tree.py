"""A pallet with its cakes in one answer: everything that is in it, nothing that is hidden, and as it is now."""

import asyncio
import time

import pytest

from registry.changes import Change, ChangeKind
from registry.edges import sayers
from registry.handle import Handle
from registry.transaction import begin
from registry.value import HandleValue
from resolver import contents
from resolver.client.statements import read_bundle
from resolver.contents import Contents
from resolver.listeners.http import tree
from tests.resolver.http.lab import PREFIX, Client, lab

GRADE = HandleValue(1, "GRADE", b"AA")
SECRET = HandleValue(3, "COST", b"12.50", permissions=0b1100)


def link(relation, suffix, index=2, permissions=0b1110):
    return HandleValue(index, relation, f"{PREFIX}/{suffix}".encode(), permissions=permissions)


CHAIN = {
    f"{PREFIX}/Truck": (GRADE,),
    **{f"{PREFIX}/Pallet{n}": (GRADE, link("PACKED_IN", "truck")) for n in range(2)},
    **{f"{PREFIX}/Cake{n:02}": (GRADE, link("PACKED_IN", "PALLET0"), SECRET) for n in range(48)},
    f"{PREFIX}/Hidden": (GRADE, link("PACKED_IN", "PALLET0", permissions=0b1100)),
    f"{PREFIX}/Roll": (GRADE, link("MADE_FROM", "Cake00")),
    f"{PREFIX}/Sheet": (GRADE, link("PART_OF", "Roll")),
}


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, CHAIN) as node:
        yield node


async def ask(node, path):
    client = Client(node.port)
    try:
        return await asyncio.to_thread(client.ask, "GET", path)
    finally:
        client.close()


async def shown(node, suffix, query=""):
    reply = await ask(node, f"/api/tree/{PREFIX}/{suffix}{query}")
    assert reply.status == 200, reply.body
    return reply.json


def names(form):
    return {form["handle"].partition("/")[2]: [names(one) for one in form["contents"]]}


async def test_what_a_handle_lists_itself_is_in_it_once_and_hidden_lists_and_circles_end(database_dsn, tmp_path):
    def lists(*suffixes, permissions=0b1110):
        text = "\n".join(f"{PREFIX}/{suffix}" for suffix in suffixes)
        return HandleValue(9, "MEMBERS", text.encode(), permissions=permissions)

    handles = {
        f"{PREFIX}/P": (lists("B1", "B2", "none", "B1"),),
        f"{PREFIX}/B1": (lists("C1", "C2", "P"), link("PACKED_IN", "P")),
        f"{PREFIX}/B2": (lists("C3", permissions=0b1100),),
        f"{PREFIX}/C1": (GRADE,),
        f"{PREFIX}/C2": (HandleValue(1, "MEMBERS", b"no handle\n10.9999/x\n/"),),
        f"{PREFIX}/C3": (GRADE,),
    }
    async with lab(database_dsn, tmp_path, handles) as node:
        form = await shown(node, "p")
        assert names(form) == {"p": [{"B1": [{"C1": []}, {"C2": []}]}, {"B2": []}, {"NONE": []}]}
        assert (await shown(node, "P", "?depth=1"))["contents"][0]["more"] is True
        assert names(await shown(node, "P", "?follow=PART_OF")) == {"P": []}
        _, bundle = await bundled(node, "?depth=3", "P")
        assert len(bundle["results"]) == 6


async def bundled(node, query, *suffixes):
    client = Client(node.port)
    try:
        asked = [f"{PREFIX}/{suffix}" for suffix in suffixes]
        reply = await asyncio.to_thread(client.ask, "POST", f"/api/bundle{query}", asked)
        return reply.status, read_bundle(reply.body, time.time()).body if reply.status == 200 else reply.json
    finally:
        client.close()


async def test_a_truck_is_taken_along_in_one_signed_bundle_with_what_is_in_it_and_nothing_hidden(node):
    status, bundle = await bundled(node, "?depth=2", "truck", "NONE")
    assert status == 200
    held = [one["handle"].partition("/")[2] for one in bundle["results"]]
    assert held[:2] == ["truck", "NONE"]
    assert sorted(held[2:]) == sorted([*(f"Cake{n:02}" for n in range(48)), "Pallet0", "Pallet1"])
    assert bundle["contents"][f"{PREFIX}/truck"]["contents"] == [f"{PREFIX}/Pallet0", f"{PREFIX}/Pallet1"]
    assert len(bundle["contents"][f"{PREFIX}/Pallet0"]["contents"]) == 48
    assert "12.50" not in str(bundle)
    assert bundle["counts"] == {"found": 51, "notFound": 1, "refused": 0, "busy": 0}


async def test_a_bundle_says_where_there_is_more_than_it_holds(node):
    _, bundle = await bundled(node, "?depth=1", "truck")
    assert bundle["contents"][f"{PREFIX}/Pallet0"] == {"contents": [], "more": True}
    assert f"{PREFIX}/Pallet1" not in bundle["contents"]


async def test_a_bundle_of_too_many_trees_or_too_deep_ones_is_refused(node):
    assert (await bundled(node, "?depth=9", "truck"))[0] == 400
    assert (await bundled(node, "?depth=2", *(f"X{n}" for n in range(101))))[0] == 400


async def test_a_pallet_comes_with_its_cakes_and_what_they_say_publicly(node):
    form = await shown(node, "pallet0")
    assert form["handle"] == f"{PREFIX}/pallet0"
    assert [one["handle"] for one in form["contents"]] == [f"{PREFIX}/Cake{n:02}" for n in range(48)]
    assert {one["relation"] for one in form["contents"]} == {"PACKED_IN"}
    assert [value["type"] for value in form["contents"][0]["values"]] == ["GRADE", "PACKED_IN"]
    assert "more" not in form


async def test_levels_and_values_are_as_many_as_were_asked_for(node):
    form = await shown(node, "truck", "?depth=1&fields=GRADE,COST")
    assert names(form) == {"truck": [{"Pallet0": []}, {"Pallet1": []}]}
    assert [value["type"] for value in form["contents"][0]["values"]] == ["GRADE"]
    assert (form["contents"][0]["more"], "more" in form["contents"][1]) == (True, False)
    whole = await shown(node, "truck")
    assert len(whole["contents"][0]["contents"]) == 48


async def test_other_links_are_followed_when_they_are_asked_for(node):
    assert names(await shown(node, "roll")) == {"roll": [{"Sheet": []}]}
    assert names(await shown(node, "cake00")) == {"cake00": []}
    assert names(await shown(node, "cake00", "?follow=MADE_FROM,PART_OF")) == {"cake00": [{"Roll": [{"Sheet": []}]}]}


async def test_what_is_packed_or_taken_out_is_seen_at_once(node):
    assert len((await shown(node, "pallet1"))["contents"]) == 0
    store = node.resolver.store
    async with begin(store, "test") as transaction:
        record = await transaction.lock(Handle(PREFIX, "cake07"))
        await transaction.replace(record, (GRADE, link("PACKED_IN", "Pallet1")))
    async with asyncio.timeout(20):
        while not (await shown(node, "pallet1"))["contents"]:  # noqa: ASYNC110  # the node looks at the log
            await asyncio.sleep(0.01)
        while len((await shown(node, "pallet0"))["contents"]) == 48:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
    assert names(await shown(node, "pallet1")) == {"pallet1": [{"Cake07": []}]}


async def test_a_tree_larger_than_an_answer_says_that_there_is_more(node, monkeypatch):
    monkeypatch.setattr(tree, "MAX_HANDLES", 10)
    form = await shown(node, "truck")
    assert form["contents"][0]["more"]
    assert len(form["contents"][0]["contents"]) == 7


@pytest.mark.parametrize("query", ["?depth=0", "?depth=9", "?depth=x", "?follow=EATEN_BY"])
async def test_a_parameter_that_means_nothing_is_refused(node, query):
    assert (await ask(node, f"/api/tree/{PREFIX}/truck{query}")).status == 400


async def test_the_tree_of_a_handle_that_is_not_there_is_not_found(node):
    reply = await ask(node, f"/api/tree/{PREFIX}/none")
    assert (reply.status, reply.json["responseCode"]) == (404, 100)
    assert (await ask(node, "/api/tree/88.999.9/x")).status == 400


async def test_what_was_read_while_it_changed_is_not_kept(node, monkeypatch):
    kept = Contents(node.resolver)
    key = node.resolver.store.key_of(f"{PREFIX}/Pallet0".encode())
    reads = []

    async def read_and_change(*arguments, **flags):
        reads.append(arguments)
        found = await sayers(*arguments, **flags)
        kept.forget([Change(ChangeKind.HANDLE, key)] if len(reads) == 1 else [])
        return found

    monkeypatch.setattr(contents, "sayers", read_and_change)
    for asked, count in ((1, 1), (2, 2), (3, 2)):
        inside = await kept.of([key], tree.INSIDE)
        assert len(inside[key].links) == 48
        assert len(reads) == count, asked
    kept.forget([Change(ChangeKind.EVERYTHING)])
    await kept.of([key], tree.INSIDE)
    assert len(reads) == 3


async def test_so_much_is_kept_and_no_more(node, monkeypatch):
    monkeypatch.setattr(contents, "MAX_KEPT", 60)
    kept = Contents(node.resolver)
    keys = [node.resolver.store.key_of(f"{PREFIX}/{name}".encode()) for name in ("Pallet0", "Truck", "Roll", "Cake00")]
    await kept.of(keys, tree.INSIDE)
    for number in range(40):
        await kept.of([node.resolver.store.key_of(f"{PREFIX}/none{number}".encode())], tree.INSIDE)
    assert kept._links <= 60
    assert kept._links == sum(len(one.links) + 1 for one in kept._kept.values())
