import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.admin import AdminRecord
from registry.standing import Standing, State
from registry.template import Attribute, Option, Template
from registry.value import HandleValue
from resolver.listeners.http.front import identifier_in
from resolver.listeners.http.pages.attributes import Kind, attribute_of
from resolver.listeners.http.pages.home import HOME_POLICY, home_page
from resolver.listeners.http.pages.layout import POLICY, Reader, redirect_body
from resolver.listeners.http.pages.missing import Failure, missing_page, refusal_page
from resolver.listeners.http.pages.record import Freshness, Origin, RecordPage, record_page
from resolver.listeners.http.pages.texts import TEXTS
from resolver.listeners.http.pages.values import MAX_SHOWN
from resolver.listeners.http.static import DIRECTORY, FILES

ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "nav", "b", "a", "main", "section", "div"),
    *("h1", "h2", "p", "span", "small", "i", "form", "label", "input", "button", "dl", "dt", "dd", "ul", "li", "wbr"),
    *("table", "thead", "tbody", "tr", "th", "td", "time", "code", "details", "summary", "svg", "path"),
    *("figure", "figcaption", "img"),
}
PROGRAMS = {"script", "video"}
FRESH = Freshness(1_800_000_000, 2.0, 0.0)


def reader(language="en", path="/88.168.1/A"):
    def page_of(line):
        return f"/{line}?noredirect" if re.fullmatch(r"88\.168\.1/\S+", line) else None

    return Reader("Node", language, path, lambda line: line if line.startswith("https:") else None, page_of)


def page_of(*values, handle="88.168.1/A", language="en", origin=None, freshness=FRESH, standing=None, unsafe=False):
    page = RecordPage(handle, values, 1, origin or Origin(), freshness, standing, unsafe)
    return record_page(page, reader(language))


class Outline(HTMLParser):
    """The elements of a page and the addresses that it names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@given(st.text(max_size=40), st.text(max_size=40), st.binary(max_size=60), st.sampled_from(["en", "zh"]))
def test_no_text_from_outside_becomes_an_element_or_an_attribute(handle, value_type, data, language):
    text = data.decode(errors="replace")
    stale = Freshness(0, 2.0, 1.0)
    pages = [
        page_of(
            *(HandleValue(1, value_type, data), HandleValue(2, "PRODUCT", data), HandleValue(3, "URL", data)),
            *(HandleValue(4, "NET_WEIGHT_G", data), HandleValue(5, "MADE_AT", data)),
            handle=handle,
            language=language,
            freshness=stale,
            unsafe=True,
            origin=Origin(text, None, True),
        ),
        refusal_page(404, text, handle, reader(language)),
        missing_page(handle, Failure(True, text, (text, "88.168.1/<b>")), reader(language)),
        missing_page(handle, Failure(False), reader(language)),
        home_page(reader(language, "/"), f"https://{text}/"),
    ]
    known = Outline(page_of(HandleValue(1, "URL", b"https://a.example/"), HandleValue(2, "BATCH", b"88.168.1/L")))
    names = {name for page in (pages[-1], *pages[:1]) for name, _ in Outline(page).attributes}
    assert names <= {name for name, _ in known.attributes} | HOME_ATTRIBUTES
    for page in pages:
        assert set(Outline(page).elements) <= ELEMENTS | PROGRAMS
    assert not PROGRAMS & {element for page in pages[:-1] for element in Outline(page).elements}


HOME_ATTRIBUTES = {
    *("src", "defer", "id", "hidden", "accept", "muted", "playsinline", "autofocus", "title", "datetime", "rel"),
    *(f"data-{name}" for name in ("reader", "wasm", "aim", "reading", "nothing", "denied", "none", "broken")),
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_asks_for_nothing_from_elsewhere(language):
    for page in (
        home_page(reader(language, "/"), ""),
        refusal_page(503, "busy", "88.168.1/A", reader(language)),
        missing_page("88.168.1/A", Failure(False), reader(language)),
        page_of(HandleValue(1, "PRODUCT", b"x"), language=language),
    ):
        outline = Outline(page)
        assert not [name for name, _ in outline.attributes if name.startswith("on") or name == "style"]
        assert all(value.startswith("/") for name, value in outline.attributes if name == "src")
        assert not re.search("https?:", page)


def test_the_policy_allows_the_style_of_the_page_and_programs_on_the_start_page_alone():
    page = page_of()
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert "script-src" not in POLICY
    assert "script-src 'self' 'wasm-unsafe-eval'" in HOME_POLICY


def test_the_other_language_is_one_link_away():
    missing = Outline(missing_page("88.168.1/A", Failure(False), reader()))
    assert ("href", "/88.168.1/A?noredirect&lang=zh") in missing.attributes
    assert ("href", "/?lang=en") in Outline(home_page(reader("zh", "/"), "")).attributes


def test_every_text_is_there_in_both_languages():
    assert all(english and chinese for english, chinese in TEXTS.values())


def test_numbers_have_their_units_and_times_are_of_china():
    values = (
        HandleValue(1, "NET_WEIGHT_G", b"11953"),
        HandleValue(2, "NET_WEIGHT_KG", b"-1234567.50"),
        HandleValue(3, "MADE_AT", b"2025-06-18T20:21:00+00:00"),
        HandleValue(4, "SERVICED_AT", b"2025-99-18T20:21:00+00:00"),
        HandleValue(5, "GROSS_WEIGHT_KG", b"about 5"),
    )
    text = Outline(page_of(*values)).text
    assert "11,953 g" in text
    assert "-1,234,567.50 kg" in text
    assert "2025-06-19 04:21:00" in text
    assert "2025-99-18T20:21:00+00:00" in text
    assert "about 5" in text
    assert "净重" in page_of(*values, language="zh")


def test_one_walks_up_and_down_by_links():
    members = "\n".join(f"88.168.1/C.{number}" for number in range(48)).encode()
    page = page_of(HandleValue(1, "BATCH", b"88.168.1/L.1"), HandleValue(2, "MEMBERS", members))
    addresses = [value for name, value in Outline(page).attributes if name == "href"]
    assert "/88.168.1/L.1?noredirect" in addresses
    assert all(addresses.count(f"/88.168.1/C.{number}?noredirect") == 2 for number in range(48))  # and among all values
    up, _, down = page.partition("What it holds")
    assert "Where it comes from" in up
    assert "C.47" in down


def test_a_record_says_who_registered_it_and_how_fresh_it_is():
    value = HandleValue(1, "PRODUCT", b"POY", timestamp=1_750_000_000)
    fresh = page_of(value, origin=Origin("桐乡化纤", None, True))
    assert "桐乡化纤" in fresh
    assert "2 s before at most" in Outline(fresh).text
    assert "Signature holds" in fresh
    stale = page_of(value, freshness=Freshness(1_800_000_000, 2.0, 7.2), origin=Origin(signed=False))
    assert "not been heard from for 7 s" in stale
    assert "Signature not confirmed" in stale


def test_a_missing_name_says_which_part_failed():
    suffix = Outline(missing_page("88.168.1/A", Failure(True, "桐乡化纤", ("88.168.1/A1",)), reader()))
    assert "for 桐乡化纤" in suffix.text
    assert "Not registered under this prefix" in suffix.text
    assert ("href", "/88.168.1/A1?noredirect") in suffix.attributes
    prefix = Outline(missing_page("88.1/A", Failure(False), reader("zh")))
    assert "本节点未登记该前缀" in prefix.text
    assert "无法判断" in prefix.text


def test_a_template_names_attributes_units_and_options():
    grade = Attribute(
        index=1, type="GRADE", kind="enumeration", zh="等级", en="grade", options=(Option("A", "一等", "first"),)
    )
    load = Attribute(index=2, type="LOAD", kind="number", zh="载荷", en="load", unit="kN")
    template = Template(zh="绳", en="rope", attributes=(grade, load))
    values = HandleValue(1, "GRADE", b"A"), HandleValue(2, "LOAD", b"1200")
    english = Outline(page_of(*values, origin=Origin(template=template))).text
    assert "Load1,200 kN" in english
    assert "first A" in english
    assert "一等" in page_of(*values, origin=Origin(template=template), language="zh")
    assert "kN" not in page_of(*values)


def test_others_that_say_they_belong_here_are_links_by_relation():
    said = tuple(("PACKED_IN", f"88.168.1/C.{number}") for number in range(3))
    page = page_of(origin=Origin(referring=(*said, ("ON_MACHINE", "99.1/elsewhere"))))
    assert "Packed in it 3" in Outline(page).text
    assert ("href", "/88.168.1/C.2?noredirect") in Outline(page).attributes
    assert "Made on it" not in page


def test_a_frozen_handle_says_so_and_why():
    standing = Standing(State.FROZEN, 1_800_000_000, "300:0.NA/88.168.1", reason="claim <12>")
    page = page_of(HandleValue(1, "PRODUCT", b"POY"), standing=standing)
    assert "Frozen" in page
    assert "claim &lt;12&gt;" in page


def test_an_administrator_is_shown_in_words_and_a_key_in_its_form():
    values = (
        HandleValue(100, "HS_ADMIN", AdminRecord(0xFFF, "0.NA/88.168.1", 300).to_wire()),
        HandleValue(101, "ODD", b"\x00\x01"),
        HandleValue(102, "URL", b"x", ttl=1_800_000_000, ttl_absolute=True),
    )
    page = page_of(*values)
    assert "0.NA/88.168.1" in page
    assert "111111111111" in page
    assert "AAE=" in page
    assert "2027-01-15T08:00:00Z" in page


def test_a_long_value_is_cut_and_says_so():
    page = page_of(HandleValue(1, "DESC", b"a" * 100_000))
    assert "a" * MAX_SHOWN in page
    assert "a" * (MAX_SHOWN + 1) not in page
    assert "the JSON has all of it" in page


def test_a_handle_with_nothing_to_show_says_so():
    assert "No value that may be shown" in page_of()


def test_the_body_of_a_redirect_is_escaped():
    assert '"http://a.example/?a&amp;b=&quot;"' in redirect_body('http://a.example/?a&b="')


def test_a_type_that_nobody_named_is_shown_as_it_is_written():
    assert attribute_of("Odd.Type", "zh").name == "Odd.Type"
    assert attribute_of("HS_SITE.PREFIX", "en").kind is Kind.INTERNAL
    assert attribute_of("net_weight_g", "en").unit == "g"


@pytest.mark.parametrize(
    ("typed", "identifier"),
    [
        (" 88.168.1/A\r\n", "88.168.1/A"),
        ("hdl:88.168.1/A", "88.168.1/A"),
        ("https://id.example:8443/88.168.1/%E7%BA%B1?x=1#y", "88.168.1/纱"),
        ("http://id.example/01/09506000134352/10/A%2FB", "01/09506000134352/10/A/B"),
        ("]C1010950600013435210AB\x1d21XY", "]C1010950600013435210AB\x1d21XY"),
        ("]Q1https://id.example/88.168.1/A", "88.168.1/A"),
        ("]d188.168.1/A", "88.168.1/A"),
        ("https://id.example/%ff", "%ff"),
        ("https://id.example/", "https://id.example/"),
        ("  ", ""),
    ],
)
def test_what_is_scanned_leads_to_the_identifier_in_it(typed, identifier):
    assert identifier_in(typed) == identifier


def test_the_programs_are_those_that_their_notices_name():
    notices = (DIRECTORY / "zxing-NOTICES.txt").read_text()
    for file in ("zxing-reader-3.1.3.js", "zxing-reader-3.1.3.wasm"):
        assert f"{hashlib.sha256((DIRECTORY / file).read_bytes()).hexdigest()}  {file}" in notices
    assert all(re.search("-[0-9a-f]{12}\\.", each.path) for each in FILES)
