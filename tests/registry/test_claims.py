"""Signed claims in HS_SIGNATURE and HS_CERT values: their form when written, their truth when asked for."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.claims import Claims, Permission, check_claims
from registry.data_forms import key_to_json
from registry.errors import InvalidValue
from registry.keys import PublicKey
from registry.record import HandleRecord
from registry.registration import Registration
from registry.rights import Rights
from registry.transaction import begin
from registry.trust import Trust
from registry.value import HandleValue
from tests.registry.books import DESC, NODE, OWNER, URL, name, open_book, register

ROOT, ISSUER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
NOW = 1_800_000_000
HANDLE = "88.118.1/cake"
EVERYTHING = [{"perm": "everything"}]


def part(form: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(form).encode()).rstrip(b"=").decode()


def signed(key: rsa.RSAPrivateKey, **claims) -> bytes:
    covered = f"{part({'alg': 'RS256'})}.{part({'nbf': NOW - 60, 'exp': NOW + 60, 'iat': NOW} | claims)}"
    signature = key.sign(covered.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{covered}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}".encode()


def public(key: rsa.RSAPrivateKey) -> PublicKey:
    numbers = key.public_key().public_numbers()
    return PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n})


def digests(*values: HandleValue) -> dict:
    """As the reference makes them: over the encoded value without its index and its time."""
    listed = []
    for value in values:
        out = bytearray()
        value.to_wire(out)
        digest = base64.b64encode(hashlib.sha256(out[8:]).digest()).decode()
        listed.append({"index": value.index, "digest": digest})
    return {"alg": "SHA-256", "digests": listed}


def signature(key=ISSUER, issuer="300:88.118.1/issuer", values=(URL, DESC), **claims) -> HandleValue:
    claims = {"sub": HANDLE, "iss": issuer, "chain": ["400:88.118.1/issuer"], "digests": digests(*values)} | claims
    return HandleValue(400, "HS_SIGNATURE", signed(key, **claims))


def certificate(key=ROOT, **claims) -> HandleValue:
    claims = {
        "sub": "300:88.118.1/issuer",
        "iss": str(NODE),
        "publicKey": key_to_json(public(ISSUER)),
        "perms": EVERYTHING,
    } | claims
    return HandleValue(400, "HS_CERT", signed(key, **claims))


@pytest.fixture
async def book(database_dsn):
    async with open_book(database_dsn) as store:
        await register(store, "0.NA/0.NA", HandleValue(300, "HS_PUBKEY", public(ROOT).to_wire()))
        yield store


async def vouches(book, written: HandleValue, link: HandleValue, values=(URL, DESC), now: float = NOW) -> bool:
    issuer = HandleValue(300, "HS_PUBKEY", public(ISSUER).to_wire())
    async with begin(book, "test") as transaction:
        if (record := await transaction.lock(name("88.118.1/issuer"))) is None:
            await transaction.create(name("88.118.1/issuer"), (issuer, link))
        else:
            await transaction.replace(record, (issuer, link))
    trust = Trust(book, Rights(book, [str(NODE)]), lambda: now)
    return await trust.vouches(HandleRecord(name(HANDLE), (*values, written)), values)


async def test_a_signature_whose_chain_ends_at_the_node_vouches_for_its_values(book):
    assert await vouches(book, signature(), certificate())


async def test_the_time_of_a_value_is_not_signed(book):
    later = HandleValue(URL.index, URL.type, URL.data, timestamp=NOW)
    assert await vouches(book, signature(), certificate(), (later, DESC))


FAILING = [
    (signature(), certificate(), (HandleValue(1, "URL", b"http://other"), DESC), NOW),
    (signature(values=(URL,)), certificate(), (URL, DESC), NOW),
    (signature(), certificate(), (URL, DESC), NOW + 61),
    (signature(), certificate(), (URL, DESC), NOW - 61),
    (signature(ROOT), certificate(), (URL, DESC), NOW),
    (signature(sub="88.118.1/other"), certificate(), (URL, DESC), NOW),
    (signature(chain=[]), certificate(), (URL, DESC), NOW),
    (signature(issuer="300:99.9/elsewhere"), certificate(), (URL, DESC), NOW),
    (signature(), certificate(ISSUER), (URL, DESC), NOW),
    (signature(), certificate(sub="301:88.118.1/issuer"), (URL, DESC), NOW),
    (signature(), certificate(publicKey=key_to_json(public(ROOT))), (URL, DESC), NOW),
    (signature(), certificate(perms=[]), (URL, DESC), NOW),
    (signature(), certificate(perms=[{"perm": "thisHandle", "handle": "0.NA/88.118.2"}]), (URL, DESC), NOW),
    (signature(), certificate(exp=NOW), (URL, DESC), NOW),
]


async def test_a_signature_that_fails_anywhere_vouches_for_nothing(book):
    for written, link, values, now in FAILING:
        assert not await vouches(book, written, link, values, now)


@pytest.mark.parametrize(
    ("permission", "handle", "allowed"),
    [
        (Permission("everything"), "9/x", True),
        (Permission("thisHandle", "88.1/a"), "88.1/A", True),
        (Permission("thisHandle", "0.NA/88.1"), "88.1/a", True),
        (Permission("handlesUnderThisPrefix", "0.NA/88.1"), "88.1/a", True),
        (Permission("handlesUnderThisPrefix", "0.NA/88.1"), "88.1.2/a", False),
        (Permission("derivedPrefixes", "0.NA/88.1"), "88.1.2/a", True),
        (Permission("derivedPrefixes", "0.NA/88.1"), "0.NA/88.1.2", True),
        (Permission("derivedPrefixes", "0.NA/88.1"), "88.1/a", False),
        (Permission("nothing", "0.NA/88.1"), "88.1/a", False),
    ],
)
def test_a_permission_is_about_what_it_names(permission, handle, allowed):
    claims = Claims.from_data(certificate(perms=[{"perm": permission.perm, "handle": permission.handle}]).data)
    assert claims.permit(name(handle)) is allowed


@pytest.mark.parametrize(
    "value",
    [
        HandleValue(1, "HS_SIGNATURE", b"no signature"),
        HandleValue(1, "HS_SIGNATURE", b"\xff"),
        HandleValue(1, "hs_signature.x", b"a.b.c"),
        HandleValue(1, "HS_SIGNATURE", f"{part({'alg': 'none'})}.{part({'sub': 'a/b', 'iss': '1:a/b'})}.".encode()),
        HandleValue(1, "HS_SIGNATURE", f"{part({'alg': 'RS160'})}.{part({'sub': 'a/b', 'iss': '1:a/b'})}.".encode()),
        HandleValue(1, "HS_SIGNATURE", f"{part({'alg': 'RS256'})}.{part({'iss': '1:a/b'})}.".encode()),
        HandleValue(1, "HS_SIGNATURE", f"{part({'alg': 'RS256'})}.{part([])}.".encode()),
        HandleValue(1, "HS_SIGNATURE", b'{"payload":"","signatures":[]}'),
        HandleValue(1, "HS_CERT", signed(ROOT, sub="1:a/b", iss="1:a/b")),
        HandleValue(1, "HS_CERT", signed(ROOT, sub="1:a/b", iss="1:a/b", publicKey={"kty": "EC"})),
    ],
)
def test_claims_nobody_could_verify_are_not_stored(value):
    with pytest.raises(InvalidValue):
        check_claims([value])


async def test_registering_refuses_a_malformed_certificate_and_takes_a_right_one(book):
    registration = Registration(book, [str(OWNER)], lambda: NOW)
    with pytest.raises(InvalidValue):
        await registration.put_record(name(HANDLE), (HandleValue(1, "HS_CERT", b"x"),), OWNER)
    await registration.put_record(name(HANDLE), (certificate(), URL), OWNER)
    with pytest.raises(InvalidValue):
        await registration.put_values(name(HANDLE), (HandleValue(1, "HS_SIGNATURE", b"x"),), OWNER)


def test_both_serializations_are_read_alike():
    compact = certificate().data.decode().split(".")
    form = {"payload": compact[1], "signatures": [{"protected": compact[0], "signature": compact[2]}]}
    assert Claims.from_data(json.dumps(form).encode()) == Claims.from_data(certificate().data)
