"""Answers signed with SM2 and SM3, judged by OpenSSL, which shares no line of code with the library that signs."""

import asyncio
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from registry.did import keys_from_document
from registry.jose import ANSWER, SM2_ALGORITHM, NotVerified, Signed, octets_of, verify
from registry.signing import SM2_SIGNING_KEY, Signer, rotate
from registry.sm2_key import Sm2PrivateKey
from resolver.listeners.http.signatures import SIGNATURE
from tests.resolver.http.lab import PREFIX, URL, Client, lab

HX = f"{PREFIX}/HX"
ASKED = f"/api/handles/{HX}?sign=true&algorithm=SM2"


async def ask(port, path):
    client = Client(port)
    try:
        return await asyncio.to_thread(client.ask, "GET", path, None, {})
    finally:
        client.close()


@pytest.fixture
def sm2():
    return pytest.importorskip("gmssl_pyx", reason="the extra gm has no wheel for this machine")


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, {HX: (URL,)}) as node:
        yield node


async def statement(node, path=ASKED):
    answer = await ask(node.port, path)
    keys = keys_from_document((await ask(node.port, "/.well-known/did.json")).json)
    return Signed.from_detached(answer.headers[SIGNATURE], answer.body), keys


@pytest.mark.usefixtures("sm2")
async def test_an_answer_and_that_there_is_none_are_signed_with_sm2_and_no_altered_octet_is_believed(node):
    for path in (ASKED, f"/api/handles/{PREFIX}/NONE?sign=true&algorithm=SM2"):
        signed, keys = await statement(node, path)
        assert verify(signed, keys, ANSWER, time.time())["alg"] == SM2_ALGORITHM
        for place in range(len(signed.payload)):
            altered = bytearray(signed.payload)
            altered[place] ^= 1
            with pytest.raises(NotVerified):
                verify(Signed(bytes(altered), signed.protected, signed.signature), keys, ANSWER, time.time())


@pytest.mark.usefixtures("sm2")
async def test_openssl_verifies_the_signature_with_the_key_of_the_document_and_refuses_an_altered_one(node, tmp_path):
    known = subprocess.run(["openssl", "list", "-public-key-algorithms"], capture_output=True, text=True, check=False)
    if "SM2" not in known.stdout.upper():
        pytest.skip("this openssl knows no SM2")
    signed, keys = await statement(node)
    key = keys[signed.header()["kid"]]
    head = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
    (tmp_path / "key.der").write_bytes(head + key.public)
    octets = octets_of(signed.signature)
    encoded = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
    (tmp_path / "signature").write_bytes(encoded)

    def judged(message):
        (tmp_path / "message").write_bytes(message)
        words = ["-sm3", "-verify", "key.der", "-keyform", "DER", "-sigopt", "distid:1234567812345678"]
        asked = ["openssl", "dgst", *words, "-signature", "signature", "message"]
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, check=False).returncode

    one = Signed(signed.payload, signed.protected, signed.signature)
    form = one.to_json()
    message = f"{signed.protected}.".encode() + form.partition(b'"payload":"')[2].partition(b'"')[0]
    assert judged(message) == 0
    assert judged(message[:-1] + b"!") != 0


@pytest.mark.usefixtures("sm2")
async def test_openssl_reads_the_file_of_the_key_and_a_rotation_replaces_it(node, tmp_path):
    path = tmp_path / SM2_SIGNING_KEY
    read = subprocess.run(["openssl", "ec", "-in", str(path), "-noout", "-check"], capture_output=True, check=False)
    assert read.returncode == 0, read.stderr
    signed, keys = await statement(node)
    former, new = await rotate(node.resolver.store, tmp_path, SM2_ALGORITHM)
    assert signed.header()["kid"] == former.key_id
    assert verify(signed, keys, ANSWER, time.time())
    after, _ = await statement(node)
    assert after.header()["kid"] == new.key_id
    assert verify(after, {new.key_id: new}, ANSWER, time.time())


@pytest.mark.usefixtures("sm2")
def test_a_key_file_cut_or_of_another_kind_is_refused(tmp_path):
    pem = Sm2PrivateKey.generate().to_pem()
    assert Sm2PrivateKey.from_pem(pem).to_pem() == pem
    for wrong in (b"", pem[:-30], pem.replace(b"MHc", b"MHd"), pem.replace(b"EC PRIVATE", b"PRIVATE")):
        with pytest.raises(ValueError):
            Sm2PrivateKey.from_pem(wrong)


async def test_without_the_extra_sm2_is_refused_with_the_reason_and_the_rest_goes_on(
    database_dsn, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    async with lab(database_dsn, tmp_path, {HX: (URL,)}) as node:
        refused = await ask(node.port, ASKED)
        assert refused.status == 400
        assert "EdDSA" in refused.json["message"]
        assert (await ask(node.port, f"/api/handles/{HX}?sign=true")).headers[SIGNATURE]
    assert not (tmp_path / SM2_SIGNING_KEY).exists()


async def test_an_algorithm_that_nobody_knows_is_refused(node):
    assert (await ask(node.port, f"/api/handles/{HX}?sign=true&algorithm=none")).status == 400


def test_processes_that_start_at_once_have_one_sm2_key(sm2, tmp_path):
    assert sm2
    signers = [Signer(tmp_path) for _ in range(3)]
    assert len({signer.every_published for signer in signers}) == 1
