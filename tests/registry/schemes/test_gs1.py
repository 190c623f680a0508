"""Codes of GS1 in each of their forms, with the examples of the standards and what must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import HandleError, InvalidHandle
from registry.handle import Handle
from registry.schemes import gs1
from registry.schemes.gs1_checks import check_pair
from registry.schemes.gs1_keys import Key
from registry.schemes.recognition import recognise

ITEM = "gs1/01/09506000134352/10/LOT7/21/S1"


@pytest.mark.parametrize(
    "text",
    [
        "https://id.gs1.org/01/09506000134352/10/LOT7/21/S1",
        "http://id.example.com:8080/shop/de/01/09506000134352/10/LOT7/21/S1/",
        "https://id.gs1.org/01/9506000134352/10/LOT7/21/S1?17=261231&linkType=gs1:pip;3103=000195#top",
        "HTTPS://ID.GS1.ORG/01/09506000134352/10/%4C%4f%54%37/21/S1",
        "(01)09506000134352(10)LOT7(21)S1",
        "(01)09506000134352(21)S1(17)261231(10)LOT7",
        "]C1010950600013435210LOT7\x1d21S1",
        "]d2\x1d010950600013435221S1\x1d10LOT7",
        "\x1d01095060001343521726123110LOT7\x1d21S1",
        "010950600013435210LOT7\x1d21S1",
        "01/09506000134352/10/LOT7/21/S1",
        "/01/09506000134352/10/LOT7/21/S1",
    ],
)
def test_every_form_of_an_item_is_one_handle(text):
    recognised = recognise(text)
    assert (recognised.system, str(recognised.handle)) == ("gs1", ITEM)


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("09506000134352", "01/09506000134352"),
        ("9506000134352", "01/09506000134352"),
        ("614141123452", "01/00614141123452"),
        ("95050003", "01/00000095050003"),
        ("106141412345678908", "00/106141412345678908"),
        ("(253)4012345000115ebon-4711", "253/4012345000115ebon-4711"),
        ("(255)9501101020917123", "255/9501101020917123"),
        ("(401)0614141xyz47/11", "401/0614141xyz47%2F11"),
        ("(402)06141411234567890", "402/06141411234567890"),
        ("(410)9506000117843", "410/9506000117843"),
        ("(414)9506000117843(254)1234", "414/9506000117843/254/1234"),
        ("(415)9506000117843(8020)ABC", "415/9506000117843/8020/ABC"),
        ("(417)9506000117843(7040)1ABC", "417/9506000117843/7040/1ABC"),
        ("(8003)00614141123452400", "8003/00614141123452400"),
        ("(8004)95012345ABC-123", "8004/95012345ABC-123"),
        ("(8006)095060001343520102(21)9", "8006/095060001343520102/21/9"),
        ("(8010)0614141123-#/A(8011)400", "8010/0614141123-#%2FA/8011/400"),
        ("(8013)1987654Ad4X4bL5ttr2310c2K", "8013/1987654Ad4X4bL5ttr2310c2K"),
        ("(8017)061414112345678902", "8017/061414112345678902"),
        ("(8018)061414112345678902(8019)1", "8018/061414112345678902/8019/1"),
        ("(01)09506000134352(235)XYZ", "01/09506000134352/235/XYZ"),
        ("(00)106141412345678908(02)00614141123452(37)25(10)ABC123(410)9506000117843", "00/106141412345678908"),
        ("(01)09506000134352(10)100%/7", "01/09506000134352/10/100%25%2F7"),
    ],
)
def test_each_key_is_its_path(text, suffix):
    assert str(recognise(text).handle) == f"gs1/{suffix}"


@pytest.mark.parametrize(
    ("urn", "suffix"),
    [
        ("urn:epc:id:sgtin:0614141.112345.400", "01/10614141123459/21/400"),
        ("urn:epc:id:sgtin:0614141.112345.32a%2Fb", "01/10614141123459/21/32a%2Fb"),
        ("urn:epc:id:sscc:0614141.1234567890", "00/106141412345678908"),
        ("urn:epc:id:sgln:0614141.12345.400", "414/0614141123452/254/400"),
        ("urn:epc:id:sgln:0614141.12345.0", "414/0614141123452"),
        ("urn:epc:id:pgln:0614141.12345", "417/0614141123452"),
        ("urn:epc:id:grai:0614141.12345.400", "8003/00614141123452400"),
        ("urn:epc:id:giai:0614141.12345400", "8004/061414112345400"),
        ("urn:epc:id:gsrn:0614141.1234567890", "8018/061414112345678902"),
        ("urn:epc:id:gsrnp:0614141.1234567890", "8017/061414112345678902"),
        ("urn:epc:id:gdti:0614141.12345.400", "253/0614141123452400"),
        ("urn:epc:id:cpi:0614141.123ABC.123456789", "8010/0614141123ABC/8011/123456789"),
        ("urn:epc:id:sgcn:4012345.67890.04711", "255/401234567890104711"),
        ("urn:epc:id:ginc:0614141.xyz47%2F11", "401/0614141xyz47%2F11"),
        ("urn:epc:id:gsin:0614141.123456789", "402/06141411234567890"),
        ("urn:epc:id:itip:4012345.012345.01.02.987", "8006/040123451234560102/21/987"),
        ("urn:epc:id:upui:1234567.089456.51qIgY)%3C%26Jp3*j7'SDB", "01/01234567894560/235/51qIgY)<&Jp3*j7'SDB"),
        ("urn:epc:class:lgtin:4012345.012345.998877", "01/04012345123456/10/998877"),
        ("urn:epc:idpat:sgtin:0614141.112345.*", "01/10614141123459"),
        ("urn:epc:tag:sgtin-96:3.0614141.112345.400", "01/10614141123459/21/400"),
        ("URN:EPC:ID:SGTIN:0614141.112345.4.0.0", "01/10614141123459/21/4.0.0"),
    ],
)
def test_an_epc_is_the_key_that_its_examples_in_the_standard_are(urn, suffix):
    assert str(recognise(urn).handle) == f"gs1/{suffix}"


@pytest.mark.parametrize(
    ("text", "rule", "culprit"),
    [
        ("https://id.gs1.org/01/09506000134353", "gs1.check_digit", "2"),
        ("(8013)1987654Ad4X4bL5ttr2310c2L", "gs1.check_pair", "2K"),
        ("https://id.gs1.org/01/0950600013435", "gs1.check_digit", "01"),
        ("https://id.gs1.org/01/095060001343521", "gs1.form", "N14"),
        ("https://id.gs1.org/01/09506000134352/10/123456789012345678901", "gs1.form", "X..20"),
        ("https://id.gs1.org/01/09506000134352/10/a%20b", "gs1.form", "a b"),
        ("https://id.gs1.org/01/09506000134352/10", "gs1.no_value", "10"),
        ("https://id.gs1.org/01/09506000134352/foo", "gs1.no_value", "foo"),
        ("https://id.gs1.org/01/09506000134352/foo/bar", "gs1.identifier", "foo"),
        ("https://id.gs1.org/01/09506000134352/10/A/10/B", "gs1.repeated", "10"),
        ("https://id.gs1.org/01/09506000134352/21/S1/10/L1", "gs1.qualifiers", "22, 10, 21"),
        ("https://id.gs1.org/01/09506000134352/17/261231", "gs1.qualifiers", "17"),
        ("https://id.gs1.org/01/09506000134352/235/A/21/B", "gs1.qualifiers", "235"),
        ("https://id.gs1.org/00/106141412345678908/10/A", "gs1.qualifiers", "00"),
        ("https://id.gs1.org/01/09506000134352/10/%C3", "handle.not_utf8", ""),
        ("https://id.gs1.org/01/09506000134352/10/%4", "gs1.escape", "%4"),
        ("https://id.gs1.org/01/09506000134352?17=261331", "gs1.date", "17"),
        ("https://id.gs1.org/01/09506000134352?999=1", "gs1.identifier", "999"),
        ("https://id.gs1.org/01/09506000134352?17=261231;17=261231", "gs1.repeated", "17"),
        ("https://id.gs1.org/01/09506000134352/10/A?10=B", "gs1.repeated", "10"),
        ("https://id.gs1.org/ARHKVAdpQg", "gs1.compressed", "ARHKVAdpQg"),
        ("https://id.gs1.org/eh3074257bf7194e4000001a85", "gs1.compressed", "eh30"),
        ("(10)ABC", "gs1.no_key_in", "(10)ABC"),
        ("(01)09506000134352(01)09506000134352", "gs1.repeated", "01"),
        ("(8006)095060001343520302", "gs1.piece", "8006"),
        ("(8010)0614141A(8011)007", "gs1.number", "7"),
        ("(8003)10614141123452", "gs1.leading_zero", "8003"),
        ("(8004)AB1234", "gs1.company_prefix", "8004"),
        ("]C1010950600013435217999999", "gs1.date", "17"),
        ("]C1010950600013435204", "gs1.identifier", "04"),
        ("urn:epc:id:gid:95100000.12345.400", "gs1.epc_scheme", "gid"),
        ("urn:epc:id:sgtin:0614141", "gs1.epc", "0614141"),
        ("urn:epc:id:sgtin:061414A.112345.400", "gs1.epc", "061414A"),
        ("urn:epc:id:sgtin:0614141.11234X.400", "gs1.epc", "11234X"),
        ("urn:epc:id:sgtin:0614141.1123456.400", "gs1.form", "N14"),
        ("urn:epc:raw:96.x30", "gs1.epc", "raw"),
    ],
)
def test_what_is_wrong_is_named_with_its_identifier_and_rule(text, rule, culprit):
    with pytest.raises(HandleError) as refusal:
        gs1.from_text(text)
    assert refusal.value.rule == rule
    assert culprit in refusal.value.text("en")
    assert refusal.value.text("zh")


@pytest.mark.parametrize(
    ("path", "levels"),
    [
        ("01/09506000134352", ["01/09506000134352"]),
        ("01/09506000134352/235/X", ["01/09506000134352/235/X", "01/09506000134352"]),
        (
            "01/09506000134352/22/V/10/L/21/S",
            [
                "01/09506000134352/22/V/10/L/21/S",
                "01/09506000134352/10/L/21/S",
                "01/09506000134352/21/S",
                "01/09506000134352/22/V/10/L",
                "01/09506000134352/10/L",
                "01/09506000134352/22/V",
                "01/09506000134352",
            ],
        ),
        (
            "01/09506000134352/10/L/21/S",
            [
                "01/09506000134352/10/L/21/S",
                "01/09506000134352/21/S",
                "01/09506000134352/10/L",
                "01/09506000134352",
            ],
        ),
        ("414/9506000117843/254/1", ["414/9506000117843/254/1", "414/9506000117843"]),
    ],
)
def test_a_key_is_answered_for_by_less_exact_ones_down_to_the_product(path, levels):
    assert [str(level) for level in gs1.key_from_text(path).levels()] == levels


def test_the_canonical_form_is_read_back_as_itself():
    key = Key.of("01", "09506000134352", [("10", "a/b%2F?+_;&=")])
    assert gs1.key_from_text(str(key)) == key


@pytest.mark.parametrize("suffix", ["01/9506000134352", "01/09506000134353", "META_x", "01/09506000134352/10/%41"])
def test_a_code_is_registered_in_its_one_form_or_not_at_all(suffix):
    for prefix in ("gs1", "GS1"):
        with pytest.raises(InvalidHandle):
            gs1.check_canonical(Handle(prefix, suffix))
    gs1.check_canonical(Handle("gs1", "01/09506000134352/10/A"))
    gs1.check_canonical(Handle("88.1", suffix))


def test_check_characters_are_those_of_the_example_in_the_standard():
    assert check_pair("1987654Ad4X4bL5ttr2310c") == "2K"


@given(st.text() | st.from_regex(r"/?(01|00|8003|414)/[0-9]{4,18}(/(10|21|254)/.{0,25})?", fullmatch=True))
def test_any_text_is_a_key_whose_form_is_canonical_or_is_refused(text):
    assert isinstance(gs1.shape(text), bool)
    key = read_or_refused(text)
    if isinstance(key, Key):
        assert gs1.key_from_text(str(key)) == key
        assert key.levels()[0] == key
    else:
        assert key.text("en") != key.text("zh")


def read_or_refused(text):
    try:
        return gs1.key_from_text(text)
    except HandleError as refusal:
        return refusal
