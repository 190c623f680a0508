"""Tables with headers of a factory's own, read as its enterprise once said."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.column_mapping import ColumnForm, MappingForm, columns_of, header_digest
from registry.errors import ProtocolFault
from registry.units import converted, factor, name_and_unit
from tests.registry.bulk_files import table
from tests.registry.interface import Node
from tests.registry.test_jobs import CSV, XLSX, done, results, texts, working
from tests.registry.test_workbook import written_by_openpyxl

HEADER = ["托盘号", "净重(g)", "备注", "箱号清单"]
MAPPING = {
    "columns": {
        "托盘号": {"to": "handle"},
        "净重(g)": {"to": "11:NET_WEIGHT_KG", "unit": "g", "into": "kg"},
        "箱号清单": {"to": "9:MEMBERS"},
        "备注": {},
    },
    "prefix": "88.168.2",
    "template": "textile/pallet@1",
}


@pytest.mark.parametrize(
    ("text", "unit", "wanted", "expected"),
    [("9500", "g", "kg", "9.5"), ("83.3", "d", "dtex", "92.5555555556"), ("1", "吨", "kg", "1000"),
     ("x", "g", "kg", "x"), ("", "g", "kg", ""), ("nan", "g", "kg", "nan"), ("1e999", "g", "kg", "1e999")],
)  # fmt: skip
def test_a_number_is_written_in_another_unit_and_what_is_none_is_left_to_be_refused(text, unit, wanted, expected):
    by = factor(unit, wanted)
    assert by is not None
    assert converted(text, by) == expected


def test_units_of_different_things_are_not_converted():
    assert factor("kg", "m") is None
    assert name_and_unit("净重（kg）") == ("净重", "kg")
    assert name_and_unit("规格(AA)") == ("规格(AA)", "")


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=3))
def test_a_number_comes_back_from_another_unit(number):
    there, back = factor("g", "kg"), factor("kg", "g")
    assert there is not None
    assert back is not None
    assert Decimal(converted(converted(str(number), there), back)) == number


def test_a_header_is_known_in_any_order_and_names_its_column_when_a_unit_does_not_fit():
    assert header_digest(HEADER) == header_digest([*reversed(HEADER), "", " "])
    form = MappingForm({"a": ColumnForm("handle"), "b": ColumnForm("1:URL", "kg", "m")})
    with pytest.raises(ProtocolFault) as refused:
        columns_of(form, ["a", "b"])
    assert (refused.value.rule, refused.value.culprit["column"]) == ("load.header", 2)


async def ask(node: Node, method: str, path: str, form: object, status: int = 200) -> dict[str, object]:
    async with node.client.request(method, path, json=form, headers=node.enterprise) as answer:
        said: dict[str, object] = await answer.json(content_type=None)
        assert answer.status == status, said
        return said


async def test_a_mapping_is_proposed_from_a_template_and_remembered(node: Node):
    header = {"columns": HEADER, "template": "textile/pallet@1", "prefix": "88.168.2"}
    proposed = await ask(node, "POST", "/api/mappings/propose", header)
    assert proposed["remembered"] is False
    assert proposed["mapping"]["columns"]["净重(g)"] == {"to": "11:NET_WEIGHT_KG", "unit": "g", "into": "kg"}
    assert proposed["unknown"] == ["托盘号", "备注", "箱号清单"]
    await ask(node, "PUT", "/api/mappings", MAPPING)
    assert await ask(node, "POST", "/api/mappings/propose", header | {"columns": [*reversed(HEADER)]}) == {
        "remembered": True,
        "mapping": MAPPING,
        "unknown": [],
    }
    async with node.client.get("/api/mappings", headers=node.operator) as answer:
        assert await answer.json() == []  # the operator's own enterprise has none


async def test_jobs_with_a_known_header_are_read_by_its_mapping_and_come_back_in_their_own_columns(node: Node):
    await ask(node, "PUT", "/api/mappings", MAPPING)
    rows = [HEADER, ["P-1", "9500", "x", "88.168.2/B-1"], ["P-2", "heavy", "", "88.168.2/B-2"]]
    async with working(node.store):
        for body, headers in ((table(rows, "gb18030"), CSV), (written_by_openpyxl(rows), XLSX)):
            job = await done(node, body, headers=headers)
            assert (job["state"], job["refused"], job["fault"]) == ("finished", 1, None)
            assert await texts(node, "88.168.2/P-1") == ["88.168.2/B-1", "9.5", "textile/pallet@1"]
        job = await done(node, table(rows), headers=CSV)
        lines = (await results(node, job)).decode("utf-8-sig").splitlines()
        assert lines[0] == "托盘号,净重(g),备注,箱号清单,#行,#字段,#原因"
        assert lines[2].startswith("P-2,heavy,,88.168.2/B-2,3,净重(g),")
        job = await done(node, table([HEADER, ["P-1", "", "", ""]]), "?kind=delete", CSV)
        assert (job["updated"], job["refused"]) == (1, 0)


@pytest.mark.parametrize(
    "form",
    [
        {"columns": {}},
        {"columns": {"a": {"to": "1:URL"}}},  # no handle
        {"columns": {"a": {"to": "handle"}, "b": {"to": "1:URL"}}, "template": "x"},
        {"columns": {"a": {"to": "handle"}, "b": {"to": "1:URL", "unit": "kg", "into": "s"}}},
        {"columns": {"a": {"to": "handle", "x": 1}}},
    ],
)
async def test_a_mapping_that_no_table_could_be_read_by_is_refused(node: Node, form: object):
    await ask(node, "PUT", "/api/mappings", form, 400)
