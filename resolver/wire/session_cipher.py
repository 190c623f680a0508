"""Encryption in a session: the envelope stays clear, all behind it becomes AES-128-CBC (RFC 3652, section 2.2.1).

A random block stands in front of the ciphertext. The MAC is inside, so it cannot protect the padding: whoever
answers a sealed message must answer a wrong padding and a wrong MAC alike, or the answers decrypt it octet by octet.
"""

import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from resolver.wire.envelope import ENCRYPTED, ENVELOPE, ProtocolError
from resolver.wire.message import Message, SealedMessage

BLOCK: Final = 16  # Octets of a block of AES, of its key here, and of what stands in front of the ciphertext.


def sealed(message: Message, session_key: bytes, initial: bytes | None = None) -> SealedMessage:
    """The message encrypted. `initial` is the random block, made here when it is not given."""
    initial = secrets.token_bytes(BLOCK) if initial is None else initial
    clear = message.to_wire()
    padder = PKCS7(BLOCK * 8).padder()
    encryptor = _cipher(session_key, initial).encryptor()
    padded = padder.update(clear[ENVELOPE:]) + padder.finalize()
    ciphertext = initial + encryptor.update(padded) + encryptor.finalize()
    envelope = message.envelope._replace(flags=message.flags | ENCRYPTED, length=len(ciphertext))
    return SealedMessage(envelope, ciphertext)


def opened(message: SealedMessage, session_key: bytes) -> Message:
    """The message in clear. Raises ProtocolError for a key that is not its own, whatever it was that gave it away."""
    envelope, ciphertext = message.envelope, message.ciphertext
    if len(ciphertext) < 2 * BLOCK or len(ciphertext) % BLOCK:
        raise ProtocolError("no whole number of blocks", envelope)
    decryptor = _cipher(session_key, ciphertext[:BLOCK]).decryptor()
    unpadder = PKCS7(BLOCK * 8).unpadder()
    try:
        padded = decryptor.update(ciphertext[BLOCK:]) + decryptor.finalize()
        clear = unpadder.update(padded) + unpadder.finalize()
        envelope = envelope._replace(flags=envelope.flags & ~ENCRYPTED, length=len(clear))
        return Message.from_wire(envelope.to_wire() + clear)
    except (ValueError, ProtocolError):
        raise ProtocolError("cannot be decrypted", message.envelope) from None


def _cipher(session_key: bytes, initial: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES128(session_key[:BLOCK]), modes.CBC(initial))
