"""Templates and the values that are held to them."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fitting import fitted
from bench.identifiers import records
from registry import library
from registry.conformity import Conformity
from registry.errors import InvalidValue, ProtocolFault
from registry.industry import levels
from registry.packing import pack
from registry.template import Attribute, Option, Template, TemplateName, check_template, named_template
from registry.typed_values import Checker
from registry.value import DEFAULT_PERMISSIONS, HandleValue

CAKE = (
    (1, "URL", "https://trace.example.com/88.168.10/C.1"),
    (3, "SPEC", "111dtex/48f"),
    (4, "GRADE", "AA"),
    (5, "BATCH", "88.168.10/L.POY111-48.P25061"),
    (7, "SPINDLE", "88.168.10/E.WINDER.A12.07"),
    (10, "NET_WEIGHT_G", "12000.5"),
    (17, "MADE_AT", "2026-02-03T08:00:00+08:00"),
    (1000, "TEMPLATE", "textile/poy@1"),
)


def values(rows=CAKE, **changed):
    texts = {name: text for _, name, text in rows} | changed
    indexes = {name: index for index, name, _ in rows}
    return tuple(
        HandleValue(indexes.get(name, 500), name, text.encode() if isinstance(text, str) else text)
        for name, text in texts.items()
        if text is not None
    )


def attribute(kind="string", **more):
    return Attribute(**{"index": 2, "type": "X", "kind": kind, "zh": "某", "en": "some", **more})


def template(*attributes):
    return Template(zh="物", en="thing", attributes=attributes)


def refusal(one, data):
    """The rule that this data breaks."""
    check_template(template(one))
    octets = data if isinstance(data, bytes) else data.encode()
    try:
        Checker("a/b@1", template(one)).check((HandleValue(2, "X", octets),))
    except InvalidValue as error:
        return error.rule if error.culprit["index"] == 2 and str(error) != error.text("zh") else str(error)
    return None


DIGEST = "sha256:" + hashlib.sha256(b"drawing").hexdigest()


@pytest.mark.parametrize(
    ("one", "right", "wrong", "rule"),
    [
        (attribute(max_length=2), ["", "长长"], ["abc"], "template.length"),
        (attribute(min_length=1), ["a" * 10_000], [""], "template.length"),
        (attribute(pattern="[0-9]{2}"), ["12"], ["1", "123", "1a"], "template.pattern"),
        (attribute("number"), ["0", "-1.5", "1e3", "12.50"], ["", "1,5", " 1", "NaN", "0x1", "1.", "9" * 41],
         "template.number"),
        (attribute("number", minimum=0, maximum=9.5), ["0", "9.5"], ["-0.1", "9.51", "1e99"], "template.range"),
        (attribute("date"), ["2024-02-29"], ["2023-02-29", "20240229", "2024-2-9", "2024-02-29T08:00"],
         "template.date"),
        (attribute("time"), ["2024-02-29T08:00:00+08:00", "2024-02-29 08:00", "2024-02-29T08:00:00.5Z"],
         ["2024-02-29", "2024-02-29T25:00", "gestern"], "template.time"),
        (attribute("time", maximum="2024-02-29"), ["2024-02-29T23:59"], ["2024-03-01T00:00"], "template.range"),
        (attribute("date", minimum="2024-01-01"), ["2024-01-01"], ["2023-12-31"], "template.range"),
        (attribute("enumeration", options=(Option("AA", "优等品"), Option("A"))), ["AA", "A"], ["a", "B", ""],
         "template.option"),
        (attribute("json"), ["{}", "[1]", "null"], ["{", "", "nan"], "template.json"),
        (attribute("reference"), ["88.168.1/A", "10.1/批"], ["88.168.1", "", "/a", "a/", "a/b\nc/d", "a/\x01"],
         "template.reference"),
        (attribute("reference", many=True), ["a/b", "a/b\nc/d"], ["a/b\n", "a/b\nc"], "template.reference"),
        (attribute("url"), ["https://example.com/涤", "http://[::1]:80/"],
         ["ftp://example.com", "example.com", "http://", "https://a b", "http://x:99999/", "javascript:alert(1)"],
         "template.url"),
        (attribute("digest"), [DIGEST, "sm3:" + "0" * 64], [DIGEST[:-1], DIGEST[7:], "md5:" + "0" * 32],
         "template.digest"),
        (attribute(), ["绿"], [b"\xff"], "template.text"),
    ],
)  # fmt: skip
def test_a_value_is_what_its_attribute_says(one, right, wrong, rule):
    assert [refusal(one, data) for data in right] == [None] * len(right)
    assert [refusal(one, data) for data in wrong] == [rule] * len(wrong)


CAKE_VALUES = tuple(HandleValue(index, kind, text.encode()) for index, kind, text in CAKE)
KINDS = ("TEMPLATE", "OWN", "URL", "GRADE")


def test_a_cake_of_the_library_fits_and_each_fault_is_named():
    checker = Checker("textile/poy@1", library.BY_NAME["textile/poy@1"])
    checker.check(values())
    checker.check((*values(), HandleValue(100, "HS_ADMIN", b"\xff"), HandleValue(2000, "OWN", b"as it likes")))
    for changed, rule, index in (
        ({"GRADE": "C"}, "template.option", 4),
        ({"SPEC": "thick"}, "template.pattern", 3),
        ({"NET_WEIGHT_G": "12 kg"}, "template.number", 10),
        ({"BATCH": None}, "template.required", 5),
    ):
        with pytest.raises(InvalidValue) as caught:
            checker.check(values(**changed))
        assert (caught.value.rule, caught.value.culprit["index"]) == (rule, index)


def test_what_was_remembered_of_one_attribute_says_nothing_of_another():
    one, other = attribute(type="X"), attribute(type="Y", index=3, pattern="[0-9]+")
    checker = Checker("a/b@1", template(one, other))
    checker.check((HandleValue(2, "X", b"abc"),))
    with pytest.raises(InvalidValue):
        checker.check((HandleValue(3, "Y", b"abc"),))


def judged(values, conformity=None):
    """The rule and the culprit by which a row of these values is refused; None when it is not."""
    row = (b"88.168.1/A", "88.168.1/A", pack(values, 0))
    held_to = conformity or Conformity()
    try:
        held_to.check(*row)
    except InvalidValue as error:
        return error.rule, error.culprit
    return None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(CAKE).map(lambda one: one[:2]) | st.tuples(st.integers(1, 2000), st.sampled_from(KINDS)),
            st.sampled_from([text.encode() for *_, text in CAKE]) | st.binary(max_size=20),
            st.sampled_from([DEFAULT_PERMISSIONS, 12]),
        ),
        max_size=4,
    ).map(lambda given: [*CAKE_VALUES, *(HandleValue(*place, data, permissions=may) for place, data, may in given)])
)
def test_a_row_is_judged_the_same_when_its_template_was_met_before(values):
    """Rows whose template is known are judged without making values of them."""
    conformity = Conformity()
    assert judged(CAKE_VALUES, conformity) is None
    latest = tuple(sorted({value.index: value for value in values}.values(), key=lambda value: value.index))
    assert judged(latest, conformity) == judged(latest)


def test_a_value_that_not_everybody_may_read_is_not_shown_in_a_refusal():
    checker = Checker("a/b@1", template(attribute("number")))
    with pytest.raises(InvalidValue) as caught:
        checker.check((HandleValue(2, "X", b"secret", permissions=12),))
    assert "secret" not in str(caught.value)


@given(
    st.binary(max_size=60), st.sampled_from(["string", "number", "date", "time", "json", "reference", "url", "digest"])
)
def test_any_octets_fit_or_are_refused(data, kind):
    refusal(attribute(kind), data)


def test_a_template_is_named_at_the_reserved_indexes_alone():
    assert named_template(values()) == (1000, TemplateName("textile", "poy", 1))
    assert named_template((HandleValue(1001, "TEMPLATE", b"88.168.1/cake@12"),)) == (
        1001, TemplateName("88.168.1", "cake", 12))  # fmt: skip
    assert named_template((HandleValue(5, "TEMPLATE", b"something of old"),)) is None
    for text in (b"poy", b"textile/poy", b"textile/poy@0", b"textile/POY@1", b"/poy@1", b"\xff"):
        with pytest.raises(InvalidValue, match="owner/name@version"):
            named_template((HandleValue(1000, "TEMPLATE", text),))


@pytest.mark.parametrize(
    ("form", "path"),
    [
        (Template(zh="", en="x", attributes=(attribute(),)), "$.zh"),
        (Template(zh="x", en="x", industry="9912", attributes=(attribute(),)), "$.industry"),
        (template(), "$.attributes"),
        (template(attribute(), attribute()), "$.attributes[1].type"),
        (template(attribute(), attribute(type="Y")), "$.attributes[1].index"),
        (template(attribute(index=0)), "$.attributes[0].index"),
        (template(attribute(index=1000)), "$.attributes[0].index"),
        (template(attribute(type="HS_ADMIN")), "$.attributes[0].type"),
        (template(attribute(type="")), "$.attributes[0].type"),
        (template(attribute(en="")), "$.attributes[0].zh"),
        (template(attribute(unit="kg")), "$.attributes[0].unit"),
        (template(attribute(many=True)), "$.attributes[0].many"),
        (template(attribute(min_length=3, max_length=2)), "$.attributes[0].max_length"),
        (template(attribute(pattern="(a)+")), "$.attributes[0].pattern"),
        (template(attribute("number", pattern="1")), "$.attributes[0].pattern"),
        (template(attribute("enumeration")), "$.attributes[0].options"),
        (template(attribute(options=(Option("a"),))), "$.attributes[0].options"),
        (template(attribute("enumeration", options=(Option("a"), Option("a")))), "$.attributes[0].options"),
        (template(attribute(minimum=1)), "$.attributes[0].minimum"),
        (template(attribute("number", minimum=2, maximum=1)), "$.attributes[0].minimum"),
        (template(attribute("number", minimum="1")), "$.attributes[0].minimum"),
        (template(attribute("number", minimum=1, maximum="2")), "$.attributes[0].maximum"),
        (template(attribute("date", minimum="yesterday")), "$.attributes[0].minimum"),
    ],
)
def test_a_template_that_nothing_can_be_held_to_is_refused_with_its_path(form, path):
    with pytest.raises(ProtocolFault) as caught:
        check_template(form)
    assert caught.value.culprit["path"] == path


def test_the_templates_of_the_library_are_sound_and_read_back_as_they_are_written():
    for form in library.BY_NAME.values():
        check_template(form)
        assert msgspec.json.decode(msgspec.json.encode(form), type=Template) == form
    assert set(library.BY_NAME) == set(RELEASED)


# A released version is never changed: what was registered with it would not fit any more. Add a version instead.
RELEASED = {
    "textile/poy@1": "1dd832ac72429e37",
    "textile/fdy@1": "853dc4b1cc43e82f",
    "textile/dty@1": "c13a57c5b0b871a9",
    "textile/batch@1": "aeb75b99877c179c",
    "textile/box@1": "ae90b7da9a65cb7c",
    "textile/pallet@1": "c53763aeb64e0b81",
    "textile/machine@1": "445f081a29a8e738",
    "textile/spindle@1": "f84d5c0e83c4afb0",
    "textile/roll@1": "591c4c83db3de41e",
    "textile/garment@1": "05317742786ec18d",
    "textile/transport@1": "ff2d7151a3135443",
}


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_template_of_the_library_is_what_it_was(name):
    assert hashlib.sha256(msgspec.json.encode(library.BY_NAME[name])).hexdigest()[:16] == RELEASED[name]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("C2822", ("C", "28", "282", "2822")), ("2822", ("C", "28", "282", "2822")), ("17", ("C", "17")),
     ("G543", ("G", "54", "543")), ("97", ("T", "97"))],
)  # fmt: skip
def test_an_industry_code_has_its_levels(code, expected):
    assert levels(code) == expected


@pytest.mark.parametrize("code", ["", "C", "2", "28222", "D2822", "98", "00", "c28", "U28", "2８"])
def test_what_is_no_industry_code_is_refused(code):
    with pytest.raises(ValueError, match=r"4754|of section"):
        levels(code)


def test_every_identifier_of_the_demo_fits_the_template_of_its_class():
    named = set()
    for record in map(fitted, records(60_000)):
        of_record = tuple(HandleValue(index, kind, text.encode()) for index, kind, text in record.values)
        if (found := named_template(of_record)) is not None:
            Checker(str(found[1]), library.BY_NAME[str(found[1])]).check(of_record)
            named.add(str(found[1]))
    assert named == set(library.BY_NAME)
