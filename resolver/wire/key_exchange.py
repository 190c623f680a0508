"""A session's key agreed on in the open: Diffie-Hellman in the group that the client names (RFC 2631).

The group is a stranger's choice: what is too weak is refused, and what is so large that it would cost too much.
A bad group weakens the stranger's own session and no other. Python's own arithmetic serves: `cryptography` is about
to drop this kind of exchange, and every exponent is used once.
"""

import secrets
from typing import Final

from registry.keys import PublicKey
from registry.octets import Truncated

MIN_PRIME: Final = 1024  # Bits; the reference client's group, and it offers no other.
MAX_PRIME: Final = 4096  # Bits; an exchange then costs 18 ms of a core, in the reference client's group 1.5 ms.
EXPONENT: Final = 256  # Bits; twice the strength of the largest group. The reference uses 160.
SESSION_KEY: Final = 32  # Octets.


class UnusableKey(Exception):
    """A key that no session can be agreed on with: another kind, a group out of bounds, no number of the group."""


def exchange(public_key: bytes) -> tuple[bytes, bytes]:
    """Our half for the client, in the form of HS_PUBKEY data, and the session's key. Raises UnusableKey.

    Milliseconds of a core, and other threads wait: whoever lets strangers ask for it bounds how often.
    """
    theirs, p, g = _numbers(public_key)
    exponent = secrets.randbits(EXPONENT) | 1 << (EXPONENT - 1)
    ours = PublicKey("DH_PUB_KEY", {"y": pow(g, exponent, p), "p": p, "g": g})
    return ours.to_wire(), session_key_of(pow(theirs, exponent, p))


def agreed(public_key: bytes, exponent: int) -> bytes:
    """The session's key, from the other side's half and our own exponent. Raises UnusableKey."""
    theirs, p, _ = _numbers(public_key)
    return session_key_of(pow(theirs, exponent, p))


def session_key_of(shared: int) -> bytes:
    """The first octets of the shared secret, without leading zeros. Raises UnusableKey when they are too few."""
    octets = shared.to_bytes((shared.bit_length() + 7) // 8, "big")
    if len(octets) < SESSION_KEY:
        raise UnusableKey("no secret can be shared with this key")
    return octets[:SESSION_KEY]


def _numbers(public_key: bytes) -> tuple[int, int, int]:
    """y, p and g of a key whose exchange is worth computing."""
    try:
        key = PublicKey.from_wire(public_key)
    except Truncated as error:
        raise UnusableKey(str(error)) from None
    if key.kind != "DH_PUB_KEY":
        raise UnusableKey(f"a {key.kind} agrees on nothing")
    y, p, g = (key.integers[name] for name in ("y", "p", "g"))
    if not MIN_PRIME <= p.bit_length() <= MAX_PRIME:
        raise UnusableKey(f"a group of {p.bit_length()} bits; {MIN_PRIME} to {MAX_PRIME} are accepted")
    # 0, 1 and p - 1 would make the secret known to anybody who listens.
    if p % 2 == 0 or not 2 <= g <= p - 2 or not 2 <= y <= p - 2:
        raise UnusableKey("no number of the group")
    return y, p, g
