"""The bodies of setting a session up: who wants one, and how its key is agreed on (RFC 3652, section 3.8).

Mode 4, Diffie-Hellman, is the one in use; of the others the reference server cannot finish mode 1, and its own client
not mode 2. The reference writes two zero octets behind request and answer, and so do we.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from registry.octets import Reader, put_counted, put_string, put_uint16, put_uint32
from registry.value import Reference
from resolver.wire.challenge import put_reference, read_reference
from resolver.wire.envelope import Version


class SessionMode(IntEnum):
    """Where the session's key comes from."""

    CLIENT_KEY = 1  # The server makes it and encrypts it to a key in the request.
    SERVER_KEY = 2  # The client makes it and encrypts it to the server's key.
    KEY_IN_HANDLE = 3  # As CLIENT_KEY, with a key that is a handle value.
    DIFFIE_HELLMAN = 4


class Cipher(IntEnum):
    """What a session encrypts with; we offer AES."""

    DES = 1
    TRIPLE_DES = 2
    AES = 3
    SM4 = 4  # The national SDKs' own.


CIPHER_NAMED_FROM: Final[Version] = (2, 4)  # Below, everybody used DES and nobody said so.
_TAIL: Final = bytes(2)
_NOBODY: Final = 0xFFFFFFFF  # The index of an identity that is none: -1.


@dataclass(frozen=True, slots=True)
class SessionSetup:
    """A request for a session of `timeout` seconds. `mode` may be a number that has no name (refused with 504).

    `public_key` belongs to modes 1 and 4, `key` to mode 3. `identity` is who the session will be, None for nobody.
    """

    mode: int
    timeout: int
    identity: Reference | None = None
    public_key: bytes = b""
    key: Reference | None = None

    @classmethod
    def from_wire(cls, body: bytes) -> "SessionSetup":
        """Raises Truncated."""
        reader = Reader(body)
        mode = reader.uint16()
        timeout = reader.uint32()
        identity = read_reference(reader)
        public_key = reader.counted() if mode in _WITH_PUBLIC_KEY else b""
        key = read_reference(reader) if mode == SessionMode.KEY_IN_HANDLE else None
        return cls(mode, timeout, None if identity.index == _NOBODY else identity, public_key, key)

    def to_wire(self) -> bytes:
        out = bytearray()
        put_uint16(out, self.mode)
        put_uint32(out, self.timeout)
        if self.identity is None:
            put_string(out, "")
            put_uint32(out, _NOBODY)
        else:
            put_reference(out, self.identity)
        if self.mode in _WITH_PUBLIC_KEY:
            put_counted(out, self.public_key)
        if self.key is not None:
            put_reference(out, self.key)
        return bytes(out + _TAIL)


_WITH_PUBLIC_KEY: Final = frozenset({SessionMode.CLIENT_KEY, SessionMode.DIFFIE_HELLMAN})


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The answer to a set-up; the session's id is in the envelope.

    `octets` is by mode: 4 an `ExchangedKey`, 2 the server's public key, 1 and 3 the encrypted session key.
    """

    mode: int
    octets: bytes

    @classmethod
    def from_wire(cls, content: bytes) -> "SessionOpened":
        """Raises Truncated."""
        reader = Reader(content)
        return cls(reader.uint16(), reader.counted())

    def to_wire(self) -> bytes:
        out = bytearray()
        put_uint16(out, self.mode)
        put_counted(out, self.octets)
        return bytes(out + _TAIL)


@dataclass(frozen=True, slots=True)
class ExchangedKey:
    """The server's half of a Diffie-Hellman exchange, in the form of HS_PUBKEY data, and the cipher it chose."""

    cipher: int
    public_key: bytes

    @classmethod
    def from_wire(cls, octets: bytes, version: Version) -> "ExchangedKey":
        """Raises Truncated."""
        reader = Reader(octets)
        cipher = reader.uint32() if version >= CIPHER_NAMED_FROM else int(Cipher.DES)
        return cls(cipher, reader.octets(reader.remaining))

    def to_wire(self, version: Version) -> bytes:
        named = self.cipher.to_bytes(4, "big") if version >= CIPHER_NAMED_FROM else b""
        return named + self.public_key


@dataclass(frozen=True, slots=True)
class EncryptedSessionKey:
    """A session key that the client chose, encrypted with the server's public key (mode 2; op code 402)."""

    octets: bytes

    @classmethod
    def from_wire(cls, body: bytes) -> "EncryptedSessionKey":
        """Raises Truncated."""
        return cls(Reader(body).counted())

    def to_wire(self) -> bytes:
        out = bytearray()
        put_counted(out, self.octets)
        return bytes(out)
