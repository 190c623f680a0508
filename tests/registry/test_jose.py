"""Signed statements, held to the octets that the standards print and to every octet being altered."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from registry.did import did_web, keys_from_document, node_document
from registry.jose import (
    ANSWER,
    ROOT,
    NotVerified,
    PublishedKey,
    Signed,
    base64url,
    jwk_of,
    octets_of,
    public_octets,
    sign,
    thumbprint,
    verify,
)

# RFC 8037, appendix A: a key, its thumbprint, and a signature over "Example of Ed25519 signing".
SECRET = octets_of("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
PUBLIC = octets_of("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
PAYLOAD = b"Example of Ed25519 signing"
SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

NOW = 1_790_000_010.0
KEY = Ed25519PrivateKey.generate()
OURS = PublishedKey(thumbprint(public_octets(KEY)), public_octets(KEY))
KEYS = {OURS.key_id: OURS}
STATEMENT = sign(KEY, OURS.key_id, ANSWER, b'{"responseCode":100,"handle":"88.1/x"}', {"iat": 1_790_000_000})


def refusal(signed, keys=KEYS):
    with pytest.raises(NotVerified) as refused:
        verify(signed, keys, ANSWER, NOW)
    return refused.value.rule


def test_the_example_of_the_standard_is_made_as_it_is_printed():
    key = Ed25519PrivateKey.from_private_bytes(SECRET)
    assert public_octets(key) == PUBLIC
    assert thumbprint(PUBLIC) == THUMBPRINT
    assert base64url(key.sign(b"eyJhbGciOiJFZERTQSJ9." + base64url(PAYLOAD).encode())) == SIGNATURE


def test_a_statement_is_verified_in_both_forms():
    assert verify(STATEMENT, KEYS, ANSWER, NOW)["iat"] == 1_790_000_000
    assert Signed.from_json(STATEMENT.to_json()) == STATEMENT
    assert Signed.from_detached(STATEMENT.detached, STATEMENT.payload) == STATEMENT


def test_one_altered_octet_anywhere_is_refused():
    document = STATEMENT.to_json()
    for place in range(len(document)):
        for difference in (1, 0x20):
            altered = bytearray(document)
            altered[place] ^= difference
            try:
                signed = Signed.from_json(bytes(altered))
            except NotVerified:
                continue
            with pytest.raises(NotVerified):
                verify(signed, KEYS, ANSWER, NOW)


@given(st.integers(0, len(STATEMENT.payload) - 1), st.integers(1, 255))
def test_one_altered_octet_of_a_payload_is_found_out(place, difference):
    altered = bytearray(STATEMENT.payload)
    altered[place] ^= difference
    assert refusal(Signed.from_detached(STATEMENT.detached, bytes(altered))) == "signed.altered"


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_octets_are_a_statement_or_refused(octets):
    try:
        signed = Signed.from_json(octets)
        verify(signed, KEYS, ANSWER, NOW)
    except NotVerified:
        return
    raise AssertionError(octets)


def test_a_key_that_is_not_trusted_proves_nothing():
    assert refusal(STATEMENT, {}) == "signed.key"
    stranger = Ed25519PrivateKey.generate()
    assert refusal(sign(stranger, OURS.key_id, ANSWER, b"x", {"iat": 1})) == "signed.altered"


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ({"alg": "none"}, "signed.algorithm"),
        ({"alg": "HS256"}, "signed.algorithm"),
        ({"crit": ["b64"], "b64": False}, "signed.algorithm"),
        ({"iat": "now"}, "signed.form"),
        ({"iat": None}, "signed.form"),
        ({"exp": "never"}, "signed.form"),
        ({"exp": int(NOW)}, "signed.expired"),
        ({"typ": ROOT}, "signed.kind"),
        ({"typ": None}, "signed.kind"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(header, rule):
    assert refusal(sign(KEY, OURS.key_id, ANSWER, b"x", {"iat": 1, **header})) == rule


def test_a_replaced_key_verifies_what_it_signed_and_nothing_later():
    retired = PublishedKey(OURS.key_id, OURS.public, datetime.fromtimestamp(1_790_000_000, UTC))
    assert verify(STATEMENT, {OURS.key_id: retired}, ANSWER, NOW)
    later = sign(KEY, OURS.key_id, ANSWER, b"x", {"iat": 1_790_000_001})
    assert refusal(later, {OURS.key_id: retired}) == "signed.retired"


def test_a_document_names_the_keys_that_it_was_made_of():
    retired = PublishedKey(THUMBPRINT, PUBLIC, datetime(2026, 11, 22, tzinfo=UTC))
    did = did_web("id.fibre.test:8443")
    assert did == "did:web:id.fibre.test%3A8443"
    document = json.loads(json.dumps(node_document(did, [OURS, retired])))
    assert keys_from_document(document) == {OURS.key_id: OURS, THUMBPRINT: retired}


def test_a_key_is_known_by_its_thumbprint_whatever_a_document_calls_it():
    document = node_document("did:web:x", [OURS])
    document["verificationMethod"][0] |= {"id": "did:web:x#other"}
    document["assertionMethod"] = ["did:web:x#other"]
    assert set(keys_from_document(document)) == {OURS.key_id}
    document["assertionMethod"] = []
    assert keys_from_document(document) == {}


@pytest.mark.parametrize("document", [None, [], {}, {"assertionMethod": 1}, {"assertionMethod": [[]]}, "x"])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(NotVerified) as refused:
        keys_from_document(document)
    assert refused.value.rule == "signed.did"


@given(st.binary(max_size=40))
def test_octets_have_one_text(octets):
    text = base64url(octets)
    assert octets_of(text) == octets
    assert jwk_of(octets)["x"] == text
