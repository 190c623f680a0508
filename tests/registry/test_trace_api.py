"""Chains of links over a real connection: what a thing came from, what came of it, and who may see it."""

import csv
import io

import orjson
import pytest
from yarl import URL

from tests.registry.interface import NDJSON

MILL, WEAVER = "88.168.2", "88.168.1"


def line(handle, *values, **links):
    said = [*values, *((name, target) for name, targets in links.items() for target in targets.split())]
    form = {
        "handle": handle,
        "values": [{"index": i, "type": name, "data": text} for i, (name, text) in enumerate(said, 1)],
    }
    return orjson.dumps(form) + b"\n"


CHAIN = b"".join(
    (
        line(f"{MILL}/chips", ("SUPPLIER", "甲")),
        line(f"{MILL}/batch", MADE_FROM=f"{MILL}/chips"),
        *(
            line(
                f"{MILL}/Cake{n}",
                ("GRADE", "AA"),
                MADE_FROM=f"{MILL}/batch",
                PACKED_IN=f"{MILL}/box",
                ON_MACHINE=f"{MILL}/m7",
            )
            for n in range(4)
        ),
        line(f"{MILL}/box", ("CUSTOMER", "乙"), PACKED_IN=f"{MILL}/pallet"),
        line(f"{MILL}/pallet", ("CUSTOMER", "丙")),
        line(f"{WEAVER}/roll", MADE_FROM=f"{MILL}/cake0 {MILL}/cake1"),
        line(f"{WEAVER}/garment", MADE_FROM=f"{WEAVER}/roll"),
    )
)


@pytest.fixture
async def chain(node):
    async with node.client.post("/api/bulk", data=CHAIN, headers=node.operator | NDJSON) as answer:
        report = await answer.json()
    assert (report["created"], report["refused"]) == (10, 0)
    return node


async def trace(node, handle, headers=None, **query):
    async with node.client.get(f"/api/trace/{handle}", params=query, headers=headers or node.operator) as answer:
        return answer.status, await answer.json(content_type=None)


def levels(form):
    by_level = {}
    for one in form["handles"]:
        by_level.setdefault(one["level"], []).append(one["handle"].partition("/")[2])
    return list(by_level.values())


async def test_a_garment_is_traced_back_to_its_raw_material(chain):
    status, form = await trace(chain, f"{WEAVER}/garment")
    assert (status, form["cursor"], form["stopped"]) == (200, None, None)
    assert levels(form) == [["roll"], ["Cake0", "Cake1"], ["batch", "M7"], ["chips"]]
    assert form["handles"][1] == {
        "handle": f"{MILL}/Cake0",
        "level": 2,
        "relation": "MADE_FROM",
        "via": f"{WEAVER}/roll",
    }


async def test_a_batch_is_followed_to_everything_that_came_of_it(chain):
    _, form = await trace(chain, f"{MILL}/chips", direction="forward")
    assert levels(form) == [
        ["batch"],
        ["Cake0", "Cake1", "Cake2", "Cake3"],
        ["roll", "box"],
        ["garment", "pallet"],
    ]
    _, form = await trace(chain, f"{MILL}/chips", direction="forward", follow="MADE_FROM")
    assert levels(form) == [["batch"], ["Cake0", "Cake1", "Cake2", "Cake3"], ["roll"], ["garment"]]
    _, form = await trace(chain, f"{MILL}/pallet")
    assert levels(form)[:2] == [["box"], ["Cake0", "Cake1", "Cake2", "Cake3"]]


async def test_pages_hold_together_what_one_answer_would(chain):
    _, whole = await trace(chain, f"{MILL}/chips", direction="forward")
    found, cursor = [], ""
    while cursor is not None:
        _, form = await trace(chain, f"{MILL}/chips", direction="forward", limit="3", cursor=cursor)
        assert len(form["handles"]) <= 3
        found += form["handles"]
        cursor = form["cursor"]
    assert found == whole["handles"]


async def test_a_bound_that_ended_a_walk_is_named(chain):
    _, form = await trace(chain, f"{WEAVER}/garment", depth="2")
    assert (levels(form), form["stopped"]) == ([["roll"], ["Cake0", "Cake1"]], "depth")
    _, form = await trace(chain, f"{WEAVER}/garment", depth="4")
    assert form["stopped"] is None


async def test_an_enterprise_hears_who_speaks_of_its_own_handles_and_not_of_others(chain):
    _, form = await trace(chain, f"{MILL}/batch", chain.enterprise, direction="forward")
    assert levels(form) == [["Cake0", "Cake1", "Cake2", "Cake3"], ["roll", "box"], ["pallet"]]
    assert (await trace(chain, f"{WEAVER}/roll", chain.enterprise))[0] == 403
    assert (await trace(chain, f"{MILL}/batch", {"X-None": ""}))[0] == 401


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"direction": "sideways"}, "direction"),
        ({"follow": "MADE_FROM,EATEN_BY"}, "follow"),
        ({"depth": "33"}, "depth"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": "0"}, "limit"),
    ],
)
async def test_a_parameter_that_means_nothing_is_named(chain, query, name):
    status, problem = await trace(chain, f"{MILL}/batch", **query)
    assert (status, problem["culprit"]["name"]) == (400, name)


async def test_a_name_that_nobody_could_have_is_refused(chain):
    for path in ("%00", "a%00b"):
        async with chain.client.get(URL(f"/api/trace/{MILL}/{path}", encoded=True), headers=chain.operator) as answer:
            assert answer.status == 400


async def recall(node, handle, headers, **query):
    async with node.client.get(f"/api/recall/{handle}", params=query, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return list(csv.reader(io.StringIO((await answer.read()).decode())))


async def test_a_recall_list_names_everything_with_what_is_asked_of_it(chain):
    rows = await recall(chain, f"{MILL}/batch", chain.operator, fields="GRADE,CUSTOMER")
    assert rows[0] == ["handle", "level", "relation", "via", "GRADE", "CUSTOMER"]
    assert rows[1] == [f"{MILL}/Cake0", "1", "MADE_FROM", f"{MILL}/batch", "AA", ""]
    assert [row[0].partition("/")[2] for row in rows[5:]] == ["roll", "box", "garment", "pallet"]
    assert rows[-1][-1] == "丙"
    zh = await recall(chain, f"{MILL}/batch", chain.operator | {"Accept-Language": "zh"})
    assert zh[0] == ["标识", "层级", "关系", "经由"]
    assert len(zh) == len(rows)


async def test_a_handle_with_no_links_has_an_empty_list(chain):
    assert await recall(chain, f"{MILL}/pallet", chain.enterprise) == [["handle", "level", "relation", "via"]]
