"""What suffixes look like: patterns, check characters, rules with their samples, and layouts."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.check_characters import check_character, expected_character
from registry.errors import InvalidHandle, ProtocolFault
from registry.patterns import MAX_PATTERN, PatternFault, compiled, fits
from registry.suffixes import Minter, SuffixRule, check_minters, check_rules, check_suffix

CAKE = SuffixRule(r"C\.[A-Z]{3}[0-9]+-[0-9]+\.[0-9]{8}\.[A-Z][0-9]{2}S[0-9]{2}-[0-9]{4}")
DAY = date(2026, 2, 3)


@pytest.mark.parametrize(
    ("pattern", "text", "fit"),
    [
        (r"C\.[A-Z]{3}", "C.POY", True),
        (r"C\.[A-Z]{3}", "CxPOY", False),
        (r"[0-9]{2,4}", "12345", False),
        (r"A|B[0-9]?", "B7", True),
        (r"A|B[0-9]?", "A7", False),
        (r"(POY|FDY|DTY)[0-9]+", "DTY83", True),
        (r"(POY|FDY|DTY)[0-9]+", "BCF83", False),
        (r"[^.]+\.x", "批号.x", True),
        (r"\d\w", "٣a", False),  # ASCII digits alone
        (r"a", "a\n", False),
        (r"批[0-9]*", "批", True),
        ("", "", True),
    ],
)
def test_a_pattern_means_what_a_regular_expression_means(pattern, text, fit):
    assert fits(pattern, text) is fit
    assert (re.fullmatch(pattern, text, re.ASCII) is not None) is fit


def test_a_part_that_took_all_gives_nothing_back():
    assert not fits("[A-Z]*A", "AAA")
    assert fits("[A-Z]{2}A", "AAA")


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a)", "(a", "(?:a)", "(a)+", "(a){2}", "a**", "a+?", "[", "[]", "[z-a]", "[[:alpha:]]", "[a&&b]",
     "a{1001}", "a{3,2}", "{2}", "a{x}", "^a", "a$", "\\1", "\\", "*", "[a--b]", "(" * 9 + ")" * 9,
     "a" * (MAX_PATTERN + 1)],
)  # fmt: skip
def test_a_pattern_that_is_outside_the_language_is_refused(pattern):
    with pytest.raises(PatternFault):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["[a-z]*[a-z]*[a-z]*[a-z]*[a-z]*!", "(a*b|a*c)(a*b|a*c)!", "(a|aa)(a|aa)(a|aa)!"])
def test_no_pattern_takes_long_over_a_text_made_for_it(pattern):
    assert not fits(pattern, "a" * 2000)  # The suite's time-out is the measure: backtracking would take years.


@given(st.text(alphabet="aA0.[]{}()|?*+^$\\-,12d", max_size=12), st.text(alphabet="aA0.-", max_size=8))
def test_any_text_is_a_pattern_or_is_refused(pattern, text):
    try:
        fit = fits(pattern, text)
    except PatternFault:
        return
    # What gives nothing back fits no more than what does.
    assert not fit or re.fullmatch(pattern, text, re.ASCII)


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("gs1", "6901234567892"),
        ("gs1", "(00)106141412345678908"),
        ("luhn", "49927398716"),
        ("mod37-36", "A1-2425G-ABC1234002-M"),
    ],
)
def test_known_codes_end_in_their_check_character(check, code):
    assert expected_character(check, code) is None
    assert check_character(check, code[:-1].rstrip("-")) == code[-1]


@pytest.mark.parametrize("check", ["gs1", "luhn", "mod37-36"])
def test_a_mistyped_digit_is_noticed(check):
    code = "12345" + check_character(check, "12345")
    for place in range(5):
        for digit in set("0123456789") - {code[place]}:
            assert expected_character(check, code[:place] + digit + code[place + 1 :]) is not None


def test_a_code_in_which_nothing_counts_is_not_right():
    assert expected_character("gs1", "--") == "0"
    assert expected_character("none", "--") is None


def test_a_new_suffix_fits_one_of_the_rules():
    pallet = SuffixRule(r"P[0-9]+", "gs1")
    check_suffix((), "anything")
    check_suffix((CAKE, pallet), "C.POY111-48.20250618.A12S07-0421")
    check_suffix((CAKE, pallet), "P" + "123" + check_character("gs1", "123"))
    with pytest.raises(InvalidHandle, match="fits none of the rules"):
        check_suffix((CAKE, pallet), "X1")
    with pytest.raises(InvalidHandle, match=r"should end in the check character '6' \(gs1\)"):
        check_suffix((CAKE, pallet), "P1230")


def test_samples_are_tried_when_rules_are_checked():
    good = "C.POY111-48.20250618.A12S07-0421"
    check_rules([SuffixRule(CAKE.pattern, accepted=(good,), refused=("C.POY", good + "x"))])
    for rule, path in (
        (SuffixRule(CAKE.pattern, accepted=(good, "C.POY")), r"\$\.rules\[0\]\.accepted\[1\]"),
        (SuffixRule(CAKE.pattern, refused=(good,)), r"\$\.rules\[0\]\.refused\[0\]"),
        (SuffixRule("(a)+"), r"\$\.rules\[0\]\.pattern"),
        (SuffixRule(), r"\$\.rules\[0\]"),
        (SuffixRule("a\0"), r"\$\.rules\[0\]\.pattern"),
    ):
        with pytest.raises(ProtocolFault, match=path):
            check_rules([rule])


@pytest.mark.parametrize(
    ("minter", "serial", "suffix"),
    [
        (Minter("a", "B.{serial}", 5), 127, "B.00127"),
        (Minter("a", "C.{date}.{line}-{serial}", 4, 36), 36 * 36 + 35, "C.20260203.A12-010Z"),
        (Minter("a", "{serial}{check}", 11, check="luhn"), 4_992_739_871, "049927398716"),
        (Minter("a", "{line}{serial}", 2, 36), 0, "A1200"),
    ],
)
def test_a_minter_writes_serials_into_its_layout(minter, serial, suffix):
    check_minters([minter])
    assert minter.suffix(serial, "A12", DAY) == suffix


def test_opaque_suffixes_are_checked_and_never_the_same():
    minter = Minter("opaque", "{random}{check}", 16, check="mod37-36")
    check_minters([minter])
    made = {minter.suffix(0, "", DAY) for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 17 and expected_character("mod37-36", one) is None for one in made)


@given(st.integers(0, 36**6 - 1), st.sampled_from([10, 36]))
def test_serials_are_in_order_and_can_be_read_back(serial, radix):
    minter = Minter("a", "{serial}", 10, radix)
    assert int(minter.suffix(serial, "", DAY), radix) == serial
    assert minter.suffix(serial, "", DAY) < minter.suffix(serial + 1, "", DAY)


def test_serials_count_anew_for_what_the_layout_names_and_two_spellings_of_a_line_are_one():
    both, line = Minter("a", "{date}{line}{serial}"), Minter("a", "{line}{serial}")
    assert both.scope("A1", DAY) != both.scope("A1", date(2026, 2, 4))
    assert line.scope("A1", DAY) == line.scope("a1", date(2026, 2, 4)) != line.scope("A2", DAY)


@pytest.mark.parametrize(
    ("minter", "field"),
    [
        (Minter("A", "{serial}"), "name"),
        (Minter("a", "{serial}", 0), "width"),
        (Minter("a", "no part"), "layout"),
        (Minter("a", "{serial}{random}"), "layout"),
        (Minter("a", "{serial}{serial}"), "layout"),
        (Minter("a", "{serial}{unknown}"), "layout"),
        (Minter("a", "{serial}{check}"), "layout"),
        (Minter("a", "{serial}", check="gs1"), "layout"),
        (Minter("a", "{check}{serial}", check="gs1"), "layout"),
        (Minter("a", "批{serial}"), "layout"),
    ],
)
def test_a_minter_that_cannot_work_is_refused(minter, field):
    with pytest.raises(ProtocolFault, match=rf"\$\.minters\[0\]\.{field}"):
        check_minters([minter])


def test_two_minters_never_make_the_same_suffixes():
    with pytest.raises(ProtocolFault, match=r"\[1\]\.name"):
        check_minters([Minter("a", "A{serial}"), Minter("a", "B{serial}")])
    with pytest.raises(ProtocolFault, match=r"\[1\]\.layout"):
        check_minters([Minter("a", "A{serial}"), Minter("b", "a{serial}")])
