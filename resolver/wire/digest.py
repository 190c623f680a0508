"""The digest of a request that its answer carries, so that nobody can swap requests (RFC 3652, section 2.2.3).

It is taken over the request's header and body, and stands in front of the answer's body. Which one is chosen by the
version of the answer. Before 2.1 it was an MD5 behind a four-octet length, whose first octet reads as algorithm 0.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from registry.octets import Reader, Truncated, put_counted
from resolver.wire.envelope import Version

COUNTED, MD5, SHA1, SHA256 = 0, 1, 2, 3

_NAMES: Final = {COUNTED: "md5", MD5: "md5", SHA1: "sha1", SHA256: "sha256"}
_SIZES: Final = {MD5: 16, SHA1: 20, SHA256: 32}


@dataclass(frozen=True, slots=True)
class RequestDigest:
    """An algorithm's number and the digest itself."""

    algorithm: int
    octets: bytes

    @classmethod
    def of(cls, covered: bytes, version: Version) -> "RequestDigest":
        """The digest that an answer in this version carries of a request's header and body."""
        algorithm = SHA256 if version >= (2, 7) else SHA1 if version >= (2, 1) else COUNTED
        return cls(algorithm, hashlib.new(_NAMES[algorithm], covered, usedforsecurity=False).digest())

    def to_wire(self) -> bytes:
        if self.algorithm != COUNTED:
            return bytes((self.algorithm,)) + self.octets
        out = bytearray()
        put_counted(out, self.octets)
        return bytes(out)

    @classmethod
    def from_wire(cls, reader: Reader) -> "RequestDigest":
        algorithm = reader.uint8()
        if algorithm == COUNTED:
            return cls(COUNTED, reader.octets(int.from_bytes(reader.octets(3), "big")))
        if algorithm not in _SIZES:
            raise Truncated(f"{algorithm} is no digest algorithm")
        return cls(algorithm, reader.octets(_SIZES[algorithm]))
