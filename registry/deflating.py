"""Stored values deflated against a dictionary: form 2, a sixth of form 1 where rows resemble each other (RFC 1951).

A dictionary is nothing but sample rows one after another, as far as deflate can look back. Form 2 is its octet, the
number of the dictionary, and the deflated octets of form 1 behind their first; what would not be shorter stays as it
is.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final

from registry.octets import Reader, Truncated, put_varint
from registry.packing import PACKED
from registry.record import MAX_RECORD

DEFLATED: Final = 2

_WINDOW: Final = 15  # Bits of the distance that deflate looks back.
LONGEST_DICTIONARY: Final = 1 << _WINDOW
_LEVEL: Final = 6  # At 9 a typical row is 1 octet shorter and takes a third longer.
_MEMORY: Final = 5  # The smallest that costs no octets: the state is copied for each row, and so costs time.
_LONGEST_INFLATED: Final = 2 * MAX_RECORD  # Above every record; bounds what a damaged row can ask for.


class Dictionary:
    """Sample values under a number of the book."""

    __slots__ = ("_fresh", "_head", "body", "number")

    def __init__(self, number: int, body: bytes) -> None:
        self.number = number
        self.body = body
        head = bytearray((DEFLATED,))
        put_varint(head, number)
        self._head = bytes(head)
        self._fresh: Any = None

    def __reduce__(self) -> tuple[type["Dictionary"], tuple[int, bytes]]:
        return Dictionary, (self.number, self.body)

    def deflate(self, packed: bytes) -> bytes:
        """Values of form 1 in form 2, or as they were where that is not shorter."""
        if self._fresh is None:
            self._fresh = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, self.body)
        stream = self._fresh.copy()  # A dictionary is digested once, not for each row.
        deflated = self._head + stream.compress(packed[1:]) + stream.flush()
        return deflated if len(deflated) < len(packed) else packed

    def inflate(self, stored: bytes) -> bytes:
        """Values of form 2 in form 1. Raises Truncated."""
        stream = zlib.decompressobj(-_WINDOW, self.body)
        try:
            return _FORM_1 + stream.decompress(stored[len(self._head) :], _LONGEST_INFLATED)
        except zlib.error as error:
            raise Truncated(f"values deflated against dictionary {self.number} cannot be read: {error}") from None


_FORM_1: Final = bytes((PACKED,))


def number_of(stored: bytes) -> int | None:
    """The dictionary that stored values are deflated against; None for values of another form. Raises Truncated."""
    return Reader(stored, 1).varint() if stored[:1] == b"\x02" else None


def body_of(samples: Sequence[bytes]) -> bytes:
    """A dictionary made of values of form 1: some from everywhere, as many as fit."""
    if not samples:
        return b""
    octets = sum(map(len, samples)) or 1
    step = max(1, octets // LONGEST_DICTIONARY)
    chosen = dict.fromkeys(packed[1:] for packed in samples[::step])
    return b"".join(chosen)[-LONGEST_DICTIONARY:]
