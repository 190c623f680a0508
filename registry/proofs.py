"""Proof that somebody holds a key: digests with a secret key, signatures with a private one (RFC 3652, section 3.5).

What is proved over is the challenge: the server's nonce and whatever else both sides agreed on, here the client's own
nonce. Everything in a proof is chosen by a stranger, so what it may cost is bounded before it is computed. MD5 is
accepted for secret keys alone, where a setting says so, and for signatures in no place.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from registry.errors import InvalidCredential
from registry.keys import SM2, PublicKey
from registry.national import is_signed_with_sm2, require_sm2

MAX_ITERATIONS: Final = 100_000  # A tenth of a second of a core; the reference's clients send 10,000.
MAX_DERIVED: Final = 512  # Bits of a derived key: more than any digest here is wide. The clients send 160.
MD5: Final = "MD5"
SM3: Final = "SM3"  # What signatures with SM2 are made over, and no other.
MIN_RSA: Final = 1024  # Bits; old enterprise keys have as few, and fewer can be factored at home.
MAX_EXPONENT: Final = 64  # Bits; keys have 2 to 17. One as long as its key makes a signature cost 15 ms of a core.

_HASHES: Final[Mapping[str, type[hashes.HashAlgorithm]]] = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer to a challenge. `salt`, `iterations` and `length` (bits) belong to derived keys only."""

    identity: str
    type: str
    cnonce: bytes
    algorithm: str
    signature: bytes
    salt: bytes = b""
    iterations: int = 0
    length: int = 0


def check_proof(proof: Proof, *, md5: bool = False) -> None:
    """Refuses what cannot be checked, or would cost too much. Raises InvalidCredential, UnableToAuthenticate."""
    name = _folded(proof.algorithm)
    if name not in _ALGORITHMS.get(proof.type, ()) or (name == MD5 and not md5):
        raise InvalidCredential("authentication.algorithm", algorithm=f"{proof.type} {proof.algorithm}"[:100])
    if name == SM3:
        require_sm2()
    if name == _DERIVED:
        if not 1 <= proof.iterations <= MAX_ITERATIONS:
            raise InvalidCredential("authentication.iterations", iterations=proof.iterations, limit=MAX_ITERATIONS)
        if proof.length % 8 or not 8 <= proof.length <= MAX_DERIVED:
            raise InvalidCredential("authentication.key_length", length=proof.length, limit=MAX_DERIVED)


def secret_proves(secret: bytes, challenge: bytes, proof: Proof) -> bool:
    """Whether a checked proof was made with this secret key."""
    return hmac.compare_digest(_DIGESTS[_folded(proof.algorithm)](secret, challenge, proof), proof.signature)


def signature_proves(key: PublicKey, challenge: bytes, proof: Proof) -> bool:
    """Whether a checked proof was made with the private half of this key. A key that cannot be used proves nothing."""
    name = _folded(proof.algorithm)
    if name == SM3:
        signer = proof.identity.partition(":")[2]
        return key.kind == SM2 and is_signed_with_sm2(key.point, signer, challenge, proof.signature)
    algorithm = _HASHES[name]()
    try:
        loaded = load_key(key)
        if isinstance(loaded, rsa.RSAPublicKey):
            loaded.verify(proof.signature, challenge, padding.PKCS1v15(), algorithm)
        else:
            loaded.verify(proof.signature, challenge, algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def load_key(key: PublicKey) -> rsa.RSAPublicKey | dsa.DSAPublicKey:
    """A key that signatures can be checked with. Raises ValueError or UnsupportedAlgorithm for one that cannot."""
    integers = key.integers
    is_rsa = key.kind == "RSA_PUB_KEY" and integers["e"].bit_length() <= MAX_EXPONENT
    if is_rsa and integers["n"].bit_length() >= MIN_RSA:
        return rsa.RSAPublicNumbers(integers["e"], integers["n"]).public_key()
    if key.kind == "DSA_PUB_KEY":
        parameters = dsa.DSAParameterNumbers(integers["p"], integers["q"], integers["g"])
        return dsa.DSAPublicNumbers(integers["y"], parameters).public_key()
    raise ValueError(f"a {key.kind} of this size signs nothing")


def _folded(algorithm: str) -> str:
    """Clients write SHA1 and SHA-1, HMAC-SHA256 and HMAC-SHA-256."""
    return algorithm.upper().replace("-", "")


def _surrounded(name: str) -> Callable[[bytes, bytes, Proof], bytes]:
    """The older form: a plain hash with the key on both sides."""
    return lambda secret, challenge, proof: hashlib.new(name, secret + challenge + secret).digest()


def _hmac(name: str) -> Callable[[bytes, bytes, Proof], bytes]:
    return lambda secret, challenge, proof: hmac.digest(secret, challenge, name)


def _derived(secret: bytes, challenge: bytes, proof: Proof) -> bytes:
    key = hashlib.pbkdf2_hmac("sha1", secret, proof.salt, proof.iterations, proof.length // 8)
    return hmac.digest(key, challenge, "sha1")


_DERIVED: Final = "PBKDF2HMACSHA1"
_DIGESTS: Final[Mapping[str, Callable[[bytes, bytes, Proof], bytes]]] = {
    MD5: _surrounded("md5"),
    "SHA1": _surrounded("sha1"),
    "SHA256": _surrounded("sha256"),
    "HMACSHA1": _hmac("sha1"),
    "HMACSHA256": _hmac("sha256"),
    _DERIVED: _derived,
}
_ALGORITHMS: Final[Mapping[str, Collection[str]]] = {"HS_PUBKEY": {*_HASHES, SM3}, "HS_SECKEY": _DIGESTS}
