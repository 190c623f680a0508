"""Answers to challenges, recomputed from exchanges captured between the reference server and its client."""

import base64
import hashlib
import hmac
import math

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from registry.errors import InvalidCredential
from registry.keys import PublicKey
from registry.proofs import MAX_ITERATIONS, Proof, check_proof, secret_proves, signature_proves
from tests.registry.books import ADMIN_PUBLIC_KEY, SECRET

octets = base64.b64decode
IDENTITY = "301:0.NA/88.118.1"
CNONCE = octets("cYyapBRvMkro5brlO7XbsA==")

# http.sessions.post, http.sessions.put_seckey_pbkdf2
DERIVED_NONCE = octets("kNB8cDIJQ4l4fENr9wFb2Q==")
DERIVED = Proof(
    IDENTITY, "HS_SECKEY", CNONCE, "PBKDF2-HMAC-SHA1", octets("Cc8F34CvdUFwrGKg4x1Vo3tUK3A="),
    octets("SMU8jDgvYBk+jlBneYyaeA=="), 10_000, 160,
)  # fmt: skip
# http.sessions.post2, http.sessions.put_seckey_sha1
SHA1_NONCE = octets("JTgK17Z3PNCC6lts6wFjhA==")
SHA1 = Proof(IDENTITY, "HS_SECKEY", CNONCE, "SHA1", octets("IPwmK5JIoUO8YiP4u+hbmVr2QNU="))
# http.authhandle.challenge, http.authhandle.pubkey_answer
SIGNED_NONCE = octets("6RoZ9Ttrue9A5HafSz1Kxg==")
SIGNED = Proof(
    "300:0.NA/88.118.1", "HS_PUBKEY", octets("uixAG8Cbv4yHjZhh9b5IFA=="), "SHA256",
    octets(
        "G+yppT2ep6hii7zIgW9+kdghHJV/H8feLx00gqdIeU6bvc3G628uDoXndcWaMlJzF93lUAE2p5L/f1RHNf5F75cOWclAEFpfBIGuGaxWMAQxNnuM"
        "aUTtEDFhfBLUbtTakZtHJLZSkXhtzPi+dAJD/UTmn/MDPIif8jsAK9U/iTmk8xRzvusSsABYJ8i+QGxpMZ4tKiJbkefHPUcnOAqYqH1aonIy+0uX"
        "9JLbpNRd8HTnrohTVA9Qp7vFgmye7U7e+0Du4WxN9chfrkkOMq9cStoxFiUvE7D4JSEnesGTWZ7cGUGt6GSpkHbPYedQXN+KG51AnD9XF7MJJU4Z"
        "NzxpPQ=="
    ),
)  # fmt: skip
# native.nosession.verify_challenge.*: the same digests over a nonce and the digest of a request
NATIVE_NONCE = bytes.fromhex("fb8b723c97cf5edd0fc8890606d88dd5")
NATIVE_DIGEST = bytes.fromhex("7f07c8b7eadc73f2755c60efb1d9d7ac0f094dd7c1dba3069d3be0214be10fb6")
NATIVE = {
    "SHA1": "c2bfedb82ae68d818cc88e0a97f1add493e578e1",
    "HMAC-SHA256": "5328f74a0e3bb7cc4893f3df40c8287e7069bcae28ba4b269387d5058baaeb8a",
}
NATIVE_DERIVED = Proof(
    IDENTITY, "HS_SECKEY", NATIVE_DIGEST, "PBKDF2-HMAC-SHA1", bytes.fromhex("8b9f85d665b4532212d40e2e4a48a4d652911dc4"),
    bytes.fromhex("bbf2ee9eab19d3a65c3ee9eb1381a4cb"), 10_000, 160,
)  # fmt: skip


def holds(proof, nonce, secret=SECRET):
    check_proof(proof)
    return secret_proves(secret, nonce + proof.cnonce, proof)


@pytest.mark.parametrize(
    ("proof", "nonce"),
    [(DERIVED, DERIVED_NONCE), (SHA1, SHA1_NONCE), (NATIVE_DERIVED, NATIVE_NONCE)],
    ids=["derived", "sha1", "native"],
)
def test_a_captured_answer_proves_the_secret_and_no_other(proof, nonce):
    assert holds(proof, nonce)
    assert not holds(proof, nonce, b"another-key")
    assert not holds(proof, CNONCE)


@pytest.mark.parametrize("algorithm", list(NATIVE))
def test_a_captured_answer_of_the_native_protocol_is_the_same_digest(algorithm):
    proof = Proof(IDENTITY, "HS_SECKEY", NATIVE_DIGEST, algorithm, bytes.fromhex(NATIVE[algorithm]))
    assert holds(proof, NATIVE_NONCE)


def test_a_captured_signature_proves_the_private_key_to_its_nonce_only():
    key = PublicKey.from_wire(ADMIN_PUBLIC_KEY)
    check_proof(SIGNED)
    assert signature_proves(key, SIGNED_NONCE + SIGNED.cnonce, SIGNED)
    assert not signature_proves(key, DERIVED_NONCE + SIGNED.cnonce, SIGNED)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA-1", "sha1", "SHA-256", "SHA256", "HMAC-SHA-1", "HMAC-SHA256"])
def test_every_spelling_of_an_accepted_digest_is_accepted(algorithm):
    check_proof(Proof(IDENTITY, "HS_SECKEY", b"", algorithm, b""))


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("HS_SECKEY", "MD5"),
        ("HS_SECKEY", "HMAC-MD5"),
        ("HS_PUBKEY", "MD5"),
        ("HS_PUBKEY", "HMAC-SHA1"),
        ("HS_CERT", "SHA1"),
        ("", ""),
    ],
)
def test_what_is_no_accepted_algorithm_is_refused(kind, algorithm):
    with pytest.raises(InvalidCredential):
        check_proof(Proof(IDENTITY, kind, b"", algorithm, b""))


def test_md5_is_accepted_of_secret_keys_alone_and_only_where_it_is_allowed():
    check_proof(Proof(IDENTITY, "HS_SECKEY", b"", "MD5", b""), md5=True)
    for kind, algorithm in (("HS_PUBKEY", "MD5"), ("HS_SECKEY", "HMAC-MD5")):
        with pytest.raises(InvalidCredential):
            check_proof(Proof(IDENTITY, kind, b"", algorithm, b""), md5=True)


@pytest.mark.parametrize(
    ("iterations", "length"),
    [(0, 160), (-1, 160), (MAX_ITERATIONS + 1, 160), (10_000, 0), (10_000, 161), (10_000, 1 << 30)],
)
def test_a_proof_that_would_cost_too_much_is_refused_before_it_is_computed(iterations, length):
    with pytest.raises(InvalidCredential):
        check_proof(Proof(IDENTITY, "HS_SECKEY", b"", "PBKDF2-HMAC-SHA1", b"", b"salt", iterations, length))


OLD_HASH = hashes.SHA1()  # noqa: S303  # what deployed clients sign with


@pytest.mark.parametrize(("algorithm", "digest"), [("SHA1", OLD_HASH), ("SHA-256", hashes.SHA256())])
def test_a_dsa_signature_proves_its_key(algorithm, digest):
    private = dsa.generate_private_key(1024)  # noqa: S505  # what deployed clients have
    public = private.public_key().public_numbers()
    group = public.parameter_numbers
    key = PublicKey("DSA_PUB_KEY", {"q": group.q, "p": group.p, "g": group.g, "y": public.y})
    proof = Proof(IDENTITY, "HS_PUBKEY", b"", algorithm, private.sign(b"challenge", digest))
    assert signature_proves(key, b"challenge", proof)
    assert not signature_proves(key, b"another challenge", proof)


def test_an_rsa_signature_with_sha1_proves_its_key():
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    key = PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n})
    signature = private.sign(b"challenge", padding.PKCS1v15(), OLD_HASH)
    assert signature_proves(key, b"challenge", Proof(IDENTITY, "HS_PUBKEY", b"", "SHA-1", signature))


@pytest.mark.parametrize(
    "key",
    [
        PublicKey("RSA_PUB_KEY", {"e": 1, "n": 15}),
        PublicKey("RSA_PUB_KEY", {"e": 2, "n": 1 << 2048}),
        PublicKey("RSA_PUB_KEY", {"e": 3, "n": (1 << 512) + 1}),
        PublicKey("DSA_PUB_KEY", {"q": 1, "p": 2, "g": 3, "y": 4}),
        PublicKey("DH_PUB_KEY", {"y": 1, "p": 2, "g": 3}),
    ],
)
def test_a_key_that_cannot_sign_proves_nothing(key):
    assert not signature_proves(key, b"challenge", Proof(IDENTITY, "HS_PUBKEY", b"", "SHA256", b"x" * 256))


def test_a_key_that_would_make_every_signature_dear_proves_nothing_although_it_is_right():
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.private_numbers()
    order = math.lcm(numbers.p - 1, numbers.q - 1)
    for extra, proves in ((0, True), (order, False)):  # the same key, with an exponent as long as itself
        key = PublicKey("RSA_PUB_KEY", {"e": 65537 + extra, "n": numbers.public_numbers.n})
        signature = private.sign(b"challenge", padding.PKCS1v15(), hashes.SHA256())
        assert signature_proves(key, b"challenge", Proof(IDENTITY, "HS_PUBKEY", b"", "SHA256", signature)) == proves


def test_the_derived_key_is_as_long_as_the_client_says():
    key = hashlib.pbkdf2_hmac("sha1", SECRET, b"salt", 7, 32)
    answer = hmac.digest(key, b"noncecnonce", "sha1")
    proof = Proof(IDENTITY, "HS_SECKEY", b"cnonce", "PBKDF2-HMAC-SHA1", answer, b"salt", 7, 256)
    assert holds(proof, b"nonce")
