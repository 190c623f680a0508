import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ProtocolFault
from registry.small_xml import MAX_OCTETS
from resolver.listeners.http.locations import Location, Locations, Wishes
from resolver.listeners.http.target import MAX_TARGET, Destinations, path_of, target_of, with_query

# As captured from the reference server's proxy.
CAPTURED = (
    b'<locations chooseby="locatt,country,weighted">'
    b'<location id="0" href="http://uk.example.org/" country="gb" weight="0"/>'
    b'<location id="1" href="http://www1.example.org/" weight="1"/></locations>'
)
ANYBODY = Wishes()


class Always:
    """Chance that always falls in the same place, from 0 up to 1."""

    def __init__(self, place: float) -> None:
        self.place = place

    def random(self) -> float:
        return self.place


def chosen(document: bytes, wishes: Wishes = ANYBODY, place: float = 0.0) -> str:
    locations = Locations.from_xml(document)
    assert locations is not None
    return locations.choose(wishes, Always(place)).href


@pytest.mark.parametrize(
    ("wishes", "href"),
    [
        (Wishes(), "http://www1.example.org/"),
        (Wishes((("id", "0"),)), "http://uk.example.org/"),
        (Wishes(country="gb"), "http://uk.example.org/"),
        (Wishes(country="GB"), "http://uk.example.org/"),
        (Wishes(country="cn"), "http://www1.example.org/"),
        (Wishes((("id", "9"),)), "http://www1.example.org/"),
    ],
)
def test_a_visitor_is_sent_where_the_reference_proxy_sends_one(wishes, href):
    assert chosen(CAPTURED, wishes) == href


def test_weights_are_the_shares_of_visitors():
    document = b'<locations><location href="a:1" weight="1"/><location href="a:3" weight="3"/></locations>'
    assert chosen(document, place=0.24) == "a:1"
    assert chosen(document, place=0.26) == "a:3"
    assert chosen(document, place=0.999) == "a:3"


def test_where_no_weight_is_above_zero_all_are_equal():
    document = b'<locations><location href="a:1" weight="0"/><location href="a:2" weight="-1"/></locations>'
    assert {chosen(document, place=0.1), chosen(document, place=0.9)} == {"a:1", "a:2"}


def test_the_highest_score_wins_where_scores_are_asked_for():
    document = (
        b'<locations chooseby="score"><location href="a:1" score="0.2"/><location href="a:2" score="7"/></locations>'
    )
    assert chosen(document) == "a:2"


def test_an_unknown_method_and_an_unreadable_weight_choose_nothing():
    document = (
        b'<locations chooseby="stars"><location href="a:1" weight="nan"/><location href="a:2" weight="x"/></locations>'
    )
    assert chosen(document, place=0.6) == "a:2"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no xml",
        b"<locations>",
        b"<locations/>",
        b"<others><location href='a:1'/></others>",
        b"<locations><location/></locations>",
        b"<locations><deeper><location href='a:1'/></deeper></locations>",
        b"<!DOCTYPE locations><locations><location href='a:1'/></locations>",
        b"<!DOCTYPE l [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><locations><location href='&b;'/></locations>",
        b"<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><locations><location href='a:1'/>&a;</locations>",
        b"<locations>&unknown;<location href='a:1'/></locations>",
        b"<?xml version='1.0'?><locations><location href='a:\xff'/></locations>",
        b"<locations>" + b"<location href='a:1'/>" * 1001 + b"</locations>",
        b"<locations><location href='" + b"a" * MAX_OCTETS + b"'/></locations>",
        b"<x>" * 10_000,
    ],
)
def test_a_document_that_is_no_list_of_locations_is_none(document):
    assert Locations.from_xml(document) is None


def test_a_document_is_utf_8_whatever_it_says_of_itself():
    document = "<?xml version='1.0' encoding='x-odd'?><locations><location href='a:纱' label='饼'/></locations>"
    locations = Locations.from_xml(document.encode())
    assert locations is not None
    assert locations.locations == (Location("a:纱", {"label": "饼"}),)


@given(st.binary(max_size=300))
def test_any_octets_are_locations_or_none(document):
    Locations.from_xml(document)
    Locations.from_xml(b"<locations>" + document + b"</locations>")


@given(
    st.lists(st.dictionaries(st.sampled_from(["country", "weight", "score", "id"]), st.text(max_size=6)), min_size=1),
    st.lists(st.sampled_from(["locatt", "country", "score", "weighted", "odd"])),
    st.text(max_size=3),
    st.integers(),
)
def test_somebody_is_always_sent_somewhere(attributes, methods, country, seed):
    locations = Locations(tuple(Location(f"a:{n}", one) for n, one in enumerate(attributes)), tuple(methods))
    wishes = Wishes((("id", "1"),), country)
    assert locations.choose(wishes, random.Random(seed)) in locations.locations


ALLOWED = Destinations(("http", "https", "ftp", "mailto"))


@pytest.mark.parametrize(
    ("text", "append", "target"),
    [
        ("http://example.org/px?a=1", "", "http://example.org/px?a=1"),
        ("http://example.org/px?a=1", "&b=2", "http://example.org/px?a=1&b=2"),
        ("  HTTPS://example.org/ \n", "", "HTTPS://example.org/"),
        ("http://example.org/纱 锭", "", "http://example.org/%E7%BA%B1%20%E9%94%AD"),
        ("http://example.org/a%2Fb%", "", "http://example.org/a%2Fb%"),
        ('http://example.org/"<>', "", "http://example.org/%22%3C%3E"),
        ("mailto:px@example.org", "", "mailto:px@example.org"),
        ("http://example.org", "/x", "http://example.org/x"),
        ("http://example.org", ".evil.example/", "http://example.org/.evil.example/"),
        ("http://example.org", "@evil.example/", "http://example.org/@evil.example/"),
        ("http://example.org:80", "80/", "http://example.org:80/80/"),
        ("http://example.org", "\\evil.example", "http://example.org/%5Cevil.example"),
    ],
)
def test_a_target_is_ascii_and_keeps_its_host(text, append, target):
    assert target_of(text, ALLOWED, append) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "//example.org/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "\x01javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://example.org/\r\nSet-Cookie: a=b",
        "http://example.org/\x00",
        "http://example.org/\x85",
        "http://example.org/\u2028",
        "http:example.org",
        "http:///example.org",
        "http://example.org/" + "a" * MAX_TARGET,
    ],
)
def test_nobody_is_sent_to_what_cannot_be_made_safe(text):
    assert target_of(text, ALLOWED) is None


def test_what_is_appended_may_not_hold_a_line_end():
    assert target_of("http://example.org/", ALLOWED, "\r\nSet-Cookie: a=b") is None


@given(st.text(max_size=80), st.text(max_size=20))
def test_a_target_never_ends_a_header_line_or_leaves_its_host(text, append):
    target = target_of("http://example.org" + text, ALLOWED, append)
    if target is None:
        return
    assert target.isascii()
    assert target.isprintable()
    alone = target_of("http://example.org" + text, ALLOWED)
    assert alone is not None
    assert target.startswith(alone)


@pytest.mark.parametrize(
    ("handle", "path"),
    [
        ("88.118.1/PX", "/88.118.1/PX"),
        ("88.118.1/a b%?#;纱", "/88.118.1/a%20b%25%3F%23;%E7%BA%B1"),
        ("/evil.example/x", "/%2Fevil.example/x"),
        ("\\evil.example", "/%5Cevil.example"),
    ],
)
def test_the_path_of_a_handle_stays_on_this_node(handle, path):
    assert path_of(handle) == path


PRIVATE = [
    "http://127.0.0.1/",
    "http://10.1.2.3:8080/",
    "http://192.168.0.1/admin",
    "http://172.16.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://[::1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[64:ff9b::7f00:1]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://printer.local/",
    "http://mes.internal/",
    "http://loc%61lhost/",
    "http://good.example@127.0.0.1/",
    "http://127.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1.0/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://127%2e0%2e0%2e1/",
    "ftp://10.0.0.1/",
]


@pytest.mark.parametrize(
    "target",
    ["http://f:[:fff:7f00:1]/", "http://a@b@c/", "http://[::1", "http://a:port/", "http://a:80:80/", "http://@/"],
)
def test_an_address_that_readers_divide_differently_is_not_gone_to(target):
    assert target_of(target, ALLOWED) is None
    assert target_of(target, Destinations(("http",), private=True)) is None


@pytest.mark.parametrize("target", PRIVATE)
def test_nobody_is_sent_into_his_own_network_unless_the_node_is_inside_one(target):
    assert target_of(target, ALLOWED) is None
    assert target_of(target, Destinations(("http", "ftp"), private=True))


@pytest.mark.parametrize(
    "target",
    [
        "http://example.org/",
        "https://8.8.8.8/",
        "http://[2606:4700::1111]:8080/",
        "https://user@example.org:8443/x",
        "http://10.example.org/",
        "http://mylocal/",
        "http://\u4f8b\u5b50.\u4e2d\u56fd/",
        "mailto:a@localhost",
    ],
)
def test_other_hosts_are_gone_to(target):
    assert target_of(target, ALLOWED)


@pytest.mark.parametrize(
    ("target", "query", "whole"),
    [
        ("http://a.example/", "", "http://a.example/"),
        ("http://a.example/", "17=261231;x", "http://a.example/?17=261231;x"),
        ("http://a.example/?a=1", "b", "http://a.example/?a=1&b"),
        ("http://a.example/?a=1#top", "b=2", "http://a.example/?a=1&b=2#top"),
        ("http://a.example/#top", "b=\u6d6a", "http://a.example/?b=%E6%B5%AA#top"),
        ("http://a.example/", "a b\r\nX: y", "http://a.example/?a%20b%0D%0AX:%20y"),
    ],
)
def test_a_query_goes_along_in_front_of_the_fragment(target, query, whole):
    assert with_query(target, query) == whole


def test_a_target_that_a_query_makes_too_long_is_refused():
    with pytest.raises(ProtocolFault, match=str(MAX_TARGET)):
        with_query("http://a.example/", "x" * MAX_TARGET)
