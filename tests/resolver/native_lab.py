"""The captured exchanges as questions, and a book in the state that the reference server's was in before each."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.admin import ALL_PERMISSIONS
from registry.keys import PublicKey
from registry.octets import Reader
from registry.transaction import begin
from registry.value import HandleValue, Reference
from resolver.conversation import Conversation
from resolver.referral import with_prefix
from resolver.wire.administration import HandleList, NamedHandle
from resolver.wire.challenge import Challenge, ChallengeAnswer, PublicKeyProof, prove
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.datagram import Reassembly
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire
from resolver.wire.query import HandleValues
from resolver.wire.session_cipher import opened
from tests.registry.books import PREFIX_HANDLE, SECRET, admin, name
from tests.resolver.native import Worker
from tests.resolver.wire.captured import Step, exchanges, session_keys

GROUP = Reference(PREFIX_HANDLE, 200)
ADMINISTRATOR = rsa.generate_private_key(65537, 2048)  # in place of the lab's 300:0.NA/88.118.1
_numbers = ADMINISTRATOR.public_key().public_numbers()
PUBLIC_KEY = PublicKey("RSA_PUB_KEY", {"e": _numbers.e, "n": _numbers.n}).to_wire()
HASHES = {"SHA1": hashes.SHA1, "SHA-256": hashes.SHA256}

DELEGATED = b"0.NA/88.200"
# Said inside a session, about the session: `test_operations_sessions.py` says them in sessions of our own.
OF_SESSIONS = (".terminate.", ".replayed_counter.", ".bad_mac.", "_encrypted.resolve_restricted.")
# The mock that the national SDKs talked to answered these, not the reference.
MOCK = "idis."


@dataclass(frozen=True)
class Question:
    """A captured request, the answers to it, and what it took to get them."""

    id: str
    transport: str
    request: bytes
    answers: list[bytes]
    proof: bytes = b""
    released: list[bytes] = field(default_factory=list)

    @property
    def last(self) -> list[bytes]:
        return self.released or self.answers


def questions() -> Iterator[Question]:
    for exchange in exchanges():
        if exchange.id.startswith(MOCK) or any(part in exchange.id for part in OF_SESSIONS):
            continue
        asked: list[tuple[Step, list[bytes]]] = []
        for step in exchange.steps:
            if step.is_request:
                asked.append((step, []))
            else:
                asked[-1][1].append(_octets(step))
        for number, (step, answers) in enumerate(asked):
            request = _octets(step)
            if not request or (_is_proof(request) and number) or not answers:
                continue
            following = asked[number + 1] if number + 1 < len(asked) else None
            if following is not None and _is_proof(_octets(following[0])):
                proof, released = _octets(following[0]), following[1]
                yield Question(exchange.id, step.transport, request, answers, proof, released)
            else:
                yield Question(exchange.id, step.transport, request, answers)


def _octets(step: Step) -> bytes:
    """The message of a step in clear, as far as the session's key is known."""
    if step.octets[2:3] and step.octets[2] & 0x40:
        sealed = SealedMessage.from_wire(step.octets)
        key = session_keys(step.id).get(str(sealed.envelope.session_id))
        return step.octets if key is None else opened(sealed, key).to_wire()
    if step.octets or not step.packets:
        return step.octets
    reassembly = Reassembly(lambda: 0.0)
    return next((whole for packet in step.packets if (whole := _joined(reassembly, packet))), b"")


def _joined(reassembly: Reassembly, packet: bytes) -> bytes | None:
    try:
        return reassembly.add("lab", packet)
    except ProtocolError:
        return packet


def _is_proof(octets: bytes) -> bool:
    return octets[20:24] == int(OpCode.CHALLENGE_ANSWER).to_bytes(4, "big")


def _known_values() -> dict[bytes, tuple[HandleValue, ...]]:
    """What each handle said, by its fullest captured answer, as far as the reference showed it."""
    known: dict[bytes, dict[int, HandleValue]] = {}
    for question in questions():
        for octets in question.last:
            answer = clear(octets)
            if answer is not None and (answer.op_code, answer.response_code) == (1, 1):
                found = HandleValues.from_wire(answer.content)
                values = known.setdefault(with_prefix(found.handle).upper(), {})
                values.update({value.index: value for value in found.values})
    return {folded: tuple(values[index] for index in sorted(values)) for folded, values in known.items()}


def clear(octets: bytes) -> Message | None:
    try:
        message = message_from_wire(octets)
    except ProtocolError:
        return None
    return message if isinstance(message, Message) else None


class Lab:
    """Puts the book into the state that the reference had before each question, and asks it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._known = _known_values()

    async def prepare(self, request: Message, question: Question) -> None:
        last = clear(question.last[-1])
        if last is None or question.id.startswith("probe.error."):
            return
        if request.op_code == OpCode.RESOLUTION and last.op_code == OpCode.RESOLUTION:
            asked = with_prefix(NamedHandle.from_wire(request.body).handle)
            if values := self._known.get(asked.upper()):
                await self._write(asked, *self._own(asked, values))
        elif request.op_code in {100, 101, 102, 103, 104}:
            await self._prepare_write(request, last)
        elif request.op_code == OpCode.LIST_HANDLES and last.response_code == 1:
            lists = [HandleList.from_wire(Message.from_wire(octets).content).handles for octets in question.last]
            await self._prepare_list([handle for handles in lists for handle in handles])

    async def _prepare_write(self, request: Message, last: Message) -> None:
        asked = NamedHandle.from_wire(request.body).handle
        code, overwrites = last.response_code, bool(request.op_flags & OpFlag.OVERWRITE)
        if request.op_code == OpCode.CREATE_HANDLE:
            there = code == 101 or overwrites
            indexes: set[int] = set()
        else:
            there = code != 100
            reader = Reader(request.body, 4 + len(asked))
            named = request.op_code == OpCode.REMOVE_VALUES and {reader.uint32() for _ in range(reader.count(4))}
            indexes = named or _indexes(request)
            taken = code == 201 or overwrites or (code == 1 and request.op_code != OpCode.ADD_VALUES)
            indexes = indexes if taken else set()
        if asked.startswith(b"99.") or asked == DELEGATED:
            return
        values = [admin(100, ALL_PERMISSIONS, GROUP)] if there else []
        values += [HandleValue(index, "URL", b"before") for index in sorted(indexes - {100})] if there else []
        await self._write(asked, *values)

    async def _prepare_list(self, handles: list[bytes]) -> None:
        prefix = self.worker.store.prefixes.of(self.worker.store.key_of(handles[0]))
        there, _ = await self.worker.store.list_handles(prefix, None)
        for handle in there:
            await self._write(handle.encode())
        for handle in handles:
            await self._write(handle, HandleValue(1, "URL", b"listed"))

    def _own(self, asked: bytes, values: tuple[HandleValue, ...]) -> list[HandleValue]:
        if asked.decode(errors="replace") != PREFIX_HANDLE:
            return list(values)
        return [
            *values,
            HandleValue(300, "HS_PUBKEY", PUBLIC_KEY),
            HandleValue(301, "HS_SECKEY", SECRET, permissions=12),
        ]

    async def _write(self, asked: bytes, *values: HandleValue) -> None:
        handle = name(asked.decode())
        async with begin(self.worker.store, "lab") as transaction:
            if (record := await transaction.lock(handle)) is not None:
                await transaction.delete(record)
            if values:
                await transaction.create(handle, sorted(values, key=lambda value: value.index))
        self.worker.resolver.deafen()
        self.worker.resolver.heard()

    async def ask(self, question: Question) -> tuple[list[Message], list[Message]]:
        """Our answers to a captured request, and to the proof that it needs."""
        conversation = Conversation(question.transport, "lab")
        try:
            request = message_from_wire(question.request)
        except ProtocolError as error:
            return [refused] if (refused := self.worker.operations.refuse(error)) else [], []
        if isinstance(request, Message) and request.session_id and request.credential:
            request = request._replace(session_id=0, credential=b"")
        ours = list(await self.worker.ask(request, conversation))
        if ours[0].response_code != 402:
            return ours, []
        return ours, list(await self.worker.ask(self.proved(ours[0], question), conversation))

    def proved(self, challenged: Message, question: Question) -> Message:
        """The captured answer to the challenge, or that of the session's administrator, over our nonce."""
        captured = clear(question.proof)
        if captured is None:
            captured = challenged._replace(op_code=200, response_code=0, op_flags=0x19000000, credential=b"")
            answer = ChallengeAnswer("HS_SECKEY", Reference(PREFIX_HANDLE, 301), b"")
        else:
            answer = ChallengeAnswer.from_wire(captured.body)
        challenge = Challenge.from_message(challenged)
        if answer.type == "HS_PUBKEY":
            algorithm = PublicKeyProof.from_wire(answer.answer).algorithm
            covered = challenge.nonce + challenge.digest.octets
            octets = ADMINISTRATOR.sign(covered, padding.PKCS1v15(), HASHES[algorithm]())
            proof = PublicKeyProof(algorithm, octets).to_wire()
        else:
            secret = b"guessed" if "seckey_wrong" in question.id else SECRET
            proof = prove(secret, challenge, challenged.version, os.urandom(16)).to_wire()
        body = ChallengeAnswer(answer.type, answer.key, proof).to_wire()
        return captured._replace(session_id=challenged.session_id, body=body)


def _indexes(request: Message) -> set[int]:
    if request.op_code not in {OpCode.ADD_VALUES, OpCode.MODIFY_VALUES}:
        return set()
    return {value.index for value in HandleValues.from_wire(request.body).values}
