"""SM2 keys: signatures made by OpenSSL, which shares no line of code with the library that we check them with."""

import base64
import subprocess
import sys

import pytest

from registry.authentication import Authenticator
from registry.data_forms import data_from_json, data_to_json
from registry.errors import AuthenticationFailed, InvalidValue, UnableToAuthenticate
from registry.keys import PublicKey
from registry.national import is_signed_with_sm2
from registry.octets import Truncated
from registry.proofs import Proof, check_proof, signature_proves
from registry.value import HandleValue
from tests.registry.books import open_book, register

HANDLE = "88.118.1/国密"
NONCE, CNONCE = b"n" * 16, b"c" * 32
# A key made by `openssl ecparam -genkey -name SM2`, its public half as `openssl ec -pubout -outform DER` writes it.
PRIVATE = """-----BEGIN EC PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgXTWKlTD84HnGfYYo
MLgG2djzW0yt36+Uq8lSM9/ckR2hRANCAARt7Bddmc75OJvTRNQ7UoFZT6qoHpLb
qvHDk7NCs+Zf26j1v4nQJgy++Ixt/+hya8IXPWgI75SbSSqKVnMb/l+h
-----END EC PRIVATE KEY-----
"""
ENCODED = bytes.fromhex(
    "3059301306072a8648ce3d020106082a811ccf5501822d034200 04"
    "6dec175d99cef9389bd344d43b5281594faaa81e92dbaaf1c393b342b3e65fdb"
    "a8f5bf89d0260cbef88c6dffe8726bc2173d6808ef949b492a8a56731bfe5fa1"
)
#                       kind                                  flags  octets of the encoded key
DATA = bytes.fromhex("0000000b 534d325f5055425f4b4559         0000   0000005b") + ENCODED
KEY = PublicKey.from_wire(DATA)


def proof(signature, identity=f"300:{HANDLE}", algorithm="SM3"):
    return Proof(identity, "HS_PUBKEY", CNONCE, algorithm, signature)


@pytest.fixture(scope="module")
def gmssl():
    return pytest.importorskip("gmssl_pyx", reason="the extra gm has no wheel for this machine")


@pytest.fixture(scope="module")
def signature(gmssl, tmp_path_factory):
    """Made by OpenSSL, over the SM3 digest of nonce and digest, by the name of the key's handle."""
    known = subprocess.run(["openssl", "list", "-public-key-algorithms"], capture_output=True, text=True, check=False)
    if "SM2" not in known.stdout.upper():
        pytest.skip("this openssl knows no SM2")
    directory = tmp_path_factory.mktemp("sm2")
    (directory / "key.pem").write_text(PRIVATE)
    (directory / "message").write_bytes(gmssl.sm3_hash(NONCE + CNONCE))
    signing = ["openssl", "dgst", "-sm3", "-sign", "key.pem", "-sigopt", f"distid:{HANDLE}", "message"]
    return subprocess.run(signing, cwd=directory, capture_output=True, check=True).stdout


def test_a_key_reads_as_it_was_written():
    assert KEY.kind == "SM2_PUB_KEY"
    assert KEY.to_wire() == DATA
    assert KEY.point == ENCODED[-64:]


@pytest.mark.parametrize("length", range(len(DATA)))
def test_a_key_cut_short_is_no_key(length):
    with pytest.raises(Truncated):
        PublicKey.from_wire(DATA[:length])


@pytest.mark.parametrize("encoded", [b"", ENCODED[:-1], ENCODED + b"\0", ENCODED[26:], b"\x31" + ENCODED[1:]])
def test_what_is_no_encoded_point_of_the_curve_is_no_key(encoded):
    data = DATA[: -len(ENCODED) - 4] + len(encoded).to_bytes(4, "big") + encoded
    with pytest.raises(Truncated):
        PublicKey.from_wire(data)
    assert data_to_json("HS_PUBKEY", data)["format"] == "base64"


def test_a_key_is_a_json_web_key_both_ways():
    shown = data_to_json("HS_PUBKEY", DATA)
    assert shown["format"] == "key"
    assert (shown["value"]["kty"], shown["value"]["crv"]) == ("EC", "SM2")
    octets = [base64.urlsafe_b64decode(shown["value"][name] + "=") for name in ("x", "y")]
    assert b"".join(octets) == ENCODED[-64:]
    assert data_from_json(1, "HS_PUBKEY", "key", shown["value"]) == DATA


def test_a_coordinate_that_begins_with_zeros_keeps_them():
    key = PublicKey.from_point(bytes(31) + b"\1" + bytes(32))
    assert PublicKey.from_wire(key.to_wire()) == key
    shown = data_to_json("HS_PUBKEY", key.to_wire())
    assert shown["value"]["y"] == "A" * 43
    assert data_from_json(1, "HS_PUBKEY", "key", shown["value"]) == key.to_wire()


@pytest.mark.parametrize(
    "change",
    [{"crv": "P-256"}, {"crv": None}, {"x": "A" * 42}, {"y": "A" * 44}, {"x": None}, {"y": "é"}, {"kty": "OKP"}],
)
def test_a_json_web_key_that_is_no_sm2_key_is_refused(change):
    value = {**data_to_json("HS_PUBKEY", DATA)["value"], **change}
    with pytest.raises(InvalidValue):
        data_from_json(1, "HS_PUBKEY", "key", value)
    with pytest.raises(InvalidValue):
        data_from_json(1, "HS_PUBKEY", "key", {"kty": "EC"})


def test_a_signature_of_openssl_proves_the_key_to_its_challenge_and_its_handle_only(signature):
    challenge = NONCE + CNONCE
    assert signature_proves(KEY, challenge, proof(signature))
    assert not signature_proves(KEY, challenge[1:], proof(signature))
    assert not signature_proves(KEY, challenge, proof(signature, "300:88.118.1/OTHER"))


def test_a_signature_of_openssl_with_any_octet_changed_proves_nothing(signature):
    for place in range(len(signature)):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not signature_proves(KEY, NONCE + CNONCE, proof(bytes(changed)))


@pytest.mark.parametrize("signature", [b"", b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\xff" * 2000])
def test_what_is_no_signature_proves_nothing(gmssl, signature):
    assert not signature_proves(KEY, NONCE + CNONCE, proof(signature))


def test_a_point_off_the_curve_and_a_name_too_long_prove_nothing(gmssl, signature):
    assert not is_signed_with_sm2(b"\1" * 64, HANDLE, NONCE + CNONCE, signature)
    assert not is_signed_with_sm2(KEY.point, "a" * 8192, NONCE + CNONCE, signature)


def test_sm3_goes_with_sm2_keys_and_these_with_sm3_alone(signature):
    rsa = PublicKey("RSA_PUB_KEY", {"e": 65537, "n": (1 << 2048) + 1})
    assert not signature_proves(rsa, NONCE + CNONCE, proof(signature))
    assert not signature_proves(KEY, NONCE + CNONCE, proof(signature, algorithm="SHA256"))


async def test_whoever_holds_an_sm2_key_in_the_book_is_that_administrator(gmssl, database_dsn):
    point, private = gmssl.sm2_key_generate()
    signed = gmssl.sm2_sign(private, point, gmssl.sm3_hash(NONCE + CNONCE), HANDLE.encode())
    async with open_book(database_dsn) as store:
        await register(store, HANDLE, HandleValue(300, "HS_PUBKEY", PublicKey.from_point(point).to_wire()))
        authenticator = Authenticator(store)
        for index in (300, 0):
            administrator = await authenticator.by_proof(proof(signed, f"{index}:{HANDLE}"), NONCE)
            assert str(administrator) == f"300:{HANDLE}"
        with pytest.raises(AuthenticationFailed):
            await authenticator.by_proof(proof(signed), bytes(16))


def test_without_the_extra_a_signature_is_refused_in_both_languages(monkeypatch):
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    with pytest.raises(UnableToAuthenticate) as refusal:
        check_proof(proof(b"signature"))
    assert "'gm' is not installed" in refusal.value.text("en")
    assert "未安装扩展 gm" in refusal.value.text("zh")
