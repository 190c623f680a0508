"""A client of the native protocol that shares no line with the node: what an author elsewhere writes from the RFC.

Octets by `struct`, keys by `cryptography`, sockets that block. Where it stands in for a client that exists, its caller
gives the version, the flags and the habits of that client.
"""

import hashlib
import hmac
import http.client
import os
import secrets
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field, replace
from itertools import count

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as signature_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

DEADLINE = 60.0  # Seconds; two cores, and other tests on them.
CERTIFY, ENCRYPT, DIGEST, DO_NOT_REFER = 0x40000000, 0x20000000, 0x00800000, 0x00100000
DEFAULTS = 0x19000000  # Of the reference client: recursive, cache certify, public only.
ENCRYPTED, TRUNCATED = 0x40, 0x20
AUTHORITATIVE = 0x80000000
MEDIA_TYPE = "application/x-hdl-message"
OLD_HASH = hashes.SHA1()  # noqa: S303  # what versions below 2.7 sign with
# RFC 2409, 6.2; the only group that the reference client offers.
OAKLEY_2 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)

_request_ids = count(secrets.randbits(24))


def text(words: str | bytes) -> bytes:
    octets = words.encode() if isinstance(words, str) else words
    return struct.pack(">I", len(octets)) + octets


def handle_value(index: int, kind: str, data: bytes, permissions: int = 14) -> bytes:
    return struct.pack(">IIBIB", index, 0, 0, 86400, permissions) + text(kind) + text(data) + bytes(4)


def with_values(handle: str, *values: bytes) -> bytes:
    return text(handle) + struct.pack(">I", len(values)) + b"".join(values)


def query(handle: str, *types: str) -> bytes:
    return text(handle) + bytes(4) + struct.pack(">I", len(types)) + b"".join(map(text, types))


class Reading:
    """Octets, from front to back."""

    def __init__(self, octets: bytes) -> None:
        self.octets, self.at = octets, 0

    def take(self, form: str) -> tuple[int, ...]:
        numbers = struct.unpack_from(">" + form, self.octets, self.at)
        self.at += struct.calcsize(">" + form)
        return numbers

    def raw(self, size: int) -> bytes:
        octets = self.octets[self.at : self.at + size]
        assert len(octets) == size
        self.at += size
        return octets

    def counted(self) -> bytes:
        return self.raw(self.take("I")[0])

    def strings(self) -> list[str]:
        return [self.counted().decode() for _ in range(self.take("I")[0])]


@dataclass(frozen=True)
class Question:
    """A request. `session` is its key; with it the message is numbered and has a MAC."""

    op: int
    body: bytes
    flags: int = DEFAULTS
    version: tuple[int, int] = (2, 11)
    suggested: tuple[int, int] = (2, 11)
    session_id: int = 0
    key: bytes = b""
    counter: int = 0
    sealed: bool = False
    request_id: int = field(default_factory=lambda: next(_request_ids))
    expires: int = field(default_factory=lambda: int(time.time()) + 3600)

    @property
    def covered(self) -> bytes:
        header = (self.op, 0, self.flags, 0xFFFF, 0, 0, self.expires, len(self.body))
        return struct.pack(">IIIHBBII", *header) + self.body

    def octets(self) -> bytes:
        covered = self.covered
        content = covered + (self._credential(covered) if self.key else bytes(4))
        flags = 0
        if self.sealed:
            iv, padder = os.urandom(16), padding.PKCS7(128).padder()
            encryptor = Cipher(algorithms.AES(self.key[:16]), modes.CBC(iv)).encryptor()
            content = iv + encryptor.update(padder.update(content) + padder.finalize())
            flags = ENCRYPTED
        front = (*self.version, flags | self.suggested[0], self.suggested[1], self.session_id, self.request_id, 0)
        return struct.pack(">BBBBiiiI", *front, len(content)) + content

    def _credential(self, covered: bytes) -> bytes:
        algorithm, mac = mac_of(self.key, covered, self, self.counter)
        section = text(algorithm) + text(mac)
        return text(bytes(4) + text("") + struct.pack(">I", self.counter) + text("HS_MAC") + text(section))


def mac_of(key: bytes, covered: bytes, message: "Question | Reply", counter: int) -> tuple[bytes, bytes]:
    """The algorithm as the message's version writes it, and the MAC."""
    if message.version >= (2, 7):
        return b"HMAC-SHA256", hmac.digest(key, front_of(message, counter) + covered, "sha256")
    octets = key + covered + key
    if message.version >= (2, 5):  # The buffer in which the message was meant to stand behind the key.
        octets = key + struct.pack(">BBi", *message.version, message.session_id)
        octets = (octets[:4] + covered + key).ljust(2 * len(key) + 14 + len(covered), b"\0")
    algorithm = b"SHA1" if message.version >= (2, 6) else b"\2"
    return algorithm, hashlib.sha1(octets, usedforsecurity=False).digest()


def front_of(message: "Question | Reply", counter: int) -> bytes:
    """What is covered besides header and body."""
    ids = (message.session_id, message.request_id, counter)
    if message.version >= (2, 8):
        return struct.pack(">BBBBiiI", *message.version, *message.suggested, *ids)
    if message.version == (2, 7):
        return struct.pack(">BBiiI", *message.version, *ids)
    if message.version == (2, 6):
        session = struct.pack(">i", message.session_id)[:2]
        return bytes(message.version) + session + struct.pack(">I", counter) + bytes(6)
    return b""


@dataclass(frozen=True)
class Reply:
    """A message that came back. `content` is its body without the digest of the request."""

    version: tuple[int, int]
    suggested: tuple[int, int]
    session_id: int
    request_id: int
    op: int
    code: int
    flags: int
    serial: int
    expiration: int
    body: bytes
    credential: bytes

    @classmethod
    def read(cls, octets: bytes, key: bytes = b"") -> "Reply":
        major, minor, flags, suggested, session_id, request_id, _, length = struct.unpack(">BBBBiiiI", octets[:20])
        content = octets[20:]
        assert len(content) == length
        assert bool(flags & ENCRYPTED) == bool(key), "encrypted when it should be, and only then"
        if key:
            decryptor = Cipher(algorithms.AES(key[:16]), modes.CBC(content[:16])).decryptor()
            unpadder = padding.PKCS7(128).unpadder()
            content = unpadder.update(decryptor.update(content[16:])) + unpadder.finalize()
        op, code, op_flags, serial, _, _, expiration, size = struct.unpack(">IIIHBBII", content[:24])
        rest = Reading(content[24 + size :])
        credential = rest.counted() if rest.octets else b""
        ids = ((major, minor), (flags & 3, suggested), session_id, request_id)
        return cls(*ids, op, code, op_flags, serial, expiration, content[24 : 24 + size], credential)

    @property
    def digest(self) -> bytes:
        """With the octet that names its algorithm."""
        assert self.flags & DIGEST
        return self.body[: 1 + {1: 16, 2: 20, 3: 32}[self.body[0]]]

    @property
    def content(self) -> Reading:
        reading = Reading(self.body)
        reading.at = len(self.digest) if self.flags & DIGEST else 0
        return reading

    @property
    def covered(self) -> bytes:
        header = (self.op, self.code, self.flags, self.serial, 0, 0, self.expiration, len(self.body))
        return struct.pack(">IIIHBBII", *header) + self.body

    def values(self) -> dict[int, tuple[str, bytes]]:
        reading = self.content
        reading.counted()
        values = {}
        for _ in range(reading.take("I")[0]):
            index, _, _, _, _ = reading.take("IIBIB")
            values[index] = (reading.counted().decode(), reading.counted())
            for _ in range(reading.take("I")[0]):
                reading.counted()
                reading.take("I")
        return values

    def vouched(self) -> tuple[str, int, bytes, bytes]:
        """Of the credential: kind, counter, algorithm, and signature or MAC."""
        reading = Reading(self.credential)
        reading.raw(4)
        assert reading.counted() == b""
        (counter,) = reading.take("I")
        kind = reading.counted().decode()
        section = Reading(reading.counted())
        return kind, counter, section.counted(), section.counted()

    def is_signed_by(self, key: rsa.RSAPublicKey) -> bool:
        """Raises InvalidSignature."""
        kind, counter, algorithm, signature = self.vouched()
        name, digest = (b"SHA-256", hashes.SHA256()) if self.version >= (2, 7) else (b"SHA1", OLD_HASH)
        assert (kind, counter, algorithm) == ("HS_SIGNED", 0, name)
        key.verify(signature, front_of(self, 0) + self.covered, signature_padding.PKCS1v15(), digest)
        return True

    def has_mac_of(self, key: bytes) -> bool:
        kind, counter, algorithm, mac = self.vouched()
        return kind == "HS_MAC" and (algorithm, mac) == mac_of(key, self.covered, self, counter)


@dataclass(frozen=True)
class Site:
    version: tuple[int, int]
    interfaces: list[tuple[int, int, int]]  # what for (3: everything), protocol (0 UDP, 1 TCP, 2 HTTP, 3 HTTPS), port
    address: str
    key: rsa.RSAPublicKey

    @classmethod
    def read(cls, reading: Reading) -> "Site":
        form, major, minor, _, mask, _ = reading.take("HBBHBB")
        assert (form, mask & 0x80) == (1, 0x80)
        reading.counted()
        for _ in range(reading.take("I")[0]):
            reading.counted()
            reading.counted()
        assert reading.take("I") == (1,)
        reading.take("I")
        address = reading.raw(16)
        key = Reading(reading.counted())
        assert (key.counted(), key.take("H")) == (b"RSA_PUB_KEY", (0,))
        exponent, modulus = (int.from_bytes(key.counted(), "big") for _ in range(2))
        interfaces = [reading.take("BBI") for _ in range(reading.take("I")[0])]
        assert reading.at == len(reading.octets)
        numbers = rsa.RSAPublicNumbers(exponent, modulus)
        return cls((major, minor), interfaces, socket.inet_ntoa(address[12:]), numbers.public_key())


def by_secret(challenge: Reply, identity: tuple[str, int], secret: bytes) -> bytes:
    """The answer to a challenge as the reference client gives it: by PBKDF2 from 2.7 on, by SHA-1 below."""
    content, digest = challenge.content, challenge.digest[1:]
    signed = content.counted() + digest
    if challenge.version >= (2, 7):
        salt = os.urandom(16)
        key = hashlib.pbkdf2_hmac("sha1", secret, salt, 10_000, 20)
        proof = b"\x22" + text(salt) + struct.pack(">II", 10_000, 160) + text(hmac.digest(key, signed, "sha1"))
    else:
        proof = b"\x02" + hashlib.sha1(secret + signed + secret, usedforsecurity=False).digest()
    return text("HS_SECKEY") + text(identity[0]) + struct.pack(">I", identity[1]) + text(proof)


def by_private_key(challenge: Reply, identity: tuple[str, int], key: rsa.RSAPrivateKey) -> bytes:
    signed = challenge.content.counted() + challenge.digest[1:]
    proof = text("SHA-256") + text(key.sign(signed, signature_padding.PKCS1v15(), hashes.SHA256()))
    return text("HS_PUBKEY") + text(identity[0]) + struct.pack(">I", identity[1]) + text(proof)


def public_key_data(key: rsa.RSAPublicKey) -> bytes:
    numbers = key.public_numbers()
    octets = [b"\0" + number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.e, numbers.n)]
    return text("RSA_PUB_KEY") + bytes(2) + b"".join(map(text, octets))


class Tcp:
    """One connection. `come` reads a message; `end` reads until the other side closes."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), DEADLINE)

    def __enter__(self) -> "Tcp":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, question: Question, key: bytes = b"") -> Reply:
        self.socket.sendall(question.octets())
        return self.come(key)

    def come(self, key: bytes = b"") -> Reply:
        front = self._exactly(20)
        return Reply.read(front + self._exactly(int.from_bytes(front[16:], "big")), key)

    def end(self) -> bytes:
        octets = b""
        while more := self.socket.recv(65536):
            octets += more
        return octets

    def _exactly(self, size: int) -> bytes:
        octets = b""
        while len(octets) < size:
            more = self.socket.recv(size - len(octets))
            assert more, "the connection ended in the middle of a message"
            octets += more
        return octets


def over_udp(
    port: int, question: Question, host: str = "127.0.0.1", source: tuple[str, int] | None = None
) -> tuple[Reply, int]:
    """The answer and in how many datagrams it came."""
    octets = question.octets()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(DEADLINE)
        if source is not None:
            datagrams.bind(source)
        datagrams.connect((host, port))
        for datagram in in_pieces(octets):
            datagrams.send(datagram)
        pieces: dict[int, bytes] = {}
        while True:
            datagram = datagrams.recv(65536)
            assert len(datagram) <= 512
            number, length = struct.unpack(">iI", datagram[12:20])
            pieces[number] = datagram[20:]
            if sum(map(len, pieces.values())) == length:
                front = datagram[:2] + bytes([datagram[2] & ~TRUNCATED]) + datagram[3:12] + bytes(4) + datagram[16:20]
                return Reply.read(front + b"".join(pieces[number] for number in sorted(pieces))), len(pieces)


def in_pieces(octets: bytes) -> list[bytes]:
    front, content = octets[:20], octets[20:]
    if len(octets) <= 512:
        return [octets]
    flagged = front[:2] + bytes([front[2] | TRUNCATED]) + front[3:12]
    starts = range(0, len(content), 492)
    return [flagged + struct.pack(">i", n) + front[16:] + content[at : at + 492] for n, at in enumerate(starts)]


def over_http(port: int, question: Question, *, tls: bool, path: str = "/%2F", host: str = "127.0.0.1") -> list[Reply]:
    """The answers in one response, which has its length in front: the reference client reads no chunks."""
    if tls:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=DEADLINE, context=trusting)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=DEADLINE)
    try:
        connection.request("POST", path, question.octets(), {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE})
        response = connection.getresponse()
        octets = response.read()
    finally:
        connection.close()
    headers = response.headers
    assert (response.status, headers["Content-Type"], headers["Content-Length"]) == (200, MEDIA_TYPE, str(len(octets)))
    replies = []
    while octets:
        end = 20 + int.from_bytes(octets[16:20], "big")
        replies.append(Reply.read(octets[:end]))
        octets = octets[end:]
    return replies


class Session:
    """A session by Diffie-Hellman, as the reference client sets it up: certified, with the digest, for somebody."""

    def __init__(self, identity: tuple[str, int], version: tuple[int, int] = (2, 11)) -> None:
        self.version = version
        self._exponent = secrets.randbits(160) | 1 << 159
        integers = (pow(2, self._exponent, OAKLEY_2), OAKLEY_2, 2)
        key = text("DH_PUB_KEY") + bytes(2) + b"".join(
            text(number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in integers
        )  # fmt: skip
        body = struct.pack(">HI", 4, 86_400) + text(identity[0]) + struct.pack(">i", identity[1]) + text(key) + bytes(2)
        flags = DEFAULTS | CERTIFY | DIGEST
        self.setup = Question(400, body, flags, version=version, suggested=version)
        self.id = 0
        self.key = b""
        self._counter = 0

    def opened(self, answer: Reply) -> None:
        assert (answer.op, answer.code) == (400, 1)
        assert (
            answer.digest[1:]
            == hashlib.new("sha256" if answer.version >= (2, 7) else "sha1", self.setup.covered).digest()
        )
        content = answer.content
        assert content.take("H") == (4,)
        exchanged = Reading(content.counted())
        assert exchanged.take("I") == (3,), "AES"
        assert (exchanged.counted(), exchanged.take("H")) == (b"DH_PUB_KEY", (0,))
        theirs, prime, generator = (int.from_bytes(exchanged.counted(), "big") for _ in range(3))
        assert (prime, generator) == (OAKLEY_2, 2)
        shared = pow(theirs, self._exponent, OAKLEY_2)
        self.id = answer.session_id
        self.key = shared.to_bytes((shared.bit_length() + 7) // 8, "big")[:32]

    def ask(self, op: int, body: bytes, flags: int = DEFAULTS, *, sealed: bool = False) -> Question:
        self._counter += 1
        front = {"version": self.version, "suggested": self.version, "session_id": self.id}
        return Question(op, body, flags, **front, key=self.key, counter=self._counter, sealed=sealed)


def answered(challenge: Reply, body: bytes, **fields: object) -> Question:
    """The message that answers a challenge: of its session id, with a request id of its own."""
    assert (challenge.code, len(challenge.digest) > 1) == (402, True)
    question = Question(200, body, version=challenge.version, suggested=challenge.version)
    return replace(question, session_id=challenge.session_id, **fields)
