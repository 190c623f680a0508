"""Rows of a chunk made ready: the fast way says what the long way says, and any octets give rows or refusals."""

from typing import Any

import hypothesis
import hypothesis.strategies as st
import msgspec
import orjson
import pytest

from registry.data_forms import check_data
from registry.errors import HandleError
from registry.packing import pack
from registry.preparation import Layout, Prepared, prepare
from registry.record import check_values
from registry.refusal import message
from registry.rest import ValueForm, values_from_forms
from registry.rules import RULES
from registry.tabular import columns_from_names
from registry.usual_values import UsualValues

TYPES = st.sampled_from(["URL", "DESC", "EMAIL", "10320/loc", "HS_ADMIN", "hs_alias", "", "涤", "x" * 129, "tab\t"])
VALUES = st.fixed_dictionaries(
    {
        "index": st.integers(-1, 4) | st.sampled_from([100, 1 << 31, 1 << 40]),
        "type": TYPES,
        "data": st.text(max_size=5) | st.just("long" * 5000),
    },
    optional={"ttl": st.just(86400), "permissions": st.just("1110")},
)


def prepared(rows: list[bytes], layout: Layout | None = None) -> Prepared:
    return prepare(layout or Layout(exact_suffixes=False), rows, {}, list(range(1, len(rows) + 1)))


@hypothesis.given(st.lists(VALUES, max_size=8))
def test_the_fast_way_packs_what_the_long_way_packs(values: list[dict[str, Any]]):
    usual = UsualValues().read(msgspec.json.encode({"handle": "88.168.1/A", "values": values}))
    if usual is not None:
        ordered = check_values(values_from_forms(msgspec.convert(values, list[ValueForm])))
        for value in ordered:
            check_data(value.index, value.type, value.data)
        assert usual == ("88.168.1/A", pack(ordered, 0))


def test_usual_values_take_the_fast_way():
    texts = ["http://x", "é" * 100, "", "x" * 16383]
    values = [{"index": index, "type": "涤纶", "data": text} for index, text in enumerate(texts, 1)]
    assert UsualValues().read(orjson.dumps({"handle": "a/b", "values": values})) is not None


@pytest.mark.parametrize("change", [
    {"index": 0}, {"index": 1 << 31}, {"type": ""}, {"type": "HS_SITE"}, {"data": "x" * 16384}, {"data": 1},
    {"ttl": 1}, {"permissions": "1110"}, {"references": []}, {"data": {"format": "string", "value": "x"}},
])  # fmt: skip
def test_unusual_values_take_the_long_way(change: dict[str, Any]):
    value = {"index": 1, "type": "URL", "data": "x"} | change
    assert UsualValues().read(orjson.dumps({"handle": "a/b", "values": [value]})) is None


@hypothesis.given(st.lists(st.binary(max_size=80), max_size=5))
def test_any_lines_are_rows_or_refusals(lines: list[bytes]):
    check_all(prepared(lines), len(lines))


@hypothesis.given(st.lists(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["handle", "values", "index", "type", "data", "ttl", "permissions", "references", "format",
                         "value"]), inner, max_size=5),
    max_leaves=20), max_size=3))  # fmt: skip
def test_any_json_is_a_row_or_a_refusal(forms: list[Any]):
    lines = [msgspec.json.encode(form) for form in forms]
    check_all(prepared(lines), len(lines))


@hypothesis.given(
    st.text(max_size=12),
    st.lists(
        st.fixed_dictionaries(
            {
                "index": st.integers(-2, 1 << 33),
                "type": st.sampled_from(["HS_ADMIN", "HS_VLIST", "HS_SITE", "HS_PUBKEY", "URL"]),
                "data": st.text(max_size=5)
                | st.fixed_dictionaries(
                    {
                        "format": st.sampled_from(["string", "base64", "hex", "admin", "vlist", "site", "key", "no"]),
                        "value": st.text(max_size=8) | st.integers() | st.lists(st.integers(), max_size=2),
                    }
                ),
            },
            optional={
                "ttl": st.integers() | st.text(alphabet="0129-:TZ", max_size=20),
                "permissions": st.text(alphabet="01x", max_size=9),
                "timestamp": st.integers(),
                "references": st.lists(
                    st.fixed_dictionaries({"handle": st.text(max_size=3), "index": st.integers()}), max_size=2
                ),
            },
        ),
        max_size=3,
    ),
)
def test_any_record_is_a_row_or_a_refusal(suffix: str, values: list[dict[str, Any]]):
    check_all(prepared([msgspec.json.encode({"handle": f"88.168.1/{suffix}", "values": values})]), 1)


@hypothesis.given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from(["utf-8", "gb18030"]))
def test_any_rows_of_a_table_are_rows_or_refusals(rows: list[bytes], encoding: str):
    columns = columns_from_names(["URL", "handle", "HS_ADMIN", "#note"])
    check_all(prepared(rows, Layout(False, columns, encoding, ",")), len(rows))


@hypothesis.given(st.lists(st.text(max_size=6), max_size=5))
def test_any_header_is_read_or_refused(names: list[str]):
    try:
        columns = columns_from_names(names)
    except HandleError as error:
        assert error.rule in RULES  # noqa: PT017  # it may as well not be raised
    else:
        assert len({index for _, index, _ in columns.values}) == len(columns.values)


def test_rows_are_in_order_of_key_and_in_runs_of_one_prefix():
    names = ["88.168.10/b", "88.168.1/B", "88.168.1/a", "88.168.1-x/c", "88.168.10/A"]
    rows = [orjson.dumps({"handle": name, "values": []}) for name in names]
    ready = prepared(rows)
    assert ready.suffixes == ["C", "A", "B", "A", "B"]
    assert ready.spellings == ["c", "a", None, None, "b"]
    assert [(run.prefix_key, run.start, run.end) for run in ready.runs] == [
        (b"88.168.1-X", 0, 1),
        (b"88.168.1", 1, 3),
        (b"88.168.10", 3, 5),
    ]


def test_a_node_that_keeps_suffixes_exact_has_two_handles_of_two_spellings():
    rows = [orjson.dumps({"handle": name, "values": []}) for name in ("88.168.A/b", "88.168.a/B", "88.168.a/b")]
    ready = prepared(rows, Layout(exact_suffixes=True))
    assert ready.suffixes == ["B", "b"]
    assert [refusal.rule for refusal in ready.refusals] == ["load.duplicate"]


def check_all(ready: Prepared, count: int) -> None:
    assert len(ready.places) + len(ready.refusals) == count
    for refusal in ready.refusals:
        orjson.loads(refusal.culprit_json)
        assert message(refusal.rule, refusal.culprit, "en")
        assert message(refusal.rule, refusal.culprit, "zh")
        assert "\\u0000" not in refusal.culprit_json


def test_rows_that_name_codes_are_those_of_the_handles_they_are_kept_under():
    names = ["(00)369012345678901239", "1.2.156.10001.5", "VAA08810012345678/x", "https://id.gs1.org/01/06901234567892",
             "88.100.12345678/y"]  # fmt: skip
    values = [{"index": 1, "type": "URL", "data": "x"}]
    rows = [msgspec.json.encode({"handle": name, "values": values}) for name in names]
    made = prepared(rows)
    assert not made.refusals
    kept = {f"{run.prefix_key.decode()}/{suffix}" for run in made.runs for suffix in made.suffixes[run.start : run.end]}
    assert kept == {"GS1/00/369012345678901239", "OID/1.2.156.10001.5", "88.100.12345678/X", "GS1/01/06901234567892",
                    "88.100.12345678/Y"}  # fmt: skip
