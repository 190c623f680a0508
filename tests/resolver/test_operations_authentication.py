"""Challenges, log-ins and what is done for whoever answered them: natively, and by one worker for another."""

import hashlib
import hmac
import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.exchanges import Exchanges
from registry.keys import PublicKey
from registry.settings import RegistrySettings
from registry.store import Store
from registry.value import HandleValue, Reference
from resolver.wire.administration import HandleList, NamedHandle
from resolver.wire.challenge import (
    Challenge,
    ChallengeAnswer,
    LogIn,
    PublicKeyProof,
    SecretKeyProof,
    Verification,
    prove,
)
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.credential import Credential, signature_is_right
from resolver.wire.query import HandleValues
from tests.registry.books import DESC, NODE, PREFIX_HANDLE, SECRET, URL, register
from tests.registry.test_claims import signature
from tests.resolver.books import running_resolver
from tests.resolver.native import (
    CALLED_FOR,
    KEY,
    NODE_KEY,
    USUAL,
    Worker,
    answered,
    create,
    done,
    named,
    query,
    released,
    request,
    running_worker,
    tcp,
    udp,
    worker_of,
)

RESTRICTED = HandleValue(9, "HS_SECKEY", b"hidden", permissions=0b1100)


@pytest.fixture
async def worker(database_dsn):
    async with running_worker(database_dsn) as running:
        yield running


async def test_a_challenge_names_the_request_and_its_answer_does_it(worker: Worker):
    asked = create("88.118.1/New", URL)
    challenged = await worker.answer_to(asked)
    assert (challenged.op_code, challenged.response_code) == (100, 402)
    assert challenged.op_flags == USUAL | OpFlag.AUTHORITATIVE | OpFlag.REQUEST_DIGEST
    assert challenged.session_id != 0
    digest = Challenge.from_message(challenged).digest.octets
    assert digest == hashlib.sha256(asked.covered).digest()
    answer = answered(challenged)
    (written,) = await worker.ask(answer)
    assert (written.op_code, written.response_code, written.session_id) == (100, 1, 0)
    assert written.request_id == answer.request_id
    assert NamedHandle.from_wire(written.content).handle == b"88.118.1/New"
    assert (await worker.answer_to(query("88.118.1/new"))).response_code == 1


async def test_a_challenge_is_answered_once(worker: Worker):
    answer = answered(await worker.answer_to(create("88.118.1/once", URL)))
    assert (await worker.answer_to(answer)).response_code == 1
    assert (await worker.answer_to(answer)).response_code == 500


async def test_another_worker_finishes_what_one_began(worker: Worker, database_dsn):
    async with running_resolver(worker.store) as resolver:
        other = worker_of(worker.store, resolver)
        challenged = await worker.answer_to(create("88.118.1/moved", URL))
        assert (await other.answer_to(answered(challenged), tcp())).response_code == 1


async def test_a_worker_of_another_node_cannot_read_what_one_kept(worker: Worker):
    stranger = worker_of(worker.store, worker.resolver, b"another node")
    challenged = await worker.answer_to(create("88.118.1/kept", URL))
    assert (await stranger.answer_to(answered(challenged))).response_code == 500
    async with worker.store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM native_challenge") == 0


async def test_nothing_secret_is_kept_in_clear(worker: Worker):
    await worker.answer_to(create("88.118.1/secret", HandleValue(1, "HS_SECKEY", b"hidden in the request")))
    async with worker.store.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM native_challenge")
    assert all(b"hidden in the request" not in field for field in row if isinstance(field, bytes))


async def test_every_digest_with_the_secret_key_is_proof(worker: Worker):
    for algorithm in ("SHA1", "SHA256", "HMAC-SHA1", "HMAC-SHA256", "PBKDF2-HMAC-SHA1"):
        await prove_with(worker, algorithm)


async def prove_with(worker: Worker, algorithm: str) -> None:
    challenged = await worker.answer_to(named(OpCode.LIST_HOMED_PREFIXES, "/"))
    challenge = Challenge.from_message(challenged)
    octets = challenge.nonce + challenge.digest.octets
    name = algorithm.rpartition("-")[2].lower()
    if algorithm.startswith("PBKDF2"):
        proof = prove(SECRET, challenge, (2, 11), b"salt")
    elif algorithm.startswith("HMAC"):
        proof = SecretKeyProof(algorithm, hmac.digest(SECRET, octets, name))
    else:
        proof = SecretKeyProof(algorithm, hashlib.new(name, SECRET + octets + SECRET).digest())
    answer = await worker.answer_to(released(challenged, ChallengeAnswer("HS_SECKEY", KEY, proof.to_wire())))
    assert HandleList.from_wire(answer.content).handles == (b"0.NA/0.NA", b"0.NA/88.118.1")


async def test_md5_proves_something_only_where_the_settings_say_so(worker: Worker):
    """In both its forms: the bare digest, which clients of version 2.0 send, and the one behind an octet."""
    for allowed in (False, True):
        worker.store.settings = replace(worker.store.settings, md5_proofs=allowed)
        challenged = await worker.answer_to(named(OpCode.LIST_HOMED_PREFIXES, "/", version=(2, 0)))
        assert not challenged.op_flags & OpFlag.REQUEST_DIGEST
        assert (await worker.answer_to(answered(challenged))).response_code == (1 if allowed else 404)
        for secret, code in ((SECRET, 1), (b"another", 403)):
            challenged = await worker.answer_to(named(OpCode.LIST_HOMED_PREFIXES, "/"))
            challenge = Challenge.from_message(challenged)
            covered = secret + challenge.nonce + challenge.digest.octets + secret
            answer = ChallengeAnswer("HS_SECKEY", KEY, b"\1" + hashlib.md5(covered, usedforsecurity=False).digest())
            assert (await worker.answer_to(released(challenged, answer))).response_code == (code if allowed else 404)


async def test_every_version_since_the_second_is_challenged_in_its_own_way(worker: Worker):
    for version in ((2, 1), (2, 3), (2, 5), (2, 6), (2, 7), (2, 8), (2, 9), (2, 10), (2, 11)):
        challenged = await worker.answer_to(named(OpCode.LIST_HOMED_PREFIXES, "/", version=version))
        assert (challenged.major, challenged.minor) == version
        assert (await worker.answer_to(answered(challenged))).response_code == 1


@pytest.mark.parametrize(("named_hash", "hash_"), [("SHA1", hashes.SHA1), ("SHA-256", hashes.SHA256)])
async def test_a_signature_with_the_private_key_is_proof(worker: Worker, named_hash, hash_):
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    key = PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n})
    await register(worker.store, "88.118.1/key", HandleValue(300, "HS_PUBKEY", key.to_wire()))
    challenged = await worker.answer_to(create("88.118.1/new", URL))
    challenge = Challenge.from_message(challenged)
    signature = private.sign(challenge.nonce + challenge.digest.octets, padding.PKCS1v15(), hash_())
    answer = PublicKeyProof(named_hash, signature).to_wire()
    reference = Reference("88.118.1/key", 300)
    refused = await worker.answer_to(released(challenged, ChallengeAnswer("HS_PUBKEY", reference, answer)))
    assert refused.response_code == 400  # his key, but no right to register here
    challenged = await worker.answer_to(create("88.118.1/new", URL))
    refused = await worker.answer_to(released(challenged, ChallengeAnswer("HS_PUBKEY", reference, answer)))
    assert refused.response_code == 403  # the signature was over another nonce


WRONG_PROOFS = [
    (ChallengeAnswer("HS_SECKEY", KEY, SecretKeyProof("SHA1", bytes(20)).to_wire()), 403),
    (ChallengeAnswer("HS_SECKEY", Reference("0.NA/88.118.1", 999), b"\2" + bytes(20)), 406),
    (ChallengeAnswer("HS_SECKEY", Reference("99.999/who", 1), b"\2" + bytes(20)), 406),
    (ChallengeAnswer("HS_OTHER", KEY, b""), 404),
    (ChallengeAnswer("HS_SECKEY", KEY, b"\x77" + bytes(20)), 4),
    (ChallengeAnswer("HS_PUBKEY", KEY, PublicKeyProof("MD5", bytes(16)).to_wire()), 404),
    (
        ChallengeAnswer(
            "HS_SECKEY", KEY, SecretKeyProof("PBKDF2-HMAC-SHA1", bytes(20), b"", 2_000_000_000, 160).to_wire()
        ),
        404,
    ),
]


async def test_a_wrong_proof_is_refused_for_its_reason_and_does_nothing(worker: Worker):
    for answer, code in WRONG_PROOFS:
        challenged = await worker.answer_to(create("88.118.1/new", URL))
        refused = await worker.answer_to(released(challenged, answer))
        assert (refused.op_code, refused.response_code) == (100, code)
    assert (await worker.answer_to(query("88.118.1/new"))).response_code == 100


async def test_a_challenge_answered_too_late_is_told_so(worker: Worker):
    challenged = await worker.answer_to(create("88.118.1/late", URL))
    async with worker.store.connection() as connection:
        await connection.execute("UPDATE native_challenge SET expires_at = expires_at - interval '61 seconds'")
    assert (await worker.answer_to(answered(challenged))).response_code == 405


async def test_a_restricted_value_is_shown_to_its_administrator_over_udp(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL, RESTRICTED)
    (answer,) = await done(worker, query("88.118.1/cake", flags=CALLED_FOR), udp())
    assert HandleValues.from_wire(answer.content).values[1].data == b"hidden"


async def test_a_proof_given_to_another_server_is_verified_and_certified(worker: Worker):
    nonce, digest = os.urandom(16), os.urandom(32)
    right = SecretKeyProof("HMAC-SHA256", hmac.digest(SECRET, nonce + digest, "sha256"))
    for proof, verdict in ((right, b"\1"), (SecretKeyProof("SHA1", bytes(20)), b"\0")):
        body = Verification(KEY, nonce, digest, proof.to_wire()).to_wire()
        asked = request(OpCode.VERIFY_CHALLENGE_ANSWER, body, flags=USUAL | OpFlag.CERTIFY | OpFlag.REQUEST_DIGEST)
        answer = await worker.answer_to(asked, udp())
        assert (answer.response_code, answer.content) == (1, verdict)
        assert signature_is_right(answer, Credential.from_wire(answer.credential), NODE_KEY.public_key())


async def test_a_certified_answer_is_signed_with_the_key_of_the_node(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL)
    for version in ((2, 2), (2, 5), (2, 6), (2, 7), (2, 11)):
        asked = query("88.118.1/cake", flags=USUAL | OpFlag.CERTIFY, version=version)
        answer = await worker.answer_to(asked, udp())
        assert signature_is_right(answer, Credential.from_wire(answer.credential), NODE_KEY.public_key())


async def test_a_connection_that_logged_in_is_that_administrator(worker: Worker):
    """As the newer national SDK does it, which numbers its session itself."""
    connection = tcp()
    body = LogIn(KEY).to_wire()
    fields = {"version": (2, 10), "suggested": (2, 11), "session_id": 10_001}
    asked = request(OpCode.LOG_IN_BY_KEY, body, flags=0x10800000, **fields)
    challenged = await worker.answer_to(asked, connection)
    assert (challenged.op_code, challenged.response_code, challenged.session_id) == (2001, 402, 10_001)
    answer = answered(challenged, flags=0x10800000, version=(2, 10), suggested=(2, 11))
    logged_in = await worker.answer_to(answer, connection)
    assert (logged_in.op_code, logged_in.response_code, logged_in.session_id) == (2001, 1, 10_001)
    assert logged_in.body == b"\3" + hashlib.sha256(answer.covered).digest()
    written = await worker.answer_to(create("88.118.1/idp", URL, **fields), connection)
    assert (written.response_code, written.session_id) == (1, 10_001)
    assert (await worker.answer_to(create("88.118.1/idp2", URL, **fields))).response_code == 500  # another connection
    worker.clock.ahead = 13 * 3600
    assert (await worker.answer_to(create("88.118.1/idp3", URL), connection)).response_code == 407


async def test_a_log_in_is_refused_to_who_cannot_prove_it(worker: Worker):
    connection = tcp()
    challenged = await worker.answer_to(request(OpCode.LOG_IN_BY_KEY, LogIn(KEY).to_wire()), connection)
    assert challenged.session_id != 0
    refused = await worker.answer_to(answered(challenged, secret=b"guessed"), connection)
    assert (refused.op_code, refused.response_code) == (2001, 403)
    assert (await worker.answer_to(create("88.118.1/x", URL), connection)).response_code == 408
    other = Reference(PREFIX_HANDLE, 300)
    challenged = await worker.answer_to(request(OpCode.LOG_IN_BY_KEY, LogIn(other).to_wire()), connection)
    assert (await worker.answer_to(answered(challenged), connection)).response_code == 403
    challenged = await worker.answer_to(request(OpCode.LOG_IN_BY_KEY, LogIn(KEY).to_wire()), connection)
    worker.clock.ahead = 61
    assert (await worker.answer_to(answered(challenged), connection)).response_code == 405


async def test_no_log_in_where_no_connection_stays(worker: Worker):
    assert (await worker.answer_to(request(OpCode.LOG_IN_BY_KEY, LogIn(KEY).to_wire()), udp())).response_code == 5


async def test_the_older_sdk_is_told_to_log_in_and_gets_public_values_meanwhile(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL, RESTRICTED)
    fields = {"version": (2, 3), "suggested": (2, 10), "flags": 0}
    assert (await worker.answer_to(create("88.118.1/sdk", URL, **fields))).response_code == 408
    for conversation in (tcp(), udp()):  # over datagrams, where nobody can log in, it shows an error otherwise
        answer = await worker.answer_to(query("88.118.1/cake", **fields), conversation)
        assert [value.type for value in HandleValues.from_wire(answer.content).values] == ["URL"]


async def test_while_the_database_is_away_what_needs_it_is_told_to_try_again(worker: Worker):
    """And a challenge that nobody could keep is not given."""
    away = Store(RegistrySettings(dsn="postgresql://nobody@127.0.0.1:9/away"), "test")
    kept = query("88.118.1/none")
    await worker.answer_to(kept)
    other = worker_of(worker.store, worker.resolver, exchanges=Exchanges(away, b"secret"))
    assert (await other.answer_to(named(OpCode.DELETE_HANDLE, "88.118.1/x"))).response_code == 3
    answer = ChallengeAnswer("HS_SECKEY", KEY, b"").to_wire()
    assert (await other.answer_to(request(OpCode.CHALLENGE_ANSWER, answer, session_id=1 << 24))).response_code == 3
    assert (await other.answer_to(kept)).response_code == 100
    await away.close()


async def test_a_trusted_query_is_told_whether_the_values_are_signed_by_somebody_trusted(worker: Worker):
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    key = PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n}).to_wire()
    issuer = str(NODE)
    await register(worker.store, NODE.identity.handle, HandleValue(NODE.identity.index, "HS_PUBKEY", key))
    made = signature(private, issuer, values=(URL,), chain=[], nbf=0, exp=1 << 40, sub="88.118.1/signed")
    await register(worker.store, "88.118.1/signed", URL, DESC, made)
    trusted, result = USUAL | int(OpFlag.TRUSTED_QUERY), int(OpFlag.TRUSTED_RESULT)
    answer = await worker.answer_to(query("88.118.1/signed", "URL", flags=trusted))
    assert (answer.response_code, answer.op_flags & result) == (1, result)
    for asked in (query("88.118.1/signed", "DESC", flags=trusted), query("88.118.1/signed", "URL")):
        answer = await worker.answer_to(asked)
        assert (answer.response_code, answer.op_flags & result) == (1, 0)
