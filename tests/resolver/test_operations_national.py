"""A challenge answered with an SM2 key, as the national SDKs do it, and where the extra for it is missing."""

import sys

import pytest

from registry.keys import PublicKey
from registry.value import HandleValue, Reference
from resolver.wire.challenge import Challenge, ChallengeAnswer, PublicKeyProof
from tests.registry.books import URL, register
from tests.resolver.native import Worker, create, released, running_worker

SIGNER = Reference("88.118.1/国密", 300)


@pytest.fixture
async def worker(database_dsn):
    async with running_worker(database_dsn) as running:
        yield running


async def test_an_sm2_signature_by_the_handle_of_its_key_is_proof(worker: Worker):
    gmssl = pytest.importorskip("gmssl_pyx", reason="the extra gm has no wheel for this machine")
    point, private = gmssl.sm2_key_generate()
    key = PublicKey.from_point(point)
    await register(worker.store, SIGNER.handle, HandleValue(SIGNER.index, "HS_PUBKEY", key.to_wire()))
    for signer, code in ((SIGNER.handle, 400), ("1234567812345678", 403)):  # No right to register here; no proof.
        challenged = await worker.answer_to(create("88.118.1/new", URL))
        challenge = Challenge.from_message(challenged)
        digest = gmssl.sm3_hash(challenge.nonce + challenge.digest.octets)
        signed = PublicKeyProof("SM3", gmssl.sm2_sign(private, point, digest, signer.encode())).to_wire()
        refused = await worker.answer_to(released(challenged, ChallengeAnswer("HS_PUBKEY", SIGNER, signed)))
        assert refused.response_code == code


async def test_without_the_extra_an_sm2_signature_cannot_be_checked(worker: Worker, monkeypatch):
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    challenged = await worker.answer_to(create("88.118.1/new", URL))
    answer = ChallengeAnswer("HS_PUBKEY", SIGNER, PublicKeyProof("SM3", b"signature").to_wire())
    assert (await worker.answer_to(released(challenged, answer))).response_code == 406
