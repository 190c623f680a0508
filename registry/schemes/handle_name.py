"""Handles as people write them: bare, behind `hdl:` and its like, or behind the address of a public proxy.

Every text is the shape of a handle, so this system is tried last; of two readings of one text the other one wins.
"""

import re
from typing import Final

from registry.handle import Handle

SYSTEM: Final = "handle"

# What stands in front of a handle and is no part of it (RFC 3652 has no URI; these are in use).
_IN_FRONT: Final = re.compile(
    r"(?:urn:hdl:|hdl:/{0,2}|info:hdl/|doi:|info:doi/|https?://(?:hdl\.handle\.net|(?:dx\.)?doi\.org)/)(?=.)",
    re.IGNORECASE,
)


def shape(_: str) -> bool:
    return True


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    in_front = _IN_FRONT.match(text)
    return Handle.from_text(text[in_front.end() :] if in_front else text)
