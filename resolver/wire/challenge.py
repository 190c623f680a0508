"""Challenge and answer: who asks is proved over a nonce and the digest of the request (RFC 3652, section 3.5).

A challenge is answered in another message, perhaps on another connection, which does not repeat the request. The
forms of a secret key's answer are told apart by their first octet, but for the first of all, which was a bare MD5.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from registry.errors import ResponseCode
from registry.octets import Reader, Truncated, put_counted, put_string, put_uint8, put_uint32
from registry.value import Reference
from resolver.wire.digest import COUNTED, RequestDigest
from resolver.wire.envelope import Version, rules_of
from resolver.wire.message import AUTHORITATIVE, REQUEST_DIGEST, Message

NONCE: Final = 16  # Octets.
SECRET_KEY, PUBLIC_KEY = "HS_SECKEY", "HS_PUBKEY"

DERIVED: Final = "PBKDF2-HMAC-SHA1"
ITERATIONS, DERIVED_BITS = 10_000, 160  # What the reference client sends.

# The first octet of a secret key's answer, and the algorithm by the name that the HTTP interface gives it.
ALGORITHMS: Final = {
    0x01: "MD5",
    0x02: "SHA1",
    0x03: "SHA256",
    0x12: "HMAC-SHA1",
    0x13: "HMAC-SHA256",
    0x22: DERIVED,
}
_NUMBERS: Final = {name: number for number, name in ALGORITHMS.items()}
_BARE_MD5: Final = 16  # Octets; no other form is so short.


@dataclass(frozen=True, slots=True)
class Challenge:
    """What must be answered: the server's nonce, and which request it took."""

    nonce: bytes
    digest: RequestDigest

    @classmethod
    def from_message(cls, message: Message) -> "Challenge":
        """Raises Truncated. Version 2.0 writes the digest behind the nonce, later ones in front."""
        reader = Reader(message.body)
        if message.op_flags & REQUEST_DIGEST:
            digest = RequestDigest.from_wire(reader)
            return cls(reader.counted(), digest)
        nonce = reader.counted()
        return cls(nonce, RequestDigest(COUNTED, reader.counted()))


def challenged(request: Message, nonce: bytes, *, session_id: int, expiration: int, serial: int) -> Message:
    """The answer that asks for proof. The session id is what the answer to it will name."""
    version = rules_of(*request.answer_version)
    if version >= (2, 1):
        return request.answered(
            ResponseCode.AUTHENTICATION_NEEDED,
            _counted(nonce),
            flags=AUTHORITATIVE | REQUEST_DIGEST,
            session_id=session_id,
            expiration=expiration,
            serial=serial,
        )
    digest = RequestDigest.of(request.covered, version)
    return request._replace(op_flags=request.op_flags & ~REQUEST_DIGEST).answered(
        ResponseCode.AUTHENTICATION_NEEDED,
        _counted(nonce) + _counted(digest.octets),
        session_id=session_id,
        expiration=expiration,
        serial=serial,
    )


@dataclass(frozen=True, slots=True)
class ChallengeAnswer:
    """Proof by the key of that name. `answer` is a `SecretKeyProof` or a `PublicKeyProof`, as `type` says."""

    type: str
    key: Reference
    answer: bytes

    @classmethod
    def from_wire(cls, body: bytes) -> "ChallengeAnswer":
        """Raises Truncated."""
        reader = Reader(body)
        key_type = reader.string()
        return cls(key_type, read_reference(reader), reader.counted())

    def to_wire(self) -> bytes:
        out = bytearray()
        put_string(out, self.type)
        put_reference(out, self.key)
        put_counted(out, self.answer)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class Verification:
    """A proof that another server was given, to be verified where its secret key lives (op code 201)."""

    key: Reference
    nonce: bytes
    digest: bytes
    answer: bytes

    @classmethod
    def from_wire(cls, body: bytes) -> "Verification":
        """Raises Truncated."""
        reader = Reader(body)
        return cls(read_reference(reader), reader.counted(), reader.counted(), reader.counted())

    def to_wire(self) -> bytes:
        out = bytearray()
        put_reference(out, self.key)
        for octets in (self.nonce, self.digest, self.answer):
            put_counted(out, octets)
        return bytes(out)


def verdict_to_wire(right: bool) -> bytes:
    """The answer to a verification."""
    return b"\1" if right else b"\0"


def verdict_from_wire(content: bytes) -> bool:
    """Raises Truncated."""
    return Reader(content).uint8() == 1


@dataclass(frozen=True, slots=True)
class LogIn:
    """A connection that wants to be this key's holder from now on; it is challenged (op code 2001)."""

    key: Reference

    @classmethod
    def from_wire(cls, body: bytes) -> "LogIn":
        """Raises Truncated."""
        return cls(read_reference(Reader(body)))

    def to_wire(self) -> bytes:
        out = bytearray()
        put_reference(out, self.key)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class PublicKeyProof:
    """A signature over nonce and digest, made with the named hash."""

    algorithm: str
    signature: bytes

    @classmethod
    def from_wire(cls, answer: bytes) -> "PublicKeyProof":
        """Raises Truncated."""
        reader = Reader(answer)
        return cls(reader.string(), reader.counted())

    def to_wire(self) -> bytes:
        out = bytearray()
        put_string(out, self.algorithm)
        put_counted(out, self.signature)
        return bytes(out)


@dataclass(frozen=True, slots=True)
class SecretKeyProof:
    """A digest over nonce and digest with the secret key. The last three fields belong to DERIVED alone.

    A stranger chooses the iterations: they are bounded by whoever verifies, before anything is computed.
    """

    algorithm: str
    octets: bytes
    salt: bytes = b""
    iterations: int = 0
    bits: int = 0

    @classmethod
    def from_wire(cls, answer: bytes) -> "SecretKeyProof":
        """Raises Truncated."""
        if len(answer) == _BARE_MD5:
            return cls("MD5", answer)
        reader = Reader(answer)
        algorithm = ALGORITHMS.get(number := reader.uint8())
        if algorithm is None:
            raise Truncated(f"{number:#04x} is no form of a secret key's answer")
        if algorithm != DERIVED:
            return cls(algorithm, reader.octets(reader.remaining))
        salt, iterations, bits = reader.counted(), reader.uint32(), reader.uint32()
        return cls(algorithm, reader.counted(), salt, iterations, bits)

    def to_wire(self) -> bytes:
        out = bytearray()
        if self.algorithm == "MD5" and len(self.octets) == _BARE_MD5:
            return self.octets
        put_uint8(out, _NUMBERS[self.algorithm])
        if self.algorithm != DERIVED:
            return bytes(out + self.octets)
        put_counted(out, self.salt)
        put_uint32(out, self.iterations)
        put_uint32(out, self.bits)
        put_counted(out, self.octets)
        return bytes(out)


def prove(secret: bytes, challenge: Challenge, version: Version, salt: bytes) -> SecretKeyProof:
    """What the reference client answers with in this version. The salt is fresh, and used from 2.7 on."""
    octets = challenge.nonce + challenge.digest.octets
    if version >= (2, 7):
        key = hashlib.pbkdf2_hmac("sha1", secret, salt, ITERATIONS, DERIVED_BITS // 8)
        return SecretKeyProof(DERIVED, hmac.digest(key, octets, "sha1"), salt, ITERATIONS, DERIVED_BITS)
    surrounded = secret + octets + secret
    if version >= (2, 1):
        return SecretKeyProof("SHA1", hashlib.sha1(surrounded, usedforsecurity=False).digest())
    return SecretKeyProof("MD5", hashlib.md5(surrounded, usedforsecurity=False).digest())


def read_reference(reader: Reader) -> Reference:
    return Reference(reader.string(), reader.uint32())


def put_reference(out: bytearray, reference: Reference) -> None:
    put_string(out, reference.handle)
    put_uint32(out, reference.index)


def _counted(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets
