import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import HandleError
from registry.handle import Handle
from registry.schemes import oid

ARCS = st.tuples(
    st.sampled_from(["1.2", "2.16", "2.999", "0.39"]), st.lists(st.integers(0, 99999), min_size=1, max_size=9)
).map(lambda parts: ".".join([parts[0], *map(str, parts[1])]))


@pytest.mark.parametrize(
    "writing",
    [
        "1.2.156.10001.5",
        "urn:oid:1.2.156.10001.5",
        "OID:1.2.156.10001.5",
        "/ISO/Member-Body/CN/10001/5",
        "/iso/member-body/156/10001/5",
        "/1/2/156/10001/5",
        "{iso(1) member-body(2) cn(156) 10001 5}",
        "{ iso member-body cn 10001 5 }",
    ],
)
def test_every_writing_of_an_oid_is_one_handle(writing):
    assert oid.shape(writing)
    assert oid.from_text(writing) == Handle("oid", "1.2.156.10001.5")


def test_one_label_of_an_iri_may_stand_for_two_arcs():
    assert oid.from_text("/Country/CN/5").suffix == "2.16.156.5"
    assert oid.from_text("/Joint-ISO-ITU-T/Country/156/5").suffix == "2.16.156.5"


def test_arcs_of_letters_match_in_any_case():
    assert oid.from_text("1.2.156.ABC-1") == oid.from_text("1.2.156.abc-1")


@pytest.mark.parametrize("text", ["1.2", "88.168.10", "1.2.156/5", "10.1.2", "0.NA/88", "/01/06901234567892", "", "2."])
def test_what_could_be_something_else_has_not_the_shape_of_an_oid(text):
    assert not oid.shape(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1.2.156.007", "oid.arc"),
        ("urn:oid:1..2", "oid.arc"),
        ("1.40.1", "oid.root"),
        ("urn:oid:3.1", "oid.root"),
        ("urn:oid:1", "oid.root"),
        ("/ISO/China/5", "oid.name"),
        ("/ISO/Member-Body/156/中文", "oid.name"),
        ("1.2.156." + "a" * 64, "oid.arc_too_long"),
        ("1.2.156" + ".99999" * 16, "oid.too_long"),
    ],
)
def test_a_malformed_oid_is_refused_with_its_rule(text, rule):
    with pytest.raises(HandleError) as refusal:
        oid.from_text(text)
    assert refusal.value.rule == rule
    assert refusal.value.text("zh") != refusal.value.text("en")


@given(ARCS)
def test_the_canonical_text_is_read_back_as_itself(text):
    assert oid.from_text(text) == Handle("oid", text)
    assert oid.from_text(f"/{text.replace('.', '/')}") == Handle("oid", text)


@given(st.text())
def test_any_text_is_an_oid_or_a_refusal(text):
    oid.shape(text)
    try:
        handle = oid.from_text(text)
    except HandleError:
        return
    assert oid.from_text(handle.suffix) == handle
