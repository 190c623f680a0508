"""Signatures with SM2 and SM3, the national algorithms (GB/T 32918, GB/T 32905), by the extra `gm`.

Who signs is part of what is signed: a signer without a name has one that everybody knows, here it is the key's handle.
The library writes a line or two to standard error for a signature that is wrong, and nothing can be told to stop it.
"""

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from registry.errors import UnableToAuthenticate

SIGNER: Final = b"1234567812345678"  # Of whom no name is agreed on (GB/T 35276, section 10).
NUMBER: Final = 32  # Octets of each of the two numbers of a signature.


def has_sm2() -> bool:
    """Whether the library is installed."""
    try:
        require_sm2()
    except UnableToAuthenticate:
        return False
    return True


def require_sm2() -> Any:
    """The library, which has no types. Raises UnableToAuthenticate where it is not installed."""
    try:
        import gmssl_pyx
    except ImportError:
        raise UnableToAuthenticate("authentication.sm2") from None
    return gmssl_pyx


def is_signed_with_sm2(point: bytes, signer: str, challenge: bytes, signature: bytes) -> bool:
    """Whether the private half of this point signed the digest of a challenge. Raises UnableToAuthenticate."""
    library = require_sm2()
    try:
        # The SDKs sign the digest, which the signature digests once more, behind the signer's name.
        return bool(library.sm2_verify(point, library.sm3_hash(challenge), signature, signer.encode()))
    except library.GmsslInnerError:
        return False  # No point of the curve, no signature, or a name of more than 8,191 octets.


def is_signed_by_point(point: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the private half of this point signed a message under the name that everybody knows; `signature` is its
    two numbers, in as many octets each (as RFC 7518 has them, section 3.4). Raises UnableToAuthenticate."""
    library = require_sm2()
    if len(signature) != 2 * NUMBER:
        return False
    numbers = (int.from_bytes(signature[:NUMBER], "big"), int.from_bytes(signature[NUMBER:], "big"))
    try:
        return bool(library.sm2_verify(point, message, encode_dss_signature(*numbers), SIGNER))
    except library.GmsslInnerError:
        return False


def raw_signature(encoded: bytes) -> bytes:
    """The two numbers of a signature that is encoded as certificates have it."""
    return b"".join(number.to_bytes(NUMBER, "big") for number in decode_dss_signature(encoded))
