"""Every captured exchange with the reference server, asked of our own operations over a real book.

Each request is sent as it was captured, octet by octet, but for two things that cannot be repeated. What was proved
with a key that only the lab had is proved again with a key of ours, over our own nonce. What was said inside a session
of the lab's is said without one: `test_operations_sessions.py` holds sessions of our own. Then each answer is compared
field by field. Not compared, because they differ by design: nonces, times, keys, the sentences of refusals, and
signatures, which are verified instead. Where the codes differ too, the exchange stands in DIFFERENT with the reason.
"""

from collections.abc import Iterator

import pytest

from registry.admin import ALL_PERMISSIONS
from registry.site import SiteInfo
from registry.transaction import begin
from registry.value import HandleValue, Reference
from resolver.conversation import Conversation
from resolver.wire.challenge import ChallengeAnswer, LogIn, PublicKeyProof
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.credential import SIGNED, Credential, signature_is_right
from resolver.wire.envelope import ENVELOPE, TRUNCATED, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire
from resolver.wire.query import HandleValues
from tests.registry.books import PREFIX_HANDLE, SECRET, admin, name, open_book
from tests.resolver.books import running_resolver
from tests.resolver.native import NODE_KEY, tcp, worker_of
from tests.resolver.native_lab import DELEGATED, GROUP, PUBLIC_KEY, Lab, Question, clear, questions
from tests.resolver.wire.bodies import answer_fields
from tests.resolver.wire.captured import exchanges

# Exchanges whose answer has another code than the reference's: ours, and why.
OLD_SESSION = (501, "sessions below 2.4 encrypt with DES; the client goes on without one")
UNKNOWN_MODE = (504, "a mode that nobody knows is no fault of the session's")
CLIENT_KEY = (1, "the reference cannot finish this mode")
BODY = (4, "a body that contradicts itself is a fault of the protocol, not of the server")
DIFFERENT = {
    "native.session.session_client_cipher.": CLIENT_KEY,
    "native.nosession.session_client_cipher.": CLIENT_KEY,
    "probe.session_setup.unknown_mode_9": UNKNOWN_MODE,
    "client.v7.2_2.TCP.seckey.create": OLD_SESSION,
    "client.v7.2_2.TCP.pubkey.create": OLD_SESSION,
    "native.session.resolve.prefix_referral_old_client_2.3.tcp": (100, "nothing is asked on behalf of old clients"),
    "native.nosession.resolve.prefix_referral_old_client_2.3.tcp": (100, "nothing is asked on behalf of old clients"),
    "native.nosession.versions.auth_2.0_seckey.tcp": (404, "MD5 proves something only where a setting says so"),
    "probe.error.opcode_unknown_999": (5, "an operation nobody knows is not supported"),
    "probe.error.body_len_beyond_message": BODY,
    "probe.error.handle_len_beyond_body": BODY,
    "probe.error.handle_len_negative": BODY,
    "probe.error.negative_length": BODY,
    "probe.resolve.empty_handle": (102, "an empty name is no handle"),
    "probe.resolve.status_handle_public": (301, "the reference's own status handle is nobody else's"),
    "probe.resolve.two_pipelined_on_one_connection": (4, "the two requests were captured as one; the socket cuts them"),
}
# Refused before anything but the envelope is read: the op code and the flags cannot be said.
UNREADABLE = ("probe.error.", "probe.admin_over_udp", "probe.resolve.two_pipelined")
MINTED = "88.118.1/a name that is made"


def differences(question: Question, ours: list[Message], theirs: list[bytes]) -> Iterator[str]:
    if len(ours) != len(theirs):
        yield f"{len(ours)} answers, not {len(theirs)}"
    for mine, octets in zip(ours, theirs, strict=False):
        answer = clear(octets)
        if answer is None:
            continue  # encrypted with a key of the lab
        code = _expected_code(question, answer)
        if mine.response_code != code:
            yield f"code {mine.response_code}, not {code}"
        elif not question.id.startswith(UNREADABLE):
            yield from _field_differences(mine, answer)


def _expected_code(question: Question, answer: Message) -> int:
    different = next((code for start, (code, _) in DIFFERENT.items() if question.id.startswith(start)), None)
    is_setup = answer.op_code == OpCode.SESSION_SETUP
    if different is None or answer.response_code == 402 or (different in {501, 504} and not is_setup):
        return answer.response_code
    return different


def _field_differences(mine: Message, answer: Message) -> Iterator[str]:
    for named in ("major", "minor", "flags", "suggested_minor", "op_code", "site_serial", "recursion", "reserved",
                  "request_id"):  # fmt: skip
        ours, theirs = getattr(mine, named), getattr(answer, named)
        if named == "flags":
            theirs &= ~TRUNCATED  # The reference leaves the bit of a request that came in pieces.
        if ours != theirs:
            yield f"{named} {ours}, not {theirs}"
    if mine.op_flags != answer.op_flags and mine.response_code == answer.response_code:
        yield f"flags {mine.op_flags:08x}, not {answer.op_flags:08x}"
    if mine.response_code == answer.response_code:
        yield from _body_differences(mine, answer)
    if answer.op_flags & OpFlag.CERTIFY and Credential.from_wire(answer.credential).type == SIGNED:
        yield from _signature_differences(mine, answer)


def _body_differences(mine: Message, answer: Message) -> Iterator[str]:
    ours, theirs = _comparable(answer_fields(mine)[0]), _comparable(answer_fields(answer)[0])
    if ours != theirs:
        yield f"{ours}, not {theirs}"
    if mine.op_code == OpCode.GET_SITE_INFO and mine.content != answer.content:
        yield "another site record"


def _signature_differences(mine: Message, answer: Message) -> Iterator[str]:
    ours, theirs = Credential.from_wire(mine.credential), Credential.from_wire(answer.credential)
    if (ours.type, ours.algorithm, ours.counter) != (theirs.type, theirs.algorithm, theirs.counter):
        yield f"credential {ours}"
    if not signature_is_right(mine, ours, NODE_KEY.public_key()):
        yield "the signature is wrong"


def _comparable(fields: dict) -> dict:
    fields = {key: value for key, value in fields.items() if key not in {"nonce", "message", "data"}}
    for value in fields.get("values", ()):
        value["timestamp"] = 0
    if "handles" in fields:  # The reference lists folded spellings, we the registered ones.
        fields["handles"] = [handle.upper() for handle in fields["handles"]]
    if MINTED in str(fields.get("handle", "")) or len(str(fields.get("handle", ""))) == len("88.118.1/") + 36:
        fields["handle"] = MINTED
    return fields


@pytest.fixture
async def lab(database_dsn):
    async with open_book(database_dsn) as store:
        async with begin(store, "lab") as transaction:
            for prefix in ("20.500.99999", "TEST"):
                await transaction.home(prefix)
            delegated = next(
                HandleValues.from_wire(Message.from_wire(question.request).body).values
                for question in questions()
                if question.id == "native.nosession.setup.prefix_referral_parent"
            )
            await transaction.create(name(DELEGATED.decode()), delegated)
            await transaction.create(name("0.NA/TEST"), [HandleValue(301, "HS_SECKEY", SECRET, permissions=12)])
            list_right = admin(100, ALL_PERMISSIONS, GROUP)
            await transaction.create(name("0.NA/20.500.99999"), [list_right])
        await store.load_prefixes()
        async with running_resolver(store) as resolver:
            yield Lab(worker_of(store, resolver, site=_site()))


def _site() -> SiteInfo:
    """What the reference said of itself."""
    question = next(question for question in questions() if question.id == "native.nosession.get_site_info.tcp")
    return SiteInfo.from_wire(Message.from_wire(question.answers[0]).content)


async def test_every_captured_exchange_is_answered_as_the_reference_did(lab: Lab):
    wrong, compared = [], 0
    for question in questions():
        request = clear(question.request)
        if request is None and isinstance(_sealed(question.request), SealedMessage) and "probe" not in question.id:
            continue  # encrypted with a key that only the lab had
        if request is not None:
            await lab.prepare(request, question)
        ours, released = await lab.ask(question)
        if not ours:
            assert len(question.request) < ENVELOPE
            continue  # nobody could be answered
        if question.released:
            wrong += [f"{question.id}: {one}" for one in differences(question, ours, question.answers)]
        unproved = not question.released and _code(question.answers[0]) == 402
        last = ours if unproved else released or ours
        wrong += [f"{question.id}: {one}" for one in differences(question, last, question.last)]
        compared += 1
    assert not wrong, "\n".join(wrong)
    assert compared == 276


def _code(octets: bytes) -> int:
    return int.from_bytes(octets[24:28], "big")


def _sealed(octets: bytes) -> object:
    try:
        return message_from_wire(octets)
    except ProtocolError:
        return None


async def test_the_national_sdks_are_answered_in_their_own_way(lab: Lab):
    """The mock's answers are no judge; the codes here are what both SDKs need to go on."""
    own = HandleValue(301, "HS_PUBKEY", PUBLIC_KEY)
    async with begin(lab.worker.store, "lab") as transaction:
        await transaction.create(name("88.118.1/ADMIN"), [own])
        key = admin(101, ALL_PERMISSIONS, Reference("88.118.1/ADMIN", 301))
        record = await transaction.lock(name(PREFIX_HANDLE))
        await transaction.replace(record, [*record.values, key])
    older = [step for one in exchanges() if one.id.startswith("idis.idsdk") for step in one.steps if step.is_request]
    connection = tcp()
    codes = []
    for step in older:
        if len(codes) == 5:  # where the SDK logged in, which was not captured
            await log_in(lab, connection, Message.from_wire(older[0].octets))
        answer = await lab.worker.answer_to(Message.from_wire(step.octets), connection)
        codes.append(answer.response_code)
    assert codes == [1, 1, 1, 200, 408, 1, 1, 1, 1, 1, 1]

    newer = [one.steps[0] for one in exchanges() if one.id.startswith("idis.idptr")]
    connection = tcp()
    answers = []
    for step in newer:
        message = Message.from_wire(step.octets)
        if message.op_code == OpCode.CHALLENGE_ANSWER:
            message = lab.proved(answers[-1], Question(step.id, "tcp", b"", [], step.octets))
        answers.append(await lab.worker.answer_to(message, connection))
    assert [answer.response_code for answer in answers] == [200, 100, 1, 402, 1, 1, 1, 1, 1]
    assert {answer.session_id for answer in answers[2:]} == {10_001}


async def log_in(lab: Lab, connection: Conversation, like: Message) -> None:
    key = Reference("88.118.1/ADMIN", 301)
    asked = like._replace(op_code=OpCode.LOG_IN_BY_KEY, op_flags=0x00800000, body=LogIn(key).to_wire())
    challenged = await lab.worker.answer_to(asked, connection)
    body = ChallengeAnswer("HS_PUBKEY", key, PublicKeyProof("SHA-256", b"").to_wire()).to_wire()
    captured = asked._replace(op_code=OpCode.CHALLENGE_ANSWER, body=body)
    answer = lab.proved(challenged, Question("log-in", "tcp", b"", [], captured.to_wire()))
    assert (await lab.worker.answer_to(answer, connection)).response_code == 1
