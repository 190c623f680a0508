"""The form of a header block: what stays as it is when a client sends another trace id or cookie with every question.

A form is a block that aiohttp's parser has let pass, with the values left open of headers that nothing depends on. A
block fits when it is the same octet by octet but for such values, and they hold visible ASCII and nothing else, so that
no line ends or begins in them: what the parser would say of it is known.
"""

import re
from dataclasses import dataclass
from typing import Final

from resolver.listeners.http.manner import COLOURING, Manner

# Headers of ordinary questions whose values matter, to the parser or to the answer.
_FIXED: Final = COLOURING | {b"accept", b"connection", b"host", b"keep-alive", b"proxy-connection"}
_OPEN: Final = b":[ -~]*"


@dataclass(frozen=True, slots=True)
class BlockForm:
    """The blocks of one kind of client, and how it asks."""

    pattern: re.Pattern[bytes]
    manner: Manner


def expression_of(block: bytes) -> bytes:
    """The regular expression of the blocks that differ from this one in nothing that matters."""
    return b"\r\n".join([_expression(*line.partition(b":")) for line in block.split(b"\r\n")])


def _expression(name: bytes, colon: bytes, value: bytes) -> bytes:
    if not colon or name.lower() in _FIXED:
        return re.escape(name + colon + value)
    return re.escape(name) + _OPEN
