"""Codes of every system, altered as scanners, people and attackers alter them: each is refused, or is one handle."""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import HandleError
from registry.handle import Handle
from registry.schemes.recognition import ORDER, SCHEMES
from tests.registry.schemes.codes import codes
from tests.registry.schemes.test_recognition import recognised_or_refused

CODES = [(text, system) for text, system, _ in codes()]
CHARACTERS = st.characters() | st.sampled_from("0123456789./:()%+-\x1d*#?&;,\\\0\r\n𝟎０İ\u202e\u200b")
# How the canonical form of a system is written, as its own text.
WRITTEN = {
    "oid": "urn:oid:{suffix}",
    "gs1": "{suffix}",
    "ecode": "ecode:{suffix}",
    "ma": "MA.{suffix}",
    "handle": "{handle}",
    "vaa": "{handle}",
}


@st.composite
def altered(draw: st.DrawFn, system: str) -> str:
    text = draw(st.sampled_from([text for text, of in CODES if of == system]))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        kind = draw(st.sampled_from(["insert", "replace", "cut", "repeat", "case"]))
        if kind == "insert":
            text = text[:place] + draw(CHARACTERS) + text[place:]
        elif kind == "replace":
            text = text[:place] + draw(CHARACTERS) + text[place + 1 :]
        elif kind == "cut":
            text = text[:place] + text[place + draw(st.integers(1, 5)) :]
        elif kind == "repeat":
            text = text[:place] * draw(st.integers(1, 3)) + text[place:]
        else:
            text = text[:place].swapcase() + text[place:]
    return text


@pytest.mark.parametrize("system", sorted(WRITTEN.keys() | {"did"}))
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_altered_code_is_refused_by_a_rule_or_is_one_handle_that_is_read_back_as_itself(system, data):
    text = data.draw(altered(system))
    assert {type(scheme.shape(text)) for scheme in ORDER} == {bool}
    recognised = recognised_or_refused(text)
    if isinstance(recognised, HandleError):
        assert recognised.text("en") != recognised.text("zh")
        return
    handle = recognised.handle
    assert Handle.from_text(str(handle)) == handle
    if recognised.system in WRITTEN:
        again = WRITTEN[recognised.system].format(suffix=handle.suffix, handle=handle)
        scheme = SCHEMES["handle" if recognised.system == "vaa" else recognised.system]
        assert scheme.from_text(again) == handle


@pytest.mark.parametrize("scheme", ORDER, ids=lambda scheme: scheme.SYSTEM)
@given(text=st.text(CHARACTERS, max_size=60))
def test_a_system_that_is_told_to_read_any_text_reads_it_or_refuses_it(scheme, text):
    with suppress(HandleError):
        assert isinstance(scheme.from_text(text), Handle)


def test_there_are_codes_of_every_system_to_alter():
    assert all(Counter(system for _, system in CODES)[system] >= 10 for system in WRITTEN.keys() | {"did"})
