import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from registry import authentication
from registry.authentication import (
    Administrator,
    Authenticator,
    identity_from_text,
)
from registry.errors import (
    AuthenticationFailed,
    InvalidCredential,
    ServerBusy,
    UnableToAuthenticate,
)
from registry.keys import PublicKey
from registry.proofs import Proof
from registry.value import HandleValue, Reference
from tests.registry.books import PREFIX_HANDLE, SECRET, open_book, register
from tests.registry.test_proofs import DERIVED, DERIVED_NONCE, SHA1, SHA1_NONCE, SIGNED, SIGNED_NONCE

OWNER = f"301:{PREFIX_HANDLE}"


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture(scope="module")
def private_key():
    return rsa.generate_private_key(65537, 2048)


def public(private_key):
    numbers = private_key.public_key().public_numbers()
    return PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n}).to_wire()


def certificate(private_key, *subject, days=1):
    names = x509.Name([x509.NameAttribute(oid, text) for oid, text in subject])
    start = datetime.now(UTC) - timedelta(days=10)
    return (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(private_key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .sign(private_key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


# Passwords


async def test_the_secret_key_is_the_password_of_its_identity(store):
    administrator = await Authenticator(store).by_password(OWNER, SECRET)
    assert str(administrator) == OWNER


@pytest.mark.parametrize("password", [b"", b"s3cret-ke", b"s3cret-key ", b"S3CRET-KEY", SECRET * 2])
async def test_another_password_is_refused(store, password):
    with pytest.raises(AuthenticationFailed):
        await Authenticator(store).by_password(OWNER, password)


async def test_a_percent_encoded_password_is_read_as_some_clients_write_it(store):
    await register(store, "88.118.1/KEYS", HandleValue(1, "HS_SECKEY", b"per%cent /\xe4"))
    for password in (b"per%cent /\xe4", quote(b"per%cent /\xe4", safe="").encode()):
        assert await Authenticator(store).by_password("1:88.118.1/KEYS", password)


async def test_a_key_stored_as_its_digest_is_proved_by_the_key(store):
    hashed = hashlib.sha1(b"secret", usedforsecurity=False).hexdigest().encode()
    await register(store, "88.118.1/KEYS", HandleValue(1, "HS_SECKEY", hashed))
    assert await Authenticator(store).by_password("1:88.118.1/KEYS", b"secret")


async def test_index_zero_tries_every_key_and_names_the_one_that_fits(store):
    administrator = await Authenticator(store).by_password(f"0:{PREFIX_HANDLE}", SECRET)
    assert administrator.identity == Reference(PREFIX_HANDLE, 301)


async def test_index_zero_tries_no_more_keys_than_may_cost(store):
    keys = [HandleValue(index, "HS_SECKEY", b"key %d" % index) for index in range(1, 20)]
    await register(store, "88.118.1/KEYS", *keys)
    with pytest.raises(AuthenticationFailed):
        await Authenticator(store).by_password("0:88.118.1/KEYS", b"key 19")
    assert await Authenticator(store).by_password("19:88.118.1/KEYS", b"key 19")


async def test_a_prefix_written_without_its_naming_authority_is_the_same_identity(store):
    assert await Authenticator(store).by_password("301:88.118.1", SECRET)


@pytest.mark.parametrize(
    "identity", [f"300:{PREFIX_HANDLE}", f"302:{PREFIX_HANDLE}", "301:88.118.1/NONE", "1:9.9/a", "1:/"]
)
async def test_what_is_no_secret_key_of_this_node_proves_nothing(store, identity):
    with pytest.raises(UnableToAuthenticate):
        await Authenticator(store).by_password(identity, SECRET)


async def test_an_empty_key_is_nobodys_password(store):
    await register(store, "88.118.1/KEYS", HandleValue(1, "HS_SECKEY", b""))
    with pytest.raises(UnableToAuthenticate):
        await Authenticator(store).by_password("1:88.118.1/KEYS", b"")


async def test_a_password_of_a_public_value_is_refused(store):
    await register(store, "88.118.1/KEYS", HandleValue(1, "URL", b"secret"))
    with pytest.raises(UnableToAuthenticate):
        await Authenticator(store).by_password("1:88.118.1/KEYS", b"secret")


# Answers to challenges


@pytest.mark.parametrize(
    ("proof", "nonce"),
    [(DERIVED, DERIVED_NONCE), (SHA1, SHA1_NONCE), (SIGNED, SIGNED_NONCE)],
    ids=["derived", "sha1", "signed"],
)
async def test_a_captured_answer_proves_its_identity_to_its_nonce_only(store, proof, nonce):
    authenticator = Authenticator(store)
    assert str(await authenticator.by_proof(proof, nonce)) == proof.identity
    with pytest.raises(AuthenticationFailed):
        await authenticator.by_proof(proof, bytes(16))


async def test_a_signature_is_no_proof_of_a_secret_key(store):
    forged = Proof(OWNER, "HS_PUBKEY", SIGNED.cnonce, "SHA256", SIGNED.signature)
    with pytest.raises(UnableToAuthenticate):
        await Authenticator(store).by_proof(forged, SIGNED_NONCE)


async def test_a_public_key_that_is_no_key_proves_nothing(store):
    await register(store, "88.118.1/KEYS", HandleValue(1, "HS_PUBKEY", b"nonsense"))
    forged = Proof("1:88.118.1/KEYS", "HS_PUBKEY", b"", "SHA256", b"signature")
    with pytest.raises(AuthenticationFailed):
        await Authenticator(store).by_proof(forged, SIGNED_NONCE)


async def test_more_proofs_at_once_than_allowed_are_told_to_come_back(store, monkeypatch):
    monkeypatch.setattr(authentication, "MAX_PROOFS", 0)
    with pytest.raises(ServerBusy):
        await Authenticator(store).by_proof(SHA1, SHA1_NONCE)
    monkeypatch.setattr(authentication, "MAX_PROOFS", 1)
    authenticator = Authenticator(store)
    assert await authenticator.by_proof(SHA1, SHA1_NONCE)
    assert await authenticator.by_proof(SHA1, SHA1_NONCE), "a proof that is over must not be counted"


# Client certificates


async def test_a_certificate_is_the_identity_of_its_subject_when_the_key_is_in_the_book(store, private_key):
    await register(store, "88.118.1/KEYS", HandleValue(5, "HS_PUBKEY", public(private_key)))
    authenticator = Authenticator(store)
    for oid in (NameOID.USER_ID, NameOID.COMMON_NAME):
        administrator = await authenticator.by_certificate(certificate(private_key, (oid, "5:88.118.1/KEYS")))
        assert str(administrator) == "5:88.118.1/KEYS"


async def test_the_uid_of_a_certificate_goes_before_its_common_name(store, private_key):
    await register(store, "88.118.1/KEYS", HandleValue(5, "HS_PUBKEY", public(private_key)))
    subject = ((NameOID.COMMON_NAME, "Zhejiang Lansi"), (NameOID.USER_ID, "5:88.118.1/KEYS"))
    assert await Authenticator(store).by_certificate(certificate(private_key, *subject))


async def test_a_certificate_with_another_key_than_the_book_has_is_refused(store, private_key):
    other = rsa.generate_private_key(65537, 2048)
    await register(store, "88.118.1/KEYS", HandleValue(5, "HS_PUBKEY", public(other)))
    with pytest.raises(AuthenticationFailed):
        await Authenticator(store).by_certificate(certificate(private_key, (NameOID.USER_ID, "5:88.118.1/KEYS")))


async def test_a_certificate_that_names_no_identity_is_refused(store, private_key):
    for subject in (((NameOID.COMMON_NAME, "somebody"),), ()):
        with pytest.raises(InvalidCredential):
            await Authenticator(store).by_certificate(certificate(private_key, *subject))


async def test_a_certificate_with_a_key_of_another_kind_is_refused(store):
    odd = certificate(ec.generate_private_key(ec.SECP256R1()), (NameOID.USER_ID, OWNER))
    with pytest.raises(InvalidCredential):
        await Authenticator(store).by_certificate(odd)


@given(octets=st.binary(max_size=200))
async def test_octets_that_are_no_certificate_are_refused(octets):
    with pytest.raises(InvalidCredential):
        await Authenticator(None).by_certificate(octets)


# What a client writes


async def test_a_signature_by_one_of_several_keys_is_found_by_index_zero(store, private_key):
    other = rsa.generate_private_key(65537, 2048)
    keys = [HandleValue(1, "HS_PUBKEY", public(other)), HandleValue(2, "HS_PUBKEY", public(private_key))]
    await register(store, "88.118.1/KEYS", *keys)
    signature = private_key.sign(b"noncecnonce", padding.PKCS1v15(), hashes.SHA256())
    proof = Proof("0:88.118.1/KEYS", "HS_PUBKEY", b"cnonce", "SHA-256", signature)
    assert str(await Authenticator(store).by_proof(proof, b"nonce")) == "2:88.118.1/KEYS"


@given(st.text(max_size=60))
def test_any_text_is_an_identity_or_a_refusal(text):
    try:
        identity = identity_from_text(text)
    except InvalidCredential:
        return
    assert str(identity).rpartition(":")[2] == text.rpartition(":")[2]


@pytest.mark.parametrize(
    "text", ["", "300", ":a", "-1:a", "300:", "２:a", "2147483648:a", "1e3:a", "300 :a", "300:\udcff"]
)
def test_what_is_not_index_and_handle_is_no_identity(text):
    with pytest.raises(InvalidCredential):
        identity_from_text(text)


def test_a_handle_may_hold_colons():
    assert Administrator.from_text("300:0.NA/a:b").identity == Reference("0.NA/a:b", 300)


async def test_a_dsa_key_proves_something_only_where_the_settings_say_so(database_dsn):
    private = dsa.generate_private_key(2048)
    public, group = private.public_key().public_numbers(), private.parameters().parameter_numbers()
    key = PublicKey("DSA_PUB_KEY", {"q": group.q, "p": group.p, "g": group.g, "y": public.y})
    proof = Proof("5:88.118.1/DSA", "HS_PUBKEY", b"cnonce", "SHA256", private.sign(b"noncecnonce", hashes.SHA256()))
    async with open_book(database_dsn) as store:
        await register(store, "88.118.1/DSA", HandleValue(5, "HS_PUBKEY", key.to_wire()))
        with pytest.raises(UnableToAuthenticate):
            await Authenticator(store).by_proof(proof, b"nonce")
        store.settings = replace(store.settings, dsa_keys=True)
        assert str(await Authenticator(store).by_proof(proof, b"nonce")) == "5:88.118.1/DSA"
