import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.admin import AdminRecord
from registry.value import HandleValue
from resolver.listeners.http.pages import MAX_SHOWN, POLICY, TEXTS, Pages, redirect_body

ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "nav", "b", "a", "main", "h1", "p", "form", "label"),
    *("input", "button", "table", "thead", "tbody", "tr", "th", "td", "time", "code", "i"),
}


def pages(language="en", path="/88.168.1/A"):
    return Pages("Node", language, path, lambda line: None)


class Outline(HTMLParser):
    """The elements of a page and the addresses that it names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs


@given(st.text(max_size=40), st.text(max_size=40), st.binary(max_size=60), st.sampled_from(["en", "zh"]))
def test_no_text_from_outside_becomes_an_element_or_an_attribute(handle, value_type, data, language):
    value = HandleValue(1, value_type, data)
    page = pages(language).record(handle, [value], staleness=1.0, unsafe=True)
    plain = pages(language).record("h", [HandleValue(1, "t", b"d")], staleness=1.0, unsafe=True)
    names = [name for name, _ in Outline(page).attributes]
    assert [one for one in Outline(page).elements if one != "code"] == Outline(plain).elements
    assert names == [name for name, _ in Outline(plain).attributes]
    assert set(Outline(pages(language).refusal(404, data.decode(errors="replace"), handle)).elements) <= ELEMENTS


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_asks_for_nothing_from_elsewhere_and_runs_no_program(language):
    for page in (pages(language, "/").front(), pages(language).refusal(503, "busy", "88.168.1/A")):
        outline = Outline(page)
        assert set(outline.elements) <= ELEMENTS
        assert not [name for name, _ in outline.attributes if name.startswith("on") or name in {"style", "src"}]
        assert not re.search("https?:", page)


def test_the_policy_allows_the_style_of_the_page_and_nothing_else():
    page = pages().front()
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert POLICY.startswith("default-src 'none'")


def test_the_other_language_is_one_link_away():
    assert ("href", "/88.168.1/A?noredirect&lang=zh") in Outline(pages().refusal(404, "", "")).attributes
    assert ("href", "/?lang=en") in Outline(pages("zh", "/").front()).attributes


def test_every_text_is_there_in_both_languages():
    assert all(english and chinese for english, chinese in TEXTS.values())


def test_an_administrator_is_shown_in_words_and_a_key_in_its_form():
    values = (
        HandleValue(100, "HS_ADMIN", AdminRecord(0xFFF, "0.NA/88.168.1", 300).to_wire()),
        HandleValue(101, "ODD", b"\x00\x01"),
        HandleValue(102, "URL", b"x", ttl=1_800_000_000, ttl_absolute=True),
    )
    page = pages().record("88.168.1/A", values, staleness=0)
    assert "0.NA/88.168.1" in page
    assert "111111111111" in page
    assert "AAE=" in page
    assert "2027-01-15T08:00:00Z" in page


def test_a_long_value_is_cut_and_says_so():
    page = pages().record("88.168.1/A", [HandleValue(1, "DESC", b"a" * 100_000)], staleness=0)
    assert "a" * MAX_SHOWN in page
    assert "a" * (MAX_SHOWN + 1) not in page
    assert "the JSON has all of it" in page


def test_a_handle_with_nothing_to_show_says_so():
    assert "No value that may be shown" in pages().record("88.168.1/A", (), staleness=0)


def test_the_body_of_a_redirect_is_escaped():
    assert '"http://a.example/?a&amp;b=&quot;"' in redirect_body('http://a.example/?a&b="')
