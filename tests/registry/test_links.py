"""Typed links as values: what is one, what is refused, and that every way of writing looks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.data_forms import data_from_json, data_to_json
from registry.errors import InvalidValue
from registry.links import LINK, Link, links_of, relation
from registry.record import check_values
from registry.row_readers import LineReader
from registry.usual_values import UsualValues
from registry.value import HandleValue

PAGE = {"rel": "gs1:pip", "href": "https://example.com/p?a=1#b", "title": "产品页面 Product page"}


def data(**members):
    return json.dumps({**PAGE, **members}).encode()


def test_a_link_has_its_relation_written_out_and_its_languages_in_a_list():
    link = Link.from_data(data(type="text/html", hreflang="zh-Hans", context=["CN", "HK"], default=True))
    assert link == Link(
        "https://ref.gs1.org/voc/pip",
        PAGE["href"],
        PAGE["title"],
        "text/html",
        ("zh-Hans",),
        ("CN", "HK"),
        True,
    )


@pytest.mark.parametrize("spelling", ["gs1:pip", "https://gs1.org/voc/pip", "http://www.gs1.org/voc/pip"])
def test_the_spellings_of_a_relation_of_gs1_are_one(spelling):
    assert relation(spelling) == "https://ref.gs1.org/voc/pip"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"rel": "linkset"}, "rel"),
        ({"rel": "gs1:defaultLink"}, "rel"),
        ({"rel": "gs1:"}, "rel"),
        ({"rel": "Next Page"}, "rel"),
        ({"href": "javascript:alert(1)"}, "href"),
        ({"href": "ftp://example.com/"}, "href"),
        ({"href": "https:///x"}, "href"),
        ({"href": "https://example.com/\r\nSet-Cookie: a=b"}, "href"),
        ({"href": "https://example.com\\@evil.example/"}, "href"),
        ({"href": "/relative"}, "href"),
        ({"href": "https://example.com/" + "x" * 5000}, "href"),
        ({"title": " "}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"type": "html"}, "type"),
        ({"hreflang": ["chinese language"]}, "hreflang"),
        ({"hreflang": ["zh"] * 33}, "hreflang"),
        ({"context": ["a b"]}, "context"),
        ({"default": "yes"}, "default"),
        ({"hrefs": "x"}, "hrefs"),
    ],
)
def test_what_is_no_link_is_refused_with_the_member_that_is_wrong(members, reason):
    with pytest.raises(ValueError, match=reason):
        Link.from_data(data(**members))
    with pytest.raises(InvalidValue, match=reason):
        check_values((HandleValue(1, "Link", data(**members)),))


def test_a_bulk_load_looks_at_links_too():
    assert UsualValues().head(1, "link") is None
    assert UsualValues().head(1, "LINK.text") is not None
    line = json.dumps({"handle": "88.1/a", "values": [{"index": 1, "type": LINK, "data": "{}"}]}).encode()
    with pytest.raises(InvalidValue, match="rel"):
        LineReader().read(line)


def test_a_link_is_shown_as_an_object_and_read_back_as_the_same_octets():
    octets = data_from_json(1, LINK, "link", {**PAGE, "hreflang": ["zh"]})
    shown = data_to_json(LINK, octets)
    assert shown == {"format": "link", "value": {**PAGE, "hreflang": ["zh"]}}
    assert data_from_json(1, LINK, shown["format"], shown["value"]) == octets


def test_what_is_no_link_is_shown_as_it_is():
    assert data_to_json(LINK, b"not JSON") == {"format": "string", "value": "not JSON"}
    assert data_to_json("LINK.text", data()) == {"format": "string", "value": data().decode()}
    with pytest.raises(InvalidValue, match="rel"):
        data_from_json(1, LINK, "link", {**PAGE, "rel": "linkset"})
    with pytest.raises(InvalidValue):
        data_from_json(1, LINK, "link", {1: 2})


def test_the_links_of_a_record_are_its_values_of_the_type_that_are_links():
    values = (HandleValue(1, "URL", b"x"), HandleValue(2, "link", data()), HandleValue(3, LINK, b"{}"))
    assert [link.href for link in links_of(values)] == [PAGE["href"]]


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(lambda form: json.dumps(form).encode()))
def test_any_octets_are_a_link_or_refused(octets):
    try:
        assert Link.from_data(octets).title
    except ValueError:
        assert links_of([HandleValue(1, LINK, octets)]) == ()
