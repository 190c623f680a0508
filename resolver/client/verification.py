"""Certified answers held to the key of their server, which stands in its service information (RFC 3652, 2.2.4)."""

from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from registry.keys import PublicKey
from registry.octets import Truncated
from resolver.wire.credential import Credential, SignaturePublicKey, signature_is_right
from resolver.wire.message import Message


def can_verify(public_key: bytes) -> bool:
    """Whether this is a key, in the form of HS_PUBKEY data, with which signatures can be held against answers."""
    try:
        return _usable(PublicKey.from_wire(public_key)) is not None
    except (Truncated, ValueError):
        return False


def is_signed_with(message: Message, public_key: bytes) -> bool:
    """Whether the holder of this key, in the form of HS_PUBKEY data, signed a message."""
    if not message.credential:
        return False
    try:
        key = _usable(PublicKey.from_wire(public_key))
        credential = Credential.from_wire(message.credential)
    except (Truncated, ValueError):
        return False
    return key is not None and signature_is_right(message, credential, key)


def _usable(key: PublicKey) -> SignaturePublicKey | None:
    """Raises ValueError for numbers that are no key."""
    numbers = key.integers
    if key.kind == "RSA_PUB_KEY":
        return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()
    if key.kind == "DSA_PUB_KEY":
        parameters = dsa.DSAParameterNumbers(numbers["p"], numbers["q"], numbers["g"])
        return dsa.DSAPublicNumbers(numbers["y"], parameters).public_key()
    return None
