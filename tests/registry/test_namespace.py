"""Templates of handles, without a book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.namespace import MAX_ELEMENTS, Namespace
from registry.small_xml import MAX_OCTETS
from registry.value import HandleValue

BASE = (
    HandleValue(1, "URL", b"https://yarn.example/doff/17"),
    HandleValue(2, "EMAIL", b"mill@yarn.example", permissions=0b1100),
    HandleValue(3, "GRADE", b"AA"),
)


def made(template, extension="7", *, base=BASE, delimiter="@"):
    namespace = Namespace.from_xml(
        f'<namespace><template delimiter="{delimiter}">{template}</template></namespace>'.encode()
    )
    assert namespace is not None
    name = f"88.1/D17{delimiter}{extension}"
    assert namespace.divide(name) == ("88.1/D17", extension)
    return [(value.index, value.type, value.text) for value in namespace.values(name, "88.1/D17", extension, base)]


def test_values_are_made_of_the_name_and_its_parts():
    template = '<value index="3" type="A" data="${handle}|${base}|${extension}|${nothing}|$${"/>'
    assert made(template) == [(3, "A", "88.1/D17@7|88.1/D17|7||$${")]


def test_each_value_of_the_base_is_gone_through_and_lends_what_is_not_said():
    template = """<foreach>
      <if value="type" test="equals" expression="URL"><value data="${data}?cake=${extension}"/></if>
      <else><value/></else>
    </foreach>"""
    assert made(template) == [
        (1, "URL", "https://yarn.example/doff/17?cake=7"),
        (2, "EMAIL", "mill@yarn.example"),
        (3, "GRADE", "AA"),
    ]
    namespace = Namespace.from_xml(f'<namespace><template delimiter="@">{template}</template></namespace>'.encode())
    values = namespace.values("88.1/D17@7", "88.1/D17", "7", BASE)
    assert [value.permissions for value in values] == [14, 0b1100, 14]


def test_groups_of_a_pattern_are_filled_in():
    template = """<if value="extension" test="matches" expression="([0-9]+)-([A-Z])" parameter="part">
      <value index="1" type="A" data="${part[1]} of ${part[2]}, ${part[9]}${part}"/>
    </if><else><notfound/></else>"""
    assert made(template, "12-B") == [(1, "A", "12 of B, 12-B")]
    assert made(template, "12") == []
    own = '<if value="extension" test="matches" expression="(.)(.*)"><value data="${extension[2]}"/></if>'
    assert made(own, "ABC") == [(1, "URL", "BC")]


def test_a_condition_is_turned_round_and_a_name_defined():
    template = """<def parameter="place">${base}#${extension}</def>
      <if value="extension" test="equals" expression="7" negate="true"><notfound/></if>
      <value index="1" type="A" data="${place}"/>"""
    assert made(template) == [(1, "A", "88.1/D17#7")]
    assert made(template, "8") == []


def test_names_are_divided_at_the_first_delimiter():
    namespace = Namespace.from_xml(b'<namespace><template delimiter="@"/></namespace>')
    assert namespace.divide("88.1/a@b@c") == ("88.1/a", "b@c")
    assert namespace.divide("88.1/a@") == ("88.1/a", "")
    assert namespace.divide("88.1/ab") is None
    assert namespace.divide("88.1/@b") is None
    whole = Namespace.from_xml(b'<namespace><template delimiter="/"/></namespace>')
    assert whole.divide("88.1/a/b") == ("0.NA/88.1", "a/b")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<namespace/>",
        b"<namespace><template/></namespace>",
        b'<other><template delimiter="@"/></other>',
        b'<namespace><template delimiter="@">',
        b'<!DOCTYPE n [<!ENTITY a "b">]><namespace><template delimiter="@"/></namespace>',
        b'<namespace><template delimiter="@">' + b"<a>" * 40 + b"</a>" * 40 + b"</template></namespace>",
        b'<namespace><template delimiter="@">' + b"<a/>" * MAX_ELEMENTS + b"</template></namespace>",
        b'<namespace><template delimiter="@"/></namespace>' + b" " * MAX_OCTETS,
    ],
)
def test_what_is_no_template_is_none(document):
    assert Namespace.from_xml(document) is None


@pytest.mark.parametrize(
    "template",
    [
        '<value index="0" data="x"/>',
        '<value index="x" data="x"/>',
        '<value index="99999999999" data="x"/>',
        '<value index="1" type="" data="x"/>',
        "<def parameter='a'>xxxxxxxx</def>" + "<def parameter='a'>${a}${a}${a}${a}</def>" * 20 + "<value data='${a}'/>",
        "<foreach>" * 15 + "<value/>" + "</foreach>" * 15,
    ],
)
def test_what_goes_beyond_a_bound_makes_nothing(template):
    assert made(template, base=BASE * 3) == []


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(a|a)*", "(?=a)", r"(a)\1", ".*.*.*", "(a?){30}", "(", "a{2,1}", "|" * 21]
)
def test_a_pattern_that_could_take_long_or_is_none_matches_nothing(pattern):
    assert made(f'<if value="extension" test="matches" expression="{pattern}"><value data="x"/></if>', "a" * 30) == []


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_pattern_and_no_text_raise(pattern, text):
    from registry.namespace import _matched

    _matched(pattern, text)


@given(st.binary(max_size=80))
def test_no_octets_raise(document):
    Namespace.from_xml(document)
    Namespace.from_xml(b'<namespace><template delimiter="@">' + document + b"</template></namespace>")
