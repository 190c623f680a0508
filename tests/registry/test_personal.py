import pytest

from registry.credit_code import check_credit_code
from registry.errors import HandleError, InvalidValue
from registry.personal import KEY_FILE, Personal, Vault, masked
from tests.registry.companies import ID_NUMBER, LEGAL_PERSON, PERSONAL, PHONE, credit_code


def test_what_is_sealed_shows_nothing_and_is_opened_again(tmp_path):
    sealed = Vault(tmp_path).seal_personal(PERSONAL, "enterprise:1")
    for text in (LEGAL_PERSON, ID_NUMBER, PHONE):
        assert text.encode() not in sealed
    assert Vault(tmp_path).open_personal(sealed, "enterprise:1") == PERSONAL


def test_the_same_is_sealed_otherwise_each_time(tmp_path):
    vault = Vault(tmp_path)
    assert vault.seal(b"x", "a") != vault.seal(b"x", "a")


def test_what_was_moved_to_another_place_is_not_opened(tmp_path):
    vault = Vault(tmp_path)
    with pytest.raises(HandleError, match="another key"):
        vault.open(vault.seal(b"x", "enterprise:1"), "enterprise:2")


@pytest.mark.parametrize("cut", [0, 1, 5, 13, 20])
def test_what_was_cut_is_not_opened(tmp_path, cut):
    vault = Vault(tmp_path)
    with pytest.raises(HandleError):
        vault.open(vault.seal(b"x" * 20, "a")[:cut], "a")


def test_another_nodes_key_opens_nothing(tmp_path):
    sealed = Vault(tmp_path / "one").seal(b"x", "a")
    with pytest.raises(HandleError):
        Vault(tmp_path / "other").open(sealed, "a")


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    Vault(tmp_path).seal(b"x", "a")
    key = (tmp_path / KEY_FILE).read_bytes()
    Vault(tmp_path).seal(b"x", "a")
    assert (tmp_path / KEY_FILE).read_bytes() == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_key_of_another_length_is_refused(tmp_path):
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(OSError, match="no key"):
        Vault(tmp_path).seal(b"x", "a")


def test_what_is_shown_leaves_most_out():
    assert masked(PERSONAL) == {
        "legal_person": "沈**",
        "id_number": "330*************34",
        "contact": "王*",
        "phone": "138******01",
        "email": "w***@lansi.example",
    }


@pytest.mark.parametrize("text", ["", "1", "12345", "1234567890"])
def test_a_short_number_is_left_out_whole(text):
    assert set(masked(Personal("甲", text, "乙", text))["phone"]) <= {"*"}


def test_a_log_shows_nothing_of_it():
    assert f"{PERSONAL} {PERSONAL!r}" == "Personal(…) Personal(…)"


def test_a_credit_code_is_held_to_its_check_character():
    code = credit_code()
    check_credit_code(code)
    check_credit_code("91350100M000100Y43")
    for place in range(18):
        for character in "01A":
            if code[place] != character:
                with pytest.raises(InvalidValue):
                    check_credit_code(code[:place] + character + code[place + 1 :])
    for text in ("", code[:-1], code + "0", code.lower() if code.lower() != code else "I" * 18, "I" * 18):
        with pytest.raises(InvalidValue):
            check_credit_code(text)
