"""Every captured message read, and written again to the same octets; every captured answer made again by us."""

from contextlib import suppress
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.keys import PublicKey
from registry.octets import Reader, Truncated
from resolver.wire.challenge import (
    Challenge,
    ChallengeAnswer,
    LogIn,
    PublicKeyProof,
    SecretKeyProof,
    Verification,
    challenged,
    prove,
)
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.credential import MAC, SIGNED, Credential, mac_is_right, signature_is_right, with_mac
from resolver.wire.digest import RequestDigest
from resolver.wire.envelope import TRUNCATED, ProtocolError
from resolver.wire.key_exchange import agreed
from resolver.wire.message import Message, SealedMessage, message_from_wire
from resolver.wire.query import HandleValues
from resolver.wire.session_cipher import opened, sealed
from resolver.wire.session_setup import ExchangedKey, SessionOpened
from tests.resolver.wire.bodies import REQUESTS, answer_fields, request_fields
from tests.resolver.wire.captured import Exchange, Step, exchanges, file, session_keys, steps

# What the probes sent wrong on purpose.
NO_MESSAGES = {
    "probe.resolve.two_pipelined_on_one_connection#0": "57 octets announced, 134 there",
    "probe.error.opcode_zero#0": "op code 0",
    "probe.error.short_message_23#0": "43 octets; a message has 44",
    "probe.error.negative_length#0": "4294967295 octets announced",
    "probe.error.incomplete_body_half_close#0": "100 octets announced, 50 there",
    "probe.error.envelope_only_half_close#0": "10 octets; a message has 44",
    "probe.error.body_len_beyond_message#0": "a body of 1000 octets, 4 there",
}
# Messages that end behind their body, without the four octets that say "no credential": we write them.
WITHOUT_CREDENTIAL_LENGTH = {"probe.resolve.no_credential_field#0", "idis.idptr.conn2.02#0"}
# The national SDK appends an empty field to its resolution bodies.
LONGER_BODIES = ("idis.idptr.",)
# The answers of the mock that the SDKs talked to are signed with another key, and its login answers carry a digest.
WRONG_MACS = {"native.nosession.session_dh.bad_mac.tcp#0"}
# What an operation adds to the flags that an answer copies.
ADDED = int(OpFlag.AUTHORITATIVE | OpFlag.OVERWRITE | OpFlag.MINT_SUFFIX | OpFlag.CONTINUOUS)

HASHES = {"SHA1": hashes.SHA1, "SHA-256": hashes.SHA256}

WHOLE = [step for step in steps() if step.octets and step.id not in NO_MESSAGES]


def server_key() -> rsa.RSAPublicKey:
    return _rsa(file()["keys"]["server_public_key_hex"])


def _rsa(data: str) -> rsa.RSAPublicKey:
    integers = PublicKey.from_wire(bytes.fromhex(data)).integers
    return rsa.RSAPublicNumbers(integers["e"], integers["n"]).public_key()


def clear(step: Step) -> Message | None:
    """The message, decrypted where its session's key was captured."""
    message = message_from_wire(step.octets)
    if isinstance(message, Message):
        return message
    key = session_keys(step.id).get(str(message.envelope.session_id))
    return None if key is None else opened(message, key)


def clear_messages() -> list[tuple[Step, Message]]:
    return [(step, message) for step in WHOLE if (message := clear(step)) is not None]


def test_the_vectors_are_all_here():
    assert len(steps()) == 710
    assert len(WHOLE) == 691


def test_every_captured_message_is_written_again_as_it_was_read():
    for step in WHOLE:
        written = message_from_wire(step.octets).to_wire()
        if step.id in WITHOUT_CREDENTIAL_LENGTH:
            assert written[20:] == step.octets[20:] + bytes(4), step.id
        else:
            assert written == step.octets, step.id


@pytest.mark.parametrize("step", [step for step in steps() if step.id in NO_MESSAGES], ids=lambda step: step.id)
def test_a_captured_message_that_is_none_is_a_protocol_error(step):
    with pytest.raises(ProtocolError, match=NO_MESSAGES[step.id]) as caught:
        message_from_wire(step.octets)
    envelope = caught.value.envelope
    assert (envelope is None) == (len(step.octets) < 20)
    if envelope is not None:
        assert envelope.request_id == 1


def test_every_header_says_what_another_decoder_read():
    compared = 0
    for step, message in clear_messages():
        if not step.decoded:
            continue
        told = step.decoded
        assert [message.major, message.minor] == told["version"], step.id
        assert [message.flags & 3, message.suggested_minor] == told["suggests"], step.id
        assert (message.session_id, message.request_id) == (told["session"], told["request"]), step.id
        assert (message.op_code, message.response_code) == (told["opcode"], told["rc"]), step.id
        assert f"{message.op_flags:08x}" == told["flags"], step.id
        assert (message.site_serial, message.recursion) == (told["serial"], told["recursion"]), step.id
        assert message.expiration == told["expiration"], step.id
        compared += 1
    assert compared == 643


def test_every_body_says_what_another_decoder_read_and_is_written_again():
    compared = 0
    for step, message in clear_messages():
        told = step.decoded.get("body")
        if told is None:
            continue
        is_request = message.is_request
        fields, written = request_fields(message) if is_request else answer_fields(message)
        assert fields == {name: told[name] for name in told if name not in {"digest", "digest_alg"} or is_request}, (
            step.id
        )
        rest = message.body if is_request else message.body[-len(written) :] if written else b""
        if message.response_code == 402 and not message.op_flags & OpFlag.REQUEST_DIGEST:
            rest = message.body[: len(written)]
        if step.id.startswith(LONGER_BODIES) and is_request and message.op_code == OpCode.RESOLUTION:
            rest = rest.removesuffix(bytes(4))
        assert written == rest, step.id
        compared += 1
    assert compared == 642


def test_a_login_by_key_names_the_key():
    step = next(step for step in WHOLE if step.id == "idis.idptr.conn2.02#0")
    message = Message.from_wire(step.octets)
    log_in = LogIn.from_wire(message.body)
    assert str(log_in.key) == "301:88.118.1/ADMIN"
    assert log_in.to_wire() == message.body


def test_every_answer_of_the_reference_server_is_ours_octet_by_octet():
    """All but what operations decide: code, content, session, time, the flags they add, the credential."""
    compared = 0
    for exchange in exchanges():
        if exchange.id.startswith(("probe.error", "idis", "probe.resolve.two_pipelined")):
            continue
        compared += sum(_answer_is_ours(*pair) for pair in _answered_pairs(exchange))
    assert compared == 310


def _answered_pairs(exchange: Exchange):
    """An answer, the request that it is the answer of, and the message that it was sent for."""
    challenged_request = None
    for request_step, answer_step in exchange.pairs():
        if not (request_step.octets and answer_step.octets):
            continue
        request, answer = clear(request_step), clear(answer_step)
        if request is None or answer is None:
            continue
        if request.op_code != OpCode.CHALLENGE_ANSWER:
            challenged_request = request if answer.response_code == 402 else None
            yield request, request, answer
        elif challenged_request is not None:
            yield challenged_request, request, answer


def _answer_is_ours(request: Message, asked_by: Message, answer: Message) -> bool:
    made = {"session_id": answer.session_id, "expiration": answer.expiration, "serial": answer.site_serial}
    if answer.response_code == 402:
        ours = challenged(request, Challenge.from_message(answer).nonce, **made)
    else:
        flags = answer.op_flags & ADDED
        made |= {"flags": flags, "request_id": asked_by.request_id}
        ours = request.answered(answer.response_code, answer.content, **made)
    # The reference leaves the bit of a request that came in pieces set in its answer.
    flags = ours.flags | answer.flags & TRUNCATED
    assert ours._replace(credential=answer.credential, flags=flags).to_wire() == answer.to_wire()
    return True


def test_every_digest_of_a_request_is_computed_again():
    compared = 0
    for exchange in exchanges():
        if exchange.id.startswith(("probe.error", "idis", "probe.resolve.two_pipelined")):
            continue
        for request, asked_by, answer in _answered_pairs(exchange):
            if answer.op_flags & OpFlag.REQUEST_DIGEST and asked_by is request:
                digest = RequestDigest.from_wire(Reader(answer.body))
                assert digest == RequestDigest.of(request.covered, answer.version), exchange.id
                compared += 1
    assert compared == 98


def test_every_mac_is_computed_again():
    versions = set()
    for step, message in clear_messages():
        key = session_keys(step.id).get(str(message.session_id))
        if key is None or not message.credential:
            continue
        credential = Credential.from_wire(message.credential)
        if credential.type != MAC:
            continue
        assert mac_is_right(message, credential, key) == (step.id not in WRONG_MACS), step.id
        if step.id not in WRONG_MACS:
            assert with_mac(message, key, credential.counter) == message, step.id
        versions.add(message.version)
    assert versions == {(2, 2), (2, 5), (2, 11)}


def test_every_signature_of_the_server_is_verified():
    versions = set()
    for step, message in clear_messages():
        credential = Credential.from_wire(message.credential) if message.credential else None
        if credential is None or credential.type != SIGNED or step.id.startswith("idis"):
            continue
        assert credential.to_wire() == message.credential, step.id
        assert signature_is_right(message, credential, server_key()), step.id
        assert not signature_is_right(message._replace(body=message.body + b"\0"), credential, server_key()), step.id
        versions.add(message.version)
    assert versions == {(2, 2), (2, 5), (2, 11)}


def test_every_encrypted_message_is_decrypted_and_encrypted_to_the_same_octets():
    compared = 0
    for step in WHOLE:
        message = message_from_wire(step.octets)
        if not isinstance(message, SealedMessage):
            continue
        key = session_keys(step.id).get(str(message.envelope.session_id))
        if key is None:
            continue
        assert sealed(opened(message, key), key, message.ciphertext[:16]) == message, step.id
        compared += 1
    assert compared == 20


def test_every_answer_to_a_challenge_is_proved_again():
    secret = file()["keys"]["seckey"]["ascii"].encode()
    administrator = _rsa(file()["keys"]["admin_public_key_hex"])
    proved = {}
    for exchange in exchanges():
        messages = [message for step in exchange.steps if step.octets and (message := clear_or_none(step))]
        for before, message in pairwise(messages):
            if message.op_code != OpCode.CHALLENGE_ANSWER or before.response_code != 402 or "idis" in exchange.id:
                continue
            answer = ChallengeAnswer.from_wire(message.body)
            if "wrong" in exchange.id or "not_admin" in exchange.id:
                continue
            form = _prove_again(answer, Challenge.from_message(before), message, secret, administrator)
            proved.setdefault(form, set()).add(message.version)
    assert proved == {
        "MD5": {(2, 0)},
        "SHA1": {(2, 1), (2, 2), (2, 3), (2, 5)},
        "PBKDF2-HMAC-SHA1": {(2, 7), (2, 8), (2, 11)},
        "signed with SHA1": {(2, 0), (2, 2), (2, 5), (2, 6)},
        "signed with SHA-256": {(2, 7), (2, 8), (2, 10), (2, 11)},
    }


def clear_or_none(step: Step) -> Message | None:
    try:
        return clear(step)
    except ProtocolError:
        return None


def _prove_again(
    answer: ChallengeAnswer, challenge: Challenge, message: Message, secret: bytes, administrator: rsa.RSAPublicKey
) -> str:
    if answer.type == "HS_SECKEY":
        proof = SecretKeyProof.from_wire(answer.answer)
        assert proof.to_wire() == answer.answer
        assert prove(secret, challenge, message.version, proof.salt) == proof
        return proof.algorithm
    signed = PublicKeyProof.from_wire(answer.answer)
    assert signed.to_wire() == answer.answer
    covered = challenge.nonce + challenge.digest.octets
    administrator.verify(signed.signature, covered, padding.PKCS1v15(), HASHES[signed.algorithm]())
    return f"signed with {signed.algorithm}"


def test_every_verification_for_another_server_is_read():
    forms = set()
    for _, message in clear_messages():
        if message.op_code == OpCode.VERIFY_CHALLENGE_ANSWER and message.is_request:
            proof = SecretKeyProof.from_wire(Verification.from_wire(message.body).answer)
            assert proof.to_wire() == Verification.from_wire(message.body).answer
            forms.add(proof.algorithm)
    assert forms == {"PBKDF2-HMAC-SHA1", "HMAC-SHA256", "SHA1"}


def test_every_session_key_is_agreed_on_again():
    agreed_on = []
    for run, known in file()["sessions"].items():
        for name, exponent in known.items():
            exchange = next((e for e in exchanges() if e.id == f"{run}.{name}.setup_and_create.tcp"), None)
            if name.isdigit() or exchange is None:
                continue
            answer = clear(exchange.steps[1])
            half = ExchangedKey.from_wire(SessionOpened.from_wire(answer.content).octets, answer.version)
            assert agreed(half.public_key, int(exponent, 16)).hex() == known[str(answer.session_id)], exchange.id
            agreed_on.append(exchange.id)
    assert len(agreed_on) == 4


@settings(max_examples=400)
@given(st.sampled_from(WHOLE), st.integers(0, 1 << 16), st.integers(0, 8), st.binary(max_size=8), st.booleans())
def test_a_captured_message_with_other_octets_in_it_is_read_whole_or_refused(step, place, gone, put, repaired):
    at = place % len(step.octets)
    octets = step.octets[:at] + put + step.octets[at + gone :]
    if repaired and len(octets) > 20:  # else most of them already fail at the length of the envelope
        octets = octets[:16] + (len(octets) - 20).to_bytes(4, "big") + octets[20:]
    with suppress(ProtocolError):
        message = message_from_wire(octets)
        assert message_from_wire(message.to_wire()) == message
        if isinstance(message, SealedMessage):
            opened(message, bytes(32))
            return
        form, _ = REQUESTS.get(message.op_code, (HandleValues, None))
        for read, part in ((form.from_wire, message.body), (Credential.from_wire, message.credential)):
            with suppress(Truncated):
                body = read(part)
                assert read(body.to_wire()) == body
