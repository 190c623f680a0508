"""What vouches for a message: the server's signature, or a MAC with a session's key (RFC 3652, section 2.2.4).

What is covered grew with the versions, and one of the forms is an old mistake that became the format: `_odd_buffer`.
A credential covers the message that it is written behind, so it is made last, and before encryption.
"""

import hashlib
import hmac
from dataclasses import dataclass
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from registry.octets import Reader, put_counted, put_string, put_uint8, put_uint16, put_uint32
from resolver.wire.envelope import SUGGESTED_MAJOR, Version
from resolver.wire.message import Message

SIGNED: Final = "HS_SIGNED"
MAC: Final = "HS_MAC"

SignaturePublicKey = rsa.RSAPublicKey | dsa.DSAPublicKey
SignaturePrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey

SHA256_FROM: Final[Version] = (2, 7)
DSA_SHA256_FROM: Final[Version] = (2, 11)
IDS_COVERED_FROM: Final[Version] = (2, 7)
SUGGESTION_COVERED_FROM: Final[Version] = (2, 8)
_ODD_BUFFER_FROM: Final[Version] = (2, 5)
_NAMED_MAC_FROM: Final[Version] = (2, 6)

_HASHES: Final = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}  # As `_folded` writes the names.
_PREFIX_26 = Struct(">BB2sI6x")
_PREFIX_27 = Struct(">BBiiI")
_PREFIX_28 = Struct(">BBBBiiI")
_ODD_START = Struct(">BBi")


@dataclass(frozen=True, slots=True)
class Credential:
    """`algorithm` is a name, or in MACs below 2.6 a single octet; `counter` grows in a session and is 0 outside."""

    type: str
    algorithm: bytes
    octets: bytes
    counter: int = 0
    signer: str = ""

    @classmethod
    def from_wire(cls, octets: bytes) -> "Credential":
        """Raises Truncated."""
        reader = Reader(octets)
        reader.octets(4)  # A version, a reserved octet and flags: zero in every version so far.
        signer = reader.string()
        counter = reader.uint32()
        credential_type = reader.string()
        reader = Reader(reader.counted())
        return cls(credential_type, reader.counted(), reader.counted(), counter, signer)

    def to_wire(self) -> bytes:
        section = bytearray()
        put_counted(section, self.algorithm)
        put_counted(section, self.octets)
        out = bytearray()
        put_uint8(out, 0)
        put_uint8(out, 0)
        put_uint16(out, 0)
        put_string(out, self.signer)
        put_uint32(out, self.counter)
        put_string(out, self.type)
        put_counted(out, bytes(section))
        return bytes(out)


def with_mac(message: Message, key: bytes, counter: int) -> Message:
    """The message with a MAC by a session's whole key."""
    algorithm, octets = _mac(message, key, counter)
    return message._replace(credential=Credential(MAC, algorithm, octets, counter).to_wire())


def mac_is_right(message: Message, credential: Credential, key: bytes) -> bool:
    """Whether the session's other side wrote this message. That its counter is new is another question."""
    algorithm, octets = _mac(message, key, credential.counter)
    named = credential.type == MAC and credential.algorithm == algorithm
    return hmac.compare_digest(octets, credential.octets) and named


def with_signature(message: Message, key: SignaturePrivateKey, counter: int = 0) -> Message:
    """The message signed. A millisecond of a core for an RSA key of 2,048 bits: not for the event loop."""
    covered = _signed_octets(message, counter)
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = "SHA-256" if message.version >= SHA256_FROM else "SHA1"
        octets = key.sign(covered, padding.PKCS1v15(), _HASHES[_folded(algorithm)]())
    else:
        algorithm = "SHA-256" if message.version >= DSA_SHA256_FROM else "SHA1"
        octets = key.sign(covered, _HASHES[_folded(algorithm)]())
    return message._replace(credential=Credential(SIGNED, algorithm.encode(), octets, counter).to_wire())


def signature_is_right(message: Message, credential: Credential, key: SignaturePublicKey) -> bool:
    """Whether the holder of this key signed the message; never for a hash that is not SHA-1 or SHA-256."""
    algorithm = _HASHES.get(_folded(credential.algorithm.decode(errors="replace")))
    if algorithm is None or credential.type != SIGNED:
        return False
    covered = _signed_octets(message, credential.counter)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(credential.octets, covered, padding.PKCS1v15(), algorithm())
        else:
            key.verify(credential.octets, covered, algorithm())
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _signed_octets(message: Message, counter: int) -> bytes:
    version = message.version
    if version >= IDS_COVERED_FROM:
        return _prefix(message, counter) + message.covered
    if version == (2, 6):
        session = message.session_id.to_bytes(4, "big", signed=True)[:2]
        return _PREFIX_26.pack(message.major, message.minor, session, counter) + message.covered
    return message.covered


def _mac(message: Message, key: bytes, counter: int) -> tuple[bytes, bytes]:
    """The algorithm as this version writes it, and the MAC."""
    version = message.version
    if version >= SHA256_FROM:
        return b"HMAC-SHA256", hmac.digest(key, _prefix(message, counter) + message.covered, "sha256")
    if version >= _ODD_BUFFER_FROM:
        algorithm = b"SHA1" if version >= _NAMED_MAC_FROM else b"\2"
        return algorithm, hashlib.sha1(_odd_buffer(message, key), usedforsecurity=False).digest()
    return b"\2", hashlib.sha1(key + message.covered + key, usedforsecurity=False).digest()


def _prefix(message: Message, counter: int) -> bytes:
    """What is covered of the envelope: the flag bits are not, as they change when datagrams are cut."""
    major, minor, flags, suggested_minor, session_id, request_id, *_ = message
    if message.version >= SUGGESTION_COVERED_FROM:
        suggested_major = flags & SUGGESTED_MAJOR
        return _PREFIX_28.pack(major, minor, suggested_major, suggested_minor, session_id, request_id, counter)
    return _PREFIX_27.pack(major, minor, session_id, request_id, counter)


def _odd_buffer(message: Message, key: bytes) -> bytes:
    """What versions 2.5 and 2.6 hash: meant as key, versions, ids, message, key, but the message is copied to offset 4.

    It so overwrites what stands before it, and the buffer stays longer than what is in it.
    """
    covered = message.covered
    buffer = bytearray(2 * len(key) + 14 + len(covered))
    buffer[: len(key)] = key
    _ODD_START.pack_into(buffer, len(key), message.major, message.minor, message.session_id)
    buffer[4 : 4 + len(covered)] = covered
    buffer[4 + len(covered) : 4 + len(covered) + len(key)] = key
    return bytes(buffer)


def _folded(algorithm: str) -> str:
    """Clients write SHA1 and SHA-1, SHA256 and SHA-256."""
    return algorithm.upper().replace("-", "")
