import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidHandle
from registry.handle import MAX_HANDLE, Handle, check_new, check_prefix, fold_prefix, fold_whole


def test_the_first_slash_divides_prefix_from_suffix():
    handle = Handle.from_text("88.118.8/JXDY/2106023")
    assert (handle.prefix, handle.suffix) == ("88.118.8", "JXDY/2106023")
    assert str(handle) == "88.118.8/JXDY/2106023"


def test_a_name_without_a_slash_is_the_handle_of_a_prefix():
    assert Handle.from_text("88.118.8") == Handle("0.NA", "88.118.8")


def test_the_handle_of_its_prefix_says_who_may_register():
    assert str(Handle.from_text("88.118.8/A").prefix_handle) == "0.NA/88.118.8"


@pytest.mark.parametrize(
    ("text", "rule"),
    [("", "handle.empty"), ("x/" + "长" * MAX_HANDLE, "handle.too_long"), ("x/" + "a" * MAX_HANDLE, "handle.too_long")],
)
def test_a_name_of_impossible_length_is_refused(text, rule):
    with pytest.raises(InvalidHandle) as refusal:
        Handle.from_text(text)
    assert refusal.value.rule == rule


def test_a_name_of_exactly_the_limit_is_taken():
    assert len(Handle.from_text("x/" + "a" * (MAX_HANDLE - 2)).octets) == MAX_HANDLE


def test_ascii_case_folds_over_the_whole_name_and_nothing_else_does():
    assert fold_whole("88.a/aé工ß".encode()) == "88.A/Aé工ß".encode()


def test_exact_suffixes_fold_the_prefix_alone():
    assert fold_prefix(b"88.a/aB") == b"88.A/aB"


@pytest.mark.parametrize("name", [b"0.na/88.a", b"0.site/x", b"no-slash"])
def test_names_of_prefixes_fold_whole_even_where_suffixes_are_exact(name):
    assert fold_prefix(name) == name.upper()


@given(st.binary())
def test_folding_twice_is_folding_once(octets):
    assert fold_whole(fold_whole(octets)) == fold_whole(octets)
    assert fold_prefix(fold_prefix(octets)) == fold_prefix(octets)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("/suffix", "handle.prefix_empty"),
        ("88.118.8/", "handle.suffix_empty"),
        ("88.118.8/a\u0000b", "handle.control_character"),
        ("88.118.8/a\nb", "handle.control_character"),
        ("88.118.8/a\x7f", "handle.control_character"),
        ("88.118.8/a\x85", "handle.control_character"),
        ("88.118.8/e\u0301", "handle.not_nfc"),
    ],
)
def test_a_name_that_cannot_be_told_from_another_is_refused(text, rule):
    with pytest.raises(InvalidHandle) as refusal:
        check_new(Handle.from_text(text))
    assert refusal.value.rule == rule


def test_a_refused_control_character_is_named_with_its_place():
    with pytest.raises(InvalidHandle, match=r"U\+0009 at position 5"):
        check_new(Handle.from_text("8/ab\tc"))


@pytest.mark.parametrize("text", ["88.118.8/%2F#?+;", "88.118.8/工业 a+b", "86.1/é", "TEST/ "])
def test_odd_but_visible_names_may_be_registered(text):
    check_new(Handle.from_text(text))


@pytest.mark.parametrize("prefix", ["88.118.8", "86.122.2", "88.1021.150", "86.100", "88.608.24060301", "20.500.99999",
                                    "TEST", "0.NA", "10.1_a"])  # fmt: skip
def test_known_forms_of_prefixes_may_be_homed(prefix):
    check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["88", "88.", "88.1.2", "88.118.", "88.118.x", "86.123456.1", "88.118.8.9"])
def test_a_malformed_national_prefix_is_refused_with_the_rule(prefix):
    with pytest.raises(InvalidHandle) as refusal:
        check_prefix(prefix)
    assert refusal.value.rule == "prefix.national"


@pytest.mark.parametrize("prefix", ["", "a..b", ".a", "a.", "a b", "前缀", "a/b"])
def test_a_prefix_of_odd_characters_is_refused(prefix):
    with pytest.raises(InvalidHandle) as refusal:
        check_prefix(prefix)
    assert refusal.value.rule == "prefix.syntax"
