"""A file sealed for a place that is not trusted: anybody may seal it, who has the private key alone may read it.

A key of the file's own is agreed on with X25519 (RFC 7748) from a pair made for the file, and derived with HKDF
(RFC 5869). The content is cut into pieces, each under ChaCha20-Poly1305 (RFC 8439) with its number and whether it is
the last as the nonce, so that no piece can be changed, moved, left out or cut off unnoticed.
"""

import os
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"filament sealed 1\n"
PIECE: Final = 1 << 16  # Octets of content under one tag.
TAG: Final = 16
KEY: Final = 32
_COUNTER: Final = 11  # Octets of a nonce; the twelfth says whether it is the last piece.


class NotOpened(Exception):
    """The file is not whole, not sealed, or sealed for another key."""


def make_key(file: Path) -> Path:
    """Writes a new private key, readable by its owner alone, and beside it the public one, whose file is returned."""
    made = X25519PrivateKey.generate()
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(file, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
        target.write(private)
    public = file.with_name(f"{file.name}.pub")
    public.write_bytes(
        made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return public


def seal(source: BinaryIO, target: BinaryIO, public_key: Path) -> None:
    """Raises ValueError for a file that holds no X25519 public key."""
    recipient = serialization.load_pem_public_key(public_key.read_bytes())
    if not isinstance(recipient, X25519PublicKey):
        raise ValueError(f"{public_key} holds no X25519 public key")
    ours = X25519PrivateKey.generate()
    shown = ours.public_key().public_bytes_raw()
    cipher = _cipher(ours.exchange(recipient), shown + recipient.public_bytes_raw())
    target.write(MAGIC + shown)
    number, piece = 0, source.read(PIECE)
    while True:
        following = source.read(PIECE)
        target.write(cipher.encrypt(_nonce(number, last=not following), piece, MAGIC))
        if not following:
            return
        number, piece = number + 1, following


def unseal(source: BinaryIO, target: BinaryIO, private_key: Path) -> None:
    """Raises NotOpened; what was written until then is not to be used. Raises ValueError for a file that is no key."""
    recipient = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
    if not isinstance(recipient, X25519PrivateKey):
        raise ValueError(f"{private_key} holds no X25519 private key")
    head = source.read(len(MAGIC) + KEY)
    if not head.startswith(MAGIC) or len(head) != len(MAGIC) + KEY:
        raise NotOpened("it is no sealed file")
    shown = head[len(MAGIC) :]
    shared = recipient.exchange(X25519PublicKey.from_public_bytes(shown))
    cipher = _cipher(shared, shown + recipient.public_key().public_bytes_raw())
    number, piece = 0, source.read(PIECE + TAG)
    while True:
        following = source.read(PIECE + TAG)
        try:
            target.write(cipher.decrypt(_nonce(number, last=not following), piece, MAGIC))
        except InvalidTag:
            raise NotOpened("it is damaged, cut off, or sealed for another key") from None
        if not following:
            return
        number, piece = number + 1, following


def _cipher(shared: bytes, parties: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(hashes.SHA256(), KEY, salt=parties, info=MAGIC).derive(shared))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER, "big") + bytes([last])
