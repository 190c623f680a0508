"""What strangers' octets reach in the native protocol without waiting, and what must hold there whatever they are.

Each surface takes octets and raises nothing but AssertionError. The fuzzer makes the octets; test_corpus.py replays
what once led somewhere new. An input of the fuzzer is a surface's number and the octets for it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from registry.admin import AdminRecord, value_list_from_wire, value_list_to_wire
from registry.errors import ResponseCode
from registry.keys import PublicKey
from registry.octets import Truncated
from registry.site import SiteInfo
from resolver.wire.administration import HandleIndexes, HandleList, NamedHandle, parts_of
from resolver.wire.challenge import (
    Challenge,
    ChallengeAnswer,
    LogIn,
    PublicKeyProof,
    SecretKeyProof,
    Verification,
    challenged,
)
from resolver.wire.credential import Credential, mac_is_right, signature_is_right, with_mac
from resolver.wire.datagram import (
    LIFETIME,
    MAX_MESSAGES_PER_PEER,
    MAX_OCTETS,
    MAX_OCTETS_PER_PEER,
    PIECE,
    Reassembly,
    split,
)
from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, TRUNCATED, Envelope, ProtocolError
from resolver.wire.key_exchange import UnusableKey, agreed
from resolver.wire.key_transport import made_for
from resolver.wire.message import Message, SealedMessage, message_from_wire, refused
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Referral, Refusal
from resolver.wire.session_cipher import opened, sealed
from resolver.wire.session_setup import EncryptedSessionKey, SessionOpened, SessionSetup
from resolver.wire.stream import MessageStream
from tests.fuzz import links
from tests.fuzz.answers import answers
from tests.fuzz.connections import connection

KEY = bytes(range(32))  # Of a session; whose it is does not matter.
MADE = {"expiration": 1, "serial": 1}
PEERS = 3


def message(octets: bytes) -> None:
    """A whole message is read, written again and answered, or refused with an answer where one can be given."""
    try:
        read = message_from_wire(octets)
    except ProtocolError as error:
        if error.envelope is not None:
            refusal = refused(error.envelope, ResponseCode.PROTOCOL_ERROR, **MADE)
            assert Message.from_wire(refusal.to_wire()) == refusal
        return
    assert message_from_wire(read.to_wire()) == read
    if isinstance(read, SealedMessage):
        _opens_for_nobody(read)
        return
    _can_be_answered(read)
    _credential_of(read)
    for form in BODIES:
        _read_back(form, read.body)
    with suppress(Truncated):
        Challenge.from_message(read)
    with suppress(Truncated):
        assert read.body.endswith(read.content)


def stream(octets: bytes) -> None:
    """However a connection cuts its octets, the same messages come of them, and the same end."""
    cuts, octets = octets[:4], octets[4:]
    at_once, ended = _taken([octets])
    in_parts, ended_too = _taken(list(_parts(octets, cuts)))
    assert at_once == in_parts
    assert ended == ended_too


def datagrams(octets: bytes) -> None:
    """Pieces of several peers stay within their bounds, and nothing is left of them when their time is over."""
    now = [1000.0]
    reassembly = Reassembly(lambda: now[0])
    for peer, datagram in _datagrams(octets):
        now[0] += 1.0 if peer > PEERS else 0.0
        with suppress(ProtocolError):
            whole = reassembly.add(peer % PEERS, datagram)
            assert whole is None or Envelope.from_wire(whole).length == len(whole) - ENVELOPE <= MAX_MESSAGE
        assert len(reassembly) <= PEERS * MAX_MESSAGES_PER_PEER
        assert 0 <= reassembly.octets <= min(MAX_OCTETS, PEERS * MAX_OCTETS_PER_PEER)
    now[0] += LIFETIME
    reassembly.forget_old()
    assert len(reassembly) == reassembly.octets == 0


def pieces(octets: bytes) -> None:
    """A message cut for datagrams comes whole out of them once, in whatever order and how often they come."""
    order, octets = octets[:8], octets[8:]
    envelope = Envelope(2, 11, 2, 11, 0, 7, 0, len(octets))
    cut = split(envelope.to_wire() + octets)
    arrive = [cut[number % len(cut)] for number in order] + cut
    reassembly = Reassembly(lambda: 0.0)
    wholes = [whole for piece in arrive if (whole := reassembly.add("peer", piece)) is not None]
    assert wholes
    flags = envelope.flags | (TRUNCATED if len(cut) > 1 else 0)
    assert all(whole == envelope._replace(flags=flags).to_wire() + octets for whole in wholes)


def body(octets: bytes) -> None:
    """A body is read back as it was written, or is none."""
    if octets:
        _read_back(BODIES[octets[0] % len(BODIES)], octets[1:])


def sealed_message(octets: bytes) -> None:
    """What a session's other side encrypts is read like any message, and what it wrote comes out again."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES128(KEY[:16]), modes.CBC(bytes(16))).encryptor()
    ciphertext = bytes(16) + encryptor.update(padder.update(octets) + padder.finalize()) + encryptor.finalize()
    envelope = Envelope(2, 11, 0x42, 11, 5, 7, 0, len(ciphertext))
    try:
        read = opened(SealedMessage(envelope, ciphertext), KEY)
    except ProtocolError as error:
        assert str(error) in ("cannot be decrypted", "no whole number of blocks")  # noqa: PT017  # one for all causes
        return
    assert opened(sealed(read, KEY, bytes(16)), KEY) == read
    _credential_of(read)


def key(octets: bytes) -> None:
    """A public key is read back as it was written, and a session is agreed on with it or refused."""
    _read_back(PublicKey, octets)
    with suppress(UnusableKey):
        assert len(agreed(octets, 3)) == len(KEY)
    with suppress(UnusableKey):
        assert len(made_for(octets)[1]) == 16


def _parts(octets: bytes, cuts: bytes) -> Iterator[bytes]:
    start = 0
    for cut in cuts:
        yield octets[start : start + cut]
        start += cut
    yield octets[start:]


def _taken(parts: list[bytes]) -> tuple[list[Message | SealedMessage], str]:
    """The messages, and how it ended."""
    reader, messages = MessageStream(), []
    try:
        for part in parts:
            reader.feed(part)
            while (read := reader.take()) is not None:
                messages.append(read)
    except ProtocolError as error:
        assert reader.waiting == 0
        return messages, str(error)
    return messages, f"{reader.waiting} wait"


def _datagrams(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Peers and datagrams, half of them made to fit together: chance alone would hardly find a place."""
    while len(octets) >= 4:
        peer, kind, length = octets[0], octets[1], int.from_bytes(octets[2:4], "big") % (2 * PIECE)
        payload, octets = octets[4 : 4 + length], octets[4 + length :]
        if kind & 1:
            yield peer, payload
        else:
            sequence, whole = kind >> 1 & 3, PIECE * (kind >> 3 & 3) + 1 + (kind >> 5)
            payload = payload.ljust(PIECE, b"\1")[: min(PIECE, max(0, whole - sequence * PIECE))]
            yield peer, Envelope(2, 11, 2 | TRUNCATED, 11, 0, peer >> 4, sequence, whole).to_wire() + payload


def _can_be_answered(read: Message) -> None:
    for code in (ResponseCode.SUCCESS, ResponseCode.INVALID_VALUE):
        answer = read.answered(code, b"body", **MADE)
        again = Message.from_wire(answer.to_wire())
        assert again == answer
        assert again.is_request or again.content == b"body"
    answer = challenged(read, bytes(16), session_id=9, **MADE)
    challenge = Challenge.from_message(Message.from_wire(answer.to_wire()))
    assert challenge.nonce == bytes(16)


def _credential_of(read: Message) -> None:
    try:
        credential = Credential.from_wire(read.credential)
    except Truncated:
        return
    assert Credential.from_wire(credential.to_wire()) == credential
    mac_is_right(read, credential, KEY)
    rsa_key, dsa_key = _keys()
    assert not signature_is_right(read, credential, rsa_key)
    assert not signature_is_right(read, credential, dsa_key)
    vouched = with_mac(read, KEY, credential.counter)
    assert mac_is_right(vouched, Credential.from_wire(vouched.credential), KEY)


@cache
def _keys() -> tuple[rsa.RSAPublicKey, dsa.DSAPublicKey]:
    """Keys that nobody signs with."""
    size = 1024  # Quickly made, and what is learnt with it is worth nothing.
    return rsa.generate_private_key(65537, size).public_key(), dsa.generate_private_key(size).public_key()


def _opens_for_nobody(read: SealedMessage) -> None:
    with suppress(ProtocolError):
        opened(read, KEY)


def _read_back(form: Any, octets: bytes) -> None:
    try:
        read = form.from_wire(octets)
    except Truncated:
        return
    assert form.from_wire(read.to_wire()) == read
    if isinstance(read, HandleList):
        again = [handle for _, part in parts_of(read.handles) for handle in part.handles]
        assert again == list(read.handles)


class ValueList:
    """The functions of HS_VLIST, in the shape of the other forms."""

    def __init__(self, references: tuple[Any, ...]) -> None:
        self.references = references

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValueList) and self.references == other.references

    __hash__ = None

    @classmethod
    def from_wire(cls, octets: bytes) -> "ValueList":
        return cls(value_list_from_wire(octets))

    def to_wire(self) -> bytes:
        return value_list_to_wire(self.references)


BODIES = (
    Query, HandleValues, NamedHandle, HandleIndexes, HandleList, ChallengeAnswer, Verification, LogIn, PublicKeyProof,
    SecretKeyProof, SessionSetup, SessionOpened, EncryptedSessionKey, Refusal, Referral, Credential, SiteInfo,
    PublicKey, AdminRecord, ValueList,
)  # fmt: skip

SURFACES: dict[str, Callable[[bytes], None]] = {
    "message": message,
    "stream": stream,
    "datagrams": datagrams,
    "pieces": pieces,
    "body": body,
    "sealed": sealed_message,
    "key": key,
    "answers": answers,
    "connection": connection,
    "code": links.code,
    "link": links.link,
    "target": links.target,
    "preferences": links.preferences,
}
NAMES = tuple(SURFACES)


def try_all(octets: bytes) -> None:
    """What the fuzzer calls: the first octet chooses the surface."""
    if octets:
        SURFACES[NAMES[octets[0] % len(NAMES)]](octets[1:])
