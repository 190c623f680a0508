import base64
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.credentials import basic_credentials, handle_parameters, proof_from_fields
from registry.errors import HandleError, ProtocolFault
from registry.proofs import Proof
from tests.registry.books import PREFIX_HANDLE

OWNER = f"301:{PREFIX_HANDLE}"
TOKENS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.integers())
FIELDS = st.sampled_from(["id", "type", "cnonce", "alg", "signature", "salt", "iterations", "length"])


def test_basic_credentials_are_an_encoded_identity_and_a_raw_password():
    header = base64.b64encode(b"301%3A0.NA/88.118.1:a:b%41").decode()
    assert basic_credentials(header) == ("301:0.NA/88.118.1", b"a:b%41")


def test_an_identity_in_chinese_is_read():
    header = base64.b64encode(f"{quote('300:88.118.1/钥匙')}:x".encode()).decode()
    assert basic_credentials(header) == ("300:88.118.1/钥匙", b"x")


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda octets: base64.b64encode(octets).decode()))
@example("é")
@example("")
def test_any_text_is_basic_credentials_or_a_refusal(text):
    try:
        identity, password = basic_credentials(text)
    except ProtocolFault:
        return
    assert isinstance(identity, str)
    assert isinstance(password, bytes)


def test_handle_parameters_are_read_as_the_reference_client_writes_them():
    header = 'version="0", sessionId="node01", id="300:0.NA/88.118.1", type="HS_PUBKEY", cnonce="uixA==", alg="SHA256"'
    assert handle_parameters(header) == {
        "version": "0",
        "sessionId": "node01",
        "id": "300:0.NA/88.118.1",
        "type": "HS_PUBKEY",
        "cnonce": "uixA==",
        "alg": "SHA256",
    }


def test_handle_parameters_may_be_bare_or_hold_escapes():
    assert handle_parameters(r' a = b ,c="d\"e\\,f" ') == {"a": "b", "c": r"d\"e\,f".replace(r"\"", '"')}


@pytest.mark.parametrize("header", ["a", "a=", 'a="b', "a=b c=d", "=b", 'a="b"c', "a=b,,c=d", "a=b, a=c", "é=1"])
def test_parameters_that_cannot_be_told_apart_are_refused(header):
    with pytest.raises(ProtocolFault):
        handle_parameters(header)


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True), TOKENS, max_size=6))
def test_parameters_written_quoted_are_read_back(parameters):
    def quoted(text):
        return text.replace("\\", "\\\\").replace('"', '\\"')

    header = ", ".join(f'{name}="{quoted(text)}"' for name, text in parameters.items())
    assert handle_parameters(header) == parameters


@given(st.text(alphabet='ab=",\\ é', max_size=40) | st.text(max_size=60))
def test_any_text_is_parameters_or_a_refusal(text):
    try:
        parameters = handle_parameters(text)
    except ProtocolFault:
        return
    assert all(name and isinstance(value, str) for name, value in parameters.items())


def test_a_proof_is_read_from_the_parameters_of_a_header_and_from_a_json_body():
    fields = {"id": OWNER, "type": "hs_seckey", "cnonce": "AAE=", "alg": "PBKDF2-HMAC-SHA1", "signature": "/w==",
              "salt": "Ag==", "iterations": "10000", "length": 160}  # fmt: skip
    expected = Proof(OWNER, "HS_SECKEY", b"\0\1", "PBKDF2-HMAC-SHA1", b"\xff", b"\2", 10_000, 160)
    assert proof_from_fields(fields) == expected
    assert proof_from_fields(fields | {"iterations": 10_000, "length": "160"}) == expected


@given(st.dictionaries(FIELDS, JSON))
@example({"id": "", "type": "", "cnonce": "", "alg": "", "signature": "é"})
@example({"id": "", "type": "", "cnonce": "", "alg": "", "signature": "", "iterations": "９" * 9})
def test_any_fields_are_a_proof_or_a_refusal(fields):
    try:
        proof = proof_from_fields(fields)
    except HandleError:
        return
    assert isinstance(proof.iterations, int)
