"""Answers signed with SM2 and SM3, judged by OpenSSL, which shares no line of code with the library that signs."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from registry.did import keys_from_document
from registry.jose import ANSWER, BUNDLE, SM2_ALGORITHM, NotVerified, Signed, octets_of, verify
from registry.sealing import Sealer
from registry.signing import SM2_SIGNING_KEY, Signer, rotate
from registry.sm2_key import Sm2PrivateKey
from resolver.client.statements import read_bundle, read_proof
from resolver.listeners.http.signatures import SIGNATURE
from tests.resolver.http.lab import PREFIX, URL, Client, lab
from tests.resolver.test_cli import filament

TODAY = datetime.now(UTC).date()
HX = f"{PREFIX}/HX"
ASKED = f"/api/handles/{HX}?sign=true&algorithm=SM2"


async def ask(port, path, body=None):
    client = Client(port)
    try:
        return await asyncio.to_thread(client.ask, "GET" if body is None else "POST", path, body, {})
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


def judge(signed, key, directory):
    """Whether OpenSSL takes a message for what was signed; and the message."""
    known = subprocess.run(["openssl", "list", "-public-key-algorithms"], capture_output=True, text=True, check=False)
    if "SM2" not in known.stdout.upper():
        pytest.skip("this openssl knows no SM2")
    head = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
    (directory / "key.der").write_bytes(head + key.public)
    octets = octets_of(signed.signature)
    encoded = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
    (directory / "signature").write_bytes(encoded)

    def judged(message):
        (directory / "message").write_bytes(message)
        words = ["-sm3", "-verify", "key.der", "-keyform", "DER", "-sigopt", "distid:1234567812345678"]
        asked = ["openssl", "dgst", *words, "-signature", "signature", "message"]
        return subprocess.run(asked, cwd=directory, capture_output=True, check=False).returncode == 0

    payload = signed.to_json().partition(b'"payload":"')[2].partition(b'"')[0]
    return judged, f"{signed.protected}.".encode() + payload


async def sealed(node, directory):
    sealer = Sealer(node.resolver.store, directory)
    while await sealer.step(TODAY + timedelta(days=1)):
        pass


@pytest.mark.usefixtures("sm2")
async def test_openssl_verifies_what_is_signed_with_the_key_of_the_document_and_refuses_what_is_altered(node, tmp_path):
    await sealed(node, tmp_path)
    signed, keys = await statement(node)
    bundle = await ask(node.port, "/api/bundle?algorithm=SM2", [HX])
    root = await ask(node.port, f"/api/roots/{TODAY}?algorithm=SM2")
    for one in (signed, Signed.from_json(bundle.body), Signed.from_json(root.body)):
        assert one.header()["alg"] == SM2_ALGORITHM
        judged, message = judge(one, keys[one.header()["kid"]], tmp_path)
        assert judged(message)
        assert not judged(message[:-1] + b"!")


@pytest.mark.usefixtures("sm2")
async def test_a_bundle_and_a_proof_hold_with_sm2_and_no_altered_octet_is_believed(node, tmp_path):
    await sealed(node, tmp_path)
    keys = keys_from_document((await ask(node.port, "/.well-known/did.json")).json)
    bundle = (await ask(node.port, "/api/bundle?algorithm=SM2", [HX])).body
    assert read_bundle(bundle, time.time()).body["results"][0]["handle"] == HX
    proof = (await ask(node.port, f"/api/proofs/{HX}?algorithm=SM2")).body
    proved = read_proof(proof, keys, time.time())
    assert keys[proved.root.key_id].algorithm == SM2_ALGORITHM
    assert proved.root.body == read_proof((await ask(node.port, f"/api/proofs/{HX}")).body, keys, time.time()).root.body
    chance = Random(6)
    for document, read in ((bundle, lambda one: read_bundle(one, time.time(), keys)),
                           (proof, lambda one: read_proof(one, keys, time.time()))):  # fmt: skip
        for place in chance.sample(range(len(document)), 200):
            altered = bytearray(document)
            altered[place] ^= 1
            try:
                told = read(bytes(altered))
            except NotVerified:
                continue
            # What is not signed may say anything: an answer's code and spelling stand beside the proof.
            assert document is proof
            assert told == proved


@pytest.mark.usefixtures("sm2")
async def test_a_root_that_was_altered_in_its_table_is_not_signed_with_sm2(node, tmp_path):
    await sealed(node, tmp_path)
    whole = Signed.from_json((await ask(node.port, f"/api/roots/{TODAY}")).body)
    forged = Signed(whole.payload.replace(b'"leaves":', b'"leaves":1'), whole.protected, whole.signature)
    async with node.resolver.store.connection() as connection:
        await connection.execute(
            "UPDATE sealed_day SET statement = $1 WHERE day = $2", forged.to_json().decode(), TODAY
        )
    refused = await ask(node.port, f"/api/roots/{TODAY}?algorithm=SM2")
    assert refused.status >= 400
    assert b"signature" in refused.body


@pytest.mark.usefixtures("sm2")
async def test_the_command_line_takes_along_what_is_signed_with_sm2(node, tmp_path):
    await sealed(node, tmp_path)
    url, bundle, proof = f"http://127.0.0.1:{node.port}", tmp_path / "bundle.jws", tmp_path / "proof.json"
    did = tmp_path / "did.json"
    did.write_bytes((await ask(node.port, "/.well-known/did.json")).body)
    asked = ("--algorithm", "SM2", "--url", url)
    await asyncio.to_thread(filament, "bundle", "make", HX, "--to", str(bundle), *asked)
    assert Signed.from_json(bundle.read_bytes()).header()["alg"] == SM2_ALGORITHM
    shown = await asyncio.to_thread(filament, "bundle", "verify", str(bundle), "--keys", str(did))
    assert BUNDLE in shown.stdout
    await asyncio.to_thread(filament, "prove", HX, "--to", str(proof), *asked)
    await asyncio.to_thread(filament, "verify", str(proof), "--keys", str(did))


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
        for refused in (await ask(node.port, ASKED), await ask(node.port, "/api/bundle?algorithm=SM2", [HX])):
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
