import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import HandleError
from registry.handle import Handle
from registry.schemes.recognition import ORDER, SCHEMES, recognise
from registry.schemes.systems import SYSTEMS


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("88.168.10/C.POY.2025", Handle("88.168.10", "C.POY.2025")),
        ("88.118.8/a.b.c.d/e", Handle("88.118.8", "a.b.c.d/e")),
        ("88.168.10", Handle("0.NA", "88.168.10")),
        ("hdl:88.168.10/x", Handle("88.168.10", "x")),
        ("https://hdl.handle.net/88.168.10/x", Handle("88.168.10", "x")),
        ("doi:10.1234/abc", Handle("10.1234", "abc")),
        ("1.2.156/5", Handle("1.2.156", "5")),
    ],
)
def test_a_handle_stays_the_handle_it_is(text, handle):
    recognised = recognise(text)
    assert (recognised.system, recognised.handle) == ("handle", handle)


def test_a_code_belongs_to_the_first_system_whose_shape_it_has():
    assert recognise("1.2.156.10001").system == "oid"


def test_what_its_system_refuses_is_tried_on_no_other():
    with pytest.raises(HandleError) as refusal:
        recognise("1.2.156.007")
    assert refusal.value.rule == "oid.arc"


def test_every_system_says_by_what_it_is_told():
    assert set(SCHEMES) == set(SYSTEMS)
    assert len(SCHEMES) == len(ORDER)


@given(st.text())
def test_any_text_is_recognised_or_refused_by_a_rule(text):
    outcome = recognised_or_refused(text)
    if isinstance(outcome, HandleError):
        assert outcome.text("en") != outcome.text("zh")
    else:
        assert outcome.system in SYSTEMS


def recognised_or_refused(text):
    try:
        return recognise(text)
    except HandleError as refusal:
        return refusal
