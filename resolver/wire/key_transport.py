"""A session's key made by one side and sent to the other under its RSA key: modes 1 to 3 (RFC 3652, section 3.8).

PKCS#1 v1.5, as the reference means it, around the cipher's number and the key; the reference's own client leaves the
number out in mode 2, and its lengths tell. The node's key signs too, so whoever answers a key that cannot be unwrapped
must answer every one of them alike: what tells a wrong padding from wrong contents makes signatures in the end.
"""

import secrets
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.keys import PublicKey
from registry.octets import Truncated
from registry.proofs import load_key
from resolver.wire.key_exchange import UnusableKey
from resolver.wire.session_setup import Cipher

KEY: Final = 16  # Octets of a key that we make: all of them encrypt, whichever of a longer one a client would take.
KEYS: Final = frozenset({16, 24, 32})  # Octets of a key that a client may make; the first 16 encrypt.
MAX_MODULUS: Final = 4096  # Bits, as of Diffie-Hellman.
_AES: Final = int(Cipher.AES).to_bytes(4, "big")


def made_for(public_key: bytes) -> tuple[bytes, bytes]:
    """A new session key encrypted for the holder of an HS_PUBKEY, and the key. Raises UnusableKey."""
    try:
        loaded = load_key(_bounded(PublicKey.from_wire(public_key)))
        if not isinstance(loaded, rsa.RSAPublicKey):
            raise UnusableKey("nothing is encrypted with it")
        key = secrets.token_bytes(KEY)
        return loaded.encrypt(_AES + key, padding.PKCS1v15()), key
    except (Truncated, ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(str(error)) from None


def unwrapped(octets: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """The session key that somebody encrypted for us. Raises UnusableKey, which never says why."""
    try:
        clear = key.decrypt(octets, padding.PKCS1v15())
    except ValueError:
        clear = b""
    if len(clear) in KEYS:
        return clear
    if len(clear) - len(_AES) in KEYS and clear.startswith(_AES):
        return clear[len(_AES) :]
    raise UnusableKey("no session key for AES")


def _bounded(key: PublicKey) -> PublicKey:
    bits = key.integers.get("n", 0).bit_length()
    if bits > MAX_MODULUS:
        raise UnusableKey(f"a key of {bits} bits; at most {MAX_MODULUS} are accepted")
    return key
