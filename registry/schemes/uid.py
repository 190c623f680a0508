"""UID: a system that documents name and none we could read defines, so its codes are told apart and refused."""

import re
from typing import Final, NoReturn

from registry.errors import InvalidHandle

SYSTEM: Final = "uid"

_LABEL: Final = re.compile(r"(?:urn:)?uid:", re.IGNORECASE)


def shape(text: str) -> bool:
    return text[:1] in "uU" and _LABEL.match(text) is not None


def from_text(text: str) -> NoReturn:
    """Raises InvalidHandle."""
    raise InvalidHandle("uid.unsure", code=text)
