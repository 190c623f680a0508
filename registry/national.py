"""Signatures with SM2 and SM3, the national algorithms (GB/T 32918, GB/T 32905), by the extra `gm`.

Who signs is part of what is signed: a signer without a name has one that everybody knows, here it is the key's handle.
The library writes a line or two to standard error for a signature that is wrong, and nothing can be told to stop it.
"""

from typing import Any

from registry.errors import UnableToAuthenticate


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
