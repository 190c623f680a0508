"""Sessions: a key agreed on, numbered messages with a MAC, encryption; over any connection and any worker."""

import asyncio
import os
import secrets
from dataclasses import dataclass, field
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from msgspec.structs import replace

from registry.keys import PublicKey
from registry.value import HandleValue, Reference
from resolver.wire.challenge import Challenge, ChallengeAnswer, prove
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.credential import Credential, mac_is_right, signature_is_right, with_mac
from resolver.wire.envelope import Envelope
from resolver.wire.key_exchange import UnusableKey, agreed
from resolver.wire.key_transport import unwrapped
from resolver.wire.message import Message, SealedMessage
from resolver.wire.query import HandleValues, Query
from resolver.wire.session_cipher import opened, sealed
from resolver.wire.session_setup import EncryptedSessionKey, ExchangedKey, SessionOpened, SessionSetup
from tests.registry.books import OWNER, PREFIX_HANDLE, SECRET, URL, register
from tests.resolver.books import running_resolver
from tests.resolver.native import (
    CALLED_FOR,
    NODE_KEY,
    USUAL,
    Worker,
    request,
    running_worker,
    udp,
    worker_of,
)

# The second Oakley group (RFC 2409, section 6.2), the reference client's only one.
PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)
KEY = Reference(PREFIX_HANDLE, 301)
RESTRICTED = HandleValue(9, "HS_SECKEY", b"hidden", permissions=0b1100)
CERTIFY, ENCRYPT = int(OpFlag.CERTIFY), int(OpFlag.ENCRYPT)
SETUP_FLAGS = USUAL | CERTIFY | int(OpFlag.REQUEST_DIGEST)


@pytest.fixture
async def worker(database_dsn):
    async with running_worker(database_dsn) as running:
        yield running


@dataclass
class Client:
    """The other side of a session."""

    session_id: int
    key: bytes
    version: tuple[int, int] = (2, 11)
    numbers: count = field(default_factory=lambda: count(1))

    def numbered(self, op_code: int, body: bytes, flags: int = USUAL) -> Message:
        plain = request(op_code, body, flags=flags, version=self.version, session_id=self.session_id)
        return with_mac(plain, self.key, next(self.numbers))

    def create(self, name: str, *values: HandleValue, flags: int = USUAL) -> Message:
        return self.numbered(OpCode.CREATE_HANDLE, HandleValues(name.encode(), values).to_wire(), flags)

    def query(self, name: str, flags: int = USUAL) -> Message:
        return self.numbered(OpCode.RESOLUTION, Query(name.encode()).to_wire(), flags)

    def answer(self, challenged: Message, secret: bytes = SECRET, key: Reference = KEY) -> Message:
        """Op 200 as the reference client sends it: without a MAC."""
        proof = prove(secret, Challenge.from_message(challenged), challenged.version, os.urandom(16))
        body = ChallengeAnswer("HS_SECKEY", key, proof.to_wire()).to_wire()
        return request(OpCode.CHALLENGE_ANSWER, body, version=self.version, session_id=self.session_id)


def set_up(
    public_key: bytes = b"",
    *,
    mode: int = 4,
    identity: Reference | None = KEY,
    key: Reference | None = None,
    **fields,
) -> Message:
    body = SessionSetup(mode, 86_400, identity, public_key, key).to_wire()
    return request(OpCode.SESSION_SETUP, body, flags=SETUP_FLAGS, **fields)


def send_key(key: bytes, **fields) -> Message:
    """The key of a session as the client makes it, for the node alone."""
    body = EncryptedSessionKey(NODE_KEY.public_key().encrypt(key, padding.PKCS1v15())).to_wire()
    return request(OpCode.SESSION_KEY_EXCHANGE, body, **fields)


def half(exponent: int, prime: int = PRIME) -> bytes:
    return PublicKey("DH_PUB_KEY", {"y": pow(2, exponent, prime), "p": prime, "g": 2}).to_wire()


async def open_session(worker: Worker, version: tuple[int, int] = (2, 11), identity: Reference | None = KEY) -> Client:
    exponent = secrets.randbits(160) | 1 << 159
    answer = await worker.answer_to(set_up(half(exponent), identity=identity, version=version), udp())
    assert answer.response_code == 1
    assert signature_is_right(answer, Credential.from_wire(answer.credential), NODE_KEY.public_key())
    opened_session = SessionOpened.from_wire(answer.content)
    exchanged = ExchangedKey.from_wire(opened_session.octets, answer.version)
    assert (opened_session.mode, exchanged.cipher) == (4, 3)
    return Client(answer.session_id, agreed(exchanged.public_key, exponent), version)


async def proved_session(worker: Worker, version: tuple[int, int] = (2, 11)) -> Client:
    client = await open_session(worker, version)
    challenged = await worker.answer_to(client.create(f"88.118.1/first-{client.session_id}", URL))
    assert (challenged.response_code, challenged.session_id) == (402, client.session_id)
    written = await worker.answer_to(client.answer(challenged))
    assert (written.op_code, written.response_code, written.session_id) == (100, 1, client.session_id)
    return client


async def test_a_session_proves_its_administrator_once(worker: Worker):
    for version in ((2, 4), (2, 5), (2, 6), (2, 7), (2, 8), (2, 11)):
        client = await proved_session(worker, version)
        written = await worker.answer_to(client.create(f"88.118.1/second-{version[1]}", URL))
        assert (written.response_code, written.session_id, written.credential) == (1, client.session_id, b"")


async def test_answers_of_a_session_that_are_certified_carry_a_mac_and_numbers_that_grow(worker: Worker):
    client = await open_session(worker)
    challenged = await worker.answer_to(client.create("88.118.1/c", URL, flags=USUAL | CERTIFY))
    written = await worker.answer_to(client.answer(challenged))
    asked = client.query("88.118.1/c", USUAL | CERTIFY)
    for number, answer in enumerate((challenged, written, await worker.answer_to(asked)), 1):
        credential = Credential.from_wire(answer.credential)
        assert mac_is_right(answer, credential, client.key)
        assert credential.counter == number


async def test_a_session_goes_on_at_another_worker_and_over_udp(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL, RESTRICTED)
    client = await proved_session(worker)
    async with running_resolver(worker.store) as resolver:
        other = worker_of(worker.store, resolver)
        answer = await other.answer_to(client.query("88.118.1/cake", CALLED_FOR), udp())
        assert HandleValues.from_wire(opened(answer, client.key).content).values[1].data == b"hidden"
        message = client.query("88.118.1/cake", CALLED_FOR)
        assert isinstance(await other.answer_to(message), SealedMessage)
        assert (await worker.answer_to(message)).response_code == 505  # the other has had it


async def test_a_session_reads_what_it_wrote_at_a_worker_that_has_not_heard_of_it(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL)
    client = await proved_session(worker)
    async with running_resolver(worker.store) as resolver:
        other = worker_of(worker.store, resolver)
        asked = request(OpCode.RESOLUTION, Query(b"88.118.1/cake").to_wire())
        assert (await other.answer_to(asked)).response_code == 1
        changed = HandleValues(b"88.118.1/cake", (replace(URL, data=b"http://example.org/new"),)).to_wire()
        assert (await worker.answer_to(client.numbered(OpCode.MODIFY_VALUES, changed))).response_code == 1
        shown = await other.answer_to(client.query("88.118.1/cake"))
        assert HandleValues.from_wire(shown.content).values[0].data == b"http://example.org/new"


async def test_values_not_for_everybody_are_encrypted_without_being_asked(worker: Worker):
    await register(worker.store, "88.118.1/cake", URL, RESTRICTED)
    client = await proved_session(worker)
    assert isinstance(await worker.answer_to(client.query("88.118.1/cake")), Message)
    assert isinstance(await worker.answer_to(client.query("88.118.1/cake", CALLED_FOR)), SealedMessage)
    older = await proved_session(worker, (2, 7))
    assert isinstance(await worker.answer_to(older.query("88.118.1/cake", CALLED_FOR)), Message)


async def test_a_stranger_with_a_session_gets_public_values(worker: Worker):
    """The reference server refuses him what it gives to anybody without a session."""
    await register(worker.store, "88.118.1/cake", URL)
    client = await open_session(worker, identity=None)
    answer = await worker.answer_to(client.query("88.118.1/cake", CALLED_FOR))
    assert (answer.response_code, len(HandleValues.from_wire(answer.content).values)) == (1, 1)


async def test_an_encrypted_request_is_answered_encrypted(worker: Worker):
    client = await proved_session(worker)
    asked = client.create("88.118.1/sealed", RESTRICTED, flags=USUAL | ENCRYPT)
    answer = await worker.answer_to(sealed(asked, client.key))
    assert opened(answer, client.key).response_code == 1


async def test_wrong_padding_and_a_wrong_mac_are_refused_alike(worker: Worker):
    client = await proved_session(worker)
    message = sealed(client.query("88.118.1/cake"), client.key)
    forged = SealedMessage(message.envelope, message.ciphertext[:-1] + bytes((message.ciphertext[-1] ^ 1,)))
    wrong_mac = sealed(client.query("88.118.1/cake")._replace(credential=b""), client.key)
    refusals = [await worker.answer_to(one) for one in (forged, wrong_mac)]
    assert len({(answer.response_code, answer.body) for answer in refusals}) == 1
    assert refusals[0].response_code == 502


async def test_a_message_is_taken_once_in_whatever_order_messages_come(worker: Worker):
    client = await proved_session(worker)

    async def code_of(number: int) -> int:
        plain = request(1, Query(b"88.118.1/none").to_wire(), session_id=client.session_id)
        return (await worker.answer_to(with_mac(plain, client.key, number))).response_code

    assert await code_of(300) == 100
    assert await code_of(300) == 505
    assert await code_of(101) == 100  # the lowest that is remembered
    assert await code_of(101) == 505
    assert await code_of(100) == 505  # too old to know
    assert await code_of(299) == 100
    assert await code_of(0xFFFFFFFF) == 100
    assert await code_of(300) == 505


async def test_of_workers_that_get_one_message_at_once_one_takes_it(worker: Worker):
    client = await proved_session(worker)
    message = client.query("88.118.1/none")
    answers = await asyncio.gather(*[worker.answer_to(message) for _ in range(8)])
    assert sorted(answer.response_code for answer in answers) == [100] + [505] * 7


async def test_forged_and_unknown_sessions_are_refused(worker: Worker):
    client = await proved_session(worker)
    right = client.create("88.118.1/x", URL)
    other_body = right._replace(body=HandleValues(b"88.118.1/y", (URL,)).to_wire())
    assert (await worker.answer_to(other_body)).response_code == 502
    assert (await worker.answer_to(right._replace(request_id=right.request_id + 1))).response_code == 502
    assert (await worker.answer_to(right._replace(credential=b""))).response_code == 500
    assert (await worker.answer_to(right._replace(credential=b"\0"))).response_code == 502
    assert (await worker.answer_to(right._replace(session_id=123_456))).response_code == 500
    assert (await worker.answer_to(right._replace(session_id=123_457, credential=b""))).response_code == 500
    envelope = sealed(right, client.key).envelope
    assert (await worker.answer_to(SealedMessage(envelope._replace(session_id=0), bytes(32)))).response_code == 501
    assert (await worker.answer_to(SealedMessage(envelope._replace(session_id=999), bytes(32)))).response_code == 500
    assert (await worker.answer_to(right)).response_code == 1  # nothing of that used up its number


async def test_a_forged_message_does_not_use_up_a_number(worker: Worker):
    client = await proved_session(worker)
    message = client.query("88.118.1/none")
    credential = Credential.from_wire(message.credential)
    forged = Credential(credential.type, credential.algorithm, bytes(32), credential.counter).to_wire()
    assert (await worker.answer_to(message._replace(credential=forged))).response_code == 502
    assert (await worker.answer_to(message)).response_code == 100


async def test_a_session_belongs_to_whom_it_was_set_up_for(worker: Worker):
    other = Reference("88.118.1/other", 1)
    await register(worker.store, "88.118.1/other", HandleValue(1, "HS_SECKEY", b"other"))
    client = await open_session(worker)
    challenged = await worker.answer_to(client.create("88.118.1/x", URL))
    refused = await worker.answer_to(client.answer(challenged, b"other", other))
    assert (refused.response_code, refused.session_id) == (403, client.session_id)
    assert (await worker.answer_to(client.create("88.118.1/x", URL))).response_code == 402


async def test_a_session_that_was_ended_is_unknown(worker: Worker):
    client = await proved_session(worker)
    answer = await worker.answer_to(client.numbered(OpCode.SESSION_TERMINATE, b"\0\0\0\1/", USUAL | CERTIFY))
    assert answer.response_code == 1
    assert mac_is_right(answer, Credential.from_wire(answer.credential), client.key)
    assert (await worker.answer_to(client.query("88.118.1/none"))).response_code == 500
    assert (await worker.answer_to(request(401, b"\0\0\0\1/"))).response_code == 500


async def test_a_session_ends_when_it_is_idle(worker: Worker):
    client = await proved_session(worker)
    async with worker.store.connection() as connection:
        await connection.execute("UPDATE native_session SET expires_at = now()")
    assert (await worker.answer_to(client.query("88.118.1/none"))).response_code == 500


async def test_nothing_secret_of_a_session_is_kept_in_clear(worker: Worker):
    client = await proved_session(worker)
    async with worker.store.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM native_session")
    assert row["session_id"] == client.session_id
    assert row["identity"] == str(OWNER)
    assert client.key not in row["session_key"]


NO_SESSIONS = [
    (set_up(half(5), version=(2, 3)), 501),
    (set_up(half(5), version=(2, 2)), 501),
    (set_up(half(5), mode=1), 504),
    (set_up(mode=2, version=(2, 3)), 501),
    (set_up(mode=3, key=Reference("88.118.1/nobody", 3)), 504),
    (set_up(mode=3, key=KEY), 504),
    (set_up(mode=9), 504),
    (set_up(half(5, (1 << 511) + 111)), 504),
    (set_up(half(5, (1 << 8191) + 1)), 504),
    (set_up(b"nonsense"), 504),
    (set_up(half(0)), 504),
    (set_up(half(5), identity=Reference("nul\0", 1)), 404),
    (request(OpCode.SESSION_SETUP, b"\0\4"), 4),
    (request(OpCode.SESSION_KEY_EXCHANGE, b"\0\0\0\0"), 502),
    (request(OpCode.SESSION_KEY_EXCHANGE, b"\0\0\0\1"), 4),
    (send_key(bytes(16)), 500),
    (send_key(bytes(16), session_id=4711), 500),
]


async def test_a_session_that_cannot_be_set_up_is_refused(worker: Worker):
    for asked, code in NO_SESSIONS:
        answer = await worker.answer_to(asked, udp())
        assert (answer.op_code, answer.response_code) == (asked.op_code, code)


async def waiting_for_its_key(worker: Worker) -> int:
    answer = await worker.answer_to(set_up(mode=2), udp())
    assert answer.response_code == 1
    return answer.session_id


async def test_a_session_that_waits_for_its_key_is_nothing_else_yet(worker: Worker):
    session_id = await waiting_for_its_key(worker)
    for key in (b"", bytes(16)):
        assert (await worker.answer_to(Client(session_id, key).query("88.118.1/none"))).response_code == 500
    sealed_in_it = SealedMessage(Envelope(2, 11, 0x42, 11, session_id, 7, 0, 32), bytes(32))
    assert (await worker.answer_to(sealed_in_it)).response_code == 500


async def test_a_key_is_taken_once_whichever_worker_it_reaches(worker: Worker):
    session_id = await waiting_for_its_key(worker)
    keys = [secrets.token_bytes(32) for _ in range(6)]
    async with running_resolver(worker.store) as resolver:
        workers = [worker, worker_of(worker.store, resolver)] * 3
        answers = await asyncio.gather(
            *[each.answer_to(send_key(key, session_id=session_id)) for each, key in zip(workers, keys, strict=True)]
        )
    codes = [answer.response_code for answer in answers]
    assert sorted(codes) == [1] + [505] * 5
    client = Client(session_id, keys[codes.index(1)])
    challenged = await worker.answer_to(client.create("88.118.1/by-own-key", URL))
    assert (await worker.answer_to(client.answer(challenged))).response_code == 1
    assert (await worker.answer_to(send_key(client.key, session_id=session_id))).response_code == 505, "said before"


async def test_a_key_that_comes_too_late_finds_no_session(worker: Worker):
    session_id = await waiting_for_its_key(worker)
    async with worker.store.connection() as connection:
        await connection.execute("UPDATE native_session SET expires_at = now()")
    assert (await worker.answer_to(send_key(bytes(16), session_id=session_id))).response_code == 500


def is_key_by_chance(message: Message) -> bool:
    """In place of a wrong padding OpenSSL gives octets of any number, and so, seldom, a key that nobody knows."""
    try:
        return bool(unwrapped(EncryptedSessionKey.from_wire(message.body).octets, NODE_KEY))
    except UnusableKey:
        return False


async def test_what_cannot_be_unwrapped_is_refused_alike_and_leaves_the_session_waiting(worker: Worker):
    """What tells a wrong padding from wrong contents would sign with the node's key in the end."""
    session_id = await waiting_for_its_key(worker)
    right = send_key(bytes(16), session_id=session_id)
    wrong = [send_key(key, session_id=session_id) for key in (b"", bytes(8), bytes(20), b"\0\0\0\1" + bytes(8))]
    wrong += [right._replace(body=EncryptedSessionKey(octets).to_wire()) for octets in (b"", bytes(300))]
    altered = [right._replace(body=right.body[:-1] + bytes((right.body[-1] ^ bit,))) for bit in range(1, 9)]
    wrong += [message for message in altered if not is_key_by_chance(message)]
    refusals = {(answer.response_code, answer.body) for asked in wrong if (answer := await worker.answer_to(asked))}
    assert len(refusals) == 1
    assert refusals.pop()[0] == 502
    assert (await worker.answer_to(right)).response_code == 1
