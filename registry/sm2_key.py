"""A private key of SM2 (GB/T 32918), with which a node signs beside Ed25519 where the extra `gm` is installed.

Its file is what `openssl ecparam -genkey -name SM2 -noout` writes (RFC 5915), in the one layout that this has.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

from registry.national import SIGNER, raw_signature, require_sm2

SECRET: Final = 32  # Octets.
# ECPrivateKey: version 1, the secret; then the curve 1.2.156.10197.1.301, and the point, not compressed.
_HEAD: Final = bytes.fromhex("3077 020101 0420")
_MIDDLE: Final = bytes.fromhex("a00a 0608 2a811ccf5501822d a144 0342 0004")
_LENGTH: Final = len(_HEAD) + SECRET + len(_MIDDLE) + 2 * SECRET
_BEGIN, _END = b"-----BEGIN EC PRIVATE KEY-----", b"-----END EC PRIVATE KEY-----"
_LINE: Final = 64  # Characters of a line (RFC 7468, section 2).


@dataclass(frozen=True, slots=True)
class Sm2PrivateKey:
    """`point` is its public half, both coordinates."""

    secret: bytes = field(repr=False)
    point: bytes

    @classmethod
    def generate(cls) -> "Sm2PrivateKey":
        """Raises UnableToAuthenticate where the extra is not installed."""
        point, secret = require_sm2().sm2_key_generate()
        return cls(secret, point)

    @classmethod
    def from_pem(cls, pem: bytes) -> "Sm2PrivateKey":
        """Raises ValueError."""
        _, begun, rest = pem.partition(_BEGIN)
        body, ended, _ = rest.partition(_END)
        try:
            octets = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            octets = b""
        secret = octets[len(_HEAD) : len(_HEAD) + SECRET]
        if not (begun and ended) or len(octets) != _LENGTH or octets[: -2 * SECRET] != _HEAD + secret + _MIDDLE:
            raise ValueError("no private key of SM2")
        return cls(secret, octets[-2 * SECRET :])

    def to_pem(self) -> bytes:
        text = base64.b64encode(_HEAD + self.secret + _MIDDLE + self.point)
        lines = [text[begin : begin + _LINE] for begin in range(0, len(text), _LINE)]
        return b"\n".join((_BEGIN, *lines, _END, b""))

    def sign(self, message: bytes) -> bytes:
        """Both numbers of the signature, as JSON Web Signatures have them."""
        return raw_signature(require_sm2().sm2_sign(self.secret, self.point, message, SIGNER))
